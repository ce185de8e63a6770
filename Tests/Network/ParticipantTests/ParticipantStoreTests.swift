import Foundation
import SRUP
import Storage
import Testing

@testable import Participant

/// A folder that goes with the test.
final class Scratch {
    let path = NSTemporaryDirectory() + "srup-test-\(UUID().uuidString)"
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite struct ParticipantStoreTests {
    let scratch: Scratch
    let server = DeviceID(0xB9D0_77E2_2383_4CF6)
    let other = DeviceID(7)

    init() throws {
        scratch = try Scratch()
    }

    func state() throws -> ParticipantStore { try ParticipantStore(path: scratch.path + "/state.db") }

    @Test func aNumberIsTakenOnlyAboveTheLastOne() throws {
        let state = try state()
        #expect(try state.accept(SequenceNumber(0), from: server, version: .v5) == SequenceNumber(0))
        #expect(try state.accept(SequenceNumber(5), from: server, version: .v5) == nil)
        #expect(try state.accept(SequenceNumber(5), from: server, version: .v5) == SequenceNumber(5))
        #expect(try state.accept(SequenceNumber(4), from: server, version: .v5) == SequenceNumber(5))
        #expect(try state.accept(SequenceNumber(.max), from: server, version: .v5) == nil)
        #expect(try state.accept(SequenceNumber(.max), from: server, version: .v5) == SequenceNumber(.max))
        // Another sender has a counter of its own.
        #expect(try state.accept(SequenceNumber(1), from: other, version: .v5) == nil)
    }

    @Test func countersSurviveARestart() throws {
        do {
            let state = try state()
            _ = try state.accept(SequenceNumber(41), from: server, version: .v4)
            _ = try state.enqueue(to: server, topic: .member(other), now: 0) { _, _ in [1] }
        }
        let state = try state()
        #expect(try state.accept(SequenceNumber(41), from: server, version: .v4) == SequenceNumber(41))
        let peer = try #require(try state.peer(server))
        #expect(peer.lastSent == SequenceNumber(41 + ParticipantStore.stride))
        #expect(peer.version == .v4)
    }

    @Test func whatIsSentIsNumberedAboveEverythingSentAndReceived() throws {
        let state = try state()
        var numbers: [UInt64] = []
        for received in [0, 100, 0, 3] as [UInt64] {
            if received > 0 { _ = try state.accept(SequenceNumber(received), from: server, version: .v5) }
            _ = try state.enqueue(to: server, topic: .member(other), now: 0) { sequence, _ in
                numbers.append(sequence.value)
                return []
            }
        }
        #expect(numbers == [16, 116, 132, 148])
    }

    @Test func aPeerIsAnsweredInTheVersionItLastUsed() throws {
        let state = try state()
        var versions: [ProtocolVersion] = []
        func send() throws {
            _ = try state.enqueue(to: server, topic: .member(other), now: 0) { _, version in
                versions.append(version)
                return []
            }
        }
        try send()
        _ = try state.accept(SequenceNumber(100), from: server, version: .v4)
        try send()
        #expect(versions == [.v5, .v4])
    }

    @Test func numbersThatAreUsedUpEndTheConversation() throws {
        let state = try state()
        _ = try state.accept(SequenceNumber(.max - 3), from: server, version: .v5)
        #expect(throws: ParticipantError.self) {
            try state.enqueue(to: server, topic: .member(other), now: 0) { _, _ in [] }
        }
    }

    /// As a message from the server does that makes us owe an answer.
    private func owe(_ duty: ParticipantStore.Request, _ state: ParticipantStore) throws {
        #expect(try state.accept(SequenceNumber(16), from: server, version: .v5, opening: duty) == nil)
    }

