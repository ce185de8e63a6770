import ArgumentParser
import C2
import KeyService
import Linux
import Participant
import Program
import Storage

struct MetricsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metrics", abstract: "Print how the key service is doing, in Prometheus' text format.",
        discussion: """
            The key service answers on a socket in its folder that only its owner can use, and on no port. For Prometheus' \
            node exporter:
              srup-c2 metrics >/var/lib/node_exporter/srup-key-service.prom
            The C2 server's own are at https://HOST:8444/metrics, for a token with the role look (docs/api.md).

            Exit codes: 0 done, 1 no key service answers.
            """)

    @OptionGroup var folder: FolderOptions

    func run() throws {
        guard let text = ControlSocket.ask(KeyServiceMetrics.socket(folder.folder)), !text.isEmpty else {
            throw Program.failure(
                OperationError.failed(
                    "no key service answers in \(folder.folder): does \"srup-c2 key-service\" run there, and are you its user?"
                ))
        }
        print(text, terminator: "")
    }
}

/// What the key service tells of itself.
enum KeyServiceMetrics {
    static func socket(_ folder: String) -> String { folder + "/key-service.sock" }

    static func text(_ server: KeyServiceServer, _ state: KeyServiceState, _ certificates: [String: String]) -> String {
        var metrics = Metrics()
        metrics.process()
        metrics.family(
            "srup_key_service_requests_total", "Requests by step and status.", .counter,
            server.counted.map { ([("step", $0.step), ("status", String($0.status))], Double($1)) })
        metrics.gauge("srup_key_service_open", "Whether registrations are taken.", server.isActive ? 1 : 0)
        if let counts = try? state.counts() {
            metrics.family(
                "srup_key_service_identities", "Registered identities, by whether they ever joined.", .gauge,
                [
                    ([("joined", "yes")], Double(counts.joined)),
                    ([("joined", "never")], Double(counts.all - counts.joined)),
                ])
        }
        let now = Participant.systemTime()
        metrics.family(
            "srup_certificate_days_left", "Whole days until certificates end.", .gauge,
            certificates.compactMap { name, path in
                (try? PublicFile.read(path)).flatMap(Certificate.end).map {
                    ([("certificate", name)], (($0 - now) / 86400).rounded(.down))
                }
            })
        return metrics.text
    }
}
