import CLoad
import Foundation
import Participant
import SRUP
import TestProcesses

/// A network of real programs with simulated peers at it.
final class Stage {
    let programs: Programs
    let loop: BrokerLoop
    let tally = Peer.Tally()
    private(set) var devices: [Peer] = []
    private(set) var observers: [Peer] = []
    /// Of ``load_tls_context``.
    private let context: UnsafeMutableRawPointer
    private var lost = 0
    private var addresses = 0
    private let pool: KeyPool

    var name: String { programs.name }
    var peers: [Peer] { observers + devices }

    init(_ programs: Programs, loop: BrokerLoop, pool: KeyPool) throws {
        self.programs = programs
        self.loop = loop
        self.pool = pool
        let context = pool.access.pem.withBytes {
            load_tls_context(programs.runner.path("c2/ca.crt"), $0.baseAddress, $0.count)
        }
        guard let context else { throw ProgramRunner.Failure(description: "OpenSSL takes no client key") }
        self.context = context
    }

    /// The broker of a peer's cell.
    func place(of peer: Peer) -> MQTTConnection.Place {
        MQTTConnection.Place(port: peer.credential.brokerPort, context: context)
    }

    func failure(_ words: String) -> ProgramRunner.Failure {
        ProgramRunner.Failure(
            description: "\(name): \(words)\nthe server's log ends:\n\(programs.runner.tail(of: "c2"))")
    }

    // MARK: Getting ready

    /// The way to the key service.
    var registrations: Registrations {
        Registrations(pool: pool, url: programs.loopback.url, authority: programs.runner.path("c2/ca.crt"))
    }

    /// A device that was registered otherwise.
    func add(_ credential: Credential) -> Peer {
        let peer = Peer(credential, isObserver: false, tally: tally)
        devices.append(peer)
        return peer
    }

    /// Registers identities; they are not connected yet.
    ///
    /// - Returns: how long each registration took, in seconds.
    func register(devices count: Int, observers observerCount: Int) async throws -> [Double] {
        let registrations = registrations
        var seconds: [Double] = []
        for (count, type, isObserver) in [(observerCount, "observer", true), (count, "load", false)] where count > 0 {
            let made = try await registrations.make(count, type: type, firstAddress: addresses)
            addresses += Registrations.addresses(count)
            seconds += made.seconds
            let peers = made.credentials.map { Peer($0, isObserver: isObserver, tally: tally) }
            if isObserver { observers += peers } else { devices += peers }
        }
        return seconds
    }

    /// Registers devices that are not among those that are measured otherwise.
    func registerApart(_ count: Int) async throws -> [Peer] {
        let old = devices
        defer { devices = old }
        _ = try await register(devices: count, observers: 0)
        return Array(devices[old.count...])
    }

    /// Connects peers, so many at once.
    ///
    /// - Returns: how long it took, in seconds.
    @discardableResult
    func connect(_ peers: [Peer], atOnce: Int = 32, within limit: Double = 600) throws -> Double {
        let begin = BrokerLoop.clock()
        var waiting = peers.makeIterator()
        var open = 0
        var problem: (any Error)?
        func next() {
            guard let peer = waiting.next() else { return }
            open += 1
            do {
                try peer.connect(loop, place(of: peer)) { [weak self] peer, why in
                    if let why {
                        self?.lost += 1
                        problem = ConnectionProblem(description: "\(peer.id) lost its connection: \(why)")
                    } else {
                        open -= 1
                        next()
                    }
                }
            } catch { problem = error }
        }
        for _ in 0..<min(atOnce, peers.count) { next() }
        guard loop.run(until: { open == 0 || problem != nil }, within: limit), problem == nil else {
            throw failure("connecting: \(problem.map { "\($0)" } ?? "it took longer than \(limit) s")")
        }
        return BrokerLoop.clock() - begin
    }

    /// Lets the observers in.
    func bringObservers() throws {
        for observer in observers {
            try programs.runner.must(
                "srup-c2",
                ["trust", "--folder", programs.folder(atBroker: observer.credential.brokerPort), observer.id.hex],
                as: "trust")
        }
        try connect(observers)
        let outcome = ask(observers, atOnce: 8) { _ in .joinRequest }
        guard outcome.statuses[.joinSuccess] == observers.count else {
            throw failure("the observers were not let in: \(outcome.words)")
        }
        guard loop.run(until: { self.tally.identified >= self.observers.count }, within: 30) else {
            throw failure("the server does not ask the observers who they are")
        }
        try waitForQuiet()
    }

