import Foundation
import Logging
import Participant
import SRUP
import Synchronization
import TestNetwork
import Testing

/// A member on a network in memory, and a server that says what the test wants.
final class Bench {
    static let id = DeviceID(0xD1)
    static let device = DeviceID(0xD2)

    let network: TestNetwork
    let participant: Participant
    private(set) var member: Member
    private let server: Participant
    private let behaviour: Member.Behaviour
    private let log = EventsHeard()
    private let asked = Mutex<[(body: Body, token: Token, version: ProtocolVersion)]>([])

    init(
        rejoin: Duration? = nil, observations: Int? = nil, _ change: (inout Member.Behaviour) -> Void = { _ in }
    ) async throws {
        network = try TestNetwork()
        participant = try network.participant(Self.id)
        server = try network.participant(TestServer.id, name: "server")
        var behaviour = Member.Behaviour(
            rejoin: rejoin, identification: Identification(program: "test 1", observations: observations))
        for number: UInt8 in [0, 1, 2, 3, 255] { behaviour.identification.actions[number] = "action-\(number)" }
        behaviour.identification.takes = ["x": .bytes, "level": .int16]
        change(&behaviour)
        self.behaviour = behaviour
        // Replaced at once: what it hears goes to this bench.
        member = Member(
            participant, server: TestServer.id, serverKey: try TestNetwork.key(TestServer.id).publicKey,
            behaviour: behaviour, time: network.time
        ) { _ in }
        listen()
        try await restart()
    }

    deinit { network.close() }

    /// What the member sends is taken note of, in order.
    private func listen() {
        let filters = ["SRUP/servers/\(TestServer.id.hex)/#", "SRUP/\(Self.id.hex)"]
        network.attach(TestServer.id, filters) { [weak self] event in
            guard let self, case .message(let topic, let payload) = event,
                let (signed, _) = try? server.read(payload, topic: topic), signed.message.sender == Self.id,
                let message = try? server.admit(signed, key: TestNetwork.key(Self.id).publicKey)
            else { return }
            asked.withLock { $0.append((message.body, message.token, message.version)) }
        }
    }

    /// As after a crash: what was in memory is gone.
    func restart() async throws {
        member = Member(
            participant, server: TestServer.id, serverKey: try TestNetwork.key(TestServer.id).publicKey,
            behaviour: behaviour, time: network.time
        ) { [log] event in log.events.withLock { $0.append(event) } }
        let member = member
        network.attach(Self.id, ["SRUP/\(Self.id.hex)"]) {
            await member.handle($0)
        } tick: {
            await member.tick()
        }
        try await member.begin()
        await network.connect(Self.id)
        await network.settle()
    }

    /// What has happened since the last call, in words.
    func events() -> [String] {
        log.events.withLock { events in
            defer { events.removeAll() }
            return events.map(Self.words)
        }
    }

    /// Outlives a bench, as the member's handler may.
    private final class EventsHeard: Sendable {
        let events = Mutex<[MemberEvent]>([])
    }

    private static func words(_ event: MemberEvent) -> String {
        switch event {
        case .connected: "connected"
        case .disconnected(let why): "disconnected: \(why)"
        case .joined(let again): again ? "joined again" : "joined"
        case .refused(let kind, let observer): "refused \(name(kind))\(observer.map { ", ask \($0.hex)" } ?? "")"
        case .joinFailed(let kind): "failed \(name(kind))"
        case .joinTimedOut(let kind): "timed out \(name(kind))"
        case .nonce(let nonce, let kind): "nonce \(nonce.withBytes { Int($0[0]) }) \(name(kind))"
        case .observationAnnounced: "announced"
        case .observationWithdrawn: "withdrawn"
        case .observationRequested(_, let device, let nonce):
            "look at \(device.hex) for \(nonce.withBytes { Int($0[0]) })"
        case .observationOver: "over"
        case .rollCall(let nonce): "roll call \(nonce.withBytes { Int($0[0]) })"
        case .rollCallEnded: "roll call ended"
        case .data(let id, let value): "data \(String(decoding: id, as: UTF8.self)) \(value.count)"
        case .action(let id, _): "action \(id)"
        case .updateOffered(let offer): "update \(offer.url) \(offer.digest)"
        case .activation(_, let isDue): isDue ? "activate" : "activate, not due"
        case .group(let group, let isMember): "\(isMember ? "entered" : "left") \(group)"
        case .left(let why): "left: \(why)"
        case .leavingAnswered(let how, let isDone): "\(how) \(isDone ? "done" : "not done")"
        case .calledToJoin: "called"
        case .identityEnded: "identity ended"
        }
    }

    private static func name(_ kind: JoinKind) -> String {
        switch kind {
        case .simple: "simple"
        case .humanModerated: "human"
        case .observed(let observer): "observed by \(observer.hex)"
        }
    }

    /// What the member has sent since the last call.
    func sent() -> [(body: Body, token: Token, version: ProtocolVersion)] {
        asked.withLock { asked in
            defer { asked.removeAll() }
            return asked
        }
    }

    /// The token of the last request for a join.
    func lastToken() throws -> Token { try #require(sent().last).token }

    /// The server says something on the member's topic.
    func say(_ body: Body, _ token: Token = .random()) async throws {
        try server.send(body, to: Self.id, on: .member(Self.id), token: token)
        await network.settle()
    }

    /// The server says something to a group.
    func say(_ body: Body, to group: GroupID, _ token: Token? = nil) async throws {
        try server.send(body, to: group, token: token ?? GroupToken.message(to: group))
        await network.settle()
    }

    /// The server lets the member into a group.
    func add(to group: GroupID) async throws {
        let number = try server.state.lastSent(to: group, of: TestServer.id)
        try await say(.groupAdd(device: Self.id, group: group.bytes), GroupToken.addition(after: number))
    }

    /// The member asks, and the server hears it.
    func join(_ kind: JoinKind) async throws -> Token {
        _ = sent()
        try await member.join(kind)
        await network.settle()
        return try lastToken()
    }

    /// Lets the member in by a simple join.
    func letIn() async throws {
        try await say(.response(.joinSuccess), try await join(.simple))
        _ = events()
    }

    func nonce(_ byte: UInt8) throws -> Nonce { try #require(Nonce(bytes: Array(repeating: byte, count: 16))) }

    func envelope(_ byte: UInt8, for id: DeviceID = Bench.id) throws -> Envelope {
        try Envelope.sealing(try nonce(byte), for: try TestNetwork.key(id).publicKey)
    }

    /// A message that somebody has made by hand, with a signature of `key`.
    func forge(
        _ body: Body, _ token: Token = .random(), sequence: UInt64, sender: DeviceID = TestServer.id,
        key: PrivateKey? = nil, topic: String? = nil, version: ProtocolVersion = .v5
    ) async throws {
        let message = Message(
            version: version, sequence: SequenceNumber(sequence), sender: sender, token: token, body: body)
        let bytes = try message.signed(with: key ?? TestNetwork.key(TestServer.id)).bytes
        await member.handle(.message(topic: topic ?? "SRUP/\(Self.id.hex)", payload: bytes))
        await network.settle()
    }

    var lastReceived: UInt64 {
        get throws { try participant.state.peer(TestServer.id)?.lastReceived.value ?? 0 }
    }

    /// How often each kind of message was rejected.
    var rejected: [String: UInt64] { participant.rejections.counts }
}
