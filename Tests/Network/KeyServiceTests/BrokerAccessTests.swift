import Foundation
import Logging
import SRUP
import Storage
import Synchronization
import Testing

@testable import KeyService
@testable import Participant

/// One connection to the broker that publishes and hears.
final class Peer: Sendable {
    let link: BrokerLink
    private let running: Task<Void, any Error>
    private let reading: Task<Void, Never>
    private struct Heard {
        var topics: Set<String> = []
        var connections = 0
        var confirmed = 0
        var count = 0
        var problem = ""
    }
    private let heard: Mutex<Heard>

    init(_ address: BrokerAddress, as name: String, _ subscriptions: [String] = []) throws {
        let link = try BrokerLink(
            address, clientID: name, subscriptions: subscriptions,
            logger: Logger(label: "peer") { _ in SwiftLogNoOpLogHandler() })
        let box = Box()
        self.link = link
        heard = Mutex(Heard())
        running = Task { try await link.run() }
        reading = Task {
            for await event in link.events { box.peer?.take(event) }
        }
        box.set(self)
    }

    private final class Box: Sendable {
        private struct Weak: @unchecked Sendable {
            // Only read and set under the lock.
            weak var peer: Peer?
        }
        private let held = Mutex(Weak())
        var peer: Peer? { held.withLock { $0.peer } }
        func set(_ peer: Peer) { held.withLock { $0.peer = peer } }
    }

    private func take(_ event: BrokerEvent) {
        heard.withLock { heard in
            switch event {
            case .connected: heard.connections += 1
            case .disconnected(let why): heard.problem = why
            case .message(let topic, _):
                heard.topics.insert(topic)
                heard.count += 1
            case .confirmed: heard.confirmed += 1
            }
        }
    }

    var topics: Set<String> { heard.withLock { $0.topics } }
    var connections: Int { heard.withLock { $0.connections } }
    /// How many messages it has heard.
    var count: Int { heard.withLock { $0.count } }
    var confirmed: Int { heard.withLock { $0.confirmed } }
    var problem: String { heard.withLock { $0.problem } }

    func publish(_ topic: String, size: Int = 1) {
        link.publish([UInt8](repeating: 120, count: size), to: topic, id: Int64.random(in: 1...(.max)))
    }

