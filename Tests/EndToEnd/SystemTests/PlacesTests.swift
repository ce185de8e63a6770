import Foundation
import Glibc
import Linux
import TestProcesses
import Testing

/// Folders, files and processes of the real programs: what others could get at, and what is left behind.
@Suite(.serialized) struct PlacesTests {
    @Test func noProgramRunsWhereOthersMayWriteAndEachSaysWhatToDo() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try loopback.startKeyService()
        try loopback.registerDevice("device", type: "lamp")
        try loopback.registerObserver("observer", camera: "folder:\(runner.folder)", settings: "")
        runner.stop("key-service")
        let c2 = runner.path("c2")
        let cases = [
            (c2, "srup-c2", ["key-service", "--folder", c2]), (c2, "srup-c2", ["broker", "--folder", c2]),
            (c2 + "/server", "srup-c2", ["run", "--folder", c2]),
            (runner.path("device"), "srup-device", ["run", "--state", runner.path("device")]),
            (runner.path("observer"), "srup-observer", ["run", "--config", runner.path("observer.toml")]),
        ]
        for (folder, program, arguments) in cases {
            for mode: mode_t in [0o777, 0o770] {
                let role = "\(program)-\(arguments[0])-\(mode)"
                #expect(chmod(folder, mode) == 0)
                #expect(try runner.run(program, arguments, as: role, within: 10) == 78, "\(role)")
                #expect(runner.tail(of: role).contains("chmod go-w \(folder)"), "\(runner.tail(of: role))")
            }
            #expect(chmod(folder, 0o700) == 0)
        }
    }

    @Test func eventsAndPicturesGoOnlyToFilesOfOnesOwn() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer([])
        try loopback.registerDevice("device", type: "lamp")
        try runner.write("dear", to: "dear")
        try FileManager.default.createSymbolicLink(
            atPath: runner.path("link"), withDestinationPath: runner.path("dear"))
        #expect(mkfifo(runner.path("pipe"), 0o600) == 0)
        for name in ["link", "pipe"] {
            let arguments = ["run", "--state", runner.path("device"), "--events", runner.path(name)]
            #expect(try runner.run("srup-device", arguments, as: "events-\(name)", within: 20) == 78)
            #expect(runner.tail(of: "events-\(name)").contains("cannot be written"))
        }
        #expect(try String(contentsOfFile: runner.path("dear"), encoding: .utf8) == "dear")
        let value = String(repeating: "ab", count: 16)
        for path in ["/dev/null", runner.path("link"), runner.path("pipe")] {
            #expect(try runner.run("srup-device", ["show", value, "--present", "png:\(path)"], as: "show") == 64)
        }
        var status = stat()
        #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
    }

    /// Command lines of running processes that hold a text, this test's own aside.
    private func running(_ text: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { process in
            guard let number = Int32(process), number != getpid() else { return nil }
            let bytes = FileManager.default.contents(atPath: "/proc/\(process)/cmdline") ?? Data()
            let line = String(decoding: bytes.map { $0 == 0 ? 32 : $0 }, as: UTF8.self)
            return line.contains(text) ? "\(process): \(line)" : nil
        }
    }

    private func waitUntil(_ condition: () throws -> Bool) rethrows -> Bool {
        let deadline = Date(timeIntervalSinceNow: 20)
        while Date() < deadline {
            if try condition() { return true }
            usleep(50_000)
        }
        return false
    }

    @Test func aDisplaysCommandsEndWithADeviceThatIsKilled() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        // A name that no other process has: the folder's.
        let mark = runner.path("mark")
        let command = "sh -c 'sleep 300; : \(mark) inner' | sh -c 'sleep 300; : \(mark) outer'"
        try runner.start(
            "srup-device", ["show", String(repeating: "ab", count: 16), "--present", "command:\(command)"], as: "show")
        #expect(waitUntil { running("mark inner").count > 0 && running("mark outer").count > 0 })
        runner.kill9("show")
        #expect(waitUntil { running(mark).isEmpty }, "\(running(mark))")
    }

    @Test func nothingThatAWitnessStartedOutlivesAKeeperThatIsKilled() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(ObservedJoinTests.policies)
        // A stand-in for the Pi's program, which starts another.
        let mark = runner.path("mark")
        try runner.write(
            "#!/bin/sh\nsh -c 'sleep 300; : \(mark) child' &\nwhile head -c 1382400 /dev/zero; do sleep 0.1; done\n: \(mark)\n",
            to: "rpicam-vid")
        chmod(runner.path("rpicam-vid"), 0o755)
        try loopback.registerObserver("observer", camera: "rpicam", settings: LoopbackNetwork.quick)
        try loopback.trust("observer")
        let events = EventFollower.file("observer", on: runner)
        try runner.start(
            "env",
            [
                "PATH=\(runner.folder):/usr/bin:/bin", ChildProcess.sibling("srup-observer"), "run", "--config",
                runner.path("observer.toml"), "--events", events,
            ], as: "observer")
        try loopback.events.wait(for: "observer", ["joined"], within: 30)
        let keeper = try #require(runner.processIdentifier("observer"))
        let witness = try #require(Self.children(of: keeper).first)
        try loopback.registerDevice("device", type: "sensor")
        try loopback.startDevice("device", [])
        #expect(waitUntil { running("mark child").count > 0 }, "\(runner.tail(of: "observer"))")
        runner.kill9("observer")
        #expect(
            waitUntil { running("\(mark) child").isEmpty && running(runner.path("rpicam-vid")).isEmpty },
            "\(running(mark))")
        #expect(waitUntil { kill(witness, 0) != 0 })
    }

    static func children(of process: Int32) -> [Int32] {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
        return threads.flatMap { thread in
            let text = try? String(contentsOfFile: "/proc/\(process)/task/\(thread)/children", encoding: .utf8)
            return (text ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }
}
