import Foundation
import Logging
import SRUP
import Storage
import Synchronization
import Testing

@testable import Participant

/// A way to nowhere that keeps what it is given.
private final class Keeping: MessageLink {
    let published = Mutex<[(payload: [UInt8], topic: String, id: Int64)]>([])
    let events = BrokerEvents()
    var place: String { "nowhere" }
    var isConnected: Bool { true }
    func publish(_ payload: [UInt8], to topic: String, id: Int64) {
        published.withLock { $0.append((payload, topic, id)) }
    }
    func subscribe(_ filter: String) {}
    func unsubscribe(_ filter: String) {}
}

/// What is sent and what is taken, message by message.
@Suite struct ParticipantTests {
    static let keys = [0, 1].compactMap { _ in try? PrivateKey.generate() }
    let id = DeviceID(0xD1)
    let server = DeviceID(0x5E)
    let scratch: Scratch
    private let link = Keeping()

    init() throws {
        scratch = try Scratch()
        try #require(Self.keys.count == 2)
    }

    private func participant(now: @escaping @Sendable () -> Double = { 1000 }) throws -> Participant {
        Participant(
            id: id, key: Self.keys[0], state: try ParticipantStore(path: scratch.path + "/state.db"), link: link,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, wallClock: now)
    }

    private func message(_ body: Body, _ sequence: UInt64, from sender: DeviceID? = nil) throws -> SignedMessage {
        try Message(
            version: .v5, sequence: SequenceNumber(sequence), sender: sender ?? server, token: .random(), body: body
        ).signed(with: Self.keys[1])
    }

    private func reason(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch {
            return (error as? Rejection)?.reason ?? "\(error)"
        }
    }

    @Test func whatIsSentIsSignedNumberedStoredAndPublished() throws {
        let participant = try participant()
        let token = Token.random()
        try participant.send(.joinRequest, to: server, on: .joins(server: server, from: id), token: token)
        let sent = try #require(link.published.withLock { $0.first })
        #expect(sent.topic == "SRUP/servers/5e/d1")
        let signed = try SignedMessage(parsing: sent.payload)
        #expect(signed.isSigned(by: try Self.keys[0].publicKey))
        #expect(signed.message.sender == id && signed.message.token == token && signed.message.sequence.value == 16)
        #expect(try participant.state.unconfirmed(now: 1000).map(\.payload) == [sent.payload])
        participant.confirmed(sent.id)
        #expect(try participant.state.unconfirmed(now: 1000).isEmpty)
    }

    @Test func afterACrashTheVerySameBytesAreSent() throws {
        try participant().send(.joinRequest, to: server, on: .member(id), token: .random())
        try participant().send(.activate, to: server, on: .member(id), token: .random())
        let before = link.published.withLock { $0.map(\.payload) }
        try participant().resume()
        #expect(link.published.withLock { $0.map(\.payload) } == before + before)
        // An hour later nobody waits for them, by a clock that may have been set.
        for now in [4601.0, -2601.0] as [Double] {
            link.published.withLock { $0.removeAll() }
            try participant(now: { now }).resume()
            #expect(link.published.withLock { $0.isEmpty })
        }
    }

