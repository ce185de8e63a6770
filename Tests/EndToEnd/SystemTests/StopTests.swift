import Foundation
import TestProcesses
import Testing

/// Programs end with the code that their help says, and leave nothing behind: again and again, since what goes wrong here is
/// a race. Once with every program, a few rounds in deploy/test; `SRUP_STOPS=500 deploy/test --only StopTests` is the long run.
@Suite(.serialized) struct StopTests {
    static let rounds = Int(ProcessInfo.processInfo.environment["SRUP_STOPS"] ?? "") ?? 12

    /// A network with an observer before a scene that shows what the device shows.
    private func withNetwork(_ body: (World) throws -> Void) throws {
        let stage = try Stage()
        defer {
            stage.close()
            // Neither a process nor a file: the folder holds sockets, pictures and private keys.
            #expect(HangUpTests.waitUntilNobodyHas(stage.folder) == [])
            #expect(!FileManager.default.fileExists(atPath: stage.folder))
        }
        let world = try World(stage)
        try world.prepare()
        // More joins of one identity than a server allows otherwise.
        let settings = stage.path("c2/c2.toml")
        try String(contentsOfFile: settings, encoding: .utf8)
            .replacingOccurrences(of: "joins_per_minute = 30 ", with: "joins_per_minute = 6000 ")
            .write(toFile: settings, atomically: true, encoding: .utf8)
        try world.startKeyService()
        try world.startBroker()
        try world.startC2(ObservedJoinTests.policies)
        let fifo = try world.makeCamera("camera")
        try world.startScene(on: fifo, picture: stage.path("device.png"))
        try world.bringObserver(camera: "fifo:\(fifo)", settings: World.quick)
        try world.registerDevice("device", type: "sensor")
        try body(world)
    }

    @Test func onceEndsWithTheAnswersCodeAndTakesTheNonceDown() throws {
        try withNetwork { world in
            var codes: [Int32: Int] = [:]
            for _ in 0..<Self.rounds {
                let code = try world.stage.run(
                    "srup-device",
                    [
                        "run", "--state", world.stage.path("device"), "--present", "png:\(world.picture("device"))",
                        "--once",
                    ],
                    as: "once", within: 120)
                codes[code, default: 0] += 1
                if code != 0 {
                    for role in ["once", "c2", "observer"] { print("\(role):\n\(world.stage.tail(of: role))") }
                }
                #expect(!FileManager.default.fileExists(atPath: world.picture("device")))
                // Looked at anew each time.
                let begin = EventFollower.clock()
                try world.stage.must(
                    "srup-c2", ["remove", "--folder", world.stage.path("c2"), world.identities["device"] ?? ""],
                    as: "remove")
                try world.events.wait(for: "c2", ["removed"], since: begin, within: 20)
                tell("once", codes.values.reduce(0, +) - 1, ["0": codes[0] ?? 0])
            }
            #expect(codes == [0: Self.rounds], "\(world.stage.tail(of: "once"))")
        }
    }

    private func tell(_ what: String, _ round: Int, _ codes: [String: Int]) {
        guard Self.rounds > 50, round % 50 == 49 else { return }
        print("\(what): \(round + 1) rounds: \(codes)")
        fflush(nil)
    }

