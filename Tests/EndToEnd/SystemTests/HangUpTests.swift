import Foundation
import Linux
import TestProcesses
import Testing

/// SIGHUP, readers that go, parents that are killed: who has a configuration reads it again, all others end and leave nothing.
@Suite(.serialized) struct HangUpTests {
    /// Waits until nothing on this machine has `text` on its command line any more.
    static func waitUntilNobodyHas(_ text: String, within seconds: Double = 30) -> [String] {
        let deadline = EventFollower.clock() + seconds
        while true {
            let left = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).filter { Int($0) != nil }
                .compactMap { FileManager.default.contents(atPath: "/proc/\($0)/cmdline") }
                .map { String(decoding: $0.map { $0 == 0 ? 32 : $0 }, as: UTF8.self) }.filter { $0.contains(text) }
            if left.isEmpty || EventFollower.clock() > deadline { return left }
            usleep(20_000)
        }
    }

    /// The demo in a temporary folder of its own; its exit code, `nil` when it was killed, and what it has left.
    static func demo(endedBy signal: Int32?, after seconds: Double) throws -> (code: Int32?, left: [String]) {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let folder = runner.path("tmp")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        let demo = ProgramRunner.ownFolder + "/srup-demo"
        let script =
            signal == nil
            ? "TMPDIR=\(folder) \(demo) | head -n 1 >/dev/null; exit ${PIPESTATUS[0]}" : "TMPDIR=\(folder) exec \(demo)"
        try runner.start("/bin/bash", ["-c", script], as: "demo")
        if signal != nil {
            // Before its first step a program that is stopped is just gone: there is nothing to look at yet.
            let deadline = EventFollower.clock() + 60
            while try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty, EventFollower.clock() < deadline
            {
                usleep(1000)
            }
            usleep(UInt32(seconds * 1e6))
        }
        let code = runner.end("demo", signal ?? 0, within: 60)
        let processes = waitUntilNobodyHas(folder)
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        return (code, processes + files)
    }

    @Test func theDemoLeavesNothingBehindHoweverItEnds() throws {
        for (signal, code) in [(SIGHUP, 129), (SIGTERM, 143), (SIGKILL, nil)] as [(Int32, Int32?)] {
            let end = try Self.demo(endedBy: signal, after: 5)
            #expect(end.code == code && end.left == [], "\(signal): \(end)")
        }
        let end = try Self.demo(endedBy: nil, after: 0)
        #expect(end.code == 141 && end.left == [], "nobody reads: \(end)")
    }

    @Test func aDisplayCommandEndsWithADeviceThatIsKilled() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        try runner.start(
            "srup-device",
            [
                "show", String(repeating: "5", count: 32), "--present",
                "command:echo $$ >\(runner.path("shell")); sleep 300; true",
            ], as: "show")
        let deadline = EventFollower.clock() + 20
        var shell: Int32?
        while shell == nil, EventFollower.clock() < deadline {
            shell = (try? String(contentsOfFile: runner.path("shell"), encoding: .utf8))
                .flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            usleep(10_000)
        }
        let process = try #require(shell)
        runner.kill9("show")
        let end = EventFollower.clock() + 20
        while kill(process, 0) == 0, EventFollower.clock() < end { usleep(10_000) }
        #expect(kill(process, 0) != 0)
    }

    /// Waits until a program's log has a text so many times.
    private func waitForLog(_ runner: ProgramRunner, _ role: String, _ text: String, count: Int = 1) -> Bool {
        let deadline = EventFollower.clock() + 30
        while EventFollower.clock() < deadline {
            let log = (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
            if log.components(separatedBy: text).count > count { return true }
            usleep(20_000)
        }
        return false
    }

    private func hangUp(_ runner: ProgramRunner, _ role: String) throws {
        kill(try #require(runner.processIdentifier(role)), SIGHUP)
    }

    @Test func serversAndObserverReadTheirConfigurationAgainAndADeviceEnds() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer([])
        let settings = runner.path("c2/c2.toml")
        func change(_ old: String, _ new: String) throws {
            try String(contentsOfFile: settings, encoding: .utf8).replacingOccurrences(of: old, with: new)
                .write(toFile: settings, atomically: true, encoding: .utf8)
        }
        func join(_ name: String) throws -> Int32? {
            try runner.run(
                "srup-device",
                [
                    "run", "--state", runner.path(name), "--once", "--patience", "60", "--present",
                    "png:\(runner.path(name)).png",
                ],
                as: name, within: 90)
        }
        try loopback.registerDevice("lamp", type: "lamp")
        try change("otherwise = \"observed\"", "otherwise = \"refuse\"")
        try hangUp(runner, "c2")
        #expect(waitForLog(runner, "c2", "c2.toml again"))
        #expect(try join("lamp") == 1)
        // What is wrong changes nothing.
        try change("otherwise = \"refuse\"", "otherwise = \"what\"")
        try hangUp(runner, "c2")
        #expect(waitForLog(runner, "c2", "the earlier one stays in use"))
        #expect(try join("lamp") == 1)
        try change("otherwise = \"what\"", "otherwise = \"refuse\"\nlamp = \"simple\"")
        try hangUp(runner, "c2")
        #expect(waitForLog(runner, "c2", "c2.toml again", count: 2))
        #expect(try join("lamp") == 0)

        // The key service closes its door.
        try change("open = true", "open = false")
        try hangUp(runner, "key-service")
        #expect(waitForLog(runner, "key-service", "c2.toml again"))
        let register = [
            "register", "--state", runner.path("late"), "--url", loopback.url, "--ca", runner.path("c2/ca.crt"),
        ]
        #expect(try runner.run("srup-device", register, as: "late") == 1)
        // Nothing was made that is of no use.
        #expect(!FileManager.default.fileExists(atPath: runner.path("late")))
        try change("open = false", "open = true")
        try hangUp(runner, "key-service")
        #expect(waitForLog(runner, "key-service", "c2.toml again", count: 2))

        // The observer: its log level.
        try loopback.bringTrusted("observer")
        let file = runner.path("observer.toml")
        try String(contentsOfFile: file, encoding: .utf8).replacingOccurrences(of: "\"debug\"", with: "\"notice\"")
            .write(toFile: file, atomically: true, encoding: .utf8)
        try hangUp(runner, "observer")
        #expect(waitForLog(runner, "observer", "observer.toml again"))
        #expect(runner.isRunning("observer"))
        #expect(try runner.run("srup-observer", ["status", "--config", file], as: "status") >= 0)
        #expect(runner.isRunning("observer"))

        // A device has nothing to read again.
        let begin = EventFollower.clock()
        try loopback.startDevice("lamp", [])
        try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 30)
        #expect(runner.end("lamp", SIGHUP) == 0)
    }
}

extension LoopbackNetwork {
    /// An observer that runs; the camera shows nothing.
    fileprivate func bringTrusted(_ name: String) throws {
        let fifo = try makeCamera(name)
        try registerObserver(name, camera: "fifo:\(fifo)", settings: LoopbackNetwork.quick)
        try trust(name)
        let begin = EventFollower.clock()
        try startObserver(name)
        try events.wait(for: name, ["connected"], since: begin, within: 30)
    }
}