    @Test func aBodyThatCannotBeWrittenTakesNoNumber() throws {
        let participant = try participant()
        #expect(throws: ParticipantError.self) {
            try participant.send(
                .data(id: Array(repeating: 1, count: 70_000), value: []), to: server, on: .member(id), token: .random())
        }
        #expect(link.published.withLock { $0.isEmpty })
        let sent = try participant.state.peer(server).map(\.lastSent) ?? SequenceNumber.none
        #expect(sent == SequenceNumber.none)
    }

    @Test func readingTellsWhatItIsAndWhoseTopic() throws {
        let participant = try participant()
        let signed = try message(.activate, 1)
        let read = try #require(try participant.read(signed.bytes, topic: "SRUP/d1"))
        #expect(read.0 == signed && read.1 == .member(id))
        #expect(reason { _ = try participant.read(signed.bytes, topic: "SRUP/D1") } == "wrong-topic")
        #expect(reason { _ = try participant.read([], topic: "SRUP/d1") }.hasPrefix("malformed-"))
        let own = try message(.activate, 1, from: id)
        #expect(try participant.read(own.bytes, topic: "SRUP/d1") == nil)
    }

    @Test func aMessageIsAdmittedOnceAndOnlyWithItsKey() throws {
        let participant = try participant()
        let (key, other) = (try Self.keys[1].publicKey, try Self.keys[0].publicKey)
        let signed = try message(.action(7), 20)
        #expect(reason { _ = try participant.admit(signed, key: nil) } == "unknown-sender")
        #expect(reason { _ = try participant.admit(signed, key: other) } == "bad-signature")
        #expect(try participant.admit(signed, key: key).body == .action(7), "what was rejected has cost it nothing")
        #expect(reason { _ = try participant.admit(signed, key: key) } == "replayed")
        #expect(reason { _ = try participant.admit(try message(.action(7), 19), key: key) } == "replayed")
        #expect(try participant.admit(try message(.action(8), 21), key: key).body == .action(8))
    }

    @Test func aSignatureIsCheckedBeforeANumberIsTaken() throws {
        let participant = try participant()
        let signed = try message(.action(7), SequenceNumber.highestAccepted.value)
        var bytes = signed.bytes
        bytes[bytes.count - 1] ^= 1
        let forged = try SignedMessage(parsing: bytes)
        #expect(reason { _ = try participant.admit(forged, key: try Self.keys[1].publicKey) } == "bad-signature")
        #expect(try participant.state.peer(server) == nil)
    }

    @Test func answersGoOutOnceAndOnlyToWhoAsked() throws {
        let participant = try participant()
        let token = Token.random()
        let duty = ParticipantStore.Request(token: token, kind: .duty, peer: server)
        #expect(try participant.state.accept(SequenceNumber(1), from: server, version: .v5, opening: duty) == nil)
        func answer(to peer: DeviceID) throws {
            try participant.send(
                .response(.observedJoinValid), to: peer, on: .member(id), token: token, answering: .duty)
        }
        #expect(throws: ParticipantError.self) { try answer(to: DeviceID(9)) }
        try answer(to: server)
        #expect(throws: ParticipantError.self) { try answer(to: server) }
        #expect(link.published.withLock { $0.count } == 1)
    }

    @Test func membershipChangesWithItsAnswer() throws {
        let participant = try participant()
        let (first, second) = (Token.random(), Token.random())
        try participant.state.remember(server, key: try Self.keys[1].publicKey, type: "sensor")
        try participant.send(
            .response(.joinSuccess), to: server, on: .member(server), token: first,
            membership: .begins(.init(.observed, first)))
        var peer = try #require(try participant.state.peer(server))
        #expect(peer.isJoined && peer.admission == .init(.observed, first) && peer.lastAnswer == first)
        #expect(try participant.state.joinedPeers().map(\.id) == [server])
        try participant.send(
            .response(.joinRefused), to: server, on: .member(server), token: second, membership: .ends(second))
        peer = try #require(try participant.state.peer(server))
        #expect(!peer.isJoined && peer.admission == nil && peer.lastAnswer == second)
        #expect(peer.type == "sensor" && peer.key != nil, "it is still known")
    }

    // MARK: Many in one turn

    private struct NoRoom: Error {}

    /// What `body` does as one turn of the store, and what was published then.
    private func turn(
        _ participant: Participant, signing: @escaping @Sendable ([UnsignedMessage]) throws -> [SignedMessage],
        _ body: () throws -> Void
    ) throws -> [SignedMessage] {
        participant.afterwards.hold()
        var failure: (any Error)?
        do {
            try participant.state.turn { () throws(StorageError) in
                do {
                    try participant.gather(signing: signing, body)
                } catch {
                    failure = error
                    throw .cannotOpen(path: "", why: "")
                }
            }
        } catch {
            participant.afterwards.discard()
            throw failure ?? error
        }
        #expect(link.published.withLock { $0.isEmpty })
        participant.afterwards.release()
        return try link.published.withLock { published in
            defer { published = [] }
            return try published.map { try SignedMessage(parsing: $0.payload) }
        }
    }

    private static let signing: @Sendable ([UnsignedMessage]) throws -> [SignedMessage] = { messages in
        try messages.map { try $0.signed(with: keys[0]) }
    }

    @Test func whatATurnSendsIsSignedTogetherInItsOrder() throws {
        let participant = try participant()
        let calls = Mutex<[Int]>([])
        let sent = try turn(
            participant,
            signing: { messages in
                calls.withLock { $0.append(messages.count) }
                return try Self.signing(messages)
            }
        ) {
            for number in 0..<5 as Range<UInt8> {
                try participant.send(.action(number), to: server, on: .member(server), token: .random())
            }
            // It has its number, and is not to be seen yet.
            #expect(try participant.state.peer(server)?.lastSent.value == 80)
            #expect(try participant.state.isAllConfirmed())
        }
        #expect(calls.withLock { $0 } == [5])
        #expect(sent.map(\.message.body) == (0..<5 as Range<UInt8>).map { .action($0) })
        #expect(sent.map(\.message.sequence.value) == [16, 32, 48, 64, 80])
        let key = try Self.keys[0].publicKey
        #expect(sent.allSatisfy { $0.isSigned(by: key) })
        #expect(try participant.state.unconfirmed(now: 1000).map(\.payload) == sent.map(\.bytes))
        // Afterwards each is sent at once again.
        try participant.send(.activate, to: server, on: .member(server), token: .random())
        #expect(link.published.withLock { $0.count } == 1)
    }

    @Test func aTurnThatCannotBeSignedHasNotHappened() throws {
        let participant = try participant()
        #expect(throws: NoRoom.self) {
            _ = try turn(participant, signing: { _ in throw NoRoom() }) {
                try participant.send(.activate, to: server, on: .member(server), token: .random())
            }
        }
        #expect(try participant.state.peer(server) == nil && participant.state.isAllConfirmed())
        let sent = try turn(participant, signing: Self.signing) {
            try participant.send(.activate, to: server, on: .member(server), token: .random())
        }
        #expect(sent.map(\.message.sequence.value) == [16])
    }

    @Test func aBodyThatCannotBeWrittenTakesNoNumberOfATurnEither() throws {
        let participant = try participant()
        let sent = try turn(participant, signing: Self.signing) {
            #expect(throws: ParticipantError.self) {
                try participant.send(
                    .data(id: Array(repeating: 1, count: 65_300), value: []), to: server, on: .member(server),
                    token: .random())
            }
            try participant.send(.activate, to: server, on: .member(server), token: .random())
        }
        #expect(sent.map(\.message.sequence.value) == [16])
    }

    @Test func theLinesOfATurnStandInTheirOrderAmongItsMessages() throws {
        let participant = try participant()
        try participant.state.keepEvidence(of: id, key: participant.key, now: 1000)
        let (first, second) = (Token.random(), Token.random())
        _ = try turn(participant, signing: Self.signing) {
            try participant.send(.response(.joinFail), to: server, on: .member(server), token: first)
            participant.audit("not joined", "the first", about: server)
            try participant.send(.response(.joinSuccess), to: server, on: .member(server), token: second)
            participant.audit("joined", "the second", about: server)
        }
        #expect(
            try participant.state.auditLog(last: 2, about: server).map(\.event) == ["joined", "not joined"])
        #expect(
            try participant.state.hasLine("not joined", with: first)
                && participant.state.hasLine("joined", with: second))
        #expect(try !participant.state.hasLine("joined", with: first))
    }

    @Test func aLineThatCannotBeWrittenTakesNoMessageWithIt() throws {
        let participant = try participant()
        try participant.state.keepEvidence(of: id, key: participant.key, now: 1000)
        try participant.state.database.query(
            """
            CREATE TRIGGER refuse BEFORE INSERT ON audit WHEN new.event = 'joined'
            BEGIN SELECT RAISE(ABORT, 'no more lines'); END
            """)
        let sent = try turn(participant, signing: Self.signing) {
            try participant.send(.activate, to: server, on: .member(server), token: .random())
            participant.audit("joined", "", about: server)
            try participant.send(.joinRequest, to: server, on: .member(server), token: .random())
            participant.audit("left", "", about: server)
        }
        #expect(sent.map(\.message.body) == [.activate, .joinRequest])
        #expect(try participant.state.auditLog(last: 1).map(\.event) == ["left"])
    }

    @Test func anExchangeOfThePresentTurnIsToBeSeen() throws {
        let participant = try participant()
        try participant.state.keepEvidence(of: id, key: participant.key, now: 1000)
        let (token, key) = (Token.random(), try Self.keys[1].publicKey)
        let answer = try Message(
            version: .v5, sequence: SequenceNumber(64), sender: server, token: token,
            body: .response(.observedJoinValid)
        ).signed(with: Self.keys[1])
        let sent = try turn(participant, signing: Self.signing) {
            try participant.send(.joinRequest, to: server, on: .member(server), token: token)
            _ = try participant.admit(answer, key: key)
            #expect(try participant.state.exchange(token)?.answer == answer.bytes)
            try participant.send(.activate, to: server, on: .member(server), token: .random())
        }
        #expect(sent.map(\.message.body) == [.joinRequest, .activate])
        #expect(try participant.state.exchange(token)?.question == sent[0].bytes)
    }

    @Test func whatIsSentToAnIdentityThatEndsInTheSameTurnDoesNotWait() throws {
        let participant = try participant()
        let sent = try turn(participant, signing: Self.signing) {
            try participant.send(.terminateCommand, to: server, on: .member(server), token: .random())
            try participant.state.erase(server)
            try participant.send(.activate, to: id, on: .member(id), token: .random())
        }
        #expect(sent.map(\.message.body) == [.terminateCommand, .activate])
        #expect(try participant.state.unconfirmed(now: 1000).map(\.topic) == [Topic.member(id).description])
    }
}

