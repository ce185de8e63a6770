import Agent
import ArgumentParser
import Program
import SRUP

struct SendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Send a value to the C2 server, through a running device.",
        discussion: """
            For scripts; programs better keep the socket open (docs/agent.md).

            Example: srup-device send temperature 21.5 --socket /run/srup-device/agent.sock

            Exit codes: 0 handed on, 1 refused (the reason is said), 69 no device runs with this socket.
            """)

    @Argument(help: "The value's name, as in [sends.NAME] of the configuration.")
    var name: String
    @Argument(help: "The value; one that begins with a minus sign comes last, behind --.")
    var value: String
    @Option(help: ArgumentHelp("The socket, as in the configuration.", valueName: "path"))
    var socket: String
    @Option(
        help: ArgumentHelp(
            "Its type, for a name that the configuration does not have: \(DataType.names).", valueName: "type"))
    var type: String?

    func validate() throws {
        if let type, DataType(name: type) == nil { throw ValidationError("--type is one of \(DataType.names)") }
    }

    func run() throws {
        switch AgentClient.send(name, value, type: type, at: socket) {
        case .sent: break
        case .refused(let why):
            Program.complain(why)
            throw ExitCode(Program.Code.failure.rawValue)
        case .nobody:
            Program.complain("no device answers at \(socket): does \"srup-device run --config\" run, with this socket?")
            throw ExitCode(Program.Code.unavailable.rawValue)
        }
    }
}
