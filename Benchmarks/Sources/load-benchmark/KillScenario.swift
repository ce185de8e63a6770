import Foundation
import Participant
import SRUP
import SeededRandom
import TestProcesses

/// Programs are killed at random moments while devices are let in, resign and ask again, and new ones register; afterwards
/// everything must be as if nothing had happened.
///
/// What is played is drawn from a seed. When messages cross is not, so a run with the same seed is alike, not the same.
final class KillScenario {
    struct Plan {
        /// How many kills, and how many seconds lie between two of them on average.
        var kills: Int
        var every: Double
        var seed: UInt64
        /// After how many seconds without an answer a device asks again.
        var askAgain: Double
        /// How long the network may take to come to rest afterwards, in seconds.
        var rest: Double
    }

    /// After which time a service manager starts again what has died, in seconds: `RestartSec` of the units.
    private static let restartAfter = 1.0
    /// How long an observer may take, in seconds, instead of the server's 90: a request that a killed broker has lost is made
    /// anew within the run.
    static let observationTimeout = 10
    /// How long an observer looks, and a device does nothing, in seconds.
    private static let (look, pause) = (0.05...1.0, 1.0...4.0)

    struct Kill: Codable {
        let role: String
        /// Seconds since the load began.
        let at: Double
        /// After how many seconds the program listened, or was connected, again.
        var ready: Double?
        /// The longest time in which nobody was answered, until the next kill.
        var silence = 0.0
    }

    /// What a device is about.
    private struct Part {
        enum Wish { case nothing, join(Body), resign }
        var wish = Wish.nothing
        /// When it does something next, while it wishes nothing.
        var next: Double
        /// It has registered during the run and has not been answered yet.
        var isNew = false
        var isIdle: Bool { if case .nothing = wish { true } else { false } }
    }

    private struct Verdict {
        let due: Double
        let observer: Peer
        let token: Token
        let status: Status
    }

    let stage: Stage
    private let plan: Plan
    private var random: SplitMix64
    private var parts: [DeviceID: Part] = [:]
    private var verdicts: [Verdict] = []
    private var lost: [(peer: Peer, at: Double)] = []
    private var failures: [DeviceID: Int] = [:]
    private var begin = 0.0
    private var lastAnswer = 0.0
    private var restarts: [(role: String, at: Double, kill: Int)] = []
    private var starting: [(kill: Int, isReady: () -> Bool)] = []
    let newcomers: Newcomers
    private var isWindingUp = false

    private(set) var kills: [Kill] = []
    private(set) var findings: [String] = []
    private(set) var latencies: [Double] = []
    private(set) var answers: [Status: Int] = [:]
    private(set) var (joinsAsked, resignsAsked, resignsUnanswered) = (0, 0, 0)
    private(set) var (repeats, connectionsLost, newcomersSeen) = (0, 0, 0)

    /// How often a program that was started while the database was down has ended.
    private(set) var endedWithoutDatabase = 0

    func found(_ problem: String) { findings.append(problem) }

    init(stage: Stage, plan: Plan) {
        self.stage = stage
        self.plan = plan
        random = SplitMix64(seed: plan.seed)
        newcomers = Newcomers(stage.registrations)
    }

    private func between(_ range: ClosedRange<Double>) -> Double { .random(in: range, using: &random) }

    // MARK: The run

    func run() async throws -> Round {
        print("kill: seed \(plan.seed), \(plan.kills) kills, one in \(plan.every) s on average")
        begin = BrokerLoop.clock()
        lastAnswer = begin
        for peer in stage.peers { enter(peer) }
        let registering = newcomers.register()
        var nextKill = begin + between(plan.every * 0.5...plan.every * 1.5)
        while kills.count < plan.kills || BrokerLoop.clock() < nextKill {
            if kills.count < plan.kills, BrokerLoop.clock() >= nextKill {
                killOne()
                nextKill = BrokerLoop.clock() + between(plan.every * 0.5...plan.every * 1.5)
            }
            await proceed()
        }
        registering.cancel()
        let loaded = BrokerLoop.clock() - begin
        await windUp(registering)
        try stage.waitForQuiet()
        // The log is sealed within a second.
        stage.loop.run(for: 1.5)
        let rested = BrokerLoop.clock() - begin - loaded
        let evidence = try check()
        return report(evidence, seconds: loaded, rest: rested)
    }

