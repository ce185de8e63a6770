import ArgumentParser
import Keeper
import ObservedValue
import Participant
import Program
import SRUP
import ValueForms

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what the observer on this machine is doing.",
        discussion:
            "Exit codes: 0 it runs and has joined, 1 it does not run or has not joined, 78 configuration is wrong.")

    @OptionGroup var configuration: ConfigurationOptions
    @Flag(help: "One JSON object.")
    var json = false

    func run() async throws {
        let settings = try configuration.load()
        let live = ObserverReport.live(settings)
        let reports: [ObserverReport]
        do {
            let accepted = AcceptanceFolder.known(settings)?.summary
            reports = try (live ?? settings.observers.map { try Self.resting($0) }).map { report in
                var report = report
                report.acceptance = accepted
                return report
            }
        } catch {
            throw Program.failure(error, code: .configuration)
        }
        print(json ? ObserverReport.encoded(reports) : reports.map(text).joined(separator: "\n\n"))
        if !reports.allSatisfy({ $0.running && $0.joined }) { throw ExitCode(1) }
    }

    /// What is known of an observer that does not run.
    private static func resting(_ observer: ObserverSettings.LogicalObserver) throws -> ObserverReport {
        var report = ObserverReport()
        report.name = observer.name.isEmpty ? nil : observer.name
        guard try Identity.exists(in: observer.stateFolder) else { return report }
        let (identity, state) = try Identity.load(from: observer.stateFolder, use: .look)
        report.identity = identity.id.hex
        report.server = (observer.server ?? identity.server)?.hex
        report.broker = "\(identity.broker.host):\(identity.broker.port)"
        report.joined = try !state.joinedPeers().isEmpty
        report.lastObservations = ObserverReport.observations(state)
        return report
    }

    private func text(_ report: ObserverReport) -> String {
        guard let identity = report.identity else {
            return "\(report.name.map { $0 + ": " } ?? "")not registered (srup-observer register --help)"
        }
        var lines = [
            "observer    \(identity)\(report.name.map { " (\($0))" } ?? "")",
            "running     \(report.running ? "yes, for \(report.uptimeSeconds) s" : "no (srup-observer run)")",
            "broker      \(report.broker ?? "?")\(report.running ? report.connected ? ", connected" : ", NOT connected" : "")",
            "server      \(report.server ?? "?")\(report.joined ? ", joined" : ", not joined")",
        ]
        if report.waitsForOperator { lines.append("            " + ObserverReport.waitingWords(identity)) }
        if let value = report.value.flatMap({ Hex.decode($0) }), value.count == 16 {
            lines.append("words       tell the operator these, in this order:")
            let words = value.withUnsafeBytes { ValueWords.words(of: $0) }
            lines += words.enumerated().map { "            \($0 + 1)  \($1)" }
        }
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
        if let acceptance = report.acceptance { lines.append("acceptance  \(acceptance)") }
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
