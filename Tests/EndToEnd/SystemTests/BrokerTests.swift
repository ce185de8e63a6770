import Foundation
import Participant
import SRUP
import TestProcesses
import Testing

/// The real broker against those who abuse it, with the real programs around it.
extension ObservedJoinTests {
    /// Connects as `who` with any name, again and again, until it is stopped.
    private func startIntruder(_ who: String, named name: String, _ world: World, _ stage: Stage) throws {
        let home = stage.path(who)
        // Ten a second, each in a process of its own: a link of ours would wait longer after each loss.
        let loop = """
            while :; do
                timeout 5 mosquitto_pub -h localhost -p \(world.brokerPort) --cafile \(home)/ca.pem --cert \
            \(home)/certificate.pem --key \(home)/access.pem -i '\(name)' -t SRUP/x -m x &
                sleep 0.1
            done
            """
        try stage.start("bash", ["-c", loop], as: "intruder")
    }

    @Test func aStrangerWithTheServersNameDisturbsNobody() throws {
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        try world.startServer(Self.policies)
        try world.registerDevice("stranger", type: "sensor")
        let server = try Identity.load(from: stage.path("c2/server")).0
        try startIntruder("stranger", named: server.clientID, world, stage)
        for number in 1...3 {
            let begin = EventFollower.clock()
            try world.registerDevice("lamp-\(number)", type: "lamp")
            try world.startDevice("lamp-\(number)")
            #expect(try world.answer(to: "lamp-\(number)", since: begin) == "JOIN_SUCCESS")
            try world.events.wait(for: "lamp-\(number)", ["joined"], since: begin, within: 30)
        }
        // Nor a device, whose conversation goes on over all that.
        _ = world.events.news()
        #expect(world.events.all.filter { $0.who == "c2" && $0.name == "connected" }.count == 1)
        #expect(!world.events.all.contains { $0.name == "disconnected" })
    }

    @Test func aNetworkOfAnEarlierVersionGoesOnAfterItsUpgrade() throws {
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        try world.prepare()
        // As the version before had it.
        let path = stage.path("c2/mosquitto.conf")
        let old = try String(contentsOfFile: path, encoding: .utf8)
            .replacingOccurrences(of: "use_username_as_clientid true\n", with: "")
            .replacingOccurrences(of: "autosave_on_changes false", with: "autosave_on_changes true")
        try old.write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.removeItem(atPath: world.monitor)
        try world.startKeyService()
        try world.startBroker()
        try world.startC2(Self.policies)
        try world.registerDevice("lamp", type: "lamp")
        var begin = EventFollower.clock()
        try world.startDevice("lamp", [])
        try world.events.wait(for: "lamp", ["joined"], since: begin, within: 30)

        try stage.must("srup-c2", ["upgrade", "--folder", stage.path("c2")], as: "upgrade")
        #expect(stage.tail(of: "upgrade").contains("now restart the broker"))
        stage.stop("broker")
        begin = EventFollower.clock()
        try world.startBroker()
        // Those who were there come back by themselves, and one who watches disturbs neither.
        try world.events.wait(for: "c2", ["connected"], since: begin, within: 90)
        try world.events.wait(for: "lamp", ["joined"], since: begin, within: 120)
        begin = EventFollower.clock()
        try world.startListening()
        stage.stop("lamp")
        try world.startDevice("lamp")
        try world.events.wait(for: "lamp", ["joined"], since: begin, within: 30)
        let deadline = EventFollower.clock() + 20
        var heard = ""
        while !heard.contains("JOIN_SUCCESS"), EventFollower.clock() < deadline {
            heard = (try? String(contentsOfFile: stage.path("log/listen.log"), encoding: .utf8)) ?? ""
            usleep(20_000)
        }
        #expect(heard.contains("JOIN_SUCCESS"))
        _ = world.events.news()
        #expect(!world.events.all.contains { $0.name == "disconnected" && $0.time >= begin })
        try stage.must("srup-c2", ["upgrade", "--folder", stage.path("c2")], as: "again")
        #expect(stage.tail(of: "again").contains("all is up to date"))
    }

    /// The store is saved by time: what came since the last save dies with the broker.
    @Test(arguments: Step.allCases)
    func aBrokerThatDiesBetweenTwoSavesCostsTimeAndNoJoin(_ step: Step) throws {
        try withWorld { world, fifo in
            let saved = try saves(world)
            let begin = EventFollower.clock()
            try world.registerDevice("device", type: "sensor")
            try world.startScene(on: fifo, picture: world.picture("device"))
            try world.startDevice("device")
            let who = step.event.who
            try world.events.wait(for: who, [step.event.name], since: begin, within: 20)
            world.stage.kill9("broker")
            // Nothing of this network was ever saved.
            #expect(try saves(world) == saved)
            try world.startBroker()
            #expect(try world.answer(to: "device", since: begin, within: 120) == "JOIN_SUCCESS")
            try world.events.wait(for: "device", ["joined"], since: begin, within: 60)
        }
    }