    @Test func requestsThatEarlierVersionsKeptHereGo() throws {
        let state = try state()
        let token = Token.random()
        try owe(.init(token: token, kind: .duty, peer: server), state)
        for kind in ["join", "observation"] {
            try state.database.query(
                "INSERT INTO requests (token, kind, peer) VALUES (?, ?, ?)", .blob(Token.random().bytes), .text(kind),
                .unsigned(server.value))
        }
        try state.dropEarlierRequests()
        #expect(try state.database.query("SELECT token FROM requests").compactMap { $0.blob(0) } == [token.bytes])
    }

    @Test func aRequestIsAnsweredOnce() throws {
        let state = try state()
        let token = Token.random()
        try owe(.init(token: token, kind: .duty, peer: server, subject: other), state)
        #expect(throws: ParticipantError.self, "another's request is not answered to somebody else") {
            try state.enqueue(to: other, topic: .member(other), answering: (token, .duty), now: 0) { _, _ in [0] }
        }
        _ = try state.enqueue(to: server, topic: .member(other), answering: (token, .duty), now: 0) { _, _ in [1] }
        #expect(throws: ParticipantError.self) {
            try state.enqueue(to: server, topic: .member(other), answering: (token, .duty), now: 0) { _, _ in [2] }
        }
        #expect(try state.unconfirmed(now: 0).map(\.payload) == [[1]])
    }

    @Test func anAnswerThatCannotBeWrittenLeavesTheRequestOpen() throws {
        struct Broken: Error {}
        let state = try state()
        let token = Token.random()
        try owe(.init(token: token, kind: .duty, peer: server), state)
        #expect(throws: ParticipantError.self) {
            try state.enqueue(to: server, topic: .member(other), answering: (token, .duty), now: 0) { _, _ in
                throw Broken()
            }
        }
        #expect(try state.requests(.duty).map(\.token) == [token])
    }

    @Test func unconfirmedMessagesComeBackInOrderAndAge() throws {
        do {
            let state = try state()
            for byte in 1...3 as ClosedRange<UInt8> {
                _ = try state.enqueue(to: server, topic: .member(other), now: 1000) { _, _ in [byte] }
            }
            try state.confirmed(2)
        }
        let state = try state()
        #expect(try state.unconfirmed(now: 1001).map(\.payload) == [[1], [3]])
        #expect(try state.unconfirmed(now: 1000 + 3700).isEmpty)
    }

    @Test func aForgottenPeerKeepsItsCounters() throws {
        let state = try state()
        let key = try PrivateKey.generate().publicKey
        try state.remember(server, key: key, type: "sensor")
        _ = try state.accept(SequenceNumber(9), from: server, version: .v5)
        try state.setJoined(server, true)
        try state.forget(server)
        let peer = try #require(try state.peer(server))
        #expect(peer.key == nil && !peer.isJoined && peer.lastReceived == SequenceNumber(9))
    }

    @Test func theStateFileIsPrivate() throws {
        _ = try state()
        let attributes = try FileManager.default.attributesOfItem(atPath: scratch.path + "/state.db")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func aDamagedStateFileSaysWhatToDo() throws {
        try Data(repeating: 0x55, count: 9000).write(to: URL(fileURLWithPath: scratch.path + "/state.db"))
        let error = #expect(throws: StorageError.self) { try state() }
        #expect(error?.description.contains("register again") == true)
    }
}

@Suite struct IdentityTests {
    @Test func aKeyThatOthersCanReadIsRefused() throws {
        let scratch = try Scratch()
        let key = try PrivateKey.generate()
        try Identity.save(
            .init(
                id: DeviceID(1), key: key, accessKey: key, certificate: "c", authority: "a", brokerHost: "localhost",
                brokerPort: 8883, keyService: "https://localhost", server: nil, serverKey: nil),
            in: scratch.path + "/id")
        _ = try Identity.load(from: scratch.path + "/id")
        chmod(scratch.path + "/id/identity.pem", 0o640)
        let error = #expect(throws: PrivateFileError.self) { try Identity.load(from: scratch.path + "/id") }
        #expect(error?.description.contains("chmod 600") == true)
    }

