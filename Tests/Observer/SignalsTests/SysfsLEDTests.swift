import Foundation
import Linux
import Testing

@testable import Program
@testable import Signals

@Suite struct SysfsLEDTests {
    /// A machine's /sys with one LED, as far as this needs it: files that keep what is written.
    final class Board {
        let root = NSTemporaryDirectory() + "srup-led-\(UUID().uuidString)"
        var folder: String { root + "/sys/class/leds/ACT" }

        init(trigger: String = "none [mmc0] timer\n") throws {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try write(trigger, "trigger")
            try write("0\n", "brightness")
            try write("255\n", "max_brightness")
        }
        deinit { try? FileManager.default.removeItem(atPath: root) }
        func write(_ text: String, _ name: String) throws {
            try text.write(toFile: folder + "/" + name, atomically: false, encoding: .utf8)
        }
        /// What was written last, without what a longer text left behind in a plain file.
        func text(_ name: String) throws -> String {
            try String(contentsOfFile: folder + "/" + name, encoding: .utf8).split(separator: "\n").first.map(
                String.init) ?? ""
        }
    }

    @Test func theLEDIsTakenFromItsTriggerAndGivenBack() throws {
        let board = try Board()
        let led = try SysfsLED("ACT", root: board.root)
        #expect(try board.text("trigger").hasPrefix("none"))
        led.set(true)
        #expect(try board.text("brightness") == "255")
        led.set(false)
        #expect(try board.text("brightness") == "0")
        led.release()
        #expect(try board.text("trigger").hasPrefix("mmc0"))
    }

    @Test func aMachineWithoutLEDHasNoneByItselfAndAnErrorWhenOneIsAskedFor() throws {
        let absent = NSTemporaryDirectory() + "absent-\(UUID().uuidString)"
        #expect(try SignalAddress.auto.open(root: absent, isActiveLow: false) == nil)
        #expect(throws: SignalError.self) {
            try SignalAddress.led("ACT").open(root: absent, isActiveLow: false)
        }
    }

    @Test func aGPIOChipThatIsNotThereIsNamed() {
        let error = #expect(throws: SignalError.self) {
            try GPIOLine(chip: "no-such-chip", line: 17, isActiveLow: false)
        }
        #expect(error?.description.contains("no-such-chip") == true)
    }
}

@Suite struct SignalSocketTests {
    let path = NSTemporaryDirectory() + "srup-signal-\(UUID().uuidString.prefix(8)).sock"

    func words(_ listener: SignalListener, _ count: Int) -> [String] {
        var words: [String] = []
        for _ in 0..<50 where words.count < count && listener.isConnected { words += listener.words(within: 100) }
        return words
    }

    @Test func aListenerHearsThePresentWordAndEachChange() async throws {
        let socket = try SignalSocket(path: path, word: "fault")
        let running = Task { try await socket.run() }
        defer { running.cancel() }
        let listener = SignalListener()
        for _ in 0..<100 where !listener.isConnected { listener.connect(toAny: [path + ".absent", path]) }
        #expect(words(listener, 1) == ["fault"])
        socket.publish("waiting")
        socket.publish("waiting")
        socket.publish("VALID", passing: true)
        socket.publish("looking")
        #expect(words(listener, 3) == ["waiting", "VALID", "looking"])
        // Whoever comes later hears the state and no verdict of before.
        let late = SignalListener()
        late.connect(toAny: [path])
        #expect(words(late, 1) == ["looking"])
    }

    @Test func aListenerThatDoesNotReadIsDroppedAndHoldsNobodyUp() async throws {
        let socket = try SignalSocket(path: path, word: "waiting")
        let running = Task { try await socket.run() }
        defer { running.cancel() }
        let slow = SignalListener()
        slow.connect(toAny: [path])
        #expect(words(slow, 1) == ["waiting"])
        for number in 0..<100_000 { socket.publish(number % 2 == 0 ? "looking" : "waiting") }
        // What fitted into its buffer is read, then it finds itself alone.
        for _ in 0..<200_000 where slow.isConnected { _ = slow.words(within: 100) }
        #expect(!slow.isConnected)
    }

    @Test func idleListenersShutNobodyOut() async throws {
        let socket = try SignalSocket(path: path, word: "waiting")
        let running = Task { try await socket.run() }
        defer { running.cancel() }
        let idle = (0..<40).map { _ in SignalListener() }
        for listener in idle {
            listener.connect(toAny: [path])
            #expect(words(listener, 1) == ["waiting"])
        }
        let late = SignalListener()
        late.connect(toAny: [path])
        #expect(words(late, 1) == ["waiting"])
        socket.publish("looking")
        #expect(words(late, 1) == ["looking"])
        // The oldest have made room.
        #expect(idle.filter { words($0, 1) == ["looking"] }.count == SignalSocket.maximumListeners - 1)
    }

    @Test func aUserWithManyListenersLosesHisOwn() {
        #expect(SignalSocket.leastMissed([7, 5, 5, 6]) == 1)
        #expect(SignalSocket.leastMissed([5, 6, 7]) == 0)
        // Whoever comes anew and has the most pays for it.
        #expect(SignalSocket.leastMissed([1, 2, 3, 2, 3, 3]) == 2)
    }

    @Test func theSignalProgramFollowsTheKeeperAndGivesTheLEDBack() async throws {
        let board = try SysfsLEDTests.Board()
        let configuration = board.root + "/observer.toml"
        try "state = \"\(board.root)\"\n[signal]\nled = \"ACT\"\n".write(
            toFile: configuration, atomically: true, encoding: .utf8)
        // Beside the tests, where "swift build" has put it.
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let program = URL(fileURLWithPath: tests).deletingLastPathComponent().path + "/srup-observer"
        let process = try ChildProcess.start(
            program, ["signal", "--config", configuration, "--root", board.root, "--socket", path])
        defer { kill(process, SIGKILL) }
        // It is started first: it waits for the keeper.
        let socket = try SignalSocket(path: path, word: "looking")
        let running = Task { try await socket.run() }
        defer { running.cancel() }
        var seen: Set<String> = []
        for _ in 0..<1000 where seen.count < 2 {
            seen.insert(try board.text("brightness"))
            try await Task.sleep(for: .milliseconds(10))
        }
        #expect(seen == ["0", "255"])
        kill(process, SIGTERM)
        #expect(ChildProcess.wait(process, until: .now + .seconds(5)) == .exited(0))
        #expect(try board.text("trigger").hasPrefix("mmc0"))
    }
}
