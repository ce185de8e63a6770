import Foundation
import Logging
import Participant
import SRUP
import Storage
import Synchronization
import TestProcesses
import Testing

/// Somebody at the broker with a true key and certificate, who says something ten times a second and does nothing of what it
/// is told.
final class Chatter: Sendable {
    private struct Heard {
        var connections = 0
        var problems: [String] = []
        var topics: [String: Int] = [:]
    }
    private let heard = Mutex(Heard())
    private let link: BrokerLink
    private let running: Mutex<[Task<Void, any Error>]> = Mutex([])

    /// - Parameters:
    ///   - topic: where it says something; `nil`: it only listens.
    ///   - subscriptions: what it listens to.
    init(_ broker: BrokerAddress, topic: String?, subscriptions: [String]) throws {
        let logger = Logger(label: "chatter") { _ in SwiftLogNoOpLogHandler() }
        let link = try BrokerLink(
            broker, clientID: "chatter", subscriptions: subscriptions, logger: logger, isPersistent: false)
        self.link = link
        running.withLock { tasks in
            tasks.append(Task { try await link.run() })
            tasks.append(Task { [weak self] in for await event in link.events { self?.take(event) } })
            guard let topic else { return }
            tasks.append(
                Task {
                    while true {
                        // Not kept for later: what is said while there is no connection is not said.
                        if link.isConnected { link.publish([1], to: topic, id: Int64.random(in: 1...(.max))) }
                        try await Task.sleep(for: .milliseconds(100))
                    }
                })
        }
    }

    private func take(_ event: BrokerEvent) {
        heard.withLock { heard in
            switch event {
            case .connected: heard.connections += 1
            case .disconnected(let why): heard.problems.append(why)
            case .message(let topic, _): heard.topics[topic, default: 0] += 1
            case .confirmed: break
            }
        }
    }

    var connections: Int { heard.withLock { $0.connections } }
    var problems: [String] { heard.withLock { $0.problems } }
    func count(_ topic: String) -> Int { heard.withLock { $0.topics[topic] ?? 0 } }

    func stop() async {
        let tasks = running.withLock { $0 }
        for task in tasks { task.cancel() }
        for task in tasks { _ = await task.result }
    }
}