    /// Nobody wishes anything new; what was asked for comes to its end.
    private func windUp(_ registering: Task<Void, Never>) async {
        isWindingUp = true
        let deadline = BrokerLoop.clock() + plan.rest
        await registering.value
        while !isAtRest, BrokerLoop.clock() < deadline { await proceed() }
        if !restarts.isEmpty || !starting.isEmpty {
            let roles = (restarts.map(\.role) + starting.map { kills[$0.kill].role }).joined(separator: ", ")
            findings.append("not up again \(Int(plan.rest)) s after the last kill: \(roles)")
        }
        for entry in lost { findings.append("\(entry.peer.id) finds no way back to the broker") }
        for peer in stage.devices where parts[peer.id]?.isIdle == false {
            findings.append("what \(peer.id) asked for has no end: \(parts[peer.id].map { "\($0.wish)" } ?? "?")")
        }
    }

    private var isAtRest: Bool {
        restarts.isEmpty && starting.isEmpty && lost.isEmpty && verdicts.isEmpty
            && parts.values.allSatisfy { $0.isIdle && !$0.isNew } && !stage.observers.contains(where: \.isAsking)
    }

    /// A slice of the load.
    private func proceed() async {
        stage.loop.run(for: 0.02)
        let now = BrokerLoop.clock()
        admitNewcomers()
        startAgain(now)
        comeBack(now)
        judge(now)
        for peer in stage.devices { act(peer, now) }
        for observer in stage.observers where observer.isAsking && now - observer.askedLast >= plan.askAgain {
            request(observer, .joinRequest)
        }
        // The registrations need a thread, too.
        await Task.yield()
    }

    // MARK: Kills

    private func killOne() {
        let running = stage.programs.killable
        guard !running.isEmpty else { return }
        let role = running[random.below(running.count)]
        stage.programs.kill(role)
        let now = BrokerLoop.clock()
        kills.append(Kill(role: role, at: now - begin))
        restarts.append((role, now + Self.restartAfter, kills.count - 1))
        print(String(format: "kill %d, after %.2f s: %@", kills.count, now - begin, role))
    }

    private func startAgain(_ now: Double) {
        for restart in restarts where restart.at <= now {
            do {
                try stage.programs.launch(restart.role)
                starting.append((restart.kill, stage.programs.readiness(restart.role)))
            } catch {
                findings.append("\(restart.role) cannot be started again after kill \(restart.kill + 1): \(error)")
            }
        }
        restarts.removeAll { $0.at <= now }
        starting.removeAll { kill, isReady in
            let role = kills[kill].role
            if isReady() {
                kills[kill].ready = BrokerLoop.clock() - begin - kills[kill].at
                return true
            }
            // Killed once more, or it has ended by itself.
            if stage.programs.isRunning(role) { return false }
            if !restarts.contains(where: { $0.role == role }) {
                if isWithoutDatabase(now) {
                    // As it should: a service manager starts it until the database is back.
                    endedWithoutDatabase += 1
                } else {
                    findings.append(
                        "\(role) ends by itself after kill \(kill + 1); its log ends:\n\(stage.programs.runner.tail(of: role))"
                    )
                }
                restarts.append((role, now + Self.restartAfter, kill))
            }
            return true
        }
    }

    /// Whether the database is down, or comes back just now.
    private func isWithoutDatabase(_ now: Double) -> Bool {
        kills.contains { $0.role == "database" && now - begin - $0.at < 20 }
    }

    // MARK: Peers

    private func enter(_ peer: Peer) {
        peer.record = NumberRecord()
        if peer.isObserver {
            peer.looks = { [weak self] observer, token, _ in self?.looks(observer, token) }
        } else {
            parts[peer.id] = Part(next: BrokerLoop.clock() + between(0...Self.pause.upperBound))
        }
        peer.answered = { [weak self] peer, status in self?.answered(peer, status) }
        guard peer.connection != nil else { return lost.append((peer, 0)) }
        peer.tell { [weak self] peer, why in self?.changed(peer, why) }
    }

