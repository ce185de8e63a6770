import Foundation
import Participant
import SRUP
import TestProcesses

/// What is played, and what is measured on the way.
struct Scenarios {
    let stage: Stage
    /// What one core signs in a second.
    let signatures: Double

    /// What this program and those under load have used so far.
    private func usage() -> [String: Usage] {
        var all = stage.programs.usage()
        all["bench"] = Usage(process: nil)
        return all
    }

    /// Measures what is used while something is done, until the server has come to rest.
    private func measured(_ round: inout Round, _ play: (inout Round) throws -> Int) throws {
        let (before, heard, wrong, repeated) = (usage(), stage.tally.heard, stage.tally.wrong, stage.tally.repeated)
        let count = try play(&round)
        try stage.waitForQuiet()
        let after = usage()
        round.set(
            after.compactMapValues { $0 }.reduce(into: [:]) { $0[$1.key] = $1.value - (before[$1.key] ?? Usage()) },
            count: count)
        round.signatures = Double(stage.tally.heard - heard) / Double(max(count, 1))
        if round.perSecond > 0 { round.shareOfSignatures = round.perSecond * round.signatures / signatures }
        round.memory = stage.programs.memory()
        if stage.tally.wrong > wrong { round.extra["messages that were wrong"] = Double(stage.tally.wrong - wrong) }
        if stage.tally.repeated > repeated {
            round.extra["messages that came twice"] = Double(stage.tally.repeated - repeated)
        }
    }

    /// Everybody asks, and nobody belongs yet; so many at once.
    func joins(observed: Bool, atOnce: Int) throws -> Round {
        var round = Round(observed ? "observed join" : "simple join", stage, atOnce: atOnce)
        stage.areMixed()
        let compared = stage.tally.compared
        try measured(&round) { round in
            let outcome = stage.ask(stage.devices, atOnce: atOnce, body(observed))
            round.set(outcome, wanted: .joinSuccess)
            return round.succeeded
        }
        if observed { round.compared = stage.tally.compared - compared }
        guard round.succeeded > 0 else { throw stage.failure("nobody was let in: \(round.answers)") }
        return round
    }

    /// Devices that have never been let in ask, so many at once, and leave again.
    func firstTime(_ peers: [Peer], atOnce: Int) throws -> Round {
        var round = Round("simple join, the first", stage, atOnce: atOnce)
        try measured(&round) { round in
            round.set(stage.ask(peers, atOnce: atOnce, body(false)), wanted: .joinSuccess)
            return round.succeeded
        }
        guard round.succeeded == peers.count else { throw stage.failure("not all were let in: \(round.answers)") }
        try stage.resign(peers)
        return round
    }

    // MARK: What goes wrong when many come at once

    /// For how many that come back in a second the server lets its members take their time (`limits.returns_per_second`).
    static let returnsPerSecond = 250
    /// How often a device that was not answered asks again, in seconds (`Member.Behaviour.joinTimeout`).
    static let repeatAfter = 20.0
    /// How long it waits before it connects anew, in seconds: as `BrokerLink`, the first time.
    private static let backoff = 0.25...0.5

    private func body(_ observed: Bool) -> (Peer) -> Body {
        // Of the device's own cell.
        let observers = Dictionary(grouping: stage.observers, by: \.credential.brokerPort)
        var turn = 0
        return { peer in
            guard observed, let near = observers[peer.credential.brokerPort] else { return .joinRequest }
            turn += 1
            return .observedJoinRequest(observer: near[turn % near.count].id)
        }
    }

    /// A request is lost when the server has done nothing for so many seconds.
    private static let lost = 15.0

    /// All ask at the same moment, and nobody asks again.
    func burst(observed: Bool, wait: Double) throws -> Round {
        var round = Round(observed ? "burst, observed" : "burst, simple", stage, atOnce: stage.devices.count)
        stage.areMixed()
        try measured(&round) { round in
            let outcome = stage.ask(
                stage.devices, atOnce: stage.devices.count, silence: Self.lost, body(observed))
            round.set(outcome, wanted: .joinSuccess)
            round.extra["never answered"] = Double(outcome.unanswered)
            round.extra["answered after more than \(Int(wait)) s"] = Double(outcome.latencies.count { $0 > wait })
            return round.succeeded
        }
        return round
    }

    /// Identities that the server has never met ask at the same moment, and again every 20 s until they are answered.
    func firstJoins(_ peers: [Peer], wait: Double) throws -> Round {
        var round = Round("first joins", stage, atOnce: peers.count)
        try stage.connect(peers)
        try measured(&round) { round in
            let outcome = stage.askUntilAnswered(peers, within: wait) { _ in .joinRequest }
            round.set(outcome, wanted: .joinSuccess)
            round.extra["the last after s"] = round.worst / 1000
            round.extra["asked again"] = Double(outcome.repeats)
            return round.succeeded
        }
        return round
    }

