import Foundation
import Logging
import Participant
import SRUP
import ServiceLifecycle
import TestProcesses
import Storage
import Testing

/// A registered participant that says whatever the test wants, with its true key and certificate.
final class Liar: Sendable {
    let identity: Identity
    let participant: Participant
    private let task: Task<Void, any Error>
    private let reader: Task<Void, Never>

    init(_ folder: String) throws {
        let (identity, state) = try Identity.load(from: folder)
        let logger = Logger(label: "liar") { _ in SwiftLogNoOpLogHandler() }
        let link = try BrokerLink(
            identity.broker, clientID: "liar \(UUID().uuidString)", subscriptions: [], logger: logger,
            isPersistent: false)
        self.identity = identity
        participant = Participant(id: identity.id, key: identity.key, state: state, link: link, logger: logger)
        task = Task { try await link.run() }
        reader = Task { for await _ in link.events {} }
    }

    /// Publishes bytes as they are.
    func publish(_ bytes: [UInt8], _ topic: String) {
        participant.link.publish(bytes, to: topic, id: Int64.random(in: 1...(.max)))
    }

    func message(_ body: Body, sequence: UInt64, sender: DeviceID? = nil, token: Token = .random()) throws
        -> SignedMessage
    {
        try Message(
            sequence: SequenceNumber(sequence), sender: sender ?? identity.id, token: token, body: body
        ).signed(with: identity.key)
    }

    func stop() async {
        task.cancel()
        _ = await task.result
        reader.cancel()
    }
}

extension ObservedJoinTests {
    /// Waits until the C2 server's log holds a text.
    private func logged(_ loopback: LoopbackNetwork, _ who: String, _ text: String, within limit: Double = 15) -> Bool {
        let path = loopback.runner.path("log/\(who).log")
        let deadline = EventFollower.clock() + limit
        while EventFollower.clock() < deadline {
            if (try? String(contentsOfFile: path, encoding: .utf8))?.contains(text) == true { return true }
            usleep(20_000)
        }
        return false
    }

    @Test func liesAreRejectedAndTheTruthStillCounts() async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(Self.policies)
        let fifo = try loopback.makeCamera("camera")
        try loopback.bringObserver(camera: "fifo:\(fifo)", settings: LoopbackNetwork.quick)
        let ears = try Eavesdropper(loopback)
        let server = try Identity.load(from: runner.path("observer")).0.server?.hex ?? ""

