import Foundation
import Stage
import Testing

/// Programs end with the code that their help says, and leave nothing behind: again and again, since what goes wrong here is
/// a race. `SRUP_STOPS=500` for the long run.
@Suite(.serialized) struct StopTests {
    static let rounds = Int(ProcessInfo.processInfo.environment["SRUP_STOPS"] ?? "") ?? 12

    /// A network with an observer before a scene that shows what the device shows.
    private func withNetwork(_ body: (World) throws -> Void) throws {
        let stage = try Stage()
        defer { stage.close() }
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
            }
            #expect(codes == [0: Self.rounds], "\(world.stage.tail(of: "once"))")
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
                try world.startObserver("observer")
                codes[
                    "c2 \(world.stage.end("c2", round % 2 == 0 ? SIGTERM : SIGINT).map(String.init) ?? "killed")",
                    default: 0] += 1
                try world.startC2(ObservedJoinTests.policies)
                try world.events.wait(for: "observer", ["connected"], since: begin, within: 60)
            }
            let rounds = Self.rounds
            #expect(codes == ["lamp 0": rounds, "observer 0": rounds, "c2 0": rounds])
        }
    }
}
