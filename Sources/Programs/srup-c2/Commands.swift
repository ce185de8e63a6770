import ArgumentParser
import C2
import Foundation
import Linux
import Participant
import Program
import SRUP

/// How long a command waits for what devices answer, and how that is printed.
struct AnswerOptions: ParsableArguments {
    @Option(help: ArgumentHelp("How long to wait for the answer; 0: not at all.", valueName: "seconds"))
    var wait = 10.0
    @Flag(help: "One JSON object for each device.")
    var json = false

    func validate() throws {
        guard (0...3600).contains(wait) else { throw ValidationError("--wait must be from 0 to 3600 seconds") }
    }

    /// Gives an order and waits until what it has sent is answered, or the time is over.
    func answers(_ order: CommandOrder, _ folder: String) throws -> [CommandReply.Command] {
        let reply = try order.ask(folder)
        guard let number = reply.number, let count = reply.count else { return [] }
        let deadline = Date(timeIntervalSinceNow: wait)
        while true {
            let all = try CommandOrder(what: .commands, since: number, limit: 20_000).ask(folder).commands ?? []
            // Others may have sent something since.
            let ours = all.filter { $0.number < number + Int64(count) }
            if ours.allSatisfy({ $0.answered != nil }) || Date() >= deadline { return ours.reversed() }
            usleep(count > 100 ? 1_000_000 : 100_000)
        }
    }

    /// Prints what became of a command, and ends with the exit code that goes with it.
    func report(_ commands: [CommandReply.Command]) throws {
        for command in commands {
            print(json ? command.jsonLine : "\(command.device)  \(command.words)")
        }
        if commands.contains(where: { $0.status != nil && $0.status != Status.actionSuccess.description }) {
            throw ExitCode(Program.Code.failure.rawValue)
        }
        if commands.contains(where: { $0.answered == nil && $0.kind != "data" }) {
            throw ExitCode(Program.Code.unavailable.rawValue)
        }
    }
}

/// A group's name on the command line.
struct GroupArgument: ExpressibleByArgument {
    let text: String

    init?(argument: String) {
        guard GroupID(argument) != nil else { return nil }
        text = argument
    }
}

func reporting(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as ExitCode {
        throw error
    } catch {
        throw Program.failure(error)
    }
}

private let answerCodes =
    "Exit codes: 0 done, 1 refused or failed, 69 no answer in time (a reference device never answers)."

struct ActionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "action",
        abstract: "Tell a device to do something.",
        discussion: """
            What it can do, it says itself: "srup-c2 identify". An observer of ours knows locate, restart-witnesses, \
            restart-camera, restart-reader and report-status.

            Examples: srup-c2 action b9d077e223834cf6 3
                      srup-c2 action 15543c11de59407e locate

            \(answerCodes)
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its identity, as \"srup-c2 devices\" shows it.")
    var identity: IdentityArgument
    @Argument(help: "The action's number, 0 to 255, or its name, if the device has said one.")
    var action: String
    @OptionGroup var answer: AnswerOptions

    func run() throws {
        try reporting {
            let order = CommandOrder(what: .action, devices: [identity.id.hex], action: action)
            try answer.report(try answer.answers(order, folder.folder))
        }
    }
}

struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data",
        abstract: "Send a device a value.",
        discussion: """
            The type is --type, or what c2.toml says ([data]), or what the device has said of itself ("srup-c2 identify"), or \
            string. Types: \(DataType.names). Bytes are written in hexadecimal; a value with a minus sign comes last, behind --.

            Example: srup-c2 data b9d077e223834cf6 setpoint 21

            A device answers only when it does not take the value. Exit codes: 0 sent, 1 refused.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its identity, as \"srup-c2 devices\" shows it.")
    var identity: IdentityArgument
    @Argument(help: "The value's name.")
    var name: String
    @Argument(help: "The value.")
    var value: String
    @Option(help: "The value's type.")
    var type: String?
    @Option(help: ArgumentHelp("How long to wait for a refusal.", valueName: "seconds"))
    var wait = 1.0
    @Flag(help: "One JSON object.")
    var json = false

    func run() throws {
        try reporting {
            let order = CommandOrder(
                what: .data, devices: [identity.id.hex], name: name, value: value, type: type)
            let answer = AnswerOptions.waiting(wait, json)
            try answer.report(try answer.answers(order, folder.folder))
        }
    }
}

