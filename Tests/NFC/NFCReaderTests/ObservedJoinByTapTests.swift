import Foundation
import TestProcesses
import Testing

/// Observed joins by tap: the real programs, a real broker, the real libnfc on simulated chips.
@Suite(.serialized) struct ObservedJoinByTapTests {
    private func withLoopback(_ body: (LoopbackNetwork, SimulatedReaders) throws -> Void) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(["--policy", "sensor=observed", "--tries", "2", "--observation-timeout", "60"])
        try body(loopback, try loopback.startReaders(["observer", "device", "other"], ["--immediate"]))
    }

    /// Time enough for a tap on a machine that has much else to do; the server waits longer than the observer looks.
    private static let unhurried = LoopbackNetwork.quick.replacingOccurrences(of: "\"4 s\"", with: "\"12 s\"")

    private func verdicts(_ loopback: LoopbackNetwork, since: Double) throws -> [String] {
        let text =
            (try? String(contentsOfFile: EventFollower.file("observer", on: loopback.runner), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap {
            guard let event = try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: String],
                event["event"] == "verdict", Double(event["t"] ?? "") ?? 0 >= since
            else { return nil }
            return event["verdict"]
        }
    }

    /// What everybody on this machine can see of our programs.
    private func commandLines() -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).filter { Int($0) != nil }.map {
            process in
            let bytes = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") ?? Data()
            return String(decoding: bytes.map { $0 == 0 ? 32 : $0 }, as: UTF8.self)
        }
    }

    @Test func theDeviceThatTapsIsLetInAndNoOther() throws {
        try withLoopback { loopback, readers in
            try loopback.bringObserver(
                eyes: "[nfc]\ndevice = \"\(readers.connstring("observer"))\"", settings: Self.unhurried)

            // As a peer and as a card.
            for (device, how) in [("peer", "nfc"), ("card", "nfc-card")] {
                let begin = EventFollower.clock()
                try loopback.registerDevice(device, type: "sensor")
                try loopback.startDevice(device, present: "\(how):\(readers.connstring("device"))")
                try loopback.events.wait(for: device, ["showing"], since: begin, within: 60)
                #expect(
                    !commandLines().contains {
                        $0.contains("nfc write") && $0.contains(loopback.runner.folder)
                            && $0.firstMatch(of: /[0-9a-f]{32}/) != nil
                    })
                try readers.tell("near observer device")
                #expect(try loopback.answer(to: device, since: begin) == "JOIN_SUCCESS")
                try loopback.events.wait(for: device, ["joined"], since: begin, within: 60)
                loopback.runner.stop(device)
                try readers.tell("apart")
                #expect(try verdicts(loopback, since: begin) == ["VALID"])
            }
            // The value is in no log.
            for log in ["observer", "peer", "card", "c2"] {
                let text = try String(contentsOfFile: loopback.runner.path("log/\(log).log"), encoding: .utf8)
                // The audit log's head, which is no secret, is twice as long.
                let others = text.replacing(/\d+:[0-9a-f]{64} \(srup-c2 audit verify --head\)/, with: "")
                #expect(others.firstMatch(of: /[0-9a-f]{32}/) == nil, "\(log)")
            }

            // Something else taps.
            var begin = EventFollower.clock()
            try loopback.registerDevice("wrong", type: "sensor")
            try loopback.runner.start(
                "srup-witness",
                ["nfc", "write", "--keep", "--device", readers.connstring("other"), String(repeating: "5", count: 32)],
                as: "impostor")
            try readers.tell("near observer other")
            try loopback.startDevice("wrong", present: "nfc:\(readers.connstring("device"))")
            #expect(try loopback.answer(to: "wrong", since: begin) == "JOIN_FAIL")
            #expect(try verdicts(loopback, since: begin) == ["INVALID"])
            loopback.runner.stop("wrong")
            loopback.runner.stop("impostor")
            try readers.tell("apart")

            // Nobody taps; and something that is no value.
            begin = EventFollower.clock()
            try loopback.registerDevice("nobody", type: "sensor")
            try readers.tell("tag poster type2 D1010654026" + "56E746167")
            try readers.tell("near observer poster")
            try loopback.startDevice("nobody", present: "nfc:\(readers.connstring("device"))")
            #expect(try loopback.answer(to: "nobody", since: begin) == "JOIN_FAIL")
            #expect(try verdicts(loopback, since: begin) == ["FAILED", "FAILED"])
        }
    }

    /// What the device shows, in upper case: read from its QR code, as whoever writes its tag would get it from the device.
    private func shown(by device: String, _ loopback: LoopbackNetwork) throws -> String {
        let picture = loopback.picture(device)
        #expect(try loopback.runner.run("srup-witness", ["scan", "--json", picture], as: "scan") == 0)
        let line = try String(contentsOfFile: loopback.runner.path("log/scan.log"), encoding: .utf8)
        return String(try #require(line.firstMatch(of: /[0-9A-Fa-f]{32}/)).output)
    }

    @Test func aTagThatStillHoldsAnOldValueIsWaitedForAndAnotherValueThatComesAndStaysIsInvalid() throws {
        try withLoopback { loopback, readers in
            try loopback.bringObserver(
                eyes: "[nfc]\ndevice = \"\(readers.connstring("observer"))\"",
                settings: LoopbackNetwork.quick.replacingOccurrences(of: "\"4 s\"", with: "\"40 s\"")
                    .replacingOccurrences(of: "\"1 s\"", with: "\"3 s\""))
            let old = RestingTagTests.tag(String(repeating: "b5", count: 16))
            try readers.tell("tag dynamic type2 \(old)")
            try readers.tell("near observer dynamic")

            // The device writes when it has the nonce, some time after the watch has opened.
            var begin = EventFollower.clock()
            try loopback.registerDevice("dynamic", type: "sensor")
            try loopback.startDevice("dynamic")
            try loopback.events.wait(for: "dynamic", ["showing"], since: begin, within: 60)
            usleep(1_000_000)
            #expect(try verdicts(loopback, since: begin) == [])
            try readers.tell("tag dynamic type2 \(RestingTagTests.tag(try shown(by: "dynamic", loopback)))")
            #expect(try loopback.answer(to: "dynamic", since: begin) == "JOIN_SUCCESS")
            #expect(try verdicts(loopback, since: begin) == ["VALID"])

            // What it held before denies nothing; what comes while the observer looks, and stays, is another device's.
            begin = EventFollower.clock()
            try readers.tell("tag dynamic type2 \(old)")
            try loopback.registerDevice("static", type: "sensor")
            try loopback.startDevice("static")
            try loopback.events.wait(for: "observer", ["looking"], since: begin, within: 60)
            usleep(2_000_000)
            try readers.tell("tag dynamic type2 \(RestingTagTests.tag(String(repeating: "a7", count: 16)))")
            #expect(try loopback.answer(to: "static", since: begin) == "JOIN_FAIL")
            #expect(try verdicts(loopback, since: begin) == ["INVALID"])
        }
    }

    @Test func aDeviceStopsPresentingWhenTheJoinHasEnded() throws {
        try withLoopback { loopback, readers in
            try loopback.bringObserver(
                eyes: "[nfc]\ndevice = \"\(readers.connstring("observer"))\"", settings: LoopbackNetwork.quick)
            let begin = EventFollower.clock()
            try loopback.registerDevice("device", type: "sensor")
            try readers.tell("near observer device")
            try loopback.startDevice("device", present: "nfc:\(readers.connstring("device"))", [])
            try loopback.events.wait(for: "device", ["joined"], since: begin, within: 30)
            // It has let go of its reader: somebody else gets it.
            let deadline = EventFollower.clock() + 10
            var code: Int32 = 69
            while code == 69, EventFollower.clock() < deadline {
                code = try loopback.runner.run(
                    "srup-witness", ["nfc", "read", "--seconds", "0.3", "--device", readers.connstring("device")],
                    as: "after")
            }
            #expect(code == 1)
        }
    }

    @Test func twoLogicalObserversInOneBoxLookWithAnEyeEach() throws {
        try withLoopback { loopback, readers in
            let fifo = try loopback.makeCamera("camera")
            try loopback.registerObserver(
                "box",
                eyes: """
                    [[observer]]
                    name = "door"
                    [observer.camera]
                    device = "fifo:\(fifo)"
                    [[observer]]
                    name = "desk"
                    [observer.nfc]
                    device = "\(readers.connstring("observer"))"
                    """, settings: LoopbackNetwork.quick)
            let door = try #require(loopback.identities["box/door"])
            let desk = try #require(loopback.identities["box/desk"])
            #expect(door != desk)
            for name in ["box/door", "box/desk"] { try loopback.trust(name) }
            let begin = EventFollower.clock()
            try loopback.startObserver("box")
            for name in ["door", "desk"] {
                try loopback.events.wait(
                    for: "box", ["joined"], since: begin, within: 20, matching: { $0.details["observer"] == name })
            }
            // Both at once: one is seen by the camera, one is tapped.
            try loopback.registerDevice("seen", type: "sensor")
            try loopback.registerDevice("tapped", type: "sensor")
            try loopback.startScene(on: fifo, picture: loopback.picture("seen"))
            try readers.tell("near observer device")
            try loopback.startDevice("seen", ["--once", "--observer", door])
            try loopback.startDevice(
                "tapped", present: "nfc:\(readers.connstring("device"))", ["--once", "--observer", desk])
            #expect(try loopback.answer(to: "seen", since: begin) == "JOIN_SUCCESS")
            #expect(try loopback.answer(to: "tapped", since: begin) == "JOIN_SUCCESS")
            // Registering again says that they are there, and status shows both.
            #expect(
                try loopback.runner.run(
                    "srup-observer", ["register", "--config", loopback.runner.path("box.toml")], as: "again") == 0)
            #expect(loopback.runner.tail(of: "again").contains("desk: is registered already"))
            #expect(
                try loopback.runner.run(
                    "srup-observer", ["status", "--config", loopback.runner.path("box.toml")], as: "status") == 0)
            let status = try String(contentsOfFile: loopback.runner.path("log/status.log"), encoding: .utf8)
            #expect(status.contains("(door)") && status.contains("(desk)") && status.contains("nfc         ready"))
        }
    }

    @Test(arguments: [
        ("[[observer]]\nname = \"a\"", "needs either [observer.camera] or [observer.nfc]"),
        ("[[observer]]\nname = \"A\"\n[observer.nfc]", "lower-case letters"),
        ("[[observer]]\n[observer.nfc]", "is missing"),
        ("[camera]\n[[observer]]\nname = \"a\"\n[observer.nfc]", "belongs in one of the [[observer]] blocks"),
        ("[[observer]]\nname = \"a\"\n[observer.nfc]\n[[observer]]\nname = \"a\"\n[observer.nfc]", "is used twice"),
        ("[[observer]]\nname = \"a\"\n[observer.nfc]\ndevise = \"x\"", "did you mean"),
    ])
    func wrongBlocksAreToldWithTheirLine(_ text: String, _ words: String) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        try runner.write("state = \"\(runner.path("state"))\"\n" + text, to: "box.toml")
        #expect(try runner.run("srup-observer", ["status", "--config", runner.path("box.toml")], as: "status") == 78)
        #expect(runner.tail(of: "status").contains(words), "\(runner.tail(of: "status"))")
    }
}
