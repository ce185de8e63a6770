import ArgumentParser
import Party
import Program
import SRUP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what the observer on this machine is doing.",
        discussion:
            "Exit codes: 0 it runs and has joined, 1 it does not run or has not joined, 78 configuration is wrong.")

    @OptionGroup var configuration: ConfigurationOptions
    @Flag(help: "One JSON object.")
    var json = false

    /// What a running observer answers.
    struct Report: Codable {
        /// The [[observer]] block's name; absent when there are none.
        var name: String?
        var running = false
        var version = Version.text
        var identity: String?
        var server: String?
        var broker: String?
        var connected = false
        var joined = false
        /// The server has refused us: an operator must name this identity first.
        var waitsForOperator = false
        var openWatches = 0
        var eyes: [String: String] = [:]
        var verdicts: [String: Int] = [:]
        var rejected: [String: UInt64] = [:]
        var uptimeSeconds = 0
        var lastObservations: [String] = []
    }

    /// What to tell the operator of the C2 server.
    static func waitingWords(_ identity: String) -> String {
        "the server does not let this observer in yet: tell its operator to say \"srup-c2 trust \(identity)\""
    }

    static func observations(_ state: PartyState) -> [String] {
        ((try? state.auditLog(last: 50)) ?? []).filter { $0.event == "observation" }.prefix(5).map { line in
            "\(Date(timeIntervalSince1970: line.time).formatted(.iso8601)) \(line.detail)"
        }
    }

    /// One object, or a list of them when the box holds several logical observers.
    static func encoded(_ reports: [Report]) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = reports.count == 1 ? try? encoder.encode(reports[0]) : try? encoder.encode(reports)
        return data.map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    /// What the observer that runs with these settings answers; `nil` when none does.
    static func live(_ settings: ObserverSettings) -> [Report]? {
        ControlSocket.ask(settings.stateFolder + "/control.sock").flatMap { decoded($0) }
    }

    private static func decoded(_ text: String) -> [Report]? {
        let decoder = JSONDecoder()
        let data = Data(text.utf8)
        return (try? decoder.decode([Report].self, from: data))
            ?? (try? decoder.decode(Report.self, from: data)).map { [$0] }
    }

    func run() async throws {
        let settings = try configuration.load()
        let live = Self.live(settings)
        let reports: [Report]
        do {
            reports = try live ?? settings.observers.map { try Self.resting($0) }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
        print(json ? Self.encoded(reports) : reports.map(text).joined(separator: "\n\n"))
        if !reports.allSatisfy({ $0.running && $0.joined }) { throw ExitCode(1) }
    }

    /// What is known of an observer that does not run.
    private static func resting(_ observer: ObserverSettings.LogicalObserver) throws -> Report {
        var report = Report()
        report.name = observer.name.isEmpty ? nil : observer.name
        guard try Identity.exists(in: observer.stateFolder) else { return report }
        let (identity, state) = try Identity.load(from: observer.stateFolder, use: .look)
        report.identity = identity.id.hex
        report.server = observer.server ?? identity.server?.hex
        report.broker = "\(identity.broker.host):\(identity.broker.port)"
        report.joined = try !state.joinedPeers().isEmpty
        report.lastObservations = observations(state)
        return report
    }

    private func text(_ report: Report) -> String {
        guard let identity = report.identity else {
            return "\(report.name.map { $0 + ": " } ?? "")not registered (srup-observer register --help)"
        }
        var lines = [
            "observer    \(identity)\(report.name.map { " (\($0))" } ?? "")",
            "running     \(report.running ? "yes, for \(report.uptimeSeconds) s" : "no (srup-observer run)")",
            "broker      \(report.broker ?? "?")\(report.running ? report.connected ? ", connected" : ", NOT connected" : "")",
            "server      \(report.server ?? "?")\(report.joined ? ", joined" : ", not joined")",
        ]
        if report.waitsForOperator { lines.append("            " + Self.waitingWords(identity)) }
        for (eye, state) in report.eyes.sorted(by: { $0.key < $1.key }) {
            lines.append(eye.padding(12) + state)
        }
        if report.running {
            lines.append("watches     \(report.openWatches) open")
            lines.append(
                "verdicts    "
                    + ["VALID", "INVALID", "FAILED"].map { "\($0) \(report.verdicts[$0] ?? 0)" }.joined(separator: ", ")
            )
        }
        for (reason, count) in report.rejected.sorted(by: { $0.key < $1.key }) {
            lines.append("rejected    \(count) × \(reason)")
        }
        for line in report.lastObservations { lines.append("            \(line)") }
        return lines.joined(separator: "\n")
    }
}

extension String {
    func padding(_ width: Int) -> String { self + String(repeating: " ", count: max(1, width - count)) }
}