extension AnswerOptions {
    static func waiting(_ seconds: Double, _ json: Bool) -> AnswerOptions {
        var options = AnswerOptions()
        options.wait = max(0, min(seconds, 3600))
        options.json = json
        return options
    }
}

struct IdentifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identify",
        abstract: "Ask a device what program it is and what it can do.",
        discussion: """
            A device of ours tells its version, its actions, the values it sends and takes, and its groups; a reference device \
            a text.

            Exit codes: 0 it has answered, 1 refused, 69 no answer in time.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its identity, as \"srup-c2 devices\" shows it.")
    var identity: IdentityArgument
    @OptionGroup var answer: AnswerOptions

    func run() throws {
        try reporting {
            let order = CommandOrder(what: .identify, devices: [identity.id.hex])
            let isAnswered = try answer.answers(order, folder.folder).allSatisfy { $0.answered != nil }
            let text = try CommandOrder(what: .commands, devices: [identity.id.hex], limit: 1).ask(folder.folder)
                .identification
            guard isAnswered, let text else {
                Program.complain("\(identity.id) has not answered")
                throw ExitCode(Program.Code.unavailable.rawValue)
            }
            print(answer.json ? Line(identity.id, text).jsonLine : Line(identity.id, text).words)
        }
    }

    private struct Line: Encodable {
        let device, program: String
        let actions: [String: String]
        let sends, takes: [String: String]
        let groups: [String]?
        let observations: Int?

        init(_ id: DeviceID, _ text: String) {
            let identification = Identification(text)
            device = id.hex
            program = identification.program
            actions = Dictionary(
                identification.actions.map { (String($0.key), $0.value) }, uniquingKeysWith: { one, _ in one })
            sends = identification.sends.mapValues(\.rawValue)
            takes = identification.takes.mapValues(\.rawValue)
            groups = identification.groups?.map(\.text)
            observations = identification.observations
        }

        var words: String {
            var lines = ["\(device)  \(program)"]
            for (number, name) in actions.sorted(by: { Int($0.key) ?? 0 < Int($1.key) ?? 0 }) {
                lines.append("    action \(number): \(name)")
            }
            for (name, type) in sends.sorted(by: { $0.key < $1.key }) { lines.append("    sends \(name): \(type)") }
            for (name, type) in takes.sorted(by: { $0.key < $1.key }) { lines.append("    takes \(name): \(type)") }
            if let observations { lines.append("    looks at \(observations) devices at once") }
            if let groups, !groups.isEmpty { lines.append("    in the groups \(groups.joined(separator: ", "))") }
            return lines.joined(separator: "\n")
        }
    }
}

struct ValuesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "values",
        abstract: "Show what a device has sent: the last value of each name, or the latest ones of one name.",
        discussion: """
            Of each device 64 names and 256 values are kept, the newest; a value has 4,096 bytes at most.
            A value without a type (c2.toml, [data]) is shown in hexadecimal. Exit codes: 0 done, 1 refused.
            """)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Its identity, as \"srup-c2 devices\" shows it.")
    var identity: IdentityArgument
    @Argument(help: "Only this value, the newest first.")
    var name: String?
    @Option(help: "How many at most, of one name.")
    var last = 20
    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
        try reporting {
            let order = CommandOrder(what: .values, devices: [identity.id.hex], name: name, limit: last)
            let values = try order.ask(folder.folder).values ?? []
            if values.isEmpty && !json { print("\(identity.id) has sent nothing\(name == nil ? "" : " of that name")") }
            for value in values {
                guard !json else {
                    print(value.jsonLine)
                    continue
                }
                print("\(WaitingCommand.time(value.received))  \(value.name) = \(value.text ?? "0x" + value.hex)")
            }
        }
    }
}

struct CommandsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commands",
        abstract: "List what devices were told and asked, and what became of it.",
        discussion: "The newest 20,000 are kept. Exit codes: 0 done, 1 refused.")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "Only to this one.")
    var identity: IdentityArgument?
    @Option(help: "How many at most, the newest first.")
    var last = 20
    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
        try reporting {
            let order = CommandOrder(what: .commands, devices: identity.map { [$0.id.hex] } ?? [], limit: max(1, last))
            for command in try order.ask(folder.folder).commands ?? [] {
                guard !json else {
                    print(command.jsonLine)
                    continue
                }
                let place = command.group.map { " (group \($0))" } ?? ""
                print(
                    "\(WaitingCommand.time(command.sent))  \(command.device)\(place)  \(command.kind) \(command.detail): "
                        + "\(command.words) (by \(command.by))")
            }
        }
    }
}

struct GroupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group",
        abstract: "Put devices into groups, and tell a group something with one message.",
        discussion: """
            srup-c2 group add lamps b9d077e223834cf6 15543c11de59407e
            srup-c2 group action lamps 2
            srup-c2 group list
            srup-c2 group remove lamps b9d077e223834cf6
            srup-c2 group destroy lamps

            A group's name: \(GroupID.form). The broker lets only members hear what is said there, and only this server speak.
            """,
        subcommands: [
            AddToGroup.self, RemoveFromGroup.self, ListGroups.self, DestroyGroup.self, GroupAction.self,
            GroupData.self,
        ])
}

private struct AddToGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Put devices into a group, which is made when there is none.",
        discussion: "Exit codes: 0 done, 1 refused.")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "The group.")
    var group: GroupArgument
    @Argument(help: "Identities of members, as \"srup-c2 devices\" shows them.")
    var identities: [IdentityArgument]

    func run() throws {
        try reporting {
            let order = CommandOrder(what: .enter, devices: identities.map(\.id.hex), group: group.text)
            _ = try order.ask(folder.folder)
            for one in identities { print("\(one.id) is in \(group.text)") }
        }
    }
}

private struct RemoveFromGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Take a device out of a group.", discussion: "Exit codes: 0 done, 1 refused.")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "The group.")
    var group: GroupArgument
    @Argument(help: "Its identity.")
    var identity: IdentityArgument

    func run() throws {
        try reporting {
            _ = try CommandOrder(what: .leave, devices: [identity.id.hex], group: group.text).ask(folder.folder)
            print("\(identity.id) is no more in \(group.text)")
        }
    }
}

private struct ListGroups: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List groups and who is in them.", discussion: "Exit codes: 0 done, 1 refused.")

    @OptionGroup var folder: FolderOptions
    @Flag(help: "One JSON object for each group.")
    var json = false

    func run() throws {
        try reporting {
            for group in try CommandOrder(what: .groups).ask(folder.folder).groups ?? [] {
                print(json ? group.jsonLine : "\(group.group)  \(group.members.joined(separator: " "))")
            }
        }
    }
}

private struct DestroyGroup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "destroy", abstract: "End a group.", discussion: "Exit codes: 0 done, 1 refused.")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "The group.")
    var group: GroupArgument

    func run() throws {
        try reporting {
            _ = try CommandOrder(what: .destroy, group: group.text).ask(folder.folder)
            print("\(group.text) is no more")
        }
    }
}

private struct GroupAction: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "action", abstract: "Tell all members of a group to do something, with one message.",
        discussion: answerCodes)

    @OptionGroup var folder: FolderOptions
    @Argument(help: "The group.")
    var group: GroupArgument
    @Argument(help: "The action's number, 0 to 255.")
    var action: UInt8
    @OptionGroup var answer: AnswerOptions

    func run() throws {
        try reporting {
            let order = CommandOrder(what: .action, group: group.text, action: String(action))
            try answer.report(try answer.answers(order, folder.folder))
        }
    }
}

private struct GroupData: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Send all members of a group a value, with one message.",
        discussion: "The type is --type, or what c2.toml says ([data]), or string. Exit codes: 0 sent, 1 refused.")

    @OptionGroup var folder: FolderOptions
    @Argument(help: "The group.")
    var group: GroupArgument
    @Argument(help: "The value's name.")
    var name: String
    @Argument(help: "The value.")
    var value: String
    @Option(help: "The value's type.")
    var type: String?
    @Option(help: ArgumentHelp("How long to wait for refusals.", valueName: "seconds"))
    var wait = 1.0
    @Flag(help: "One JSON object for each device.")
    var json = false

    func run() throws {
        try reporting {
            let order = CommandOrder(what: .data, group: group.text, name: name, value: value, type: type)
            let answer = AnswerOptions.waiting(wait, json)
            try answer.report(try answer.answers(order, folder.folder))
        }
    }
}
