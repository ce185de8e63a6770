import Foundation
import ObservedValue
import Participant
import SRUP
import TestProcesses
import Testing

/// The real programs, a real broker, real pixels.
@Suite(.serialized) struct ObservedJoinTests {
    /// A network with one trusted observer before a drawn scene.
    func withWorld(
        observerSettings: String = World.quick, camera: String? = nil, observationTimeout: Int = 8,
        _ body: (World, String) throws -> Void
    ) throws {
        let stage = try Stage()
        defer { stage.close() }
        let world = try World(stage)
        try world.startServer(Self.policies + ["--observation-timeout", "\(observationTimeout)"])
        let fifo = try world.makeCamera("camera")
        try world.bringObserver(camera: camera ?? "fifo:\(fifo)", settings: observerSettings)
        try body(world, fifo)
    }

    static let policies = [
        "--policy", "sensor=observed", "--policy", "lamp=simple", "--policy", "toaster=refuse", "--tries", "3",
        "--observation-timeout", "8",
    ]

    @Test func theDeviceThatShowsItsNonceIsLetInAndNoOther() throws {
        // Time enough for INVALID on a machine that stands still now and then.
        try withWorld(observerSettings: World.patient, observationTimeout: 40) { world, fifo in
            let ears = try Eavesdropper(world)
            // Right code.
            var begin = EventFollower.clock()
            try world.registerDevice("right", type: "sensor")
            try world.startScene(on: fifo, picture: world.picture("right"))
            try world.startDevice("right")
            #expect(try world.answer(to: "right", since: begin) == "JOIN_SUCCESS")
            try world.events.wait(for: "right", ["joined"], since: begin, within: 10)
            world.stage.stop("scene")

            // Another code.
            begin = EventFollower.clock()
            try world.registerDevice("wrong", type: "sensor")
            let other = world.stage.path("other.png")
            try world.stage.must(
                "srup-device",
                ["show", Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255) }), "--present", "png:\(other)"],
                as: "other")
            try world.showLater(other, on: fifo, before: "wrong") { try world.startDevice("wrong") }
            #expect(try world.answer(to: "wrong", since: begin) == "JOIN_FAIL")
            let verdict = try world.events.wait(for: "observer", ["verdict"], since: begin, within: 5)
            #expect(verdict.details["verdict"] == "INVALID")
            world.stage.stop("scene")
        }
    }

    @Test func aDeviceThatShowsNothingIsTriedThreeTimesAndGivenUp() throws {
        try withWorld { world, fifo in
            let ears = try Eavesdropper(world)
            var begin = EventFollower.clock()
            // No code: tried three times, each with a fresh nonce, then given up.
            begin = EventFollower.clock()
            try world.registerDevice("none", type: "sensor")
            try world.startScene(on: fifo, picture: nil)
            try world.startDevice("none")
            #expect(try world.answer(to: "none", since: begin) == "JOIN_FAIL")
            _ = world.events.news()
            let failures = world.events.all.filter {
                $0.who == "observer" && $0.name == "verdict" && $0.time >= begin && $0.details["verdict"] == "FAILED"
            }
            #expect(failures.count == 3)
            #expect(
                try ears.violations(observerKey: Identity.privateKey(world.stage.path("observer/identity.pem"))) == [])
            #expect(try ears.messages().count > 20)
        }
    }

    @Test func aDeviceThatStartsOverReplacesItsOwnRequestWithoutAVerdict() throws {
        try withWorld { world, fifo in
            try world.registerDevice("device", type: "sensor")
            try world.startScene(on: fifo, picture: world.picture("device"))
            var begin = EventFollower.clock()
            try world.startDevice("device", present: "png:\(world.stage.path("elsewhere.png"))", [])
            try world.events.wait(for: "device", ["showing"], since: begin, within: 20)
            try world.events.wait(for: "observer", ["looking"], since: begin, within: 20)
            world.stage.kill9("device")
            begin = EventFollower.clock()
            try world.startDevice("device")
            #expect(try world.answer(to: "device", since: begin) == "JOIN_SUCCESS")
            // Longer than the first watch would have lasted.
            usleep(5_000_000)
            _ = world.events.news()
            let verdicts = world.events.all.filter { $0.who == "observer" && $0.name == "verdict" }
            #expect(verdicts.map { $0.details["verdict"] } == ["VALID"])
        }
    }

    @Test func twoProgramsDoNotUseOneFolder() throws {
        try withWorld { world, _ in
            #expect(try world.stage.run("srup-c2", ["run", "--folder", world.stage.path("c2")], as: "second") == 78)
            #expect(world.stage.tail(of: "second").contains("another program is running with the state in"))
            try world.registerDevice("lamp", type: "lamp")
            let begin = EventFollower.clock()
            try world.startDevice("lamp", [])
            try world.events.wait(for: "lamp", ["joined"], since: begin, within: 20)
            #expect(
                try world.stage.run("srup-device", ["run", "--state", world.stage.path("lamp")], as: "second") == 78)
            // After a crash the folder is free.
            world.stage.kill9("lamp")
            try world.startDevice("lamp")
            let again = EventFollower.clock()
            try world.events.wait(for: "lamp", ["joined"], since: again - 1, within: 20)
        }
    }

    @Test func aStrangerThatCallsItselfAnObserverWaitsAtTheDoorAndKnowsWhatToSay() throws {
        try withWorld { world, fifo in
            try world.registerObserver("second", camera: "fifo:\(fifo)", settings: World.quick)
            let begin = EventFollower.clock()
            try world.startObserver("second")
            try world.events.wait(for: "second", ["refused"], since: begin, within: 20)
            let words = "srup-c2 trust \(world.identities["second"] ?? "?")"
            #expect(world.stage.tail(of: "second").contains(words))
            #expect(world.stage.tail(of: "c2").contains(words))
            #expect(
                try world.stage.run(
                    "srup-observer", ["status", "--config", world.stage.path("second.toml")], as: "status") == 1)
            let status = try String(contentsOfFile: world.stage.path("log/status.log"), encoding: .utf8)
            #expect(status.contains(words) && status.contains("tell the operator these"))
            try world.trust("second")
            try world.events.wait(for: "second", ["joined"], since: begin, within: 30)
            // And out again.
            try world.stage.must(
                "srup-c2", ["remove", "--folder", world.stage.path("c2"), world.identities["second"] ?? ""],
                as: "remove")
            let removed = EventFollower.clock()
            try world.events.wait(for: "second", ["refused"], since: removed, within: 30)
        }
    }

    @Test func theServersPoliciesHold() throws {
        try withWorld { world, _ in
            var begin = EventFollower.clock()
            try world.registerDevice("lamp", type: "lamp")
            try world.startDevice("lamp")
            #expect(try world.answer(to: "lamp", since: begin) == "JOIN_SUCCESS")
            begin = EventFollower.clock()
            try world.registerDevice("toaster", type: "toaster")
            try world.startDevice("toaster")
            #expect(try world.answer(to: "toaster", since: begin) == "JOIN_FAIL")
            // A joined lamp is no observer: nobody has said that it may vouch.
            begin = EventFollower.clock()
            try world.registerDevice("sensor", type: "sensor")
            try world.startDevice("sensor", ["--once", "--observer", world.identities["lamp"] ?? ""])
            #expect(try world.answer(to: "sensor", since: begin) == "JOIN_FAIL")
            #expect(world.stage.tail(of: "c2").contains("is not trusted as an observer"))
            // An observer that is trusted and has not joined.
            begin = EventFollower.clock()
            try world.registerDevice("stranger", type: "observer")
            try world.trust("stranger")
            try world.registerDevice("sensor-2", type: "sensor")
            try world.startDevice("sensor-2", ["--once", "--observer", world.identities["stranger"] ?? ""])
            #expect(try world.answer(to: "sensor-2", since: begin) == "JOIN_FAIL")
            #expect(world.stage.tail(of: "c2").contains("has not joined"))
            // Itself.
            begin = EventFollower.clock()
            try world.registerDevice("sensor-3", type: "sensor")
            try world.startDevice("sensor-3", ["--once", "--observer", world.identities["sensor-3"] ?? ""])
            #expect(try world.answer(to: "sensor-3", since: begin) == "JOIN_FAIL")
            #expect(world.stage.tail(of: "c2").contains("cannot vouch for itself"))
        }
    }

    @Test func aCameraThatIsAbsentIsFailedWithItsReasonAndFoundWhenItComes() throws {
        let path = NSTemporaryDirectory() + "srup-late-\(UUID().uuidString).fifo"
        defer { unlink(path) }
        try withWorld(camera: "fifo:\(path)") { world, _ in
            let begin = EventFollower.clock()
            try world.registerDevice("device", type: "sensor")
            try world.startDevice("device")
            let first = try world.events.wait(for: "observer", ["verdict"], since: begin, within: 30)
            #expect(first.details["verdict"] == "FAILED")
            #expect(first.details["how"]?.contains("is not there") == true)
            #expect(mkfifo(path, 0o600) == 0)
            try world.startScene(on: path, picture: world.picture("device"))
            #expect(try world.answer(to: "device", since: begin) == "JOIN_SUCCESS")
        }
    }

    @Test func joinedDevicesNeedNotJoinAgainAfterARestartOfTheServer() throws {
        try withWorld { world, fifo in
            var begin = EventFollower.clock()
            try world.registerDevice("device", type: "sensor")
            try world.startScene(on: fifo, picture: world.picture("device"))
            try world.startDevice("device")
            #expect(try world.answer(to: "device", since: begin) == "JOIN_SUCCESS")
            try world.events.wait(for: "device", ["joined"], since: begin, within: 10)
            world.stage.kill9("c2")
            try world.startC2(Self.policies)
            // The camera sees nothing now: who belongs is known without it.
            world.stage.stop("scene")
            begin = EventFollower.clock()
            try world.startDevice("device")
            let again = try world.events.wait(for: "device", ["joined"], since: begin, within: 20)
            #expect(again.details["again"] == "true")
            // And the observer is still heard.
            begin = EventFollower.clock()
            try world.registerDevice("device-2", type: "sensor")
            try world.startScene(on: fifo, picture: world.picture("device-2"))
            try world.startDevice("device-2")
            #expect(try world.answer(to: "device-2", since: begin) == "JOIN_SUCCESS")
        }
    }

    /// Whom to kill, and after which event of whom.
    enum Victim: String, CaseIterable { case observer, witness, broker, c2 }
    enum Step: String, CaseIterable {
        case asked, requested, looking, showing, judged
        var event: (who: String, name: String) {
            switch self {
            case .asked: ("device", "asked")
            case .requested: ("c2", "observation-requested")
            case .looking: ("observer", "looking")
            case .showing: ("device", "showing")
            case .judged: ("observer", "verdict")
            }
        }
    }

    @Test func aKillAtAnyStepCostsTimeAndNothingElse() throws {
        try withWorld { world, fifo in
            let ears = try Eavesdropper(world)
            var number = 0
            for victim in Victim.allCases {
                for step in Step.allCases {
                    number += 1
                    try interrupted(victim, step, "device-\(number)", world, fifo)
                }
            }
            // And an ordinary join works after all that.
            let begin = EventFollower.clock()
            try world.registerDevice("last", type: "sensor")
            try world.startScene(on: fifo, picture: world.picture("last"))
            try world.startDevice("last")
            #expect(try world.answer(to: "last", since: begin) == "JOIN_SUCCESS")
            #expect(
                try ears.violations(observerKey: Identity.privateKey(world.stage.path("observer/identity.pem"))) == [])
        }
    }

    private func interrupted(_ victim: Victim, _ step: Step, _ device: String, _ world: World, _ fifo: String) throws {
        let begin = EventFollower.clock()
        try world.registerDevice(device, type: "sensor")
        try world.startScene(on: fifo, picture: world.picture(device))
        try world.startDevice(device)
        let who = step.event.who == "device" ? device : step.event.who
        try world.events.wait(for: who, [step.event.name], since: begin, within: 20)
        switch victim {
        case .observer:
            world.stage.kill9("observer")
            try world.startObserver("observer")
        case .witness:
            for process in try children(of: world.stage.processIdentifier("observer") ?? 0) { kill(process, SIGKILL) }
        case .broker:
            world.stage.kill9("broker")
            try world.startBroker()
        case .c2:
            world.stage.kill9("c2")
            try world.startC2(Self.policies)
        }
        let status = try world.answer(to: device, since: begin)
        #expect(status == "JOIN_SUCCESS", "\(victim) killed when \(step)")
        try world.events.wait(for: device, ["joined"], since: begin, within: 30)
        world.stage.stop("scene")
        world.stage.stop(device)
    }

    private func children(of process: Int32) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter { candidate in
            let status = (try? String(contentsOfFile: "/proc/\(candidate)/status", encoding: .utf8)) ?? ""
            return status.contains("PPid:\t\(process)\n")
        }
    }
}