    /// Waits for something that the peer hears or does.
    func wait(within seconds: Double = 20, _ condition: (Peer) -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline {
            if condition(self) { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return condition(self)
    }

    func stop() async {
        running.cancel()
        _ = await running.result
        reading.cancel()
    }
}

@Suite(.serialized) struct BrokerAccessTests {
    @Test func theBrokerGivesEverybodyTheirOwnPlaceOnly() async throws {
        let rig = try Rig()
        try rig.startBroker()
        let server = try Peer(rig.credentials(rig.server), as: "server")
        let monitor = try Peer(rig.monitor, as: "ears", ["SRUP/#"])
        let a = try Peer(
            rig.credentials(DeviceID(0xA1)), as: "spy",
            ["SRUP/a1", "SRUP/b2", "SRUP/#", "#", "$SYS/#", "SRUP/servers/c2c2/a1"])
        for peer in [server, monitor, a] { #expect(await peer.wait { $0.connections > 0 }) }
        // What came before all had subscribed does not count.
        let deadline = ContinuousClock.now + .seconds(60)
        while !a.topics.contains("SRUP/a1") || !monitor.topics.contains("SRUP/c2c2") {
            try #require(ContinuousClock.now < deadline, "\(a.problem) \(monitor.problem) \(server.problem)")
            server.publish("SRUP/a1")
            server.publish("SRUP/c2c2")
            try await Task.sleep(for: .milliseconds(20))
        }
        // A device may speak in two places, one who watches nowhere; the last one comes after all the others.
        for topic in [
            "SRUP/b2", "SRUP/servers/c2c2/b2", "SRUP/servers/d4/a1", "SRUP/a1/x", "other", "SRUP/servers/c2c2/a1",
        ] {
            a.publish(topic)
        }
        for topic in ["SRUP/monitor", "SRUP/servers/c2c2/monitor", "SRUP/e5", "SRUP/servers/c2c2/e5"] {
            monitor.publish(topic)
        }
        server.publish("SRUP/b2/from-the-server")
        #expect(await monitor.wait { $0.topics.isSuperset(of: ["SRUP/servers/c2c2/a1", "SRUP/b2/from-the-server"]) })
        server.publish("SRUP/last")
        #expect(await monitor.wait { $0.topics.contains("SRUP/last") })
        #expect(
            monitor.topics
                == ["SRUP/c2c2", "SRUP/a1", "SRUP/servers/c2c2/a1", "SRUP/b2/from-the-server", "SRUP/last"])
        // And hears its own topic alone, whatever it subscribes to.
        #expect(a.topics == ["SRUP/a1"])
        // Who has another authority's certificate is not let in at all.
        let stranger = try Rig()
        defer { try? FileManager.default.removeItem(atPath: stranger.folder) }
        let foreign = try Peer(rig.credentials(DeviceID(0xA1), by: stranger.authority), as: "a1")
        #expect(await foreign.wait { !$0.problem.isEmpty })
        #expect(foreign.connections == 0)
        #expect(a.connections == 1 && monitor.connections == 1)
        for peer in [server, monitor, a, foreign] { await peer.stop() }
        await rig.stop()
    }

    @Test func whoIsToComeBackLaterDoesUnlessItIsTold() async throws {
        let rig = try Rig()
        try rig.startBroker()
        let (patient, other) = (
            try Peer(rig.credentials(DeviceID(0xA1)), as: "a1"), try Peer(rig.credentials(DeviceID(0xB2)), as: "b2")
        )
        for peer in [patient, other] { #expect(await peer.wait { $0.connections == 1 }) }
        // At a moment within a year: within the test's time once in a million runs.
        patient.link.returnWithin(.seconds(86_400 * 365))
        try rig.restartBroker()
        #expect(await other.wait(within: 60) { $0.connections == 2 })
        try await Task.sleep(for: .seconds(1))
        #expect(patient.connections == 1 && !patient.problem.isEmpty)
        // It has something to ask now.
        patient.link.returnWithin(.zero)
        #expect(await patient.wait(within: 60) { $0.connections == 2 })
        for peer in [patient, other] { await peer.stop() }
        await rig.stop()
    }

    @Test func whoHasNoCertificateIsNotLetIn() async throws {
        let rig = try Rig()
        try rig.startBroker()
        func publish(_ credentials: [String]) throws -> Int32 {
            try rig.run(
                "/usr/bin/mosquitto_pub",
                [
                    "-h", "localhost", "-p", "\(rig.brokerPort)", "--cafile", rig.ca, "-q", "1", "-t", "SRUP/a1", "-m",
                    "x",
                ]
                    + credentials
            ).code
        }
        let a = try rig.credentials(DeviceID(0xA1))
        #expect(try publish([]) != 0)
        #expect(try publish(["--cert", a.certificateFile, "--key", a.keyFile]) == 0)
        // What would stay in the broker for ever, or goes above what SRUP uses, is not taken.
        #expect(try publish(["--cert", a.certificateFile, "--key", a.keyFile, "-r"]) != 0)
        #expect(try publish(["--cert", a.certificateFile, "--key", a.keyFile, "-q", "2"]) != 0)
        await rig.stop()
    }

    @Test func nobodyTakesAnothersSessionOver() async throws {
        let rig = try Rig()
        try rig.startBroker()
        let server = try Peer(rig.credentials(rig.server), as: "SRUP Client: c2c2", ["SRUP/servers/c2c2/#"])
        #expect(await server.wait { $0.connections == 1 })
        // A stranger with a certificate of its own, under the server's name and a device's.
        let strangers = try ["SRUP Client: c2c2", "c2c2"].map { try Peer(rig.credentials(DeviceID(0xBAD)), as: $0) }
        for stranger in strangers { #expect(await stranger.wait { $0.connections > 0 }) }
        let a = try Peer(rig.credentials(DeviceID(0xA1)), as: "SRUP Client: a1")
        #expect(await a.wait { $0.connections > 0 })
        a.publish("SRUP/servers/c2c2/a1")
        #expect(await server.wait { $0.topics.contains("SRUP/servers/c2c2/a1") })
        #expect(server.connections == 1 && server.problem.isEmpty)
        for peer in [server, a] + strangers { await peer.stop() }
        await rig.stop()
    }

    @Test func aFloodFillsNeitherTheBrokersDiskNorItsStore() async throws {
        let rig = try Rig()
        try rig.startBroker()
        let broker = try #require(rig.broker)
        // The server, which reads everything, is away.
        let server = try Peer(rig.credentials(rig.server), as: "server", ["SRUP/#"])
        #expect(await server.wait { $0.connections > 0 })
        await server.stop()
        let a = try Peer(rig.credentials(DeviceID(0xA1)), as: "a", ["SRUP/a1"])
        #expect(await a.wait { $0.connections > 0 })
        let before = try written(broker)
        // 96 MB, of which the server's session would keep 65 MB if only messages were counted and not bytes.
        for _ in 0..<1500 { a.publish("SRUP/a1", size: 64_000) }
        #expect(await a.wait(within: 60) { $0.confirmed == 1500 })
        let during = try written(broker) - before
        #expect(during < 16 << 20, "\(during) bytes were written")
        await a.stop()
        // Now the whole store is written.
        kill(broker, SIGTERM)
        let store = rig.folder + "/broker-data/mosquitto.db"
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline, rig.broker != nil { try await Task.sleep(for: .milliseconds(10)) }
        let size = try FileManager.default.attributesOfItem(atPath: store)[.size] as? Int ?? 0
        #expect((100_000..<(12 << 20)).contains(size), "the store has \(size) bytes")
        await rig.stop()
    }

    @Test func aFloodOfSubscriptionsCostsTheBrokerNoMemory() async throws {
        let rig = try Rig()
        try rig.startBroker()
        let broker = try #require(rig.broker)
        // Filters of sixty levels, each of which is a node in the broker's tree; unguarded they take 200 MB.
        let tail = String(repeating: "/", count: 60)
        let flood = ["SRUP/a1"] + (0..<20_000).map { "\($0)\(tail)" }
        let a = try Peer(rig.credentials(DeviceID(0xA1)), as: "a", flood)
        // It is answered after all of them.
        a.publish("SRUP/a1")
        #expect(await a.wait(within: 120) { $0.topics.contains("SRUP/a1") && $0.confirmed == 1 })
        let memory = try resident(broker)
        #expect(memory < 40 << 20, "the broker has \(memory) bytes")
        // Nor does its store keep them.
        kill(broker, SIGTERM)
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline, rig.broker != nil { try await Task.sleep(for: .milliseconds(10)) }
        let store = rig.folder + "/broker-data/mosquitto.db"
        let size = try FileManager.default.attributesOfItem(atPath: store)[.size] as? Int ?? 0
        #expect(size < 100_000, "the store has \(size) bytes")
        await a.stop()
        await rig.stop()
    }

    /// What each filter is answered with, one after the other.
    private func granted(
        _ rig: Rig, _ address: BrokerAddress, _ filters: [String], _ arguments: [String] = []
    ) throws -> [Int] {
        let result = try rig.run(
            "/usr/bin/mosquitto_sub",
            [
                "-h", "localhost", "-p", "\(rig.brokerPort)", "--cafile", rig.ca, "--cert", address.certificateFile,
                "--key",
                address.keyFile, "-d", "-E", "-W", "60", "-i", "SRUP Client: x",
            ] + arguments + filters.flatMap { ["-t", $0] })
        let line = result.output.split(separator: "\n").first { $0.hasPrefix("Subscribed (mid: 1): ") } ?? ""
        return line.dropFirst("Subscribed (mid: 1): ".count).split(separator: ",").compactMap {
            Int($0.trimmingCharacters(in: .whitespaces))
        }
    }

    @Test func everybodySubscribesToTheOwnTopicsOnly() async throws {
        let rig = try Rig()
        try rig.startBroker()
        let broker = try #require(rig.broker)
        let own = ["SRUP/a1", "SRUP/a1/#", "SRUP/servers/a1/#"]
        let others = [
            "#", "+/#", "SRUP/#", "SRUP/+", "SRUP/b2", "SRUP/a1/+", "SRUP/a1/x", "SRUP/a11", "SRUP/servers/c2c2/a1",
            "SRUP/servers/a1", "$SYS/#", "$share/x/SRUP/a1", "$share/x/#", "$queue/SRUP/a1", "SRUP/a1/", "/SRUP/a1",
        ]
        let device = try rig.credentials(DeviceID(0xA1))
        // After a reload (SIGHUP) the plugin comes before the access list as well.
        for isReloaded in [false, true] {
            if isReloaded { kill(broker, SIGHUP) }
            #expect(try granted(rig, device, own + others) == [0, 0, 0] + others.map { _ in 128 })
            #expect(
                try granted(rig, device, own + others, ["-V", "mqttv5", "-q", "1"]) == [1, 1, 1]
                    + others.map { _ in 135 })
            let all = ["SRUP/servers/c2c2/#", "SRUP/a1", "SRUP/#"]
            #expect(try granted(rig, rig.credentials(rig.server), all) == [0, 0, 0])
            #expect(try granted(rig, rig.monitor, all) == [0, 0, 0])
        }
        await rig.stop()
    }

    @Test func aGroupIsHeardByItsMembersAndSpokenToByTheServer() async throws {
        let rig = try Rig()
        let lamps = try #require(GroupID("lamps"))
        try BrokerConfiguration.setGroups([lamps: [DeviceID(0xA1), DeviceID(0xB2)]], folder: rig.folder)
        try rig.startBroker()
        let broker = try #require(rig.broker)
        let (a, c) = (try rig.credentials(DeviceID(0xA1)), try rig.credentials(DeviceID(0xC3)))
        // To subscribe: members to their own groups, by their names.
        let others = [
            "SRUP/groups/other", "SRUP/groups/#", "SRUP/groups/+", "SRUP/groups", "SRUP/groups/lamps/#",
            "SRUP/groups/lamps/x", "SRUP/groups/", "SRUP/groups/lamps ", "$share/x/SRUP/groups/lamps",
            "SRUP/groups/" + String(repeating: "x", count: 300),
        ]
        for isReloaded in [false, true] {
            if isReloaded { kill(broker, SIGHUP) }
            #expect(try granted(rig, a, ["SRUP/groups/lamps"] + others) == [0] + others.map { _ in 128 })
            #expect(try granted(rig, c, ["SRUP/groups/lamps"] + others) == [128] + others.map { _ in 128 })
            #expect(try granted(rig, rig.monitor, ["SRUP/#"]) == [0])
        }

        // To hear and to speak.
        let server = try Peer(rig.credentials(rig.server), as: "server")
        let monitor = try Peer(rig.monitor, as: "ears", ["SRUP/#"])
        let member = try Peer(a, as: "a", ["SRUP/a1", "SRUP/groups/lamps"])
        let stranger = try Peer(c, as: "c", ["SRUP/c3", "SRUP/groups/lamps", "SRUP/groups/#"])
        for peer in [server, monitor, member, stranger] { #expect(await peer.wait { $0.connections > 0 }) }
        let deadline = ContinuousClock.now + .seconds(60)
        while !member.topics.contains("SRUP/groups/lamps") || !monitor.topics.contains("SRUP/groups/lamps") {
            try #require(ContinuousClock.now < deadline, "\(member.problem) \(server.problem)")
            server.publish("SRUP/groups/lamps")
            try await Task.sleep(for: .milliseconds(20))
        }
        // Only the server speaks: neither a member nor a stranger. (The broker answers in order.)
        for peer in [member, stranger] {
            peer.publish("SRUP/groups/other")
            peer.publish("SRUP/groups/lamps/x")
        }
        member.publish("SRUP/a1")
        stranger.publish("SRUP/c3")
        #expect(await monitor.wait { $0.topics.isSuperset(of: ["SRUP/a1", "SRUP/c3"]) })
        #expect(monitor.topics == ["SRUP/groups/lamps", "SRUP/a1", "SRUP/c3"])
        #expect(stranger.topics == ["SRUP/c3"])

        // Who is out hears nothing more, on the connection that is open; the broker was not told, and the other one is in.
        try BrokerConfiguration.setGroups(
            [lamps: [DeviceID(0xB2)], try #require(GroupID("new")): [DeviceID(0xC3)]], folder: rig.folder)
        let before = member.count
        for _ in 0..<5 { server.publish("SRUP/groups/lamps") }
        server.publish("SRUP/a1")
        #expect(await member.wait { $0.count == before + 1 })
        // One identity has one connection: these would come back in the middle of the questions below.
        for peer in [member, stranger] { await peer.stop() }
        #expect(try granted(rig, a, ["SRUP/groups/lamps"]) == [128])
        #expect(try granted(rig, c, ["SRUP/groups/new", "SRUP/groups/lamps"]) == [0, 128])
        // A file that is gone lets nobody in; garbage in it neither.
        for text in [
            nil, "", "lamps", " a1", "lamps  a1", "lamps a1 ", String(repeating: "lamps x\n", count: 1_000_000),
        ] {
            unlink(rig.folder + "/groups")
            if let text { try PrivateFile.write(text, to: rig.folder + "/groups") }
            #expect(try granted(rig, a, ["SRUP/groups/lamps", "SRUP/a1"]) == [128, 0])
        }
        try PrivateFile.write("# x\nzz a1\n\nlamps a1\nlamps a0", to: rig.folder + "/groups")
        #expect(try granted(rig, a, ["SRUP/groups/lamps"]) == [0])
        for peer in [server, monitor] { await peer.stop() }
        await rig.stop()
    }

    /// What a process has in memory, in bytes.
    private func resident(_ process: Int32) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(process)/statm", encoding: .utf8)
        let pages = try #require(text.split(separator: " ").dropFirst().first.flatMap { Int($0) })
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }

    /// What a process has written to disk so far, in bytes.
    private func written(_ process: Int32) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(process)/io", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("write_bytes: ") })
        return try #require(Int(line.dropFirst("write_bytes: ".count)))
    }
}