    private func changed(_ peer: Peer, _ why: String?) {
        guard why != nil else {
            failures[peer.id] = 0
            return connected(peer)
        }
        connectionsLost += 1
        let tries = failures[peer.id, default: 0]
        failures[peer.id] = tries + 1
        // As BrokerLink: twice as long each time, up to a minute, and by up to half shorter.
        lost.append((peer, BrokerLoop.clock() + min(60, 0.5 * Double(1 << min(tries, 7))) * between(0.5...1)))
    }

    /// As a real one: at each connection it asks whether it belongs; what was asked and not answered is asked again.
    private func connected(_ peer: Peer) {
        switch parts[peer.id]?.wish {
        case .join(let body):
            repeats += 1
            request(peer, body)
        case .resign: resignUnanswered(peer)
        case .nothing where peer.isMember:
            joinsAsked += 1
            request(peer, .joinRequest)
        case .nothing: break
        case nil: request(peer, .joinRequest)
        }
    }

    private func comeBack(_ now: Double) {
        let due = lost.filter { $0.at <= now }
        lost.removeAll { $0.at <= now }
        for entry in due {
            do {
                try entry.peer.connect(stage.loop, stage.place(of: entry.peer)) { [weak self] peer, why in
                    self?.changed(peer, why)
                }
            } catch { changed(entry.peer, "\(error)") }
        }
    }

    private func act(_ peer: Peer, _ now: Double) {
        guard let part = parts[peer.id], peer.connection?.isReady == true else { return }
        let isLate = now - peer.askedLast >= plan.askAgain
        switch part.wish {
        case .nothing where part.next <= now && (!isWindingUp || part.isNew): decide(peer)
        case .join(let body) where isLate:
            repeats += 1
            request(peer, body)
        case .resign where isLate: resignUnanswered(peer)
        default: break
        }
    }

    private func decide(_ peer: Peer) {
        let draw = random.below(100)
        if peer.isMember, draw < 70 {
            resignsAsked += 1
            parts[peer.id]?.wish = .resign
            return peer.resign()
        }
        joinsAsked += 1
        // A member asks whether it still is one, or to be looked at again.
        let isObserved = draw % 2 == 0 && !stage.observers.isEmpty
        request(
            peer,
            isObserved
                ? .observedJoinRequest(observer: stage.observers[random.below(stage.observers.count)].id) : .joinRequest
        )
    }

    /// Who does not belong any more is not answered when it resigns again: it asks to be let in, and is told where it is.
    private func resignUnanswered(_ peer: Peer) {
        resignsUnanswered += 1
        joinsAsked += 1
        request(peer, .joinRequest)
    }

    private func request(_ peer: Peer, _ body: Body) {
        parts[peer.id]?.wish = .join(body)
        // Otherwise it asks when it is connected.
        if peer.connection?.isReady == true { peer.ask(body) }
    }

    private func answered(_ peer: Peer, _ status: Status) {
        let now = BrokerLoop.clock()
        if let last = kills.indices.last { kills[last].silence = max(kills[last].silence, now - lastAnswer) }
        lastAnswer = now
        guard parts[peer.id] != nil else { return }
        answers[status, default: 0] += 1
        latencies.append(now - peer.asked)
        parts[peer.id] = Part(next: now + between(Self.pause))
    }

    // MARK: Observers

    private func looks(_ observer: Peer, _ token: Token) {
        let draw = random.below(16)
        let status: Status =
            draw == 0 ? .observedJoinInvalid : draw == 1 ? .observedJoinFail : .observedJoinValid
        verdicts.append(
            Verdict(due: BrokerLoop.clock() + between(Self.look), observer: observer, token: token, status: status))
    }

    private func judge(_ now: Double) {
        verdicts.removeAll { verdict in
            guard verdict.due <= now, verdict.observer.connection?.isReady == true else { return false }
            verdict.observer.say(.response(verdict.status), verdict.token)
            return true
        }
    }

    // MARK: Newcomers

    private func admitNewcomers() {
        for credential in newcomers.take() {
            let peer = stage.add(credential)
            enter(peer)
            parts[peer.id]?.isNew = true
            newcomersSeen += 1
        }
    }
}
