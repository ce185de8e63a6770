import Program

extension ObserverReport {
    /// The same for Prometheus; each logical observer of a box has its name in a label.
    package static func metrics(_ reports: [ObserverReport]) -> String {
        var metrics = Metrics()
        func labels(_ report: ObserverReport, _ more: [(String, String)] = []) -> [(String, String)] {
            (report.name.map { [("observer", $0)] } ?? []) + more
        }
        func gauge(_ name: String, _ help: String, _ value: (ObserverReport) -> Double) {
            metrics.family(name, help, .gauge, reports.map { (labels($0), value($0)) })
        }
        metrics.family(
            "srup_observer_info", "Version and identity, in labels.", .gauge,
            reports.map {
                (labels($0, [("version", $0.version), ("identity", $0.identity ?? "")]), 1)
            })
        gauge("srup_observer_connected", "Whether the broker is there.") { $0.connected ? 1 : 0 }
        gauge("srup_observer_joined", "Whether it belongs to the network.") { $0.joined ? 1 : 0 }
        gauge("srup_observer_waits_for_operator", "Whether an operator must name it first.") {
            $0.waitsForOperator ? 1 : 0
        }
        gauge("srup_observer_open_watches", "Devices that it is looking at.") { Double($0.openWatches) }
        gauge("srup_observer_uptime_seconds", "How long it has run, in seconds.") { Double($0.uptimeSeconds) }
        metrics.family(
            "srup_observer_verdicts_total", "Verdicts since the start, by what was said.", .counter,
            reports.flatMap { report in
                ["VALID", "INVALID", "FAILED"].map {
                    (labels(report, [("verdict", $0)]), Double(report.verdicts[$0] ?? 0))
                }
            })
        metrics.family(
            "srup_observer_messages_rejected_total", "Messages that were not acted on, by reason.", .counter,
            reports.flatMap { report in
                report.rejected.map { (labels(report, [("reason", $0.key)]), Double($0.value)) }
            })
        metrics.family(
            "srup_observer_eyes", "Cameras and readers; what each is doing is in \"srup-observer status\".", .gauge,
            reports.map { (labels($0), Double($0.eyes.count)) })
        return metrics.text
    }
}
