import ArgumentParser
import Keeper
import Program

private struct NotRunning: Error, CustomStringConvertible {
    let description = "the observer does not run (srup-observer run)"
}

struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Print how the observer is doing, in Prometheus' text format.",
        discussion: """
            Asks the running observer on its own socket; it listens on no port. For Prometheus' node exporter:
              srup-observer metrics >/var/lib/node_exporter/srup-observer.prom

            Exit codes: 0 done, 1 it does not run, 78 configuration is wrong.
            """)

    @OptionGroup var configuration: ConfigurationOptions

    func run() throws {
        let settings = try configuration.load()
        guard let reports = ObserverReport.live(settings) else {
            throw Program.failure(NotRunning())
        }
        print(ObserverReport.metrics(reports), terminator: "")
    }
}