@Suite struct StoreLimitTests {
    let scratch: Scratch
    let state: ParticipantStore

    init() throws {
        scratch = try Scratch()
        state = try ParticipantStore(path: scratch.path + "/state.db")
    }

    @Test func aLaterRequestAboutADeviceTakesTheEarliersPlace() throws {
        let (server, device, other) = (DeviceID(1), DeviceID(2), DeviceID(3))
        let tokens = (0..<4).map { _ in Token.random() }
        func open(_ token: Token, _ subject: DeviceID?, _ number: UInt64) throws {
            let duty = ParticipantStore.Request(token: token, kind: .duty, peer: server, subject: subject)
            #expect(try state.accept(SequenceNumber(number), from: server, version: .v5, opening: duty) == nil)
        }
        try open(tokens[0], device, 1)
        try open(tokens[1], other, 2)
        try open(tokens[2], device, 3)
        #expect(try state.requests(.duty).map(\.token) == [tokens[1], tokens[2]])
        try open(tokens[3], nil, 4)
        #expect(try state.requests(.duty).count == 3)
    }

    @Test func theAuditLogKeepsItsNewestLines() throws {
        // As if it had been written for years.
        try state.database.query(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
            INSERT INTO audit (time, event, detail) SELECT i, 'old', '' FROM n
            """)
        for number in 0..<5 { try state.audit("new", "\(number)", now: Double(number)) }
        let lines = try state.auditLog(last: 20_000)
        #expect(lines.count == 10_000)
        #expect(lines.prefix(5).map(\.detail) == ["4", "3", "2", "1", "0"] && lines.last?.time == 6)
        #expect(try state.auditLog(last: 0).isEmpty)
    }

    @Test func settingsAreSetAndRemoved() throws {
        #expect(try state.value("x") == nil)
        try state.set("x", to: "1")
        try state.set("x", to: "")
        #expect(try state.value("x") == "")
        try state.set("x", to: nil)
        #expect(try state.value("x") == nil)
    }

    @Test func aKeyThatIsDamagedIsNone() throws {
        let key = try PrivateKey.generate().publicKey
        try state.remember(DeviceID(1), key: key, type: "a")
        try state.remember(DeviceID(1), key: key)
        #expect(try state.peer(DeviceID(1))?.type == "a", "a type that is not told again stays")
        try state.database.query("UPDATE peers SET public_key = 'nonsense', version = 77, admission = 'bribe'")
        let peer = try #require(try state.peer(DeviceID(1)))
        #expect(peer.key == nil && peer.version == .preferred && peer.admission == nil)
    }

    @Test(arguments: [1, UInt64.max, 1 << 63])
    func identitiesOfAll64BitsAreKeptApart(_ value: UInt64) throws {
        #expect(try state.accept(SequenceNumber(5), from: DeviceID(value), version: .v5) == nil)
        #expect(try state.peer(DeviceID(value))?.lastReceived == SequenceNumber(5))
        #expect(try state.peer(DeviceID(value ^ 2)) == nil)
    }
}
