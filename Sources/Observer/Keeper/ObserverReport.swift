import Linux
import Participant
import Program

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What a running observer says of itself, as JSON on its control socket.
package struct ObserverReport: Codable, Sendable {
    /// The [[observer]] block's name; absent when there are none.
    package var name: String?
    package var running = false
    package var version = Release.version
    package var identity: String?
    package var server: String?
    package var broker: String?
    package var connected = false
    package var joined = false
    /// The server has refused us: an operator must name this identity first.
    package var waitsForOperator = false
    /// What the operator compares before this observer is let in, 32 hexadecimal digits; absent when it need not be.
    package var value: String?
    package var openWatches = 0
    package var eyes: [String: String] = [:]
    package var verdicts: [String: Int] = [:]
    package var rejected: [String: UInt64] = [:]
    package var uptimeSeconds = 0
    package var lastObservations: [String] = []
    /// What came of the check after mounting, and when; absent where there was none. The command says it, not the observer.
    package var acceptance: String?

    package init() {}

    /// What to tell the operator of the C2 server.
    package static func waitingWords(_ identity: String) -> String {
        "the server does not let this observer in yet: tell its operator to say \"srup-c2 trust \(identity)\""
    }

    /// The newest five lines of the audit log about observations, newest first.
    package static func observations(_ state: ParticipantStore) -> [String] {
        ((try? state.auditLog(last: 50)) ?? []).filter { $0.event == "observation" }.prefix(5).map { line in
            "\(Date(timeIntervalSince1970: line.time).formatted(.iso8601)) \(line.detail)"
        }
    }

    /// One object, or a list of them when the box holds several logical observers.
    package static func encoded(_ reports: [ObserverReport]) -> String {
        reports.count == 1 ? reports[0].jsonLine : reports.jsonLine
    }

    /// What the observer that runs with these settings answers; `nil` when none does.
    package static func live(_ settings: ObserverSettings) -> [ObserverReport]? {
        ControlSocket.ask(settings.stateFolder + "/control.sock").flatMap { decoded($0) }
    }

    private static func decoded(_ text: String) -> [ObserverReport]? {
        let decoder = JSONDecoder()
        let data = Data(text.utf8)
        return (try? decoder.decode([ObserverReport].self, from: data))
            ?? (try? decoder.decode(ObserverReport.self, from: data)).map { [$0] }
    }
}
