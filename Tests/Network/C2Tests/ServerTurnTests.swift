import SRUP
import Storage
import TestNetwork
import Testing

@testable import C2
@testable import Participant

/// What has come together is stored together; what cannot be stored has not happened.
@Suite struct ServerTurnTests {
    private static let (lamp, other) = (DeviceID(0x10), DeviceID(0x11))

    /// A request to join, as it comes from the broker.
    private func request(_ device: DeviceID, _ sequence: UInt64) throws -> BrokerEvent {
        let message = Message(
            version: .preferred, sequence: SequenceNumber(sequence), sender: device, token: .random(),
            body: .joinRequest)
        return .message(
            topic: Topic.joins(server: TestServer.id, from: device).description,
            payload: try message.signed(with: TestNetwork.key(device)).bytes)
    }

    /// SQLite itself refuses what concerns this device, as a full disk does: the whole transaction is rolled back.
    private func refuse(_ device: DeviceID, _ server: TestServer) throws {
        try server.participant.state.database.query(
            """
            CREATE TRIGGER refuse BEFORE UPDATE ON peers WHEN new.id = \(device.value)
            BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END
            """)
    }

    private func allow(_ server: TestServer) throws {
        try server.participant.state.database.query("DROP TRIGGER refuse")
    }

    private func lamps(_ network: TestNetwork) async throws -> TestServer {
        let server = try await TestServer(network)
        for id in [Self.lamp, Self.other] { try server.know(id, type: "lamp") }
        return server
    }

