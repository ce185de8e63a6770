import C2
import Foundation
import JoiningDevice
import Observation
import Participant
import SRUP
import SeededRandom
import Synchronization
import TestNetwork

/// Server, two observers and two devices of ours, with everybody who would like to be let in unseen, and a network that
/// loses, repeats and reorders: each step is something that can happen, chosen by a seed. After each step the invariants are
/// checked that hold whatever happens.
///
/// What the network and the attackers can do is more than a broker allows: they know every token, and may send again
/// whatever was ever sent.
package final class Model {
    private let network: TestNetwork
    private let server: TestServer
    private let observers: [TestObserver]
    /// One place for one token, as a reference observer; trusted.
    private let reference: ReferenceObserver
    private let referenceView = View()
    /// A member of a type that comes in by its word, never trusted; says VALID to everything it is asked.
    private let stranger: Puppet
    /// Trusted, and asked to look like the others; says VALID also about what others were asked.
    private let traitor: Puppet
    /// Stand before one of the observers, now and then.
    private let devices: [TestDevice]
    /// Never stands before any.
    private let impostor: Puppet
    private var places: [DeviceID: Place] = [:]
    private let wantsReference: Bool
    /// Two observers must vouch for a device, and the traitor says VALID at once to all that it is asked.
    private let asksForTwo: Bool

    private enum Place: CaseIterable { case away, first, second, both, reference }

    /// The last steps, for who has to find out.
    private var story: [String] = []
    package private(set) var steps = 0

    /// How often what has happened: a model in which nobody is ever let in shows nothing.
    package private(set) var tally: [String: Int] = [:]

    // What must hold.
    private var wasSeen: Set<DeviceID> = []
    private var members: Set<DeviceID> = []
    private var usedAdmissions: Set<Token> = []
    private var sent: [Pair: [UInt64: [UInt8]]] = [:]
    private var answered: [Pair: Set<Token>] = [:]
    private var history: [(sender: DeviceID, topic: String, payload: [UInt8])] = []
    private var tokens: [Token] = []
    /// The last actions that anybody was told.
    private var actions: [(topic: String, payload: [UInt8])] = []
    /// What each device was told to do, by the tokens; and what it has done.
    private var told: [DeviceID: Set<Token>] = [:]
    private var done: [DeviceID: Set<Token>] = [:]
    /// Who was ever let into the group.
    private var everInGroup: Set<DeviceID> = []
    private let group: GroupID

    private struct Pair: Hashable {
        let sender: DeviceID
        let peer: DeviceID
    }

    /// Something that must never happen has happened.
    package struct Violation: Error, CustomStringConvertible {
        package let what: String
        package let story: [String]
        package var description: String { what + "\n  " + story.joined(separator: "\n  ") }
    }

    package init(seed: UInt64) async throws {
        guard let group = GroupID("lamps") else { throw Failure(description: "a group without a name") }
        self.group = group
        network = try TestNetwork(seed: seed)
        let asksForTwo = seed % 3 == 2
        self.asksForTwo = asksForTwo
        server = try await TestServer(network) { rules in
            if asksForTwo, let two = JoinPolicy(rawValue: "observed by 2") { rules.policies["sensor"] = two }
            // In some worlds whoever fails a roll call is put out.
            rules.rollCall.failures = Int(seed % 2)
            rules.observationTimeout = .seconds(10)
            rules.observationRest = .seconds(20)
            rules.limits.longestJoin = .seconds(60)
            rules.limits.joinsPerMinute = 6000
            rules.limits.joinBurst = 10000
            rules.limits.messageBurst = 100_000
            rules.limits.messagesPerSecond = 10000
        }
        let ids = Self.identities
        for id in ids.observers { try server.know(id, type: "observer") }
        for id in [ids.reference, ids.traitor] { try server.know(id, type: "observer") }
        try server.know(ids.stranger, type: "lamp")
        for id in ids.devices + [ids.impostor] { try server.know(id, type: "sensor") }
        for id in ids.observers + [ids.reference, ids.traitor] { try server.state.trust(id, now: 0) }
        var rules = WatchRules()
        rules.timeout = .seconds(8)
        rules.invalidAfter = .seconds(2)
        rules.displayTime = .seconds(3)
        rules.settle = .milliseconds(500)
        rules.staleFor = .seconds(30)
        var made: [TestObserver] = []
        for id in ids.observers { made.append(try await TestObserver(id, network, rules: rules, timeout: .seconds(5))) }
        observers = made
        reference = try ReferenceObserver(ids.reference, network, referenceView, patience: .seconds(15))
        stranger = try Puppet(ids.stranger, network)
        traitor = try Puppet(ids.traitor, network)
        impostor = try Puppet(ids.impostor, network)
        var behaviour = JoinDriver.Behaviour()
        behaviour.retry = .seconds(3)
        behaviour.confirm = .seconds(30)
        behaviour.patience = .seconds(60)
        var devices: [TestDevice] = []
        for id in ids.devices {
            // In every other world the second device wants the reference observer.
            behaviour.observer = id == ids.devices[1] && seed % 2 == 1 ? ids.reference : nil
            devices.append(
                try await TestDevice(id, network, behaviour, timeout: .seconds(5), actions: [1: "on"]))
        }
        wantsReference = seed % 2 == 1
        self.devices = devices
        if asksForTwo {
            traitor.onMessage = { [traitor] message in
                guard case .observationRequest = message.body else { return }
                try traitor.say(.response(.observedJoinValid), message.token)
            }
        }
        try reference.puppet.ask(.joinRequest)
        try traitor.ask(.joinRequest)
        try stranger.ask(.joinRequest)
        stranger.onMessage = { [stranger] message in
            guard case .observationRequest = message.body else { return }
            try stranger.say(.response(.observedJoinValid), message.token)
        }
        await network.settle()
    }

    private static let identities = (
        observers: [DeviceID(0xB1), DeviceID(0xB2)], reference: DeviceID(0xB3), stranger: DeviceID(0xB4),
        traitor: DeviceID(0xB5), devices: [DeviceID(0xD1), DeviceID(0xD2)], impostor: DeviceID(0xD3)
    )

    package func close() { network.close() }

    // MARK: Steps

    /// One thing happens.
    package func step() async throws {
        steps += 1
        let everybody = observers.map(\.id) + devices.map(\.id) + [TestServer.id]
        let somebody = pick(everybody)
        let choice = network.random.below(100)
        switch choice {
        case ..<36:
            note("deliver")
            _ = await network.step()
        case ..<40: try await command()
        case ..<50: await look()
        case ..<55: await pass(.milliseconds(100 * (1 + network.random.below(20))))
        case ..<57: await pass(.seconds(2 + network.random.below(20)))
        case ..<61: try await fault()
        case ..<65: await replay()
        case ..<69:
            let device = pick(devices).id
            let wanted = wantsReference && device == devices[1].id && network.random.below(2) == 0
            places[device] = wanted ? .reference : pick(Place.allCases)
            note("\(device) goes to \(places[device] ?? .away)")
        case ..<73: try await restart(somebody)
        case ..<76: cut(somebody)
        case ..<79: await away(somebody)
        case ..<85: try attackAsImpostor()
        case ..<91: try forge()
        case ..<96: try answerAsReference()
        default: try await orders()
        }
        try check()
    }

    private func pick<Element>(_ from: [Element]) -> Element { from[network.random.below(from.count)] }

    private func note(_ what: String) {
        story.append(what)
        if story.count > 400 { story.removeFirst(200) }
    }

    /// A camera looks once at what stands before it.
    private func look() async {
        let index = network.random.below(observers.count)
        let observer = observers[index]
        for device in devices {
            let place = places[device.id] ?? .away
            guard let shown = device.shown, place == .both || place == (index == 0 ? .first : .second) else { continue }
            if await observer.see(shown) {
                note("\(observer.id) sees \(device.id)")
                wasSeen.insert(device.id)
                tally["seen", default: 0] += 1
            }
        }
        if network.random.below(4) == 0 { _ = await observer.see(Array(repeating: 7, count: 16)) }
    }

    private func pass(_ duration: Duration) async {
        note("\(duration) pass")
        await network.advance(by: duration, step: max(.milliseconds(500), duration / 8), delivers: false)
    }

    private func fault() async throws {
        let waiting = network.waiting
        guard !waiting.isEmpty else { return }
        let id = pick(waiting)
        switch network.random.below(3) {
        case 0:
            note("lost for \(id)")
            network.lose(id)
        case 1:
            note("twice for \(id)")
            network.duplicate(id)
        default:
            note("last for \(id)")
            network.delay(id)
        }
    }

    /// Something that was said once is said again, to everybody who listens there.
    private func replay() async {
        guard !history.isEmpty else { return }
        let old = pick(history)
        guard network.random.below(3) == 0, !actions.isEmpty else {
            note("replay of a message of \(old.sender) on \(old.topic)")
            return network.inject(old.payload, to: old.topic)
        }
        // Topics are not signed: what was said to a group is said to one, and the other way round.
        let action = pick(actions)
        let groupTopic = Topic.group(group).description
        let other = action.topic == groupTopic ? Topic.member(pick(devices).id).description : groupTopic
        note("what was said on \(action.topic) is said on \(other)")
        network.inject(action.payload, to: other)
    }

    private func restart(_ id: DeviceID) async throws {
        tally["restarts", default: 0] += 1
        note("\(id) restarts")
        if id == TestServer.id {
            network.cut(id, after: nil)
            try await server.restart()
        }
        for observer in observers where observer.id == id { try await observer.restart() }
        for device in devices where device.id == id { try await device.restart() }
    }

    /// It will crash after some message that it has stored and not sent.
    private func cut(_ id: DeviceID) {
        let after = network.random.below(3)
        note("\(id) is cut off after \(after) messages")
        network.cut(id, after: after)
    }

    private func away(_ id: DeviceID) async {
        if network.isOnline(id) {
            note("\(id) is offline")
            network.disconnect(id)
        } else {
            note("\(id) is online")
            await network.connect(id)
        }
    }

    /// Who never shows anything tries every way in.
    private func attackAsImpostor() throws {
        let others = observers.map(\.id) + [stranger.id, traitor.id, impostor.id]
        let named = network.random.below(3) == 0 ? reference.puppet.id : pick(others)
        note("the impostor asks for \(named)")
        try impostor.ask(network.random.below(4) == 0 ? .joinRequest : .observedJoinRequest(observer: named))
    }

    /// VALID, from who was not asked: with a token that somebody else was sent.
    private func forge() throws {
        guard !tokens.isEmpty else { return }
        let token = tokens[max(0, tokens.count - 1 - network.random.below(3))]
        let forger = pick([stranger, traitor, impostor])
        // What it was asked itself, a trusted observer may answer as it likes: trust is all the server has.
        guard !forger.heard.contains(where: { $0.token == token && $0.body.type == .observationRequest }) else {
            return
        }
        note("\(forger.id) says VALID for \(token)")
        tally["forged", default: 0] += 1
        if try server.state.pending().contains(where: { $0.asks.contains { $0.token == token } }) {
            tally["forged in time", default: 0] += 1
        }
        try forger.say(.response(.observedJoinValid), token)
    }

    private func answerAsReference() throws {
        referenceView.values = []
        for device in devices where places[device.id] == .reference {
            guard let shown = device.shown, let nonce = Nonce(bytes: shown) else { continue }
            referenceView.values.append(nonce)
        }
        let before = reference.valid
        try reference.look()
        // Only what it has recognised counts as seen.
        for nonce in reference.valid.dropFirst(before.count) {
            for device in devices where device.shown.map({ nonce.matches($0) }) == true { wasSeen.insert(device.id) }
        }
        note("the reference observer looks")
    }

    /// The operator.
    private func orders() async throws {
        let device = pick(devices).id
        if network.random.below(3) == 0 {
            note("the operator calls \(device)")
            if (try? await server.server.callRoll(of: device, by: "model")) != nil {
                tally["called", default: 0] += 1
            }
        } else if network.random.below(3) > 0 {
            note("the operator removes \(device)")
            try server.state.askRemoval(of: device, now: 0)
        } else {
            let observer = observers[1].id
            let isTrusted = try server.state.trusted().contains(observer)
            note("the operator \(isTrusted ? "distrusts" : "trusts") \(observer)")
            if isTrusted {
                try server.state.distrust(observer)
            } else {
                try server.state.trust(observer, now: 0)
            }
        }
    }

    /// The operator tells one device, or the group, to do something, or says who is in it.
    private func command() async throws {
        let device = pick(devices).id
        let server = server.server
        // Most fail, since who does not belong is told nothing.
        switch network.random.below(5) {
        case 0:
            note("\(device) into the group")
            if (try? await server.add([device], to: group, by: "model")) != nil { everInGroup.insert(device) }
        case 1:
            note("\(device) out of the group")
            try? await server.remove(device, from: group, by: "model")
        case 2, 3:
            note("the group is told")
            _ = try? await server.sendAction(1, to: group, by: "model")
        default:
            note("\(device) is told")
            _ = try? await server.sendAction(1, to: device, by: "model")
        }
    }

    /// Each device does what it was told to, once, and nothing else.
    private func checkDeeds() throws {
        for device in devices {
            for token in device.takeDone() {
                tally["done", default: 0] += 1
                guard done[device.id, default: []].insert(token).inserted else {
                    throw violation("\(device.id) has done \(token) twice")
                }
                if let spoken = GroupToken.group(of: token) {
                    guard spoken == group, everInGroup.contains(device.id) else {
                        throw violation("\(device.id) has done \(token) of a group that it never was in")
                    }
                    tally["done in the group", default: 0] += 1
                } else if told[device.id]?.contains(token) != true {
                    throw violation("\(device.id) has done \(token), which it was not told")
                }
            }
        }
    }

    // MARK: Invariants

    /// - Throws: ``Violation``.
    private func check() throws {
        let published = network.takePublished()
        for message in published { try take(message) }
        try checkDeeds()
        // Who belongs changes only together with a message about it.
        guard published.contains(where: { $0.sender == TestServer.id }) || steps % 8 == 0 else { return }
        for id in devices.map(\.id) + [impostor.id] {
            let peer = try server.participant.state.peer(id)
            guard peer?.isJoined == true else {
                if members.remove(id) != nil { wasSeen.remove(id) }
                continue
            }
            let admission = peer?.admission?.token
            if !members.contains(id) {
                guard wasSeen.contains(id) else { throw violation("\(id) was let in unseen") }
                if let admission, !usedAdmissions.insert(admission).inserted {
                    throw violation("\(id) was let in twice by one verdict")
                }
                note("\(id) is let in")
                tally["let in", default: 0] += 1
            }
            members.insert(id)
        }
    }

    private func violation(_ what: String) -> Violation { Violation(what: what, story: story) }

    /// Looks on at what was published.
    private func take(_ message: (sender: DeviceID, topic: String, payload: [UInt8])) throws {
        guard let parsed = try? SignedMessage(parsing: message.payload).message else { return }
        history.append(message)
        if history.count > 300 { history.removeFirst(150) }
        if case .action = parsed.body { actions.append((message.topic, message.payload)) }
        if actions.count > 16 { actions.removeFirst(8) }
        let peer: DeviceID
        if message.sender == TestServer.id {
            guard let id = message.topic.split(separator: "/").last.flatMap({ DeviceID(hex: String($0)) }) else {
                return
            }
            peer = id
        } else {
            peer = TestServer.id
        }
        if case .action = parsed.body { told[peer, default: []].insert(parsed.token) }
        let pair = Pair(sender: message.sender, peer: peer)
        let number = parsed.sequence.value
        if let before = sent[pair]?[number] {
            guard before == message.payload else {
                throw violation("\(message.sender) has used number \(number) twice")
            }
            return
        }
        sent[pair, default: [:]][number] = message.payload
        if sent[pair]?.count ?? 0 > 200, let oldest = sent[pair]?.keys.min() { sent[pair]?[oldest] = nil }
        if case .observationRequest = parsed.body {
            tokens.append(parsed.token)
            tally["observations", default: 0] += 1
        }
        if tokens.count > 64 { tokens.removeFirst(32) }
        guard case .response = parsed.body else { return }
        let isOurs =
            message.sender == TestServer.id || observers.contains { $0.id == message.sender }
            || devices.contains { $0.id == message.sender }
        if isOurs, answered[pair, default: []].insert(parsed.token).inserted == false {
            throw violation("\(message.sender) has answered \(parsed.token) twice")
        }
        if answered[pair]?.count ?? 0 > 2000 { answered[pair] = [parsed.token] }
    }

    // MARK: The end

    /// Faults and attacks end, everybody is there, both devices stand before both observers: in the end both have joined,
    /// and both sides say so.
    package func quiet() async throws {
        note("all is quiet")
        network.cut(TestServer.id, after: nil)
        try await server.restart()
        for observer in observers {
            network.cut(observer.id, after: nil)
            try server.state.trust(observer.id, now: 0)
            if !network.isOnline(observer.id) { await network.connect(observer.id) }
            try await observer.restart()
        }
        for device in devices {
            places[device.id] = wantsReference && device.id == devices[1].id ? .reference : .both
            if !network.isOnline(device.id) { await network.connect(device.id) }
            try await device.restart()
        }
        if !network.isOnline(TestServer.id) { await network.connect(TestServer.id) }
        for _ in 0..<600 {
            await network.advance(by: .seconds(1), step: .milliseconds(500))
            for _ in observers + observers { await look() }
            if wantsReference { try answerAsReference() }
            await network.settle()
            try check()
            if try agree() == nil { return try await tellAll() }
        }
        throw violation("after 600 s of quiet: \(try agree() ?? "")")
    }

    /// All is quiet and all have joined: what they are told they do, alone and as a group.
    private func tellAll() async throws {
        try await server.server.add(devices.map(\.id), to: group, by: "model")
        everInGroup.formUnion(devices.map(\.id))
        await network.settle()
        try check()
        let before = devices.map { done[$0.id]?.count ?? 0 }
        try await server.server.sendAction(1, to: group, by: "model")
        for device in devices { try await server.server.sendAction(1, to: device.id, by: "model") }
        await network.settle()
        try check()
        for (device, count) in zip(devices, before) where done[device.id]?.count != count + 2 {
            throw violation("\(device.id) has not done what it was told")
        }
    }

    /// What is not as it should be in the end.
    private func agree() throws -> String? {
        for device in devices {
            let theirs = try server.isMember(device.id)
            guard theirs == device.member.isJoined else {
                return "\(device.id) says \(device.member.isJoined), the server \(theirs)"
            }
            guard theirs else { return "\(device.id) has not joined" }
            let groups = try server.commands.groups(of: device.id)
            guard Set(groups).isSubset(of: try device.participant.state.groups(of: TestServer.id)) else {
                return "\(device.id) does not listen to its group"
            }
            guard device.shown == nil else { return "\(device.id) still shows its nonce" }
        }
        for observer in observers {
            guard try server.isMember(observer.id), observer.member.isJoined else {
                return "observer \(observer.id) has not joined"
            }
            guard try observer.participant.state.requests(.duty).isEmpty else {
                return "observer \(observer.id) owes a verdict"
            }
        }
        return nil
    }

    // MARK: Many

    /// Steps of one interleaving; after each 50th one comes quiet, in which all must come to agree.
    private static let steps = 10
    private static let (inOneWorld, betweenQuiets) = (100, 50)

    /// Plays so many interleavings, on all processors.
    ///
    /// - Parameter told: called after each fifty, with how many have been played.
    /// - Returns: what has happened, and how often.
    /// - Throws: ``Failure`` for the first one that does not hold.
    @discardableResult
    package static func play(
        _ interleavings: Int, seed: UInt64, told: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws -> [String: Int] {
        let worlds = UInt64((interleavings + inOneWorld - 1) / inOneWorld)
        let workers = UInt64(max(1, min(8, ProcessInfo.processInfo.activeProcessorCount)))
        let played = Played()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<workers {
                group.addTask {
                    try await TestNetwork.$keySet.withValue(Int(worker)) {
                        for world in stride(from: worker, to: worlds, by: Int(workers)) {
                            told(played.add(inOneWorld, try await playWorld(seed &+ world)))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        return played.tally
    }

    private final class Played: Sendable {
        private let all = Mutex((count: 0, tally: [String: Int]()))
        var tally: [String: Int] { all.withLock { $0.tally } }
        func add(_ more: Int, _ tally: [String: Int]) -> Int {
            all.withLock { all in
                all.count += more
                all.tally.merge(tally) { $0 + $1 }
                return all.count
            }
        }
    }

    /// A seed and what happened with it.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private static func playWorld(_ seed: UInt64) async throws -> [String: Int] {
        let model = try await Model(seed: seed)
        defer { model.close() }
        do {
            for episode in 1...inOneWorld {
                for _ in 0..<steps { try await model.step() }
                if episode % betweenQuiets == 0 { try await model.quiet() }
            }
            return model.tally
        } catch {
            throw Failure(description: "seed \(seed), step \(model.steps): \(error)")
        }
    }
}
