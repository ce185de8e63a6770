import ArgumentParser
import Linux
import Operators
import Participant
import Program

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make, list and end tokens with which programs use the server's API.",
        discussion: """
            A token is an operator's, and may never do more than they: when they are removed or disabled it does not count.

            srup-c2 token add monitoring --operator anna --role look
            srup-c2 token add "let in by script" --operator anna --role moderate --expires 90d
            srup-c2 token list
            srup-c2 token remove 3

            Exit codes: 0 done, 1 it was refused, 78 there is no such folder.
            """,
        subcommands: [AddToken.self, ListTokens.self, RemoveToken.self])
}

private struct AddToken: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Make a token and print it, once.",
        discussion: """
            srup-c2 token add monitoring --operator anna --role look --expires 365d
            curl --cacert ca.crt -H "Authorization: Bearer $TOKEN" https://c2.example.net:8444/api/v1/devices
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: ArgumentHelp("What it is for.", valueName: "name"))
    var label: String
    @Option(name: .customLong("operator"), help: ArgumentHelp("Whose it is.", valueName: "name"))
    var owner: OperatorName
    @Option(help: "look, moderate or administer; no more than the operator's.")
    var role = Role.look
    @Option(help: ArgumentHelp("It ends after this time, as 90d, 12h, 30min or 90s.", valueName: "time"))
    var expires: Age?

    func run() throws {
        try folder.change("token made", "\(label.withoutControls.debugDescription) of \(owner): \(role.rawValue)") {
            store in
            let now = Participant.systemTime()
            let (text, number) = try store.makeToken(
                label, role: role, for: owner, expires: expires.map { now + $0.duration / .seconds(1) }, now: now)
            // On standard output the token alone, for scripts.
            StandardError.line("token \(number), shown only now:")
            return text
        }
    }
}

private struct ListTokens: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the tokens; never the tokens themselves.",
        discussion: "With --json one object per line; times are seconds since 1970 there.")

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object per line.")
    var json = false

    private struct Line: Encodable {
        let number: Int64
        let name: String
        let `operator`: String
        let role: String
        let created: Double
        let lastUsedDay: Double?
        let expires: Double?
    }

    func run() throws {
        let store = try folder.operators()
        let now = Participant.systemTime()
        do {
            for one in try store.tokens() {
                let line = Line(
                    number: one.number, name: one.label, operator: one.name.text, role: one.role.rawValue,
                    created: one.created, lastUsedDay: one.used, expires: one.expires)
                print(json ? line.jsonLine : Self.text(one, now))
            }
        } catch {
            throw Program.failure(error)
        }
    }

    private static func text(_ token: AccessToken, _ now: Double) -> String {
        let used = token.used.map { "used last on \(ListTime.date($0).prefix(10))" } ?? "never used"
        let end = token.expires.map { $0 <= now ? "has ended" : "ends \(ListTime.date($0))" } ?? "does not end"
        return
            "\(token.number)  \(token.label.withoutControls.debugDescription)  \(token.name)  \(token.role.rawValue)  "
            + "\(used), \(end)"
    }
}

private struct RemoveToken: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "End a token.", discussion: "srup-c2 token remove 3")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its number, as \"srup-c2 token list\" shows it.")
    var number: Int64

    func run() throws {
        try folder.change("token ended", "number \(number)") { store in
            try store.removeToken(number)
            return "token \(number) has ended"
        }
    }
}