/// Devices that are taken out, with the real programs and the real Mosquitto.
@Suite(.serialized) struct TakenOutTests {
    private func wait(_ what: String, _ seconds: Double = 90, _ condition: () throws -> Bool) async throws {
        let deadline = EventFollower.clock() + seconds
        while try !condition() {
            guard EventFollower.clock() < deadline else {
                throw ProgramRunner.Failure(description: "waited for \(what)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func log(_ runner: ProgramRunner, _ role: String) -> String {
        (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
    }

    /// Key service, kept broker and C2 server.
    private func startAll(_ loopback: LoopbackNetwork) throws {
        try loopback.startKeyService()
        try loopback.startKeptBroker()
        try loopback.startC2(["--policy", "lamp=simple"])
    }

    private func chatter(_ name: String, _ loopback: LoopbackNetwork) throws -> Chatter {
        let (identity, _) = try Identity.load(from: loopback.runner.path(name), use: .look)
        let topic = "SRUP/\(identity.id.hex)"
        return try Chatter(identity.broker, topic: topic, subscriptions: [topic])
    }

    private func ears(_ loopback: LoopbackNetwork) throws -> Chatter {
        let home = loopback.monitor
        return try Chatter(
            BrokerAddress(
                host: "localhost", port: UInt16(loopback.brokerPort), caFile: home + "/ca.pem",
                certificateFile: home + "/certificate.pem", keyFile: home + "/access.pem"), topic: nil,
            subscriptions: ["SRUP/#"])
    }

    private func c2(_ loopback: LoopbackNetwork, _ command: String, _ arguments: [String]) throws -> Int32 {
        try loopback.runner.run(
            "srup-c2", [command, "--folder", loopback.runner.path("c2")] + arguments, as: "command-\(command)")
    }

    /// What has been heard of all since now shows that what was said before has been heard, too.
    private func barrier(_ ears: Chatter, _ topics: [String]) async throws {
        for topic in topics {
            let before = ears.count(topic)
            try await wait("\(topic) to be heard") { ears.count(topic) >= before + 3 }
        }
    }

    @Test func oneOfManyIsTakenOutWhileItTalksAndTheOthersNoticeNothing() async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try startAll(loopback)
        let names = (0..<12).map { "lamp-\($0)" }
        for name in names { try loopback.registerDevice(name, type: "lamp") }
        let all = try names.map { try chatter($0, loopback) }
        let ears = try ears(loopback)
        let topics = try names.map { "SRUP/\(try #require(loopback.identities[$0]))" }
        let id = try #require(loopback.identities[names[0]])
        try await barrier(ears, topics)

        #expect(try c2(loopback, "deregister", [id]) == 0)
        #expect(log(runner, "command-deregister").contains("its connection was closed after"))
        try await barrier(ears, Array(topics.dropFirst()))
        let last = ears.count(topics[0])
        try await wait("it to try again") { all[0].problems.contains { $0.contains("our certificate is revoked") } }
        try await barrier(ears, Array(topics.dropFirst()))
        #expect(ears.count(topics[0]) == last, "nothing of it is accepted any more")
        #expect(all[0].connections == 1)
        for (name, other) in zip(names, all).dropFirst() {
            #expect(other.connections == 1 && other.problems.isEmpty, "\(name): \(other.problems)")
        }
        // The key service gives it nothing.
        #expect(
            try runner.run("srup-device", ["register", "--renew", "--state", runner.path(names[0])], as: "renew") == 1)
        #expect(log(runner, "renew").contains("this identity has ended"))
        #expect(try c2(loopback, "deregister", [id]) == 1)
        #expect(try c2(loopback, "audit", []) == 0)
        #expect(log(runner, "command-audit").contains("ended: \(id): certificates revoked, connection closed after"))

        // After a restart of everything it is still out.
        for role in ["c2", "broker", "key-service"] { runner.stop(role) }
        try startAll(loopback)
        try await barrier(ears, Array(topics.dropFirst()))
        let tries = all[0].problems.count
        try await wait("it to try again, twice") { all[0].problems.count >= tries + 2 }
        #expect(all[0].connections == 1 && ears.count(topics[0]) == last)
        let code = try runner.run(
            "srup-device", ["register", "--renew", "--state", runner.path(names[0])], as: "renew")
        #expect(code == 1)
        for one in all + [ears] { await one.stop() }
    }

    /// OpenSSL does not look at the certificate when a TLS session is resumed: a list of revoked ones does not help there.
    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func aResumedTLSSessionOfSomebodyWhoHasEndedIsOfNoUse(_ version: String) async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try startAll(loopback)
        try loopback.registerDevice("lamp", type: "lamp")
        try loopback.registerDevice("other", type: "lamp")
        let id = try #require(loopback.identities["lamp"])
        let other = try chatter("other", loopback)
        let ears = try ears(loopback)
        let topic = "SRUP/\(id)"
        try await barrier(ears, ["SRUP/\(try #require(loopback.identities["other"]))"])
        // CONNECT as "x", PUBLISH with QoS 0.
        let publish = Array(topic.utf8)
        let packets: [UInt8] =
            [0x10, 0x0D, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 60, 0, 1] + Array("x".utf8)
            + [0x30, UInt8(publish.count + 3), 0, UInt8(publish.count)] + publish + [1]
        try Data(packets).write(to: URL(fileURLWithPath: runner.path("packets")))
        let client = """
            openssl s_client -connect localhost:\(loopback.brokerPort) -CAfile \(runner.path("lamp/ca.pem")) \
            -cert \(runner.path("lamp/certificate.pem")) -key \(runner.path("lamp/access.pem")) \(version)
            """
        let speak = "(cat \(runner.path("packets")); sleep 3) | timeout 20 \(client) -quiet"
        try runner.run(
            "bash",
            [
                "-c",
                "(cat \(runner.path("packets")); sleep 3) | timeout 20 \(client) -sess_out \(runner.path("session"))",
            ],
            as: "before")
        try await wait("what it says") { ears.count(topic) == 1 }
        #expect(try c2(loopback, "deregister", [id]) == 0)
        try runner.run(
            "bash", ["-c", "sleep 2 | timeout 20 \(client) -sess_in \(runner.path("session"))"], as: "resumed")
        // The door is open: this is what the plugin is for.
        #expect(log(runner, "resumed").contains("Reused, "))
        try runner.run("bash", ["-c", speak + " -sess_in \(runner.path("session"))"], as: "after")
        try await barrier(ears, ["SRUP/\(try #require(loopback.identities["other"]))"])
        #expect(ears.count(topic) == 1, "nothing of it is accepted")
        #expect(other.connections == 1 && other.problems.isEmpty)
        for one in [other, ears] { await one.stop() }
    }

    @Test func whoIsTakenOutWhileTheBrokerIsDownDoesNotComeBackWithIt() async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try startAll(loopback)
        for name in ["lamp", "other"] { try loopback.registerDevice(name, type: "lamp") }
        let (lamp, other) = (try chatter("lamp", loopback), try chatter("other", loopback))
        let ears = try ears(loopback)
        let (mine, others) = ("SRUP/\(loopback.identities["lamp"] ?? "")", "SRUP/\(loopback.identities["other"] ?? "")")
        try await barrier(ears, [mine, others])
        runner.stop("broker")
        try await wait("the connections' end") { !lamp.problems.isEmpty && !other.problems.isEmpty }
        let last = ears.count(mine)
        #expect(try c2(loopback, "deregister", ["--wait", "1", loopback.identities["lamp"] ?? ""]) == 69)
        try loopback.startKeptBroker()
        try await barrier(ears, [others])
        try await wait("the broker's word") {
            _ = try c2(loopback, "ended", ["--json"])
            return log(runner, "command-ended").contains("\"closed\":")
        }
        try await wait("it to try again") { lamp.problems.contains { $0.contains("revoked") } }
        #expect(lamp.connections == 1 && ears.count(mine) == last)
        for one in [lamp, other, ears] { await one.stop() }
    }

