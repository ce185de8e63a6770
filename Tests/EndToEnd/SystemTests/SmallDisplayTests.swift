import CLinux
import DisplaySimulator
import Foundation
import Glibc
import TestProcesses
import Testing

/// Devices and observers whose only display is a small one behind I2C: a person reads the words off it and lets them in.
@Suite(.serialized) struct SmallDisplayTests {
    private func bus(_ height: Int) throws -> SimulatedBus {
        // A socket's path is short.
        try SimulatedBus(path: "/tmp/srup-oled-\(UUID().uuidString.prefix(8))", height: height)
    }

    /// The words that a person has read so far, looking at the display again and again.
    private func read(_ bus: SimulatedBus, within seconds: Double = 60) throws -> [Int: String] {
        var words: [Int: String] = [:]
        try wait("eleven words on the display", within: seconds) {
            for line in bus.panel.lines() {
                for pair in stride(from: 0, to: line.count - 1, by: 2) {
                    if let number = Int(line[pair]) { words[number] = line[pair + 1] }
                }
            }
            return words.count == 11
        }
        return words
    }

    private func wait(_ what: String, within seconds: Double = 90, _ condition: () throws -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while Date() < deadline {
            if try condition() { return }
            usleep(100_000)
        }
        throw ProgramRunner.Failure(description: "waited in vain: \(what)")
    }

    private func log(_ runner: ProgramRunner, _ role: String) -> String {
        (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
    }

    private func approve(_ id: String, _ words: [Int: String], _ runner: ProgramRunner) throws {
        struct Waiting: Decodable {
            let device: String
            let question: [Int]
        }
        let folder = ["--folder", runner.path("c2")]
        try runner.must("srup-c2", ["waiting", "--json"] + folder, as: "waiting")
        let waiting = try JSONDecoder().decode(Waiting.self, from: Data(log(runner, "waiting").utf8))
        #expect(waiting.device == id)
        let letters = waiting.question.map { String((words[$0] ?? "").prefix(3)) }
        try runner.must("srup-c2", ["approve", id, "--words"] + letters + folder, as: "approve")
    }

    private func environment(_ bus: SimulatedBus) -> [String] {
        ["LD_PRELOAD=\(ProgramRunner.ownFolder)/libI2CShim.so", "SRUP_I2C_SOCKET=\(bus.path)", "SRUP_I2C_CHIP=0x3C"]
    }

    /// The lower display has the words on two pages; its cable is pulled out and put in again meanwhile.
    @Test func aDeviceIsLetInByTheWordsOnItsSmallDisplay() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(["--policy", "panel=human"])
        try loopback.registerDevice("panel", type: "panel")
        let bus = try bus(32)
        let begin = EventFollower.clock()
        try runner.start(
            "/usr/bin/env",
            environment(bus) + [
                "\(ProgramRunner.ownFolder)/srup-device", "run", "--state", runner.path("panel"), "--events",
                EventFollower.file("panel", on: runner), "--present", "words:oled:128x32",
            ], as: "panel")
        try loopback.events.wait(for: "panel", ["showing"], since: begin, within: 90)
        let words = try read(bus)
        bus.unplug()
        usleep(300_000)
        bus.plugIn()
        #expect(bus.panel.isDark)
        #expect(try read(bus) == words)
        #expect(bus.panel.mistakes == 0)
        try approve(try #require(loopback.identities["panel"]), words, runner)
        try loopback.events.wait(for: "panel", ["joined"], since: begin, within: 90)
        try wait("it is taken down") { bus.panel.isDark && bus.panel.isEmpty }
    }

    @Test func anObserverWithoutAScreenIsLetInByTheWordsOnItsSmallDisplay() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer([])
        var name = [CChar](repeating: 0, count: 128)
        let console = srup_openpt(&name, name.count)
        #expect(console >= 0)
        defer { close(console) }
        let path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // Held open, so that what is written to it stays to be read.
        let other = open(path, O_RDWR | O_NOCTTY)
        defer { close(other) }
        let settings = LoopbackNetwork.quick + "\n[signal]\nled = \"none\"\ndisplay = \"oled\"\nconsole = \"\(path)\"\n"
        try loopback.registerObserver("observer", camera: "folder:\(runner.folder)", settings: settings)
        let bus = try bus(64)
        let begin = EventFollower.clock()
        // Before the keeper runs: it waits for it.
        try runner.start(
            "/usr/bin/env",
            environment(bus) + [
                "\(ProgramRunner.ownFolder)/srup-observer", "signal", "--config", runner.path("observer.toml"),
            ], as: "signal")
        try wait("the display is dark") { bus.panel.isDark && bus.panel.isEmpty }
        try loopback.startObserver("observer")
        let words = try read(bus, within: 90)
        // The same as on the console and in the status.
        var shown = ""
        try wait("the words on the console") {
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = Glibc.read(console, &bytes, bytes.count)
            if count > 0 { shown += String(decoding: bytes.prefix(count), as: UTF8.self) }
            return shown.contains("11  \(words[11] ?? "?")\r")
        }
        #expect((1...11).allSatisfy { shown.contains("\($0)  \(words[$0] ?? "?")\r") }, "\(shown)")
        _ = try runner.run("srup-observer", ["status", "--config", runner.path("observer.toml")], as: "status")
        #expect((1...11).allSatisfy { log(runner, "status").contains("\($0)  \(words[$0] ?? "?")") })
        // A keeper that is killed leaves nothing there. The next one shows another value.
        runner.kill9("observer")
        try wait("it is taken down") { bus.panel.isDark && bus.panel.isEmpty }
        try loopback.startObserver("observer")
        let others = try read(bus, within: 90)
        #expect(others != words)
        try approve(try #require(loopback.identities["observer"]), others, runner)
        try loopback.events.wait(for: "observer", ["joined"], since: begin, within: 90)
        try wait("it is taken down") { bus.panel.isDark && bus.panel.isEmpty }
        runner.stop("signal")
        #expect(!words.values.contains { log(runner, "signal").contains($0) })
    }
}