    /// When the broker wrote its store last; `nil` before the first time.
    private func saves(_ world: World) throws -> Date? {
        let path = world.stage.path("c2/broker-data/mosquitto.db")
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    }

    @Test func whatWaitedForAnAbsentServerOrObserverInABrokerThatDiesIsAskedForAgain() throws {
        try withWorld { world, fifo in
            // The server is away when the device asks; the broker confirms the request, and dies.
            var begin = EventFollower.clock()
            try world.registerDevice("device", type: "sensor")
            world.stage.kill9("c2")
            try world.startScene(on: fifo, picture: world.picture("device"))
            try world.startDevice("device")
            try world.events.wait(for: "device", ["asked"], since: begin, within: 20)
            Thread.sleep(forTimeInterval: 1)
            world.stage.kill9("broker")
            try world.startBroker()
            try world.startC2(Self.policies)
            #expect(try world.answer(to: "device", since: begin, within: 120) == "JOIN_SUCCESS")
            try world.events.wait(for: "device", ["joined"], since: begin, within: 60)
            world.stage.stop("scene")
            // The observer is away when the server asks it.
            begin = EventFollower.clock()
            try world.registerDevice("second", type: "sensor")
            world.stage.kill9("observer")
            try world.startScene(on: fifo, picture: world.picture("second"))
            try world.startDevice("second")
            try world.events.wait(for: "c2", ["observation-requested"], since: begin, within: 20)
            world.stage.kill9("broker")
            try world.startBroker()
            try world.startObserver("observer")
            #expect(try world.answer(to: "second", since: begin, within: 120) == "JOIN_SUCCESS")
            try world.events.wait(for: "second", ["joined"], since: begin, within: 60)
        }
    }

    @Test func theOperatorSeesAndForgetsWhoNeverJoined() throws {
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        try world.prepare()
        try world.startKeyService()
        for name in ["first", "second"] { try world.registerDevice(name, type: "sensor") }
        var number = 0
        /// What the command prints.
        func say(_ arguments: [String], code: Int32 = 0) throws -> String {
            number += 1
            #expect(try stage.run("srup-c2", arguments + ["--folder", stage.path("c2")], as: "say-\(number)") == code)
            return try String(contentsOfFile: stage.path("log/say-\(number).log"), encoding: .utf8)
        }
        let (first, second) = (world.identities["first"] ?? "?", world.identities["second"] ?? "?")
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
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        try world.prepare()
        let settings = stage.path("c2/c2.toml")
        let text = try String(contentsOfFile: settings, encoding: .utf8)
            .replacingOccurrences(of: "\n[observation]", with: "\n\"door lock v1.2\" = \"simple\"\n[observation]")
        try text.write(toFile: settings, atomically: true, encoding: .utf8)
        try world.startKeyService()
        try world.startBroker()
        try world.startC2([])
        // A device that asks for a certain server, which is the one there is.
        let server = try Identity.load(from: stage.path("c2/server")).0.id.hex
        let register = ["register", "--url", world.url, "--ca", stage.path("c2/ca.crt"), "--type", "door lock v1.2"]
        #expect(
            try stage.run("srup-device", register + ["--state", stage.path("x"), "--server", "ffff"], as: "x") == 1)
        #expect(stage.tail(of: "x").contains("does not know the C2 server ffff"))
        try stage.must("srup-device", register + ["--state", stage.path("lock"), "--server", server], as: "lock")
        let begin = EventFollower.clock()
        try world.startDevice("lock")
        try world.events.wait(for: "lock", ["joined"], since: begin, within: 30)
        // And a token for another server is made from its public key alone.
        let key = stage.path("other.pem")
        try PrivateKey.generate().publicKey.pem.write(toFile: key, atomically: true, encoding: .utf8)
        try stage.must("srup-c2", ["server-token", key, "--folder", stage.path("c2")], as: "token")
        #expect(Data(base64Encoded: stage.tail(of: "token").trimmingCharacters(in: .whitespaces))?.count == 256)
        #expect(try stage.run("srup-c2", ["server-token", settings, "--folder", stage.path("c2")], as: "no-key") == 1)
    }
}
