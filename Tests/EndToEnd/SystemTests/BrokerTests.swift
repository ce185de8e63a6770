import Foundation
import Participant
import SRUP
import TestProcesses
import Testing

/// The real broker against those who abuse it, with the real programs around it.
extension ObservedJoinTests {
    /// Connects as `who` with any name, again and again, until it is stopped.
    private func startIntruder(_ who: String, named name: String, _ loopback: LoopbackNetwork, _ runner: ProgramRunner)
        throws
    {
        let home = runner.path(who)
        // Ten a second, each in a process of its own: a link of ours would wait longer after each loss.
        let loop = """
            while :; do
                timeout 5 mosquitto_pub -h localhost -p \(loopback.brokerPort) --cafile \(home)/ca.pem --cert \
            \(home)/certificate.pem --key \(home)/access.pem -i '\(name)' -t SRUP/x -m x &
                sleep 0.1
            done
            """
        try runner.start("bash", ["-c", loop], as: "intruder")
    }

    @Test func aStrangerWithTheServersNameDisturbsNobody() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(Self.policies)
        try loopback.registerDevice("stranger", type: "sensor")
        let server = try Identity.load(from: runner.path("c2/server")).0
        try startIntruder("stranger", named: server.clientID, loopback, runner)
        for number in 1...3 {
            let begin = EventFollower.clock()
            try loopback.registerDevice("lamp-\(number)", type: "lamp")
            try loopback.startDevice("lamp-\(number)")
            #expect(try loopback.answer(to: "lamp-\(number)", since: begin) == "JOIN_SUCCESS")
            try loopback.events.wait(for: "lamp-\(number)", ["joined"], since: begin, within: 30)
        }
        // Nor a device, whose conversation goes on over all that.
        _ = loopback.events.news()
        #expect(loopback.events.all.filter { $0.who == "c2" && $0.name == "connected" }.count == 1)
        #expect(!loopback.events.all.contains { $0.name == "disconnected" })
    }

    @Test func aNetworkOfAnEarlierVersionGoesOnAfterItsUpgrade() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        // As the version before had it.
        let path = runner.path("c2/mosquitto.conf")
        let old = try String(contentsOfFile: path, encoding: .utf8)
            .replacingOccurrences(of: "use_username_as_clientid true\n", with: "")
            .replacingOccurrences(of: "autosave_on_changes false", with: "autosave_on_changes true")
        try old.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.removeItem(atPath: loopback.monitor)
        try loopback.startKeyService()
        try loopback.startBroker()
        try loopback.startC2(Self.policies)
        try loopback.registerDevice("lamp", type: "lamp")
        var begin = EventFollower.clock()
        try loopback.startDevice("lamp", [])
        try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 30)

        try runner.must("srup-c2", ["upgrade", "--folder", runner.path("c2")], as: "upgrade")
        #expect(runner.tail(of: "upgrade").contains("now restart the broker"))
        runner.stop("broker")
        begin = EventFollower.clock()
        try loopback.startBroker()
        // Those who were there come back by themselves, and one who watches disturbs neither.
        try loopback.events.wait(for: "c2", ["connected"], since: begin, within: 90)
        try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 120)
        begin = EventFollower.clock()
        try loopback.startListening()
        runner.stop("lamp")
        try loopback.startDevice("lamp")
        try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 30)
        let deadline = EventFollower.clock() + 20
        var heard = ""
        while !heard.contains("JOIN_SUCCESS"), EventFollower.clock() < deadline {
            heard = (try? String(contentsOfFile: runner.path("log/listen.log"), encoding: .utf8)) ?? ""
            usleep(20_000)
        }
        #expect(heard.contains("JOIN_SUCCESS"))
        _ = loopback.events.news()
        #expect(!loopback.events.all.contains { $0.name == "disconnected" && $0.time >= begin })
        try runner.must("srup-c2", ["upgrade", "--folder", runner.path("c2")], as: "again")
        #expect(runner.tail(of: "again").contains("all is up to date"))
    }

    /// The store is saved by time: what came since the last save dies with the broker.
    @Test(arguments: Step.allCases)
    func aBrokerThatDiesBetweenTwoSavesCostsTimeAndNoJoin(_ step: Step) throws {
        try withLoopback { loopback, fifo in
            let saved = try saves(loopback)
            let begin = EventFollower.clock()
            try loopback.registerDevice("device", type: "sensor")
            try loopback.startScene(on: fifo, picture: loopback.picture("device"))
            try loopback.startDevice("device")
            let who = step.event.who
            try loopback.events.wait(for: who, [step.event.name], since: begin, within: 20)
            loopback.runner.kill9("broker")
            // Nothing of this network was ever saved.
            #expect(try saves(loopback) == saved)
            try loopback.startBroker()
            #expect(try loopback.answer(to: "device", since: begin, within: 120) == "JOIN_SUCCESS")
            try loopback.events.wait(for: "device", ["joined"], since: begin, within: 60)
        }
    }

    /// When the broker wrote its store last; `nil` before the first time.
    private func saves(_ loopback: LoopbackNetwork) throws -> Date? {
        let path = loopback.runner.path("c2/broker-data/mosquitto.db")
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    }

    @Test func whatWaitedForAnAbsentServerOrObserverInABrokerThatDiesIsAskedForAgain() throws {
        try withLoopback { loopback, fifo in
            // The server is away when the device asks; the broker confirms the request, and dies.
            var begin = EventFollower.clock()
            try loopback.registerDevice("device", type: "sensor")
            loopback.runner.kill9("c2")
            try loopback.startScene(on: fifo, picture: loopback.picture("device"))
            try loopback.startDevice("device")
            try loopback.events.wait(for: "device", ["asked"], since: begin, within: 20)
            Thread.sleep(forTimeInterval: 1)
            loopback.runner.kill9("broker")
            try loopback.startBroker()
            try loopback.startC2(Self.policies)
            #expect(try loopback.answer(to: "device", since: begin, within: 120) == "JOIN_SUCCESS")
            try loopback.events.wait(for: "device", ["joined"], since: begin, within: 60)
            loopback.runner.stop("scene")
            // The observer is away when the server asks it.
            begin = EventFollower.clock()
            try loopback.registerDevice("second", type: "sensor")
            loopback.runner.kill9("observer")
            try loopback.startScene(on: fifo, picture: loopback.picture("second"))
            try loopback.startDevice("second")
            try loopback.events.wait(for: "c2", ["observation-requested"], since: begin, within: 20)
            loopback.runner.kill9("broker")
            try loopback.startBroker()
            try loopback.startObserver("observer")
            #expect(try loopback.answer(to: "second", since: begin, within: 120) == "JOIN_SUCCESS")
            try loopback.events.wait(for: "second", ["joined"], since: begin, within: 60)
        }
    }

    @Test func theOperatorSeesAndForgetsWhoNeverJoined() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try loopback.startKeyService()
        for name in ["first", "second"] { try loopback.registerDevice(name, type: "sensor") }
        var number = 0
        /// What the command prints.
        func say(_ arguments: [String], code: Int32 = 0) throws -> String {
            number += 1
            #expect(
                try runner.run("srup-c2", arguments + ["--folder", runner.path("c2")], as: "say-\(number)") == code)
            return try String(contentsOfFile: runner.path("log/say-\(number).log"), encoding: .utf8)
        }
        let (first, second) = (loopback.identities["first"] ?? "?", loopback.identities["second"] ?? "?")
        let all = try say(["identities"])
        #expect(all.contains("\(first)  sensor  registered 20") && all.contains("never joined, certified 20"))
        #expect(all.split(separator: "\n").count == 3 && all.contains("  server\n"))
        let unjoined = try say(["identities", "--never-joined", "--json"])
        #expect(unjoined.split(separator: "\n").count == 2 && unjoined.contains(#""identity":"\#(second)""#))
        #expect(try say(["forget", first]) == "forgot \(first)\n")
        #expect(try say(["forget", first], code: 1).contains("is not registered"))
        #expect(try say(["forget", "--never-joined", "--older-than", "7d"]) == "forgot 0 identities\n")
        #expect(try say(["identities", "--never-joined", "--json"]).contains(second))
        #expect(try say(["forget", "--never-joined"]) == "forgot 1 identities\n")
        #expect(try say(["identities", "--never-joined"]) == "")
        #expect(try say(["forget"], code: 64).contains("give identities"))
    }

    @Test func aTypeWithSpacesHasAPolicyOfItsOwn() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        let settings = runner.path("c2/c2.toml")
        let text = try String(contentsOfFile: settings, encoding: .utf8)
            .replacingOccurrences(of: "\n[observation]", with: "\n\"door lock v1.2\" = \"simple\"\n[observation]")
        try text.write(toFile: settings, atomically: true, encoding: .utf8)
        try loopback.startKeyService()
        try loopback.startBroker()
        try loopback.startC2([])
        // A device that asks for a certain server, which is the one there is.
        let server = try Identity.load(from: runner.path("c2/server")).0.id.hex
        let register = [
            "register", "--url", loopback.url, "--ca", runner.path("c2/ca.crt"), "--type", "door lock v1.2",
        ]
        #expect(
            try runner.run("srup-device", register + ["--state", runner.path("x"), "--server", "ffff"], as: "x") == 1)
        #expect(runner.tail(of: "x").contains("does not know the C2 server ffff"))
        try runner.must("srup-device", register + ["--state", runner.path("lock"), "--server", server], as: "lock")
        let begin = EventFollower.clock()
        try loopback.startDevice("lock")
        try loopback.events.wait(for: "lock", ["joined"], since: begin, within: 30)
        // And a token for another server is made from its public key alone.
        let key = runner.path("other.pem")
        try PrivateKey.generate().publicKey.pem.write(toFile: key, atomically: true, encoding: .utf8)
        try runner.must("srup-c2", ["server-token", key, "--folder", runner.path("c2")], as: "token")
        #expect(Data(base64Encoded: runner.tail(of: "token").trimmingCharacters(in: .whitespaces))?.count == 256)
        #expect(
            try runner.run("srup-c2", ["server-token", settings, "--folder", runner.path("c2")], as: "no-key") == 1)
    }
}