    @Test func aNewIdentityInAnOldFolderBeginsItsConversationsAnew() throws {
        let scratch = try Scratch()
        let folder = scratch.path + "/id"
        func save(_ id: UInt64, _ key: PrivateKey) throws {
            try Identity.save(
                .init(
                    id: DeviceID(id), key: key, accessKey: key, certificate: "c", authority: "a",
                    brokerHost: "localhost",
                    brokerPort: 8883, keyService: "https://localhost", server: nil, serverKey: nil),
                in: folder, machineKey: nil)
        }
        let (first, second) = (try PrivateKey.generate(), try PrivateKey.generate())
        try save(1, first)
        let server = DeviceID(9)
        do {
            let (_, state) = try Identity.load(from: folder, machineKey: nil)
            try state.remember(server, key: try first.publicKey)
            _ = try state.accept(
                SequenceNumber(5000), from: server, version: .v5,
                opening: .init(token: .random(), kind: .duty, peer: server))
            try state.setJoined(server, true)
            _ = try state.enqueue(to: server, topic: .member(DeviceID(1)), now: 0) { _, _ in [1] }
            try state.audit("before", "", now: 0)
        }
        try save(2, second)
        let (identity, state) = try Identity.load(from: folder, machineKey: nil)
        #expect(identity.id == DeviceID(2))
        // The server counts anew with an identity that it has never heard of.
        #expect(try state.accept(SequenceNumber(16), from: server, version: .v5) == nil)
        #expect(try state.peer(server)?.isJoined == false)
        #expect(try state.requests(.duty).isEmpty)
        #expect(try state.unconfirmed(now: 0).isEmpty)
        #expect(try state.auditLog(last: 5).count == 1)
        // And the old one has left its word.
        let replaced = try #require(try state.value("replaces").flatMap { Replacement($0) })
        #expect(replaced.old == DeviceID(1))
        #expect(replaced.isGenuine(by: DeviceID(2), oldKey: try first.publicKey))
        #expect(!replaced.isGenuine(by: DeviceID(3), oldKey: try first.publicKey))
        #expect(!replaced.isGenuine(by: DeviceID(2), oldKey: try second.publicKey))
        // Saying it again (a renewal) changes nothing.
        try save(2, second)
        #expect(try Identity.load(from: folder, machineKey: nil).1.peer(server)?.lastReceived == SequenceNumber(16))
    }

    @Test func whatAParticipantTellsOfItselfIsReadAsWritten() throws {
        var identification = Identification(program: "srup-observer 0.1.0", observations: 32, session: "5f1c")
        identification.replaces = Replacement(of: DeviceID(1), by: DeviceID(2), key: try PrivateKey.generate())
        #expect(Identification(identification.description) == identification)
        for text in ["", "pySRUP version 2.0", "observations=0 x", "observations=99999999", "session= y=1", "a=b=c"] {
            #expect(Identification(text).observations == nil)
            #expect(Identification(text).session == nil)
        }
        #expect(Identification(String(repeating: "observations=7 ", count: 10_000)).observations == 7)
    }

