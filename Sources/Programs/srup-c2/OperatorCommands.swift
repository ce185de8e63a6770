import ArgumentParser
import Foundation
import Linux
import Operators
import Participant
import Program
import Storage

struct OperatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operator",
        abstract:
            "Say who may sign in to the server's pages, and what they may do there.",
        discussion: """
            Roles: look (see everything), moderate (let devices in, take them out, send to them, trust observers), administer \
            (policies, operators, too); each may do what those before it may.

            srup-c2 operator add anna --role administer
            srup-c2 operator add bob --role moderate --generate
            srup-c2 operator list
            srup-c2 operator sign-out bob

            All of it takes effect at once, also on a running server.
            Exit codes: 0 done, 1 it was refused, 78 there is no such folder.
            """,
        subcommands: [
            AddOperator.self, ListOperators.self, SetPassword.self, SetRole.self, Disable.self, Enable.self,
            RemoveOperator.self, SignOut.self,
        ])
}

extension FolderOptions {
    /// The file of the operators; the folder must be a server's.
    func operators() throws -> OperatorStore {
        guard PublicFile.isThere(folder + "/c2.toml") else {
            throw Program.failure(ParticipantError.notRegistered(folder: folder), code: .configuration)
        }
        do {
            return try stores().operators()
        } catch {
            throw Program.failure(error, code: .configuration)
        }
    }

    /// A line in the server's audit log. What was done is done when it cannot be written.
    fileprivate func audit(_ event: String, _ detail: String) {
        do {
            try stores().participant()
                .audit(event, detail + ", on the command line", now: Participant.systemTime())
        } catch {
            Program.complain("the audit log: \(error)")
        }
    }

    /// Does something about operators and says what was done.
    func change(
        _ event: String, _ detail: String, _ body: (OperatorStore) throws -> String
    ) throws {
        let store = try operators()
        do {
            let words = try body(store)
            audit(event, detail)
            print(words)
        } catch {
            throw Program.failure(error)
        }
    }
}

extension OperatorName: ExpressibleByArgument {
    /// Reads a name of the command line.
    public init?(argument: String) { self.init(argument) }
}

extension Role: ExpressibleByArgument {}

private struct NameArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The operator's name: \(OperatorName.form).", valueName: "name"))
    var name: OperatorName
}

private struct AddOperator: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add somebody who may sign in.",
        discussion: """
            Asks twice for a password, without showing it, unless it comes from a file or is made here.

            srup-c2 operator add anna --role administer
            srup-c2 operator add bob --generate
            pass show srup/carol | srup-c2 operator add carol --role look --password-file -
            """)

    @OptionGroup var folder: FolderOptions
    @OptionGroup var who: NameArgument
    @Option(help: "look, moderate or administer.")
    var role = Role.moderate
    @OptionGroup var password: PasswordOptions

    func run() throws {
        let name = who.name
        try folder.change("operator added", "\(name): \(role.rawValue)") { store in
            // Before a password is asked for.
            guard try store.find(name) == nil else { throw OperatorError.taken(name) }
            let (password, made) = try password.password()
            try store.add(name, role: role, password: password, now: Participant.systemTime())
            return "\(name) may sign in (\(role.rawValue))"
                + (made.map { "; the password, shown only now: \($0)" } ?? "")
        }
    }
}

private struct ListOperators: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the operators.",
        discussion: "With --json one object per line; times are seconds since 1970 there.")

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object per line.")
    var json = false

    private struct Line: Encodable {
        let name: String
        let role: String
        let disabled: Bool
        let created: Double
        let passwordSet: Double
        let sessions: Int
        let tokens: Int
    }

    func run() throws {
        let store = try folder.operators()
        do {
            for one in try store.operators() {
                let line = Line(
                    name: one.name.text, role: one.role.rawValue, disabled: one.isDisabled, created: one.created,
                    passwordSet: one.passwordSet, sessions: one.sessions, tokens: one.tokens)
                print(
                    json
                        ? line.jsonLine
                        : "\(one.name)  \(one.role.rawValue)\(one.isDisabled ? "  disabled" : "")  "
                            + "\(one.sessions) sessions, \(one.tokens) tokens, since \(ListTime.date(one.created))")
            }
        } catch {
            throw Program.failure(error)
        }
    }
}

/// Times for people.
enum ListTime {
    static func date(_ seconds: Double) -> String {
        Date(timeIntervalSince1970: min(max(seconds, 0), 32_503_680_000)).formatted(.iso8601)
    }
}

private struct SetPassword: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "password", abstract: "Set an operator's password and end their sessions.",
        discussion: "srup-c2 operator password anna\nTheir API tokens stay; see srup-c2 token.")

    @OptionGroup var folder: FolderOptions
    @OptionGroup var who: NameArgument
    @OptionGroup var password: PasswordOptions

    func run() throws {
        let name = who.name
        try folder.change("password set", "\(name)") { store in
            guard try store.find(name) != nil else { throw OperatorError.unknown(name) }
            let (password, made) = try password.password()
            try store.setPassword(password, of: name, now: Participant.systemTime())
            return "\(name) has another password and is signed out everywhere"
                + (made.map { "; the password, shown only now: \($0)" } ?? "")
        }
    }
}

private struct SetRole: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "role", abstract: "Give an operator another role and end their sessions.",
        discussion: "srup-c2 operator role bob administer")

    @OptionGroup var folder: FolderOptions
    @OptionGroup var who: NameArgument
    @Argument(help: "look, moderate or administer.")
    var role: Role

    func run() throws {
        try folder.change("role set", "\(who.name): \(role.rawValue)") { store in
            try store.setRole(role, of: who.name, keepsOne: false)
            return "\(who.name) has the role \(role.rawValue)"
        }
    }
}

private struct Disable: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep an operator from signing in, sign them out, and let their tokens not count.")

    @OptionGroup var folder: FolderOptions
    @OptionGroup var who: NameArgument

    func run() throws {
        try folder.change("operator disabled", "\(who.name)") { store in
            try store.setDisabled(true, who.name, keepsOne: false)
            return "\(who.name) cannot sign in any more"
        }
    }
}

private struct Enable: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let an operator sign in again.")

    @OptionGroup var folder: FolderOptions
    @OptionGroup var who: NameArgument

    func run() throws {
        try folder.change("operator enabled", "\(who.name)") { store in
            try store.setDisabled(false, who.name)
            return "\(who.name) may sign in again"
        }
    }
}

private struct RemoveOperator: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Remove an operator with all sessions and tokens.",
        discussion: "srup-c2 operator remove bob")

    @OptionGroup var folder: FolderOptions
    @OptionGroup var who: NameArgument

    func run() throws {
        try folder.change("operator removed", "\(who.name)") { store in
            try store.remove(who.name, keepsOne: false)
            return "\(who.name) is removed"
        }
    }
}

private struct SignOut: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign-out", abstract: "End all sessions of an operator.",
        discussion: "srup-c2 operator sign-out bob\nTheir API tokens stay; see srup-c2 token.")

    @OptionGroup var folder: FolderOptions
    @OptionGroup var who: NameArgument

    func run() throws {
        try folder.change("signed out", "\(who.name)") { store in
            "\(who.name) is signed out (\(try store.endSessions(of: who.name)) sessions)"
        }
    }
}