        // A lamp that belongs, and lies.
        try loopback.registerDevice("lamp", type: "lamp")
        var begin = EventFollower.clock()
        try loopback.startDevice("lamp")
        #expect(try loopback.answer(to: "lamp", since: begin) == "JOIN_SUCCESS")
        try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 10)
        runner.stop("lamp")
        let lamp = try Liar(runner.path("lamp"))
        let topic = "SRUP/\(lamp.identity.id.hex)"

        // A device in the middle of its join; the camera sees nothing yet.
        try loopback.registerDevice("device", type: "sensor")
        begin = EventFollower.clock()
        try loopback.startDevice("device", ["--once"])
        try loopback.events.wait(for: "device", ["showing"], since: begin, within: 20)
        var observation: Token?
        let deadline = EventFollower.clock() + 10
        while observation == nil, EventFollower.clock() < deadline {
            observation = try ears.messages().last { $0.signed.message.body.type == .observationRequest }?.signed
                .message.token
            usleep(20_000)
        }
        let token = try #require(observation)

        // The lamp vouches with the observer's token; with no token; not decodable; not signed; in another's name.
        lamp.publish(try lamp.message(.response(.observedJoinValid), sequence: 1000, token: token).bytes, topic)
        #expect(logged(loopback, "c2", "with a token of no open request"))
        lamp.publish([5, 2, 3], topic)
        #expect(logged(loopback, "c2", "not an SRUP message: sequence id at offset 2"))
        lamp.publish([], topic)
        var forged = try lamp.message(.response(.observedJoinValid), sequence: 1 << 62).bytes
        forged[forged.count - 1] ^= 1
        lamp.publish(forged, topic)
        let observer = try #require(DeviceID(hex: loopback.identities["observer"] ?? ""))
        lamp.publish(
            try lamp.message(.response(.observedJoinValid), sequence: 5000, sender: observer, token: token).bytes, topic
        )
        #expect(logged(loopback, "c2", "on a topic where its sender has no business"))
        // A number once used; one far behind; and another that is fresh.
        lamp.publish(try lamp.message(.data(id: [65], value: [66]), sequence: 1000).bytes, topic)
        #expect(logged(loopback, "c2", "with sequence number 1000, not above the last one (1000)"))
        lamp.publish(
            try lamp.message(.initiate(url: .init("https://x"), digest: .init("0")), sequence: 1001).bytes, topic)
        #expect(logged(loopback, "c2", "INITIATE is not expected here"))
        // The forged number 2^62 moved nothing: an ordinary one is still taken.
        lamp.publish(
            try lamp.message(.data(id: Array("NOTE".utf8), value: Array("still here".utf8)), sequence: 1002).bytes,
            topic)
        #expect(logged(loopback, "c2", "still here"))
        // Syndication, and a join request on another server's place (which the broker does not let through).
        lamp.publish(try lamp.message(.notSupported(.syndicatedTerminate, tail: []), sequence: 1003).bytes, topic)
        lamp.publish(try lamp.message(.joinRequest, sequence: 1004).bytes, "SRUP/servers/\(server)/\(observer.hex)")
        // Nobody was let in by all that.
        _ = loopback.events.news()
        let device = loopback.identities["device"] ?? ""
        #expect(
            !loopback.events.all.contains { $0.details["device"] == device && $0.details["status"] == "JOIN_SUCCESS" })
        // And the observer's true word counts.
        try loopback.startScene(on: fifo, picture: loopback.picture("device"))
        #expect(try loopback.answer(to: "device", since: begin) == "JOIN_SUCCESS")
        await lamp.stop()
    }

    @Test func aBrokerThatComesLateOrWithTheWrongCertificateIsWaitedFor() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try loopback.startKeyService()
        try loopback.registerObserver("observer", camera: "folder:\(runner.folder)", settings: LoopbackNetwork.quick)
        try loopback.trust("observer")
        // No broker at all.
        try loopback.startObserver("observer")
        #expect(logged(loopback, "observer", "cannot be reached"))
        // One of another authority.
        try runner.must("srup-c2", ["init", "--folder", runner.path("other"), "--host", "localhost"], as: "init")
        let configuration = runner.path("c2/mosquitto.conf")
        let right = try String(contentsOfFile: configuration, encoding: .utf8)
        try right.replacingOccurrences(of: runner.path("c2/broker."), with: runner.path("other/broker."))
            .write(toFile: configuration, atomically: true, encoding: .utf8)
        try loopback.startBroker()
        runner.kill9("observer")
        try loopback.startObserver("observer")
        #expect(logged(loopback, "observer", "is not signed by the authority in"))
        // The right one: it goes on by itself.
        runner.kill9("broker")
        try right.write(toFile: configuration, atomically: true, encoding: .utf8)
        try loopback.startBroker()
        let begin = EventFollower.clock()
        try loopback.startC2(Self.policies)
        try loopback.events.wait(for: "observer", ["joined"], since: begin, within: 40)
        // And our own certificate of another authority is named as the problem.
        runner.kill9("observer")
        for name in ["access.pem", "certificate.pem"] {
            try FileManager.default.removeItem(atPath: runner.path("observer/\(name)"))
            try FileManager.default.copyItem(
                atPath: runner.path("other/server/\(name)"), toPath: runner.path("observer/\(name)"))
        }
        try loopback.startObserver("observer")
        #expect(logged(loopback, "observer", "does not accept the authority that signed"))
    }

    @Test func configurationErrorsNameFileLineKeyAndWhatIsAllowed() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        try runner.write("state = \"x\"\n[observe]\ntimeout = \"soon\"\n", to: "bad.toml")
        #expect(try runner.run("srup-observer", ["run", "--config", runner.path("bad.toml")], as: "bad") == 78)
        #expect(runner.tail(of: "bad").contains("bad.toml:3: observe.timeout: must be a time from 500 ms to 60 min"))
        try runner.write("state = \"\(runner.path("none"))\"\n", to: "none.toml")
        #expect(try runner.run("srup-observer", ["run", "--config", runner.path("none.toml")], as: "none") == 78)
        #expect(runner.tail(of: "none").contains("register first"))
        #expect(try runner.run("srup-observer", ["status", "--config", runner.path("none.toml")], as: "none") == 1)
        #expect(try runner.run("srup-c2", ["run", "--folder", runner.path("none")], as: "none") == 78)
    }
}
