import Foundation
import ObservedValue
import Participant
import SRUP
import TestProcesses
import Testing

/// The real programs, a real broker, real pixels.
@Suite(.serialized) struct ObservedJoinTests {
    /// A network with one trusted observer before a drawn scene.
    func withLoopback(
        observerSettings: String = LoopbackNetwork.quick, camera: String? = nil, observationTimeout: Int = 8,
        _ body: (LoopbackNetwork, String) throws -> Void
    ) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(Self.policies + ["--observation-timeout", "\(observationTimeout)"])
        let fifo = try loopback.makeCamera("camera")
        try loopback.bringObserver(camera: camera ?? "fifo:\(fifo)", settings: observerSettings)
        try body(loopback, fifo)
    }

    static let policies = [
        "--policy", "sensor=observed", "--policy", "lamp=simple", "--policy", "toaster=refuse", "--tries", "3",
        "--observation-timeout", "8",
    ]

    @Test func theDeviceThatShowsItsNonceIsLetInAndNoOther() throws {
        // Time enough for INVALID on a machine that stands still now and then.
        try withLoopback(observerSettings: LoopbackNetwork.patient, observationTimeout: 40) { loopback, fifo in
            let ears = try Eavesdropper(loopback)
            // Right code.
            var begin = EventFollower.clock()
            try loopback.registerDevice("right", type: "sensor")
            try loopback.startScene(on: fifo, picture: loopback.picture("right"))
            try loopback.startDevice("right")
            #expect(try loopback.answer(to: "right", since: begin) == "JOIN_SUCCESS")
            try loopback.events.wait(for: "right", ["joined"], since: begin, within: 10)
            loopback.runner.stop("scene")

            // Another code.
            begin = EventFollower.clock()
            try loopback.registerDevice("wrong", type: "sensor")
            let other = loopback.runner.path("other.png")
            try loopback.runner.must(
                "srup-device",
                ["show", Hex.encode((0..<16).map { _ in UInt8.random(in: 0...255) }), "--present", "png:\(other)"],
                as: "other")
            try loopback.showLater(other, on: fifo, before: "wrong") { try loopback.startDevice("wrong") }
            #expect(try loopback.answer(to: "wrong", since: begin) == "JOIN_FAIL")
            let verdict = try loopback.events.wait(for: "observer", ["verdict"], since: begin, within: 5)
            #expect(verdict.details["verdict"] == "INVALID")
            loopback.runner.stop("scene")
        }
    }

    @Test func aDeviceThatShowsNothingIsTriedThreeTimesAndGivenUp() throws {
        try withLoopback { loopback, fifo in
            let ears = try Eavesdropper(loopback)
            var begin = EventFollower.clock()
            // No code: tried three times, each with a fresh nonce, then given up.
            begin = EventFollower.clock()
            try loopback.registerDevice("none", type: "sensor")
            try loopback.startScene(on: fifo, picture: nil)
            try loopback.startDevice("none")
            #expect(try loopback.answer(to: "none", since: begin) == "JOIN_FAIL")
            _ = loopback.events.news()
            let failures = loopback.events.all.filter {
                $0.who == "observer" && $0.name == "verdict" && $0.time >= begin && $0.details["verdict"] == "FAILED"
            }
            #expect(failures.count == 3)
            #expect(
                try ears.violations(observerKey: Identity.privateKey(loopback.runner.path("observer/identity.pem")))
                    == [])
            #expect(try ears.messages().count > 20)
        }
    }

    @Test func aDeviceThatStartsOverReplacesItsOwnRequestWithoutAVerdict() throws {
        try withLoopback { loopback, fifo in
            try loopback.registerDevice("device", type: "sensor")
            try loopback.startScene(on: fifo, picture: loopback.picture("device"))
            var begin = EventFollower.clock()
            try loopback.startDevice("device", present: "png:\(loopback.runner.path("elsewhere.png"))", [])
            try loopback.events.wait(for: "device", ["showing"], since: begin, within: 20)
            try loopback.events.wait(for: "observer", ["looking"], since: begin, within: 20)
            loopback.runner.kill9("device")
            begin = EventFollower.clock()
            try loopback.startDevice("device")
            #expect(try loopback.answer(to: "device", since: begin) == "JOIN_SUCCESS")
            // Longer than the first watch would have lasted.
            usleep(5_000_000)
            _ = loopback.events.news()
            let verdicts = loopback.events.all.filter { $0.who == "observer" && $0.name == "verdict" }
            #expect(verdicts.map { $0.details["verdict"] } == ["VALID"])
        }
    }

    @Test func twoProgramsDoNotUseOneFolder() throws {
        try withLoopback { loopback, _ in
            #expect(
                try loopback.runner.run("srup-c2", ["run", "--folder", loopback.runner.path("c2")], as: "second") == 78)
            #expect(loopback.runner.tail(of: "second").contains("another program is running with the state in"))
            try loopback.registerDevice("lamp", type: "lamp")
            let begin = EventFollower.clock()
            try loopback.startDevice("lamp", [])
            try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 20)
            #expect(
                try loopback.runner.run("srup-device", ["run", "--state", loopback.runner.path("lamp")], as: "second")
                    == 78)
            // After a crash the folder is free.
            loopback.runner.kill9("lamp")
            try loopback.startDevice("lamp")
            let again = EventFollower.clock()
            try loopback.events.wait(for: "lamp", ["joined"], since: again - 1, within: 20)
        }
    }

    @Test func aStrangerThatCallsItselfAnObserverWaitsAtTheDoorAndKnowsWhatToSay() throws {
        try withLoopback { loopback, fifo in
            try loopback.registerObserver("second", camera: "fifo:\(fifo)", settings: LoopbackNetwork.quick)
            let begin = EventFollower.clock()
            try loopback.startObserver("second")
            try loopback.events.wait(for: "second", ["refused"], since: begin, within: 20)
            let words = "srup-c2 trust \(loopback.identities["second"] ?? "?")"
            #expect(loopback.runner.tail(of: "second").contains(words))
            #expect(loopback.runner.tail(of: "c2").contains(words))
            #expect(
                try loopback.runner.run(
                    "srup-observer", ["status", "--config", loopback.runner.path("second.toml")], as: "status") == 1)
            let status = try String(contentsOfFile: loopback.runner.path("log/status.log"), encoding: .utf8)
            #expect(status.contains(words) && status.contains("tell the operator these"))
            try loopback.trust("second")
            try loopback.events.wait(for: "second", ["joined"], since: begin, within: 30)
            // And out again.
            try loopback.runner.must(
                "srup-c2", ["remove", "--folder", loopback.runner.path("c2"), loopback.identities["second"] ?? ""],
                as: "remove")
            let removed = EventFollower.clock()
            try loopback.events.wait(for: "second", ["refused"], since: removed, within: 30)
        }
    }

    @Test func theServersPoliciesHold() throws {
        try withLoopback { loopback, _ in
            var begin = EventFollower.clock()
            try loopback.registerDevice("lamp", type: "lamp")
            try loopback.startDevice("lamp")
            #expect(try loopback.answer(to: "lamp", since: begin) == "JOIN_SUCCESS")
            begin = EventFollower.clock()
            try loopback.registerDevice("toaster", type: "toaster")
            try loopback.startDevice("toaster")
            #expect(try loopback.answer(to: "toaster", since: begin) == "JOIN_FAIL")
            // A joined lamp is no observer: nobody has said that it may vouch.
            begin = EventFollower.clock()
            try loopback.registerDevice("sensor", type: "sensor")
            try loopback.startDevice("sensor", ["--once", "--observer", loopback.identities["lamp"] ?? ""])
            #expect(try loopback.answer(to: "sensor", since: begin) == "JOIN_FAIL")
            #expect(loopback.runner.tail(of: "c2").contains("is not trusted as an observer"))
            // An observer that is trusted and has not joined.
            begin = EventFollower.clock()
            try loopback.registerDevice("stranger", type: "observer")
            try loopback.trust("stranger")
            try loopback.registerDevice("sensor-2", type: "sensor")
            try loopback.startDevice("sensor-2", ["--once", "--observer", loopback.identities["stranger"] ?? ""])
            #expect(try loopback.answer(to: "sensor-2", since: begin) == "JOIN_FAIL")
            #expect(loopback.runner.tail(of: "c2").contains("has not joined"))
            // Itself.
            begin = EventFollower.clock()
            try loopback.registerDevice("sensor-3", type: "sensor")
            try loopback.startDevice("sensor-3", ["--once", "--observer", loopback.identities["sensor-3"] ?? ""])
            #expect(try loopback.answer(to: "sensor-3", since: begin) == "JOIN_FAIL")
            #expect(loopback.runner.tail(of: "c2").contains("cannot vouch for itself"))
        }
    }

    @Test func aCameraThatIsAbsentIsFailedWithItsReasonAndFoundWhenItComes() throws {
        let path = NSTemporaryDirectory() + "srup-late-\(UUID().uuidString).fifo"
        defer { unlink(path) }
        try withLoopback(camera: "fifo:\(path)") { loopback, _ in
            let begin = EventFollower.clock()
            try loopback.registerDevice("device", type: "sensor")
            try loopback.startDevice("device")
            let first = try loopback.events.wait(for: "observer", ["verdict"], since: begin, within: 30)
            #expect(first.details["verdict"] == "FAILED")
            #expect(first.details["how"]?.contains("is not there") == true)
            #expect(mkfifo(path, 0o600) == 0)
            try loopback.startScene(on: path, picture: loopback.picture("device"))
            #expect(try loopback.answer(to: "device", since: begin) == "JOIN_SUCCESS")
        }
    }

    @Test func joinedDevicesNeedNotJoinAgainAfterARestartOfTheServer() throws {
        try withLoopback { loopback, fifo in
            var begin = EventFollower.clock()
            try loopback.registerDevice("device", type: "sensor")
            try loopback.startScene(on: fifo, picture: loopback.picture("device"))
            try loopback.startDevice("device")
            #expect(try loopback.answer(to: "device", since: begin) == "JOIN_SUCCESS")
            try loopback.events.wait(for: "device", ["joined"], since: begin, within: 10)
            loopback.runner.kill9("c2")
            try loopback.startC2(Self.policies)
            // The camera sees nothing now: who belongs is known without it.
            loopback.runner.stop("scene")
            begin = EventFollower.clock()
            try loopback.startDevice("device")
            let again = try loopback.events.wait(for: "device", ["joined"], since: begin, within: 20)
            #expect(again.details["again"] == "true")
            // And the observer is still heard.
            begin = EventFollower.clock()
            try loopback.registerDevice("device-2", type: "sensor")
            try loopback.startScene(on: fifo, picture: loopback.picture("device-2"))
            try loopback.startDevice("device-2")
            #expect(try loopback.answer(to: "device-2", since: begin) == "JOIN_SUCCESS")
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
        try withLoopback { loopback, fifo in
            let ears = try Eavesdropper(loopback)
            var number = 0
            for victim in Victim.allCases {
                for step in Step.allCases {
                    number += 1
                    try interrupted(victim, step, "device-\(number)", loopback, fifo)
                }
            }
            // And an ordinary join works after all that.
            let begin = EventFollower.clock()
            try loopback.registerDevice("last", type: "sensor")
            try loopback.startScene(on: fifo, picture: loopback.picture("last"))
            try loopback.startDevice("last")
            #expect(try loopback.answer(to: "last", since: begin) == "JOIN_SUCCESS")
            #expect(
                try ears.violations(observerKey: Identity.privateKey(loopback.runner.path("observer/identity.pem")))
                    == [])
        }
    }

    private func interrupted(
        _ victim: Victim, _ step: Step, _ device: String, _ loopback: LoopbackNetwork, _ fifo: String
    ) throws {
        let begin = EventFollower.clock()
        try loopback.registerDevice(device, type: "sensor")
        try loopback.startScene(on: fifo, picture: loopback.picture(device))
        try loopback.startDevice(device)
        let who = step.event.who == "device" ? device : step.event.who
        try loopback.events.wait(for: who, [step.event.name], since: begin, within: 20)
        switch victim {
        case .observer:
            loopback.runner.kill9("observer")
            try loopback.startObserver("observer")
        case .witness:
            for process in try children(of: loopback.runner.processIdentifier("observer") ?? 0) {
                kill(process, SIGKILL)
            }
        case .broker:
            loopback.runner.kill9("broker")
            try loopback.startBroker()
        case .c2:
            loopback.runner.kill9("c2")
            try loopback.startC2(Self.policies)
        }
        // The server tells of an answer once it is stored and sent: killed in between, it never does. The device does.
        let end = try loopback.events.wait(for: device, ["joined", "not-let-in"], since: begin, within: 90)
        #expect(end.name == "joined", "\(victim) killed when \(step): \(end.details)")
        loopback.runner.stop("scene")
        loopback.runner.stop(device)
    }

    private func children(of process: Int32) throws -> [Int32] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter { candidate in
            let status = (try? String(contentsOfFile: "/proc/\(candidate)/status", encoding: .utf8)) ?? ""
            return status.contains("PPid:\t\(process)\n")
        }
    }
}
