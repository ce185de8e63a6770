import Foundation
import Glibc
import Linux
import Testing

/// Children are given what was said and nothing else, and do not outlive what they were started for.
@Suite struct ChildProcessTests {
    /// Runs a line of shell to its end; how it ended, and what it has written.
    private func shell(
        _ script: String, environment: [String: String]? = nil, descriptors: [Int32: Int32] = [:]
    ) throws -> (end: ChildProcess.End?, output: String) {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let process = try ChildProcess.start(
            "/bin/sh", ["-c", script], environment: environment,
            descriptors: descriptors.merging([1: ends[1]]) { first, _ in first })
        close(ends[1])
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = bytes.withUnsafeMutableBytes { readAll(into: $0, from: ends[0]) }
        return (
            ChildProcess.wait(process, until: .now + .seconds(60)),
            String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
        )
    }

    private func wait(_ condition: () -> Bool) -> Bool {
        let deadline = ContinuousClock.now + .seconds(60)
        while !condition() {
            guard ContinuousClock.now < deadline else { return false }
            usleep(5000)
        }
        return true
    }

    /// Whether a process is there and has not ended.
    private func lives(_ process: pid_t) -> Bool {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return false }
        let state = text[text.index(end, offsetBy: 2)]
        return state != "Z" && state != "X"
    }

    // MARK: What it is given

    @Test func argumentsArriveAsTheyAre() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        let odd = ["", " a  b ", "*", "$(id)", "-x", "ü\u{1F600}", "a\nb", "'\""]
        let process = try ChildProcess.start(
            "/bin/sh", ["-c", #"for one in "$@"; do printf '%s|' "$one"; done"#, "sh"] + odd,
            descriptors: [1: ends[1]])
        close(ends[1])
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = bytes.withUnsafeMutableBytes { readAll(into: $0, from: ends[0]) }
        #expect(String(decoding: bytes.prefix(count), as: UTF8.self) == odd.map { $0 + "|" }.joined())
        #expect(ChildProcess.wait(process, until: .now + .seconds(60)) == .exited(0))
    }

    @Test func theEnvironmentIsOursOrTheOneThatWasGivenAlone() throws {
        setenv("SRUP_CHILD_TEST", "inherited", 1)
        defer { unsetenv("SRUP_CHILD_TEST") }
        #expect(try shell("echo $SRUP_CHILD_TEST").output == "inherited\n")
        let given = try shell("env", environment: ["ONLY": "this one = and that"]).output.split(separator: "\n")
        #expect(given.contains("ONLY=this one = and that"))
        #expect(!given.contains { $0.hasPrefix("SRUP_CHILD_TEST=") || $0.hasPrefix("HOME=") })
    }

    @Test func noDescriptorComesAlongThatWasNotNamed() throws {
        // Open without close-on-exec, as a library might have it.
        let leak = open("/dev/null", O_RDONLY)
        defer { close(leak) }
        _ = fcntl(leak, F_SETFD, 0)
        let listed = try shell("for f in /proc/self/fd/*; do readlink $f >/dev/null && echo ${f##*/}; done").output
        #expect(listed.split(separator: "\n").allSatisfy { (Int($0) ?? 99) <= 2 }, "\(listed)")
        // One that was named is there under its number, and what lies between goes.
        let named = try shell("readlink /proc/self/fd/7; test -e /proc/$$/fd/5 || echo gap", descriptors: [7: leak])
        #expect(named.output == "/dev/null\ngap\n")
    }

    @Test func aDescriptorThatKeepsItsNumberIsOpenThere() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        // Its own number, and to be closed on exec: dup2 alone would leave it so.
        let own = ends[1]
        _ = fcntl(own, F_SETFD, FD_CLOEXEC)
        // A shell's own redirections know numbers below 10 alone.
        #expect(try shell("echo kept >/proc/self/fd/\(own)", descriptors: [own: own]).end == .exited(0))
        close(own)
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = bytes.withUnsafeMutableBytes { readAll(into: $0, from: ends[0]) }
        close(ends[0])
        #expect(String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self) == "kept\n")
    }

    @Test func signalsAreUnblockedAndNotIgnored() throws {
        let before = signal(SIGUSR2, SIG_IGN)
        defer { signal(SIGUSR2, before) }
        var one = sigset_t()
        sigemptyset(&one)
        sigaddset(&one, SIGTERM)
        var old = sigset_t()
        pthread_sigmask(SIG_BLOCK, &one, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
        let status = try shell("grep -E '^Sig(Blk|Ign)' /proc/self/status").output
        let masks = status.split(separator: "\n").map {
            $0.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) }
        }
        // 32 and 33 are the C library's own: nobody else can set them, and whoever has started the tests may have left one so.
        let ours = masks.map { $0.map { $0 & ~(3 << 31) } }
        #expect(ours == [0, 0], "\(status)")
    }

    @Test func aGroupOfItsOwnKeepsTheTerminalsSignalsAway() throws {
        for (isOwn, own) in [(true, false), (false, true)] {
            let process = try ChildProcess.start("/bin/sleep", ["600"], ownGroup: isOwn)
            #expect(wait { (getpgid(process) == getpgrp()) == own })
            kill(process, SIGKILL)
            #expect(ChildProcess.wait(process, until: .now + .seconds(60)) == .killed(signal: SIGKILL))
        }
    }

    // MARK: What cannot be started

    @Test func whyAProgramCannotBeStartedIsSaidAndNothingIsLeftBehind() throws {
        let folder = NSTemporaryDirectory() + "child-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try "#!/bin/sh\n".write(toFile: folder + "/text", atomically: false, encoding: .utf8)
        try Data([0x7F, 0x45, 0x4C, 0x46]).write(to: URL(fileURLWithPath: folder + "/stub"))
        chmod(folder + "/stub", 0o755)
        for (path, why) in [
            ("/absent", ENOENT), ("/text", EACCES), ("", EACCES), ("/text/below", ENOTDIR), ("/stub", ENOEXEC),
        ] {
            let error = #expect(throws: ChildProcess.Failure.self) { try ChildProcess.start(folder + path, []) }
            #expect(error?.description == "\(folder + path) cannot be started: \(String(cString: strerror(why)))")
        }
        let error = #expect(throws: ChildProcess.Failure.self) {
            try ChildProcess.start("/bin/true", [], descriptors: [0: 99_999])
        }
        #expect(error?.description.contains(String(cString: strerror(EBADF))) == true)
        // The failed ones were reaped.
        #expect(children().isEmpty || !children().contains { !lives($0) })
    }

    private func children() -> [pid_t] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }.filter {
            (try? String(contentsOfFile: "/proc/\($0)/status", encoding: .utf8))?
                .contains("\nPPid:\t\(getpid())\n") == true
        }
    }

    // MARK: How it ends

    @Test(arguments: [(0, "exited with code 0"), (1, "exited with code 1"), (255, "exited with code 255")])
    func anExitCodeIsTold(_ code: Int32, _ words: String) throws {
        let end = try shell("exit \(code)").end
        #expect(end == .exited(code))
        #expect(end?.description.contains(words) == true)
    }

    @Test func aSignalIsToldWithItsName() throws {
        let end = try shell("kill -SEGV $$").end
        #expect(end == .killed(signal: SIGSEGV))
        #expect(end?.description == "it was ended by signal 11 (Segmentation fault)")
    }

    @Test func lookingAtAnEndDoesNotTakeIt() throws {
        let process = try ChildProcess.start("/bin/sh", ["-c", "exit 7"])
        #expect(wait { ChildProcess.ended(process) != nil })
        #expect(ChildProcess.ended(process) == .exited(7) && ChildProcess.ended(process) == .exited(7))
        #expect(ChildProcess.reap(process) == .exited(7))
        let killed = try ChildProcess.start("/bin/sleep", ["600"])
        #expect(ChildProcess.ended(killed) == nil && ChildProcess.reap(killed) == nil)
        kill(killed, SIGINT)
        #expect(wait { ChildProcess.ended(killed) == .killed(signal: SIGINT) })
        #expect(ChildProcess.reap(killed) == .killed(signal: SIGINT))
    }

    @Test func whoIsTooLateIsKilledAndReaped() throws {
        let process = try ChildProcess.start("/bin/sh", ["-c", "trap '' TERM; while :; do sleep 1; done"])
        #expect(ChildProcess.wait(process, until: .now + .milliseconds(100)) == nil)
        #expect(waitpid(process, nil, Int32(WNOHANG)) < 0 && errno == ECHILD)
    }

    @Test func withItsGroupGoesWhatItHasStarted() throws {
        for isByWait in [true, false] {
            let file = NSTemporaryDirectory() + "grandchild-\(UUID().uuidString)"
            defer { unlink(file) }
            let process = try ChildProcess.start(
                "/bin/sh", ["-c", "sleep 600 & echo $! > \(file).part; mv \(file).part \(file); wait"])
            #expect(wait { FileManager.default.fileExists(atPath: file) })
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let grandchild = try #require(pid_t(text.filter(\.isNumber)))
            #expect(lives(grandchild))
            if isByWait {
                #expect(ChildProcess.wait(process, until: .now, killsGroup: true) == nil)
            } else {
                ChildProcess.end(process)
            }
            #expect(wait { !lives(grandchild) })
            #expect(waitpid(process, nil, Int32(WNOHANG)) < 0)
        }
    }

    /// Two generations: a program of ours starts another one, and is killed without a chance to say anything.
    @Test func aChildEndsWithItsParentHoweverThatEnds() throws {
        let file = NSTemporaryDirectory() + "lamp-\(UUID().uuidString).sock"
        defer { unlink(file) }
        // The demo, the tests and the broker's keeper rest on it; here with a thread that goes after it has started it.
        let process = try ChildProcess.start("/bin/sleep", ["600"], lastSignal: SIGTERM)
        let thread = DispatchSemaphore(value: 0)
        DetachedThread.start { thread.signal() }
        thread.wait()
        usleep(50_000)
        // A pool's thread that ends is no parent that ends.
        #expect(lives(process))
        kill(process, SIGKILL)
        _ = ChildProcess.wait(process, until: .now + .seconds(60))
    }

    @Test func childrenMayBeStartedFromManyThreadsAtOnce() async throws {
        let ends = try await withThrowingTaskGroup(of: ChildProcess.End?.self) { group in
            for code in 0..<24 {
                group.addTask {
                    let process = try ChildProcess.start("/bin/sh", ["-c", "exit \(code)"])
                    return await DetachedThread.value { ChildProcess.wait(process, until: .now + .seconds(60)) }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let codes = ends.compactMap { end -> Int32? in
            if case .exited(let code) = end { code } else { nil }
        }
        #expect(codes.sorted() == Array(0..<24))
    }

    @Test func ourOwnFileAndItsNeighbourAreKnown() {
        #expect(ChildProcess.executable.hasPrefix("/") && access(ChildProcess.executable, X_OK) == 0)
        #expect(ChildProcess.sibling("srup-witness").hasSuffix("/srup-witness"))
        #expect(access(ChildProcess.sibling("srup-witness"), X_OK) == 0)
    }
}

/// Waits that others end, and threads for what blocks.
@Suite struct WakeUpTests {
    @Test func aSignalBeforeTheWaitEndsItAtOnceAndOnlyOnce() {
        let wakeUp = WakeUp()
        wakeUp.signal()
        wakeUp.signal()
        #expect(wakeUp.wait(atMost: nil))
        // Two signals are one.
        #expect(!wakeUp.wait(atMost: .milliseconds(10)))
    }

    @Test func withoutASignalTheTimeIsWaitedFor() {
        let begin = ContinuousClock.now
        #expect(!WakeUp().wait(atMost: .milliseconds(60)))
        #expect(ContinuousClock.now - begin >= .milliseconds(60))
        #expect(!WakeUp().wait(atMost: .zero) && !WakeUp().wait(atMost: .seconds(-5)))
    }

    @Test func aSignalFromAnotherThreadEndsTheWaitThatIsUnderWay() async {
        let wakeUp = WakeUp()
        DetachedThread.start {
            usleep(30_000)
            wakeUp.signal()
        }
        #expect(await DetachedThread.value { wakeUp.wait(atMost: .seconds(600)) })
    }

    @Test func aCancelledTaskStillWaitsForItsLastMoments() async {
        final class Flag: @unchecked Sendable {
            // Set once, by one thread; read by another, which may see it late.
            nonisolated(unsafe) var isUp = false
        }
        let flag = Flag()
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            DetachedThread.start {
                usleep(50_000)
                flag.isUp = true
            }
            await waitEvenIfCancelled(atMost: .seconds(60)) { flag.isUp }
            return flag.isUp
        }
        task.cancel()
        #expect(await task.value)
        // And no longer than it is to.
        let begin = ContinuousClock.now
        await waitEvenIfCancelled(atMost: .milliseconds(50)) { false }
        #expect(ContinuousClock.now - begin >= .milliseconds(50))
    }

    @Test func aPathThatNoAddressHoldsIsAnErrorAndNothingIsCalled() {
        var isCalled = false
        let code = UnixAddress.with("/" + String(repeating: "x", count: 107)) { _, _ in
            isCalled = true
            return 0
        }
        #expect(code == -1 && errno == ENAMETOOLONG && !isCalled)
        #expect(UnixAddress.with("/" + String(repeating: "x", count: 106)) { _, _ in 5 } == 5)
        // In the abstract name space the length is a part of the name.
        #expect(UnixAddress.with([0] + Array("name".utf8)) { _, length in Int32(length) } == 7)
    }
}
