import Program

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The other end of the agent's socket, for commands.
public enum AgentClient {
    /// What became of a value.
    public enum Answer: Sendable, Hashable {
        case sent
        case refused(String)
        /// No agent listens there.
        case nobody
    }

    /// Sends a value through the agent at a socket.
    ///
    /// - Parameter type: for a name that the agent's configuration does not have.
    public static func send(_ name: String, _ value: String, type: String? = nil, at socket: String) -> Answer {
        struct Line: Encodable {
            let send, value: String
            let type: String?
        }
        return ask(Line(send: name, value: value, type: type).jsonLine, at: socket)
    }

    /// Says that a new version is well.
    ///
    /// - Parameter process: must live on until the update stays; `nil`: nothing is watched.
    public static func report(process: Int32?, at socket: String) -> Answer {
        struct Line: Encodable {
            let report = true
            let process: Int32?
        }
        return ask(Line(process: process).jsonLine, at: socket)
    }

    private static func ask(_ line: String, at socket: String) -> Answer {
        guard let text = CommandSocket.ask(socket, line) else { return .nobody }
        guard let reply = try? JSONDecoder().decode(AgentReply.self, from: Data(text.utf8)) else {
            return .refused("its answer was not understood; is it another version?")
        }
        return reply.error.map { .refused($0) } ?? .sent
    }
}
