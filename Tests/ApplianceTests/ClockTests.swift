import Foundation
import Stage
import Testing

/// A machine without a clock of its own, and one that was alone for a day. The observer runs with libfaketime, whose time
/// comes from a file that the test rewrites: what the programs see is a clock that is set while they run.
@Suite(.serialized) struct ClockTests {
    static let faketime = "/usr/bin/faketime"
    /// Asked for by name: now and then a program under faketime does not start on a busy machine, and why is not known yet.
    static let isWanted =
        ProcessInfo.processInfo.environment["SRUP_CLOCK_TESTS"] != nil
        && FileManager.default.isExecutableFile(atPath: faketime)

    func withWorld(_ body: (World, (String) throws -> Void) throws -> Void) throws {
        let stage = try Stage(keeping: nil, binaries: binaries)
        defer {
            // faketime forks: its end does not end what it has started.
            _ = try? stage.run("/usr/bin/pkill", ["-KILL", "-f", stage.path("observer.toml")], as: "end")
            stage.close()
        }
        let world = try World(stage)
        try world.prepare()
        try world.startKeyService()
        try world.startBroker()
        try world.startC2(["--policy", "sensor=observed"])
        try world.registerObserver("observer", camera: "folder:" + stage.path("none"), settings: "")
        try world.trust("observer")
        try body(world) { try stage.write($0 + "\n", to: "clock") }
    }

    func startObserver(_ world: World) throws {
        try world.stage.start(
            Self.faketime,
            [
                // The library by itself changes the environment before Swift has found its arguments beside it.
                "-f", "+0s", "/usr/bin/env", "-u", "FAKETIME", "FAKETIME_TIMESTAMP_FILE=\(world.stage.path("clock"))",
                "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", binaries + "/srup-observer", "run", "--config",
                world.stage.path("observer.toml"), "--events", EventFollower.file("observer", on: world.stage),
            ], as: "observer")
    }

    /// All of it: the witness, which gets the library without what faketime has prepared for it, is noisy.
    func log(_ world: World) -> String {
        (try? String(contentsOfFile: world.stage.path("log/observer.log"), encoding: .utf8)) ?? ""
    }

    func waits(_ seconds: Int, _ condition: () -> Bool) -> Bool {
        let deadline = EventFollower.clock() + Double(seconds)
        while EventFollower.clock() < deadline {
            if condition() { return true }
            usleep(100_000)
        }
        return false
    }

    func joins(_ world: World) -> Int {
        _ = world.events.news()
        return world.events.all.filter { $0.who == "observer" && $0.name == "joined" }.count
    }

    @Test(.enabled(if: isWanted, "set SRUP_CLOCK_TESTS=1 (and install faketime): see isWanted"))
    func aClockThatIsYearsOffIsToldAndOnceItIsRightItJoins() throws {
        try withWorld { world, setClock in
            try setClock("-20y")
            try startObserver(world)
            #expect(
                waits(20) { log(world).contains("is the clock right?") },
                "\(log(world))")
            #expect(joins(world) == 0)
            try setClock("+0s")
            #expect(waits(60) { joins(world) > 0 }, "\(log(world))")
        }
    }

    @Test(.enabled(if: isWanted, "set SRUP_CLOCK_TESTS=1 (and install faketime): see isWanted"))
    func aDayWithoutTheNetworkIsNoReasonToRegisterOrAskAgain() throws {
        try withWorld { world, setClock in
            try setClock("+0s")
            try startObserver(world)
            #expect(waits(20) { joins(world) > 0 })
            let key = try String(contentsOfFile: world.stage.path("observer/identity.pem"), encoding: .utf8)
            world.stage.stop("broker")
            func count(_ name: String) -> Int {
                _ = world.events.news()
                return world.events.all.filter { $0.who == "observer" && $0.name == name }.count
            }
            #expect(waits(20) { count("disconnected") > 0 })
            try setClock("+1d")
            usleep(3_000_000)
            try world.startBroker()
            let before = count("connected")
            #expect(waits(90) { count("connected") > before })
            #expect(try String(contentsOfFile: world.stage.path("observer/identity.pem"), encoding: .utf8) == key)
            // Not a log that grows by a line for each try.
            let tries = count("disconnected")
            let lines = log(world).components(separatedBy: "broker").count - 1
            #expect(lines <= 8, "\(tries) tries, \(lines) lines")
        }
    }
}