    /// Has the server look up the devices at the key service, a few at once, so that joins need no look-up: they ask to be
    /// observed by somebody whom nobody knows, and are told that this fails.
    func introduce(_ devices: [Peer]) throws {
        let nobody = DeviceID.random()
        let outcome = ask(devices, atOnce: 12) { _ in .observedJoinRequest(observer: nobody) }
        guard outcome.statuses[.joinFail] == devices.count else {
            throw failure("the devices could not be introduced: \(outcome.words)")
        }
        try waitForQuiet()
    }

    /// What the devices are to the server.
    private enum Standing { case out, members, mixed }
    private var standing = Standing.out

    /// Lets in all devices that do not belong.
    func admit() throws {
        guard standing != .members else { return }
        standing = .mixed
        let outcome = ask(devices, atOnce: 16) { _ in .joinRequest }
        guard outcome.statuses[.joinSuccess] == devices.count else {
            throw failure("not all devices were let in: \(outcome.words)")
        }
        try waitForQuiet()
        standing = .members
    }

    /// Takes the devices out again, as they themselves wish: the next join is one of an identity that does not belong.
    func takeOutAll() throws {
        if standing == .mixed { try admit() }
        guard standing == .members else { return }
        try resign(devices)
        standing = .out
    }

    /// Has members leave.
    func resign(_ members: [Peer]) throws {
        let outcome = play(members, atOnce: 32) { $0.resign() }
        guard outcome.statuses[.resignSuccess] == members.count else {
            throw failure("not all devices could resign: \(outcome.words)")
        }
        try waitForQuiet()
    }

    /// Some have been let in.
    func areMixed() { standing = .mixed }

    /// Waits until the server has no more to do for us: it commits nothing.
    func waitForQuiet(within limit: Double = 1800) throws {
        let deadline = BrokerLoop.clock() + limit
        var (last, since) = (-1.0, BrokerLoop.clock())
        while BrokerLoop.clock() - since < 0.4 {
            guard BrokerLoop.clock() < deadline else { throw failure("the server does not come to rest") }
            let now = programs.usage()["c2"]?.commits ?? 0
            if now != last { (last, since) = (now, BrokerLoop.clock()) }
            loop.run(for: 0.05)
        }
    }

    // MARK: Asking

    /// How requests went.
    struct Outcome {
        /// Of those that were answered, in seconds.
        var latencies: [Double] = []
        var statuses: [Status: Int] = [:]
        var unanswered = 0
        /// From the first request to the last answer.
        var seconds = 0.0
        /// When the first answer came.
        var first: Double?
        /// Requests beyond one for each.
        var repeats = 0

        var words: String {
            (statuses.map { "\($0.key) \($0.value)" } + ["without an answer \(unanswered)"]).joined(separator: ", ")
        }
    }

    /// All ask, so many at once; requests are signed before the first is sent.
    ///
    /// - Parameter silence: when the server has answered nothing and committed nothing for so many seconds, the rest counts as
    ///   never answered.
    func ask(_ peers: [Peer], atOnce: Int, silence: Double = 60, _ body: (Peer) -> Body) -> Outcome {
        for peer in peers { peer.prepare(body(peer)) }
        return play(peers, atOnce: atOnce, silence: silence) { $0.ask() }
    }

    private func play(_ peers: [Peer], atOnce: Int, silence: Double = 60, _ start: (Peer) -> Void) -> Outcome {
        var outcome = Outcome()
        var waiting = peers.makeIterator()
        var open = 0
        var begins: [DeviceID: Double] = [:]
        let begin = BrokerLoop.clock()
        var end = begin
        withoutActuallyEscaping(start) { start in
            func next() {
                guard let peer = waiting.next() else { return }
                open += 1
                begins[peer.id] = BrokerLoop.clock()
                start(peer)
            }
            for peer in peers {
                peer.answered = { peer, status in
                    end = BrokerLoop.clock()
                    outcome.statuses[status, default: 0] += 1
                    outcome.latencies.append(end - (begins[peer.id] ?? end))
                    open -= 1
                    next()
                }
            }
            for _ in 0..<min(atOnce, peers.count) { next() }
            // A server under load may answer late, but it does not stand still.
            var (commits, still, nextLook) = (0.0, begin, begin)
            func isOver() -> Bool {
                guard open > 0 else { return true }
                let now = BrokerLoop.clock()
                guard now >= nextLook else { return false }
                nextLook = now + 1
                let count = programs.usage()["c2"]?.commits ?? 0
                if count != commits { (commits, still) = (count, now) }
                return now - max(end, still) > silence
            }
            loop.run(until: isOver, within: .infinity)
            for peer in peers { peer.answered = nil }
        }
        outcome.unanswered = open
        for peer in peers { peer.giveUp() }
        outcome.seconds = end - begin
        return outcome
    }

