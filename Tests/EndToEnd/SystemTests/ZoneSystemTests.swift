import Foundation
import TestProcesses
import Testing

/// Zones, several observers and roll calls with the real programs, a real broker, real pixels.
@Suite(.serialized) struct ZoneSystemTests {
    private struct Join: Decodable {
        let device, way: String
        let observer, outcome, why: String?
    }

    private func joins(_ loopback: LoopbackNetwork, of name: String) throws -> [Join] {
        let id = loopback.identities[name] ?? ""
        let answer = try c2(loopback, ["joins", "--about", id, "--json"])
        return try answer.output.split(separator: "\n").map { try JSONDecoder().decode(Join.self, from: Data($0.utf8)) }
    }

    private func c2(_ loopback: LoopbackNetwork, _ arguments: [String]) throws -> (exit: Int32, output: String) {
        // A log of its own for each.
        let role = "word-\(UInt32.random(in: 0...(.max)))"
        let exit = try loopback.runner.run(
            "srup-c2", arguments + ["--folder", loopback.runner.path("c2")], as: role)
        return (exit, try String(contentsOfFile: loopback.runner.path("log/\(role).log"), encoding: .utf8))
    }

    /// Waits for something that the server stores.
    private func wait(for what: String, _ isThere: () throws -> Bool) throws {
        let deadline = EventFollower.clock() + 90
        while try !isThere() {
            guard EventFollower.clock() < deadline else {
                throw ProgramRunner.Failure(description: "in 90 s there was no \(what)")
            }
            usleep(200_000)
        }
    }

    @Test func aDeviceInvitedToAZoneIsSeenByWhoeverStandsThereAndMissedWhenItHasGone() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer([
            "--policy", "sensor=observed", "--policy", "lock=observed by 2", "--tries", "2", "--observation-timeout",
            "20",
        ])
        let (near, far) = (try loopback.makeCamera("near"), try loopback.makeCamera("far"))
        try loopback.bringObserver("one", camera: "fifo:\(near)", settings: LoopbackNetwork.quick)
        try loopback.bringObserver("two", camera: "fifo:\(far)", settings: LoopbackNetwork.quick)
        for name in ["one", "two"] {
            let answer = try c2(loopback, ["zone", "serve", loopback.identities[name] ?? "", "hall"])
            #expect(answer.exit == 0, "\(answer.output)")
        }

        // It names nobody; the second one sees it.
        try loopback.registerDevice("sensor", type: "sensor", zone: "hall")
        try loopback.startScene(on: far, picture: loopback.picture("sensor"))
        var begin = EventFollower.clock()
        try loopback.startDevice("sensor", [])
        try loopback.events.wait(for: "sensor", ["joined"], since: begin, within: 60)
        let join = try #require(try joins(loopback, of: "sensor").first { $0.outcome == "joined" })
        #expect(join.observer == loopback.identities["two"])
        #expect(join.why == "observed by \(loopback.identities["two"] ?? "?")")

        // It is called, and is there.
        begin = EventFollower.clock()
        let id = loopback.identities["sensor"] ?? ""
        #expect(try c2(loopback, ["rollcall", "call", id]).exit == 0)
        try loopback.events.wait(for: "sensor", ["showing"], since: begin, within: 30)
        try loopback.events.wait(for: "sensor", ["taken-down"], since: begin, within: 60)
        try wait(for: "roll call") { try joins(loopback, of: "sensor").first?.outcome == "joined" }
        #expect(try joins(loopback, of: "sensor").first?.way == "roll call")
        #expect(try c2(loopback, ["rollcall", "list"]).exit == 0)

        // Something else stands in its place.
        loopback.runner.stop("scene")
        try loopback.startScene(on: far, picture: nil)
        #expect(try c2(loopback, ["rollcall", "call", id]).exit == 0)
        try wait(for: "device that is missing") { try c2(loopback, ["rollcall", "list", "--json"]).exit == 1 }
        #expect(try c2(loopback, ["rollcall", "list"]).output.contains(id))
        #expect(try joins(loopback, of: "sensor").first?.outcome == "failed")
        loopback.runner.stop("sensor")
        loopback.runner.stop("scene")

        // One that two must see.
        try loopback.registerDevice("lock", type: "lock", zone: "hall")
        try loopback.startScene(on: near, picture: loopback.picture("lock"))
        begin = EventFollower.clock()
        try loopback.startDevice("lock", [])
        try loopback.events.wait(for: "one", ["verdict"], since: begin, within: 60)
        #expect(try joins(loopback, of: "lock").first?.outcome != "joined")
        try loopback.startScene(on: far, picture: loopback.picture("lock"), role: "scene2")
        try loopback.events.wait(for: "lock", ["joined"], since: begin, within: 120)
        let both = try #require(try joins(loopback, of: "lock").first { $0.outcome == "joined" })
        for name in ["one", "two"] { #expect(both.why?.contains(loopback.identities[name] ?? "?") == true) }

        // Nobody is invited to a zone that cannot be.
        #expect(
            try runner.run(
                "srup-device",
                [
                    "register", "--state", runner.path("odd"), "--url", loopback.url + "/zone/a%20b", "--ca",
                    runner.path("c2/ca.crt"), "--type", "sensor",
                ], as: "odd") != 0)
    }
}