    /// All who belong lose their connection at once, come back within half a second, and ask whether they still belong.
    func reconnectStorm(wait: Double) throws -> Round {
        var round = Round("reconnect storm", stage, atOnce: stage.devices.count)
        try stage.admit()
        stage.waitForPace()
        try measured(&round) { round in
            for peer in stage.devices { peer.drop() }
            let begin = BrokerLoop.clock()
            let outcome = stage.comeBack(stage.devices, delays: Self.backoff, within: wait)
            round.set(outcome.asked, wanted: .joinSuccess)
            round.seconds = BrokerLoop.clock() - begin
            round.extra["all connected after s"] = outcome.connected
            round.extra["all answered after s"] = outcome.answered
            round.extra["asked again"] = Double(outcome.asked.repeats)
            return stage.devices.count
        }
        return round
    }

    /// A program is ended and started again while all are there and belong.
    ///
    /// - Parameter role: "broker" or "c2".
    func restart(_ role: String, wait: Double) throws -> Round {
        var round = Round("restart of the \(role)", stage, atOnce: 1)
        try stage.admit()
        stage.waitForPace()
        let begin = BrokerLoop.clock()
        stage.programs.stop(role)
        let ended = BrokerLoop.clock()
        try stage.programs.launch(role)
        let isReady = stage.programs.readiness(role)
        guard stage.loop.run(until: isReady, within: wait) else { throw stage.failure("\(role) does not come back") }
        let ready = BrokerLoop.clock()
        let outcome: (asked: Stage.Outcome, connected: Double, answered: Double)
        if role == "broker" {
            outcome = stage.comeBack(stage.peers, delays: Self.backoff, within: wait)
        } else {
            // Nobody else has noticed.
            let asked = stage.askUntilAnswered([stage.devices[0]], every: 2, within: wait) { _ in .joinRequest }
            outcome = (asked, 0, BrokerLoop.clock() - ready)
        }
        round.set(outcome.asked, wanted: .joinSuccess)
        round.extra["ending it took s"] = ended - begin
        round.extra["ready again after s"] = ready - ended
        round.extra["first answer after s"] = (outcome.asked.first ?? .nan) - ended
        if role == "broker" {
            round.extra["all connected after s"] = outcome.connected + ready - ended
            round.extra["all answered after s"] = outcome.answered + ready - ended
        }
        round.extra["asked again"] = Double(outcome.asked.repeats)
        try stage.waitForQuiet()
        round.memory = stage.programs.memory()
        return round
    }

    /// Members send values, so many a second in all; once a second one of them asks whether it still belongs.
    func data(perSecond rate: Double, seconds: Double) throws -> Round {
        var round = Round("data, \(Int(rate)) a second", stage, atOnce: 1)
        try stage.admit()
        var (sent, probes): (Int, [Double]) = (0, [])
        let value = withUnsafeBytes(of: (21.5).bitPattern.littleEndian) { Array($0) }
        try measured(&round) { round in
            let begin = BrokerLoop.clock()
            var nextProbe = begin + 1
            var isProbing = false
            stage.loop.run(
                until: {
                    let now = BrokerLoop.clock()
                    // Every device in turn.
                    while Double(sent) < (now - begin) * rate, now - begin < seconds {
                        stage.devices[sent % stage.devices.count].say(.data(id: Array("load".utf8), value: value))
                        sent += 1
                    }
                    if now >= nextProbe, !isProbing, now - begin < seconds {
                        nextProbe = now + 1
                        isProbing = true
                        let peer = stage.devices[probes.count % stage.devices.count]
                        peer.answered = { peer, _ in
                            probes.append(BrokerLoop.clock() - peer.asked)
                            isProbing = false
                            peer.answered = nil
                        }
                        peer.ask(.joinRequest)
                    }
                    return now - begin >= seconds && !isProbing && stage.unconfirmed == 0
                }, within: seconds * 10 + 60)
            round.seconds = BrokerLoop.clock() - begin
            round.succeeded = sent
            round.perSecond = Double(sent) / round.seconds
            round.set(latencies: probes)
            let quiet = BrokerLoop.clock()
            try stage.waitForQuiet()
            round.extra["handled s after the last"] = max(0, BrokerLoop.clock() - quiet - 0.4)
            round.extra["values sent"] = Double(sent)
            round.extra["asked meanwhile"] = Double(probes.count)
            return sent
        }
        round.shareOfSignatures = nil
        return round
    }
}