    /// All ask at once, and again when they were not answered, as devices do.
    func askUntilAnswered(
        _ peers: [Peer], every: Double = Scenarios.repeatAfter, within limit: Double, _ body: (Peer) -> Body
    ) -> Outcome {
        for peer in peers { peer.prepare(body(peer)) }
        var outcome = Outcome()
        let begin = BrokerLoop.clock()
        var end = begin
        var open = Set(peers.map(\.id))
        for peer in peers {
            peer.answered = { peer, status in
                end = BrokerLoop.clock()
                outcome.first = outcome.first ?? end
                outcome.statuses[status, default: 0] += 1
                outcome.latencies.append(end - peer.asked)
                open.remove(peer.id)
            }
        }
        for peer in peers { peer.ask() }
        var next = begin + 0.5
        loop.run(
            until: {
                let now = BrokerLoop.clock()
                if now >= next {
                    next = now + 0.5
                    for peer in peers where open.contains(peer.id) && now - peer.askedLast >= every {
                        outcome.repeats += 1
                        peer.ask(body(peer))
                    }
                }
                return open.isEmpty
            }, within: limit)
        for peer in peers { peer.answered = nil }
        outcome.unanswered = open.count
        outcome.seconds = end - begin
        return outcome
    }

    /// Publications that the broker has not confirmed.
    var unconfirmed: Int { devices.reduce(0) { $0 + ($1.connection?.unconfirmed ?? 0) } }

    /// Members of a large network are told over which time to come back: waits until all have been, or nobody is.
    func waitForPace() {
        let whole = Double(devices.count) / Double(Scenarios.returnsPerSecond)
        guard whole >= 4 else { return }
        var (told, since) = (-1, 0.0)
        loop.run(
            until: {
                let now = BrokerLoop.clock()
                // The server tells again when there are twice as many: what it says last counts.
                let count = devices.count { ($0.returnWithin ?? 0) > whole / 2 }
                if count != told { (told, since) = (count, now) }
                return told == devices.count || now - since > 45
            }, within: 600)
    }

    /// Peers whose connections are gone come back, each after a delay of its own, longer each time that it fails; each asks at
    /// once whether it belongs, and again after 20 s.
    ///
    /// - Returns: how the requests went, and after how many seconds all were connected, and all answered.
    func comeBack(
        _ peers: [Peer], delays: ClosedRange<Double>, within limit: Double
    ) -> (asked: Outcome, connected: Double, answered: Double) {
        let begin = BrokerLoop.clock()
        var outcome = Outcome()
        var due = peers.map { peer in
            let pause = max(.random(in: delays), (peer.returnWithin ?? 0) * .random(in: 0...1))
            return (peer: peer, at: begin + pause, tries: 0)
        }.sorted { $0.at > $1.at }
        var (connected, open) = (Set<DeviceID>(), Set(peers.map(\.id)))
        var (allConnected, end) = (Double.nan, begin)
        for peer in peers {
            peer.drop()
            peer.giveUp()
            peer.answered = { peer, status in
                end = BrokerLoop.clock()
                outcome.first = outcome.first ?? end
                outcome.statuses[status, default: 0] += 1
                outcome.latencies.append(end - peer.asked)
                open.remove(peer.id)
            }
        }
        func start(_ peer: Peer, _ tries: Int) {
            // As BrokerLink: twice as long each time, up to a minute, and by up to half shorter.
            func again() {
                let delay = min(60, 0.5 * Double(1 << min(tries + 1, 7))) * .random(in: 0.5...1)
                let at = BrokerLoop.clock() + delay
                due.insert((peer, at, tries + 1), at: due.firstIndex { $0.at < at } ?? due.count)
            }
            do {
                try peer.connect(loop, place(of: peer)) { peer, why in
                    if why != nil {
                        connected.remove(peer.id)
                        again()
                        return
                    }
                    connected.insert(peer.id)
                    if connected.count == peers.count { allConnected = BrokerLoop.clock() - begin }
                    peer.ask(.joinRequest)
                }
            } catch { again() }
        }
        var next = begin + 0.5
        loop.run(
            until: {
                let now = BrokerLoop.clock()
                while let first = due.last, first.at <= now {
                    due.removeLast()
                    start(first.peer, first.tries)
                }
                if now >= next {
                    next = now + 0.5
                    for peer in peers
                    where connected.contains(peer.id) && open.contains(peer.id)
                        && now - peer.askedLast >= Scenarios.repeatAfter
                    {
                        outcome.repeats += 1
                        peer.ask(.joinRequest)
                    }
                }
                return open.isEmpty && connected.count == peers.count
            }, within: limit)
        for peer in peers { peer.answered = nil }
        outcome.unanswered = open.count
        outcome.seconds = end - begin
        return (outcome, allConnected, end - begin)
    }

    /// Ends the connections and the programs.
    func close() {
        for peer in peers { peer.drop() }
        programs.runner.close()
    }
}
