import Foundation
import TestProcesses
import Testing

/// Programs end with the code that their help says, and leave nothing behind: again and again, since what goes wrong here is
/// a race. Once with every program, a few rounds in deploy/test; `SRUP_STOPS=500 deploy/test --only StopTests` is the long run.
@Suite(.serialized) struct StopTests {
    static let rounds = Int(ProcessInfo.processInfo.environment["SRUP_STOPS"] ?? "") ?? 12

    /// A network with an observer before a scene that shows what the device shows.
    private func withNetwork(_ body: (LoopbackNetwork) throws -> Void) throws {
        let runner = try ProgramRunner()
        defer {
            runner.close()
            // Neither a process nor a file: the folder holds sockets, pictures and private keys.
            #expect(HangUpTests.waitUntilNobodyHas(runner.folder) == [])
            #expect(!FileManager.default.fileExists(atPath: runner.folder))
        }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        // More joins of one identity than a server allows otherwise.
        let settings = runner.path("c2/c2.toml")
        try String(contentsOfFile: settings, encoding: .utf8)
            .replacingOccurrences(of: "joins_per_minute = 30 ", with: "joins_per_minute = 6000 ")
            .write(toFile: settings, atomically: true, encoding: .utf8)
        try loopback.startKeyService()
        try loopback.startBroker()
        try loopback.startC2(ObservedJoinTests.policies)
        let fifo = try loopback.makeCamera("camera")
        try loopback.startScene(on: fifo, picture: runner.path("device.png"))
        try loopback.bringObserver(camera: "fifo:\(fifo)", settings: LoopbackNetwork.quick)
        try loopback.registerDevice("device", type: "sensor")
        try body(loopback)
    }

    @Test func onceEndsWithTheAnswersCodeAndTakesTheNonceDown() throws {
        try withNetwork { loopback in
            var codes: [Int32: Int] = [:]
            for _ in 0..<Self.rounds {
                let code = try loopback.runner.run(
                    "srup-device",
                    [
                        "run", "--state", loopback.runner.path("device"), "--present",
                        "png:\(loopback.picture("device"))",
                        "--once",
                    ],
                    as: "once", within: 120)
                codes[code, default: 0] += 1
                if code != 0 {
                    for role in ["once", "c2", "observer"] { print("\(role):\n\(loopback.runner.tail(of: role))") }
                }
                #expect(!FileManager.default.fileExists(atPath: loopback.picture("device")))
                // Looked at anew each time.
                let begin = EventFollower.clock()
                try loopback.runner.must(
                    "srup-c2", ["remove", "--folder", loopback.runner.path("c2"), loopback.identities["device"] ?? ""],
                    as: "remove")
                try loopback.events.wait(for: "c2", ["removed"], since: begin, within: 20)
                tell("once", codes.values.reduce(0, +) - 1, ["0": codes[0] ?? 0])
            }
            #expect(codes == [0: Self.rounds], "\(loopback.runner.tail(of: "once"))")
        }
    }

    private func tell(_ what: String, _ round: Int, _ codes: [String: Int]) {
        guard Self.rounds > 50, round % 50 == 49 else { return }
        print("\(what): \(round + 1) rounds: \(codes)")
        fflush(nil)
    }

