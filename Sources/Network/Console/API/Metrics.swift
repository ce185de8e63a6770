import C2
import Foundation
import Operators
import Participant
import Program
import SRUP
import Storage

extension Metrics {
    /// Of Prometheus' text format.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"
}

/// How the server is doing, for Prometheus. All of it is counted since the start or read from what is stored.
extension Console {
    /// Types are chosen by whoever registers: so many have a row of their own, those with most members.
    private static let maximumTypes = 50

    func metrics() async -> String {
        var metrics = Metrics()
        metrics.process()
        await addNetwork(to: &metrics)
        addJoins(to: &metrics)
        addVisitors(to: &metrics)
        addWebhook(to: &metrics)
        addRollouts(to: &metrics)
        metrics.certificates(certificates)
        return metrics.text
    }

    private func addNetwork(to metrics: inout Metrics) async {
        metrics.gauge("srup_broker_connected", "Whether the broker is there.", server.isConnected ? 1 : 0)
        if let types = try? server.peers.types() {
            let order = types.sorted { ($1.members, $0.type) < ($0.members, $1.type) }
            var rows = order.prefix(Self.maximumTypes).map { ([("type", $0.type)], Double($0.members)) }
            let others = order.dropFirst(Self.maximumTypes).reduce(0) { $0 + $1.members }
            if others > 0 { rows.append(([("type", "(others)")], Double(others))) }
            metrics.family("srup_members", "Members by device type.", .gauge, rows)
        }
        metrics.gauge("srup_waiting", "Devices that wait for a person.", Double(await server.waitingCount))
        guard let observers = try? await server.observers() else { return }
        metrics.family(
            "srup_observers", "Observers by what holds for them; one may be in several rows.", .gauge,
            [
                ("trusted", observers.count(where: \.isTrusted)),
                ("in_network", observers.count { $0.peer?.isJoined == true }),
                ("usable", observers.count { $0.isTrusted && $0.peer?.isJoined == true }),
                ("busy", observers.count { !$0.looksAt.isEmpty }),
            ].map { ([("state", $0)], Double($1)) })
        metrics.gauge(
            "srup_observations_under_way", "Devices that an observer is looking at.",
            Double(observers.reduce(0) { $0 + $1.looksAt.count }))
        metrics.gauge(
            "srup_observations_queued", "Devices that wait for an observer.",
            Double(observers.reduce(0) { $0 + $1.queue.count }))
    }

    private func addJoins(to metrics: inout Metrics) {
        metrics.family(
            "srup_joins_total", "Answers to joins by the policy of the device's type and what was answered.", .counter,
            server.tally.counted.map {
                ([("outcome", $0.outcome.rawValue), ("policy", $0.policy.rawValue)], Double($1))
            })
        metrics.family(
            "srup_messages_rejected_total", "Messages that were not acted on, by reason.", .counter,
            server.rejected.map { ([("reason", $0)], Double($1)) })
        if let newest = try? server.store.newestOccurrence() {
            metrics.family(
                "srup_occurrences_total", "Occurrences that were noted, since the network was made.", .counter,
                [([], Double(newest))])
        }
    }

    /// Those that are not over; the newest ones.
    private func addRollouts(to metrics: inout Metrics) {
        guard let all = try? server.allRollouts(limit: 20) else { return }
        metrics.family(
            "srup_rollouts", "Rollouts by state, of the newest 20.", .gauge,
            Rollout.State.allCases.map { state in
                ([("state", state.rawValue)], Double(all.count { $0.state == state }))
            })
        metrics.family(
            "srup_rollout_devices", "Devices of rollouts that go on or have just ended, by how far they are.", .gauge,
            all.prefix(5).flatMap { rollout in
                RolloutDevice.Phase.allCases.map { phase in
                    (
                        [("rollout", String(rollout.number)), ("phase", phase.rawValue)],
                        Double(rollout.count(phase))
                    )
                }
            })
    }

    private func addVisitors(to metrics: inout Metrics) {
        let signIns = signIn.counted
        metrics.family(
            "srup_sign_ins_total", "Tries to sign in by outcome.", .counter,
            SignIn.Outcome.allCases.map { ([("outcome", $0.rawValue)], Double(signIns[$0] ?? 0)) })
        metrics.family(
            "srup_api_requests_total", "Requests to the API by operation and status.", .counter,
            api.counted.map { ([("operation", $0.operation), ("status", String($0.status))], Double($1)) })
        metrics.gauge("srup_event_streams", "Streams of events that are open.", Double(streams.count))
    }

    private func addWebhook(to metrics: inout Metrics) {
        guard let standing = try? server.store.webhook() else { return }
        metrics.gauge(
            "srup_webhook_pending", "Occurrences that the webhook has not told yet.", Double(standing.pending))
        metrics.gauge("srup_webhook_failing", "Whether the webhook's last call failed.", standing.failed == nil ? 0 : 1)
        metrics.family(
            "srup_webhook_dropped_total", "Occurrences that the webhook has given up.", .counter,
            [([], Double(standing.dropped))])
        if let time = standing.succeeded {
            metrics.gauge(
                "srup_webhook_last_success_timestamp_seconds", "When the webhook's last call succeeded.", time)
        }
    }
}

extension Metrics {
    /// When certificates end; those that cannot be read are left out.
    ///
    /// - Parameter files: by name.
    mutating func certificates(_ files: [String: String]) {
        let ends = files.compactMap { name, path in
            (try? PublicFile.read(path)).flatMap(Certificate.end).map { ([("certificate", name)], $0) }
        }
        family(
            "srup_certificate_end_timestamp_seconds", "When certificates end, in seconds since 1970.", .gauge, ends)
        let now = Participant.systemTime()
        family(
            "srup_certificate_days_left", "Whole days until certificates end.", .gauge,
            ends.map { ($0, (($1 - now) / 86400).rounded(.down)) })
    }
}
