import Foundation
import Glibc
import Linux
import Logging
import TestProcesses
import Synchronization
import Testing
import WitnessLink

/// Witnesses as the service manager starts them: by a connection to their socket.
@Suite struct ServiceManagerTests {
    @Test(arguments: [
        [], ["camera", "--device", "auto"], ["--device", "folder:/a b/100 %/\n"], ["%20", "%", "%zz", "ü"],
    ])
    func wordsCrossTheSocketAsTheyAre(_ words: [String]) throws {
        let line = WitnessCommand.use(words).description
        #expect(!line.contains("\n"))
        #expect(WitnessCommand(line) == .use(words))
    }

    @Test func whatIsNoCommandIsNone() {
        for line in ["", "user", "Wake", "use\(String(repeating: " x", count: 400))"] {
            #expect(WitnessCommand(line) == nil)
        }
    }

    /// systemd's own test driver for socket activation starts the real witness; the keeper's end is the real one, too.
    @Test(
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-socket-activate"),
            "systemd-socket-activate is not there"))
    func aWitnessStartedBySocketLooksAtPictures() async throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let value = String(repeating: "5a", count: 16)
        try FileManager.default.createDirectory(atPath: runner.path("two words"), withIntermediateDirectories: true)
        try runner.must("qrencode", ["-s", "4", "-o", runner.path("two words/a.png"), value], as: "draw")
        let path = runner.path("camera.sock")
        try runner.start(
            "/usr/bin/systemd-socket-activate",
            ["-l", path, ProgramRunner.ownFolder + "/srup-witness", "serve", "camera"],
            as: "activate")
        let seen = Mutex(false)
        let witness = WitnessProcess(
            name: "camera", origin: .socket(path),
            arguments: ["camera", "--device", "folder:" + runner.path("two words"), "--size", "640x480"],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { event in
            if case .seen(let bytes, _) = event, bytes == [UInt8](repeating: 0x5A, count: 16) {
                seen.withLock { $0 = true }
            }
        }
        let task = Task { try await witness.run() }
        witness.wake()
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline, !seen.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(20)) }
        #expect(seen.withLock { $0 })
        task.cancel()
        _ = await task.result
    }

    @Test func aSocketThatIsNotThereIsTold() async throws {
        // A path has at most 107 bytes.
        let absent = "/tmp/absent-\(UUID().uuidString)"
        let told = Mutex("")
        let witness = WitnessProcess(
            name: "camera", origin: .socket(absent + "/camera.sock"), arguments: [],
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ) { event in
            if case .lost(let why) = event { told.withLock { $0 = why } }
        }
        let task = Task { try await witness.run() }
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline, told.withLock({ $0.isEmpty }) {
            try await Task.sleep(for: .milliseconds(20))
        }
        #expect(told.withLock { $0 }.contains(absent + "/camera.sock"))
        task.cancel()
        _ = await task.result
    }

    /// What the keeper says to systemd: ready once, then a sign of life for as long as it works.
    @Test func theServiceManagerIsToldThatWeLive() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/srup-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array((folder + "/notify").utf8)) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
        setenv("NOTIFY_SOCKET", folder + "/notify", 1)
        setenv("WATCHDOG_USEC", "3000000", 1)
        defer {
            unsetenv("NOTIFY_SOCKET")
            unsetenv("WATCHDOG_USEC")
        }
        ServiceManager.ready()
        ServiceManager.status("two\nlines")
        #expect(ServiceManager.heartbeat == .milliseconds(1500))
        for expected in ["READY=1", "STATUS=two lines"] {
            var bytes = [UInt8](repeating: 0, count: 200)
            let count = recv(descriptor, &bytes, bytes.count, SocketFlags.dontWait)
            #expect(String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self) == expected)
        }
    }
}