    /// What a program that was stopped may leave in its folder: its state, and nothing that is of a run.
    private func leftOvers(_ runner: ProgramRunner, _ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: runner.path(folder)).filter {
            $0.hasSuffix(".sock") || $0.hasSuffix(".new") || $0.hasSuffix(".png") || $0.hasSuffix(".part")
        }
    }

    @Test func aClientThatSaysNothingDoesNotHoldUpTheEnd() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try loopback.startBroker()
        try loopback.startKeyService()
        try loopback.startC2([])
        let deadline = EventFollower.clock() + 90
        while !ProgramRunner.accepts(port: loopback.pagesPort), EventFollower.clock() < deadline { usleep(20_000) }
        for (role, port) in [("key-service", loopback.keyServicePort), ("c2", loopback.pagesPort)] {
            // Through with TLS, it does not even answer its end.
            let client = "client-\(role)"
            try runner.start("openssl", ["s_client", "-ign_eof", "-connect", "127.0.0.1:\(port)"], as: client)
            let end = EventFollower.clock() + 90
            while !runner.tail(of: client).contains("Verification"), EventFollower.clock() < end { usleep(20_000) }
            kill(try #require(runner.processIdentifier(client)), SIGSTOP)
            #expect(runner.end(role, SIGTERM, within: 60) == 0, "\(runner.tail(of: role))")
            runner.kill9(client)
        }
    }

    @Test func keyServiceAndBrokerEndWithZero() throws {
        let runner = try ProgramRunner()
        defer {
            runner.close()
            #expect(HangUpTests.waitUntilNobodyHas(runner.folder) == [])
        }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        var codes: [String: Int] = [:]
        let signals = [SIGTERM, SIGINT, SIGHUP]
        for round in 0..<Self.rounds {
            try loopback.startKeyService()
            try loopback.startKeptBroker()
            usleep(UInt32(round % 7) * 3000)
            codes[
                "key-service \(runner.end("key-service", signals[round % 2]).map(String.init) ?? "killed")", default: 0] +=
                1
            codes["broker \(runner.end("broker", signals[round % 3]).map(String.init) ?? "killed")", default: 0] += 1
            #expect(try leftOvers(runner, "c2") == [])
            tell("servers", round, codes)
        }
        #expect(HangUpTests.waitUntilNobodyHas(runner.path("c2/mosquitto.conf")) == [])
        #expect(codes == ["key-service 0": Self.rounds, "broker 0": Self.rounds])
    }

    /// It takes half a minute to play: stopped at any moment of it, once for 25 rounds of the others.
    @Test func theDemoLeavesNothingWhenItIsStopped() throws {
        for round in 0..<max(2, Self.rounds / 25) {
            let signal = [SIGTERM, SIGINT, SIGHUP, SIGKILL][round % 4]
            let end = try HangUpTests.demo(endedBy: signal, after: Double(round % 10) * 1.3)
            #expect(end.code == (signal == SIGKILL ? nil : 128 + signal) && end.left == [], "round \(round): \(end)")
            tell("demo", (round + 1) * 25 - 1, ["ends": round + 1])
        }
    }

    /// While the nonce is shown, by each of the signals.
    @Test func aDeviceThatIsStoppedTakesItsNonceDown() throws {
        try withNetwork { loopback in
            // Nobody looks.
            loopback.runner.stop("observer")
            var codes: [String: Int] = [:]
            for round in 0..<Self.rounds {
                let begin = EventFollower.clock()
                try loopback.startDevice("device", round % 2 == 0 ? [] : ["--once"])
                try loopback.events.wait(for: "device", ["showing"], since: begin, within: 60)
                usleep(UInt32(round % 7) * 3000)
                let code = loopback.runner.end("device", [SIGTERM, SIGINT, SIGHUP][round % 3])
                codes["\(round % 2 == 0 ? "run" : "once") \(code.map(String.init) ?? "killed")", default: 0] += 1
                #expect(!FileManager.default.fileExists(atPath: loopback.picture("device")))
                // The server gives the join up, so that the next one is observed anew.
                try loopback.runner.must(
                    "srup-c2", ["remove", "--folder", loopback.runner.path("c2"), loopback.identities["device"] ?? ""],
                    as: "remove")
                try loopback.events.wait(for: "c2", ["removed"], since: begin, within: 20)
                tell("showing", round, codes)
            }
            // Who was stopped before an answer has none.
            #expect(codes == ["run 0": (Self.rounds + 1) / 2, "once 69": Self.rounds / 2])
        }
    }

    @Test func aStoppedProgramEndsWithZero() throws {
        try withNetwork { loopback in
            try loopback.registerDevice("lamp", type: "lamp")
            var codes: [String: Int] = [:]
            for round in 0..<Self.rounds {
                var begin = EventFollower.clock()
                try loopback.startDevice("lamp", [])
                // At different moments of its life.
                try loopback.events.wait(
                    for: "lamp", round % 2 == 0 ? ["joined"] : ["connected"], since: begin, within: 30)
                usleep(UInt32(round % 7) * 3000)
                codes["lamp \(loopback.runner.end("lamp", SIGTERM).map(String.init) ?? "killed")", default: 0] += 1
                begin = EventFollower.clock()
                codes[
                    "observer \(loopback.runner.end("observer", SIGTERM).map(String.init) ?? "killed")", default: 0] +=
                    1
                #expect(try leftOvers(loopback.runner, "observer") == [])
                try loopback.startObserver("observer")
                codes[
                    "c2 \(loopback.runner.end("c2", round % 2 == 0 ? SIGTERM : SIGINT).map(String.init) ?? "killed")",
                    default: 0] += 1
                try loopback.startC2(ObservedJoinTests.policies)
                try loopback.events.wait(for: "observer", ["connected"], since: begin, within: 60)
                tell("stopped", round, codes)
            }
            let rounds = Self.rounds
            #expect(codes == ["lamp 0": rounds, "observer 0": rounds, "c2 0": rounds])
        }
    }
}