    @Test func keysAreBoundToTheirMachine() throws {
        func secret(_ text: String) -> SecretBytes {
            SecretBytes(capacity: text.utf8.count) { buffer in
                buffer.copyBytes(from: text.utf8)
                return text.utf8.count
            }
        }
        let (here, elsewhere) = (secret(String(repeating: "ab", count: 32)), secret(String(repeating: "cd", count: 32)))
        let scratch = try Scratch()
        let folder = scratch.path + "/id"
        let key = try PrivateKey.generate()
        let registration = Identity.Registration(
            id: DeviceID(1), key: key, accessKey: key, certificate: "c", authority: "a", brokerHost: "localhost",
            brokerPort: 8883, keyService: "https://localhost", server: nil, serverKey: nil)
        try Identity.save(registration, in: folder, machineKey: nil)
        #expect(try Identity.isBound(folder + "/identity.pem") == false)
        #expect(try Identity.bind(in: folder, to: nil) == false)
        // What was there before there was a machine's key.
        #expect(try Identity.bind(in: folder, to: here))
        #expect(try Identity.bind(in: folder, to: here) == false)
        for file in ["/identity.pem", "/access.pem"] {
            let text = try String(contentsOfFile: folder + file, encoding: .utf8)
            #expect(text.hasPrefix("-----BEGIN ENCRYPTED PRIVATE KEY-----"))
            #expect(try Identity.privateKey(folder + file, here).publicKey == key.publicKey)
        }
        _ = try Identity.load(from: folder, machineKey: here)
        var error = #expect(throws: ParticipantError.self) { try Identity.load(from: folder, machineKey: nil) }
        #expect(error?.description.contains("systemd service") == true)
        error = #expect(throws: ParticipantError.self) { try Identity.load(from: folder, machineKey: elsewhere) }
        #expect(error?.description.contains("register again") == true)
        // And one that is written bound from the start.
        try Identity.save(registration, in: folder, machineKey: elsewhere)
        #expect(throws: ParticipantError.self) { try Identity.load(from: folder, machineKey: here) }
        _ = try Identity.load(from: folder, machineKey: elsewhere)
    }

    @Test func noErrorOfTheLinkIsUnknown() {
        for code in Int32(-4)...40 { #expect(!BrokerLink.words(code).contains("nknown error"), "\(code)") }
    }

    @Test func withoutAnIdentityItSaysSo() {
        #expect(throws: ParticipantError.self) {
            try Identity.load(from: NSTemporaryDirectory() + "absent-\(UUID().uuidString)")
        }
    }
}

@Suite struct TopicTests {
    @Test(arguments: ["SRUP/a1", "SRUP/servers/b2/a1"])
    func theProtocolsTopicsAreRead(_ name: String) {
        #expect(Topic(name)?.description == name)
    }

    @Test(arguments: [
        "", "SRUP", "SRUP/", "SRUP/A1", "SRUP/0a1", "SRUP/a1/b2", "SRUP/servers/b2", "SRUP/servers/b2/a1/x", "srup/a1",
        "SRUP/servers/b2/", "SRUP/11111111111111111", "SRUP/#", "$SYS/x", "SRUP/a1 ", "/SRUP/a1",
        String(repeating: "x", count: 1000),
    ])
    func otherTopicsAreNot(_ name: String) {
        #expect(Topic(name) == nil)
    }
}

@Suite struct BrokerTextTests {
    @Test func theReferencesBrokerTextIsUnderstood() {
        #expect(KeyServiceClient.broker("mqtt://broker.example")?.host == "broker.example")
        #expect(KeyServiceClient.broker("mqtt://broker.example")?.port == 8883)
        #expect(KeyServiceClient.broker("mqtt://localhost:1234")?.port == 1234)
        #expect(KeyServiceClient.broker("broker")?.host == "broker")
        let address = KeyServiceClient.broker("mqtt://[2001:db8::1]:1234")
        #expect(address?.host == "2001:db8::1" && address?.port == 1234)
        #expect(KeyServiceClient.broker("mqtt://[::1]")?.port == 8883)
        for bad in ["mqtt://[::1", "mqtt://[a]", "mqtt://[::1]1", "mqtt://[::1]:0", "mqtt://[::1]:1:2", "mqtt://[]"] {
            #expect(KeyServiceClient.broker(bad) == nil, "\(bad)")
        }
        for bad in [
            "", "mqtt://", "mqtt://a:0", "mqtt://a:99999", "mqtt://a:b:c", "mqtt://a/b", "http://a", "mqtt://a b",
            "mqtt://a\u{1B}[2J", "mqtt://a\u{202E}b",
        ] {
            #expect(KeyServiceClient.broker(bad) == nil, "\(bad)")
        }
    }
}