    @Test func withoutAServerTheBrokerClosesTheConnectionAllTheSame() async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try startAll(loopback)
        for name in ["lamp", "other"] { try loopback.registerDevice(name, type: "lamp") }
        let (lamp, other) = (try chatter("lamp", loopback), try chatter("other", loopback))
        try await wait("connections") { lamp.connections == 1 && other.connections == 1 }
        runner.stop("c2")
        #expect(try c2(loopback, "deregister", ["--wait", "0", loopback.identities["lamp"] ?? ""]) == 69)
        try await wait("its end") { lamp.problems.contains { $0.contains("revoked") } }
        #expect(lamp.connections == 1 && other.problems.isEmpty)
        #expect(try c2(loopback, "receipt", [loopback.identities["lamp"] ?? ""]) == 1, "nobody has confirmed it")
        // The next server does the rest.
        try loopback.startC2(["--policy", "lamp=simple"])
        try await wait("the broker's word") {
            try c2(loopback, "receipt", [loopback.identities["lamp"] ?? ""]) == 0
        }
        for one in [lamp, other] { await one.stop() }
    }

    @Test func aBackupFromBeforeBringsNobodyBack() async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try startAll(loopback)
        for name in ["lamp", "other"] { try loopback.registerDevice(name, type: "lamp") }
        let id = loopback.identities["lamp"] ?? ""
        try runner.must("srup-c2", ["backup", "--folder", runner.path("c2"), runner.path("c2.tar")], as: "backup")
        let (lamp, other) = (try chatter("lamp", loopback), try chatter("other", loopback))
        try await wait("connections") { lamp.connections == 1 && other.connections == 1 }
        #expect(try c2(loopback, "deregister", [id]) == 0)
        for role in ["c2", "broker", "key-service"] { runner.stop(role) }

        // The old folder lies beside the new one.
        try FileManager.default.moveItem(atPath: runner.path("c2"), toPath: runner.path("lost"))
        #expect(try c2(loopback, "restore", [runner.path("c2.tar")]) == 0)
        #expect(log(runner, "command-restore").contains("\(id) has ended since the backup: it ends again"))
        try startAll(loopback)
        try await wait("the other to be back") { other.connections == 2 }
        let tries = lamp.problems.count
        try await wait("it to try again") { lamp.problems.count >= tries + 2 }
        #expect(lamp.connections == 1)
        #expect(
            try runner.run("srup-device", ["register", "--renew", "--state", runner.path("lamp")], as: "renew") == 1)
        for role in ["c2", "broker", "key-service"] { runner.stop(role) }

        // It is gone, and somebody has kept the list.
        for folder in ["c2", "lost"] { try FileManager.default.removeItem(atPath: runner.path(folder)) }
        try runner.write("\(id)\n", to: "list")
        #expect(try c2(loopback, "restore", ["--ended", runner.path("list"), runner.path("c2.tar")]) == 0)
        #expect(log(runner, "command-restore").contains("it ends again"))
        _ = try c2(loopback, "ended", [])
        #expect(log(runner, "command-ended").contains(id))
        // Nobody knows: that is said, and a place that is not there is refused before anything is made.
        try FileManager.default.removeItem(atPath: runner.path("c2"))
        #expect(try c2(loopback, "restore", ["--ended", runner.path("nothing"), runner.path("c2.tar")]) == 78)
        #expect(!FileManager.default.fileExists(atPath: runner.path("c2")))
        #expect(try c2(loopback, "restore", [runner.path("c2.tar")]) == 0)
        #expect(log(runner, "command-restore").contains("warning: who has ended since the backup is not known"))
        for one in [lamp, other] { await one.stop() }
    }

    @Test func aDeviceThatObeysRemovesItsKeysAndBothReceiptsAreGenuine() async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try startAll(loopback)
        try loopback.registerDevice("lamp", type: "lamp")
        let id = loopback.identities["lamp"] ?? ""
        try loopback.startDevice("lamp", present: "command:true", [])
        try loopback.events.wait(for: "lamp", ["joined"], within: 90)
        #expect(try c2(loopback, "receipt", [id]) == 1, "it has not ended")
        #expect(try c2(loopback, "deregister", [id]) == 0)
        #expect(log(runner, "command-deregister").contains("the device says that its keys are gone"))
        try await wait("the program's end") { !runner.isRunning("lamp") }
        #expect(log(runner, "lamp").contains("register to get another one"))
        #expect(!FileManager.default.fileExists(atPath: runner.path("lamp/identity.pem")))
        #expect(!FileManager.default.fileExists(atPath: runner.path("lamp/access.pem")))

        #expect(try c2(loopback, "receipt", [id, "--qr", "--output", runner.path("receipt")]) == 0)
        #expect(log(runner, "command-receipt").contains("▀"))
        func check(_ file: String, _ options: [String]) throws -> Int32 {
            try runner.run("srup", ["receipt", file] + options, as: "check")
        }
        #expect(try check(runner.path("receipt"), ["--ca", runner.path("c2/ca.crt")]) == 0)
        #expect(log(runner, "check").contains("identity \(id) ended on"))
        #expect(try check(runner.path("receipt"), []) == 1)
        let text = try String(contentsOfFile: runner.path("receipt"), encoding: .utf8)
        let key = try #require(text.split(separator: "\n").first { $0.hasPrefix("key: ") }).dropFirst(5)
        #expect(try check(runner.path("lamp/receipt"), ["--key", String(key)]) == 0)
        #expect(try check(runner.path("lamp/receipt"), ["--key", String(key.reversed())]) == 1)
        #expect(try check(runner.path("lamp/receipt"), ["--ca", runner.path("c2/ca.crt")]) == 1)
        try runner.write(text.replacingOccurrences(of: id, with: "d1"), to: "forged")
        #expect(try check(runner.path("forged"), ["--ca", runner.path("c2/ca.crt")]) == 1)
        #expect(log(runner, "check").contains("was changed"))

        // The next registration makes another one, in the same place.
        try loopback.registerDevice("lamp", type: "lamp")
        #expect(loopback.identities["lamp"] != id)
    }

    @Test func aDeviceIsPutOutCalledBackResignsAndIsReset() async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try startAll(loopback)
        try loopback.registerDevice("lamp", type: "lamp")
        let id = loopback.identities["lamp"] ?? ""
        try loopback.startDevice("lamp", present: "command:true", [])
        try loopback.events.wait(for: "lamp", ["joined"], within: 90)
        var begin = EventFollower.clock()
        #expect(try c2(loopback, "terminate", [id]) == 0)
        try loopback.events.wait(for: "lamp", ["left"], since: begin, within: 60)
        begin = EventFollower.clock()
        #expect(try c2(loopback, "join", [id]) == 0)
        try loopback.events.wait(for: "lamp", ["called-to-join"], since: begin, within: 60)
        try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 60)
        // While it runs nothing can be done with its identity.
        let state = ["--state", runner.path("lamp")]
        #expect(try runner.run("srup-device", ["resign"] + state, as: "resign") == 78)
        #expect(try runner.run("srup-device", ["reset"] + state, as: "reset") == 78)
        runner.stop("lamp")
        #expect(try runner.run("srup-device", ["resign"] + state, as: "resign") == 0)
        #expect(log(runner, "resign").contains("has left the network"))
        #expect(try runner.run("srup-device", ["resign"] + state, as: "resign") == 1)
        #expect(try c2(loopback, "devices", []) == 0)
        #expect(!log(runner, "command-devices").contains(id))
        // It stays registered.
        begin = EventFollower.clock()
        try loopback.startDevice("lamp", present: "command:true")
        try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 90)
        try await wait("the program's end") { !runner.isRunning("lamp") }
        begin = EventFollower.clock()
        #expect(
            try runner.run(
                "srup-device", ["reset", "--receipt", runner.path("receipt"), "--qr"] + state, as: "reset") == 0)
        #expect(log(runner, "reset").contains("▀"))
        // The server learns of it by the key service's book.
        try loopback.events.wait(for: "c2", ["identity-ended"], since: begin, within: 60)
        #expect(try runner.run("srup", ["receipt", runner.path("receipt")], as: "check") == 1)
        #expect(try runner.run("srup-device", ["reset"] + state, as: "reset") == 78)
        // Where nobody can be told, the next registration does it.
        try loopback.registerDevice("lamp", type: "lamp")
        let second = loopback.identities["lamp"] ?? ""
        runner.stop("key-service")
        #expect(try runner.run("srup-device", ["reset"] + state, as: "reset") == 69)
        #expect(try runner.run("srup-device", ["reset", "--tell"] + state, as: "tell") == 69)
        try loopback.startKeyService()
        #expect(try runner.run("srup-device", ["reset", "--tell"] + state, as: "tell") == 0)
        #expect(log(runner, "tell").contains(second))
    }

    @Test func anObserverIsEndedAndResetToo() async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try startAll(loopback)
        try runner.write("", to: "pictures.txt")
        try FileManager.default.createDirectory(atPath: runner.path("pictures"), withIntermediateDirectories: true)
        let camera = "folder:\(runner.path("pictures"))"
        try loopback.bringObserver(camera: camera, settings: LoopbackNetwork.quick)
        let id = loopback.identities["observer"] ?? ""
        let reset = ["reset", "--config", runner.path("observer.toml")]
        #expect(try runner.run("srup-observer", reset, as: "reset") == 78, "it runs")
        #expect(try c2(loopback, "deregister", [id]) == 0)
        #expect(log(runner, "command-deregister").contains("the device says that its keys are gone"))
        try await wait("the program's end") { !runner.isRunning("observer") }
        #expect(try runner.run("srup-observer", reset, as: "reset") == 78, "there is no identity")
        _ = try c2(loopback, "trust", [])
        #expect(!log(runner, "command-trust").contains(id))
        // A new one, thrown away by hand.
        try loopback.registerObserver("observer", camera: camera, settings: LoopbackNetwork.quick)
        #expect(loopback.identities["observer"] != id)
        #expect(
            try runner.run("srup-observer", reset + ["--receipt", runner.path("receipt")], as: "reset") == 0)
        #expect(
            ReleaseReceipt(try PublicFile.read(runner.path("receipt")))?.identity.hex == loopback.identities["observer"]
        )
    }
}