    /// What a program that was stopped may leave in its folder: its state, and nothing that is of a run.
    private func leftOvers(_ stage: Stage, _ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: stage.path(folder)).filter {
            $0.hasSuffix(".sock") || $0.hasSuffix(".new") || $0.hasSuffix(".png") || $0.hasSuffix(".part")
        }
    }

    @Test func keyServiceAndBrokerEndWithZero() throws {
        let stage = try Stage()
        defer {
            stage.close()
            #expect(HangUpTests.waitUntilNobodyHas(stage.folder) == [])
        }
        let world = try World(stage)
        try world.prepare()
        var codes: [String: Int] = [:]
        let signals = [SIGTERM, SIGINT, SIGHUP]
        for round in 0..<Self.rounds {
            try world.startKeyService()
            try world.startKeptBroker()
            usleep(UInt32(round % 7) * 3000)
            codes[
                "key-service \(stage.end("key-service", signals[round % 2]).map(String.init) ?? "killed")", default: 0] +=
                1
            codes["broker \(stage.end("broker", signals[round % 3]).map(String.init) ?? "killed")", default: 0] += 1
            #expect(try leftOvers(stage, "c2") == [])
            tell("servers", round, codes)
        }
        #expect(HangUpTests.waitUntilNobodyHas(stage.path("c2/mosquitto.conf")) == [])
        #expect(codes == ["key-service 0": Self.rounds, "broker 0": Self.rounds])
    }

    /// It takes half a minute to play: stopped at any moment of it, once for 25 rounds of the others.
    @Test func theDemoLeavesNothingWhenItIsStopped() throws {
        for round in 0..<max(2, Self.rounds / 25) {
            let signal = [SIGTERM, SIGINT, SIGHUP, SIGKILL][round % 4]
            let end = try HangUpTests.demo(endedBy: signal, after: Double(round % 10) * 1.3 + 0.2)
            #expect(end.code == (signal == SIGKILL ? nil : 128 + signal) && end.left == [], "round \(round): \(end)")
            tell("demo", (round + 1) * 25 - 1, ["ends": round + 1])
        }
    }

    /// While the nonce is shown, by each of the signals.
    @Test func aDeviceThatIsStoppedTakesItsNonceDown() throws {
        try withNetwork { world in
            // Nobody looks.
            world.stage.stop("observer")
            var codes: [String: Int] = [:]
            for round in 0..<Self.rounds {
                let begin = EventFollower.clock()
                try world.startDevice("device", round % 2 == 0 ? [] : ["--once"])
                try world.events.wait(for: "device", ["showing"], since: begin, within: 60)
                usleep(UInt32(round % 7) * 3000)
                let code = world.stage.end("device", [SIGTERM, SIGINT, SIGHUP][round % 3])
                codes["\(round % 2 == 0 ? "run" : "once") \(code.map(String.init) ?? "killed")", default: 0] += 1
                #expect(!FileManager.default.fileExists(atPath: world.picture("device")))
                // The server gives the join up, so that the next one is observed anew.
                try world.stage.must(
                    "srup-c2", ["remove", "--folder", world.stage.path("c2"), world.identities["device"] ?? ""],
                    as: "remove")
                try world.events.wait(for: "c2", ["removed"], since: begin, within: 20)
                tell("showing", round, codes)
            }
            // Who was stopped before an answer has none.
            #expect(codes == ["run 0": (Self.rounds + 1) / 2, "once 69": Self.rounds / 2])
        }
    }

    @Test func aStoppedProgramEndsWithZero() throws {
        try withNetwork { world in
            try world.registerDevice("lamp", type: "lamp")
            var codes: [String: Int] = [:]
            for round in 0..<Self.rounds {
                var begin = EventFollower.clock()
                try world.startDevice("lamp", [])
                // At different moments of its life.
                try world.events.wait(
                    for: "lamp", round % 2 == 0 ? ["joined"] : ["connected"], since: begin, within: 30)
                usleep(UInt32(round % 7) * 3000)
                codes["lamp \(world.stage.end("lamp", SIGTERM).map(String.init) ?? "killed")", default: 0] += 1
                begin = EventFollower.clock()
                codes["observer \(world.stage.end("observer", SIGTERM).map(String.init) ?? "killed")", default: 0] += 1
                #expect(try leftOvers(world.stage, "observer") == [])
                try world.startObserver("observer")
                codes[
                    "c2 \(world.stage.end("c2", round % 2 == 0 ? SIGTERM : SIGINT).map(String.init) ?? "killed")",
                    default: 0] += 1
                try world.startC2(ObservedJoinTests.policies)
                try world.events.wait(for: "observer", ["connected"], since: begin, within: 60)
                tell("stopped", round, codes)
            }
            let rounds = Self.rounds
            #expect(codes == ["lamp 0": rounds, "observer 0": rounds, "c2 0": rounds])
        }
    }
}
