import Agent
import ArgumentParser
import Program

struct UpdateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "What a new version says to the device that has put it to use.",
        subcommands: [ReportCommand.self])
}

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Say that a new version is well: with report = true in [update] it stays only then.",
        discussion: """
            Example, as the last step of a program's start: srup-device update report --socket /run/srup-device/agent.sock --process $$

            Exit codes: 0 heard, 1 no update waits for it, 69 no device runs with this socket.
            """)

    @Option(help: ArgumentHelp("The socket, as in the configuration.", valueName: "path"))
    var socket: String
    @Option(help: ArgumentHelp("This process must live on until the update stays.", valueName: "number"))
    var process: Int32?

    func validate() throws {
        guard process.map({ $0 > 0 }) ?? true else { throw ValidationError("--process is a process's number") }
    }

    func run() throws {
        switch AgentClient.report(process: process, at: socket) {
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