    @Test func whatCannotBeStoredIsNotToldAndTakesNoOtherWithIt() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await lamps(network)
        try refuse(Self.lamp, server)
        let first = try request(Self.lamp, 0x100)
        await server.server.handle([first, try request(Self.other, 0x100)])
        await network.settle()
        #expect(try !server.isMember(Self.lamp))
        #expect(network.answers(to: Self.lamp, from: TestServer.id) == [])
        #expect(try server.isMember(Self.other))
        #expect(network.answers(to: Self.other, from: TestServer.id) == [.joinSuccess])
        // Its number was not taken either: the same message counts when the disk has room again.
        try allow(server)
        await server.server.handle([first])
        await network.settle()
        #expect(try server.isMember(Self.lamp))
        #expect(network.answers(to: Self.lamp, from: TestServer.id) == [.joinSuccess])
    }

    @Test func whatIsInMemoryGoesBackToWhatIsStored() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await TestServer(network)
        let observer = try Puppet(DeviceID(0x20), network)
        try server.know(observer.id, type: "observer")
        try server.state.trust(observer.id, now: 0)
        let (device, late) = (try Puppet(DeviceID(0x30), network), DeviceID(0x31))
        for id in [device.id, late] { try server.know(id, type: "sensor") }
        try observer.ask(.joinRequest)
        await network.settle()
        try device.ask(.observedJoinRequest(observer: observer.id))
        await network.settle()
        let asked = try #require(observer.heard.last { if case .observationRequest = $0.body { true } else { false } })

        // While it is looked at, another one asks, and nothing of that can be stored.
        try refuse(late, server)
        let message = Message(
            version: .preferred, sequence: SequenceNumber(0x100), sender: late, token: .random(),
            body: .observedJoinRequest(observer: observer.id))
        await server.server.handle([
            .message(
                topic: Topic.joins(server: TestServer.id, from: late).description,
                payload: try message.signed(with: TestNetwork.key(late)).bytes)
        ])
        await network.settle()
        #expect(await server.server.joins[late] == nil)
        #expect(network.answers(to: late, from: TestServer.id) == [])

        // The observer's answer counts all the same.
        try observer.say(.response(.observedJoinValid), asked.token)
        await network.settle()
        #expect(try server.isMember(device.id))
        #expect(device.answers.last == .joinSuccess)
    }

    @Test func whileNothingCanBeStoredNothingIsAnsweredAndAfterwardsAllIs() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await lamps(network)
        try server.participant.state.database.query(
            """
            CREATE TRIGGER refuse BEFORE UPDATE ON peers BEGIN SELECT RAISE(ROLLBACK, 'the disk is full'); END
            """)
        for number in 0..<5 as Range<UInt64> {
            await server.server.handle([
                try request(Self.lamp, 0x100 + number), try request(Self.other, 0x100 + number),
            ])
            await server.server.tick()
        }
        await network.settle()
        #expect(network.answers(to: Self.lamp, from: TestServer.id) == [])
        try allow(server)
        await network.advance(by: .seconds(2))
        await server.server.handle([try request(Self.lamp, 0x200), try request(Self.other, 0x200)])
        await network.settle()
        #expect(try server.isMember(Self.lamp))
        #expect(try server.isMember(Self.other))
    }

    /// As a crash between the two commits of a turn: the participant's file has it, the joins' file has not. Here SQLite refuses
    /// the latter's COMMIT, by a constraint that is checked there only.
    private func refuseCommits(_ server: TestServer) throws {
        for statement in [
            "PRAGMA foreign_keys = ON", "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
            "CREATE TABLE children (parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)",
            "CREATE TRIGGER refuse AFTER DELETE ON pending BEGIN INSERT INTO children VALUES (1); END",
        ] { try server.state.database.query(statement) }
    }

    private func joinedLines(_ server: TestServer, _ device: DeviceID) throws -> Int {
        try server.participant.state.auditLog(last: 100, about: device).count { $0.event == "joined" }
    }

    @Test func aVerdictWhoseTurnOnlyOneFileHasTakesEffectOnce() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await TestServer(network)
        let (observer, device) = (try Puppet(DeviceID(0x20), network), try Puppet(DeviceID(0x30), network))
        try server.know(observer.id, type: "observer")
        try server.state.trust(observer.id, now: 0)
        try server.know(device.id, type: "sensor")
        try observer.ask(.joinRequest)
        await network.settle()
        try device.ask(.observedJoinRequest(observer: observer.id))
        await network.settle()
        let asked = try #require(observer.heard.last { if case .observationRequest = $0.body { true } else { false } })

        try refuseCommits(server)
        try observer.say(.response(.observedJoinValid), asked.token)
        await network.settle()
        #expect(try server.isMember(device.id))
        #expect(try !server.state.pending().isEmpty)
        try server.state.database.query("DROP TRIGGER refuse")
        // It starts over by itself, and once more after a crash.
        for _ in 0..<3 {
            await network.advance(by: .seconds(2))
            await server.server.tick()
        }
        await network.settle()
        #expect(try server.state.pending().isEmpty)
        #expect(try server.isMember(device.id))
        #expect(device.answers.last == .joinSuccess)
        #expect(try joinedLines(server, device.id) == 1)
        try await server.restart()
        #expect(try joinedLines(server, device.id) == 1)
    }

    // MARK: Senders that the server has not met

    @Test func allThatAskAtOnceAreLookedUpOneAfterTheOther() async throws {
        let network = try TestNetwork()
        defer { network.close() }
        let server = try await TestServer(network)
        let all = (0..<200 as Range<UInt64>).map { DeviceID(0x1000 + $0) }
        for id in all { server.book.register(id, type: "lamp") }
        await server.server.handle(try all.map { try request($0, 0x100) })
        for _ in 0..<2000 where try !all.allSatisfy({ try server.isMember($0) }) {
            try await Task.sleep(for: .milliseconds(10))
        }
        await network.settle()
        #expect(try all.allSatisfy { try server.isMember($0) })
        #expect(all.allSatisfy { network.answers(to: $0, from: TestServer.id) == [.joinSuccess] })
    }

    @Test func whoWaitsIsBoundedInNumberAndBytes() {
        var lookUps = LookUps()
        func waiting(_ id: UInt64, _ bytes: Int) -> LookUps.Waiting {
            .init(sender: DeviceID(id), payload: [UInt8](repeating: 0, count: bytes), topic: "")
        }
        var taken = 0 as UInt64
        while lookUps.add(waiting(1 + taken, 65535)) { taken += 1 }
        #expect((200...300).contains(taken))
        // Its place is free again when it was answered, and each sender has one.
        let first = lookUps.begin()
        #expect(first?.sender == DeviceID(1))
        let isRefused = !lookUps.add(waiting(0x10000, 65535))
        #expect(isRefused)
        if let first { lookUps.end(first) }
        for _ in 0..<2 {
            let isTaken = lookUps.add(waiting(0x10000, 65535))
            #expect(isTaken)
        }
        #expect(lookUps.count == Int(taken))
        var begun = 0
        while lookUps.begin() != nil { begun += 1 }
        #expect(begun == 16)
    }
}
