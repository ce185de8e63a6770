import Foundation
import TestProcesses

/// From the first frame that shows the code to the RESPONSE on the wire, and what an idle observer costs: the real
/// programs, a real broker, 1280x720 frames at 30 per second.
@main
struct LatencyBenchmark {
    static func main() throws {
        guard CommandLine.arguments.count >= 2 else {
            print("usage: latency-benchmark FOLDER-WITH-THE-PROGRAMS [JOINS]")
            exit(2)
        }
        let joins = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) ?? 20 : 20
        let runner = try ProgramRunner(binaries: CommandLine.arguments[1])
        defer { runner.close() }
        do {
            try measure(runner, joins)
        } catch {
            print("error: \(error)")
            runner.close()
            exit(1)
        }
    }

    static func measure(_ runner: ProgramRunner, _ joins: Int) throws {
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(["--policy", "sensor=observed"])
        let fifo = try loopback.makeCamera("camera")
        try loopback.bringObserver(camera: "fifo:\(fifo)", settings: "[observe]\ntimeout = \"30 s\"")
        try report("idle", runner, seconds: 30)
        try looking(loopback, fifo)

        try loopback.startListening()
        var latencies: [Double] = []
        for number in 1...joins {
            let begin = EventFollower.clock()
            let stamps = runner.path("stamps-\(number)")
            // The server asks the observer only about devices that it does not know: each join is another's.
            let name = "device-\(number)"
            try loopback.registerDevice(name, type: "sensor")
            try loopback.startScene(on: fifo, picture: loopback.picture(name), role: "scene", ["--stamp", stamps])
            try loopback.startDevice(name)
            try loopback.events.wait(for: name, ["joined"], since: begin, within: 40)
            runner.stop("scene")
            runner.stop(name)
            guard let shown = firstShown(stamps),
                let answered = try loopback.heardValid(after: realTime(shown), within: 5)
            else {
                throw ProgramRunner.Failure(description: "join \(number) left no trace")
            }
            latencies.append((answered - realTime(shown)) * 1000)
        }
        latencies.sort()
        print(
            String(
                format:
                    "first frame that shows the code to RESPONSE on the wire, %d joins: median %.1f ms, 90 %% %.1f ms, worst %.1f ms",
                joins, latencies[joins / 2], latencies[joins * 9 / 10], latencies[joins - 1]))
    }

    /// What an observer costs that looks at a scene in which nobody shows anything.
    static func looking(_ loopback: LoopbackNetwork, _ fifo: String) throws {
        let (runner, begin) = (loopback.runner, EventFollower.clock())
        try loopback.registerDevice("nobody", type: "sensor")
        try loopback.startScene(on: fifo, picture: loopback.picture("nobody"))
        // Where the camera does not look.
        try loopback.startDevice("nobody", present: "png:" + runner.path("elsewhere.png"))
        try loopback.events.wait(for: "observer", ["looking"], since: begin, within: 20)
        Thread.sleep(forTimeInterval: 5)
        try report("looking", runner, seconds: 15)
        runner.stop("scene")
        runner.stop("nobody")
        // Until it has given up, and the next joins find it idle.
        try loopback.events.wait(for: "observer", ["verdict"], since: begin, within: 60)
    }

    /// CPU time and memory of keeper and witness.
    static func report(_ what: String, _ runner: ProgramRunner, seconds: Double) throws {
        guard let keeper = runner.processIdentifier("observer") else { return }
        let children = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter {
            ((try? String(contentsOfFile: "/proc/\($0)/status", encoding: .utf8)) ?? "").contains("PPid:\t\(keeper)\n")
        }
        let processes = [keeper] + children
        let before = processes.map(cpu).reduce(0, +)
        Thread.sleep(forTimeInterval: seconds)
        let used = processes.map(cpu).reduce(0, +) - before
        let memory = processes.map { kibibytes($0, "status", "VmRSS:") / 1024 }
        // What both have mapped (the C library, OpenSSL) is there once: the proportional share says what they take.
        let share = processes.map { kibibytes($0, "smaps_rollup", "Pss:") / 1024 }.reduce(0, +)
        print(
            "\(what) "
                + String(format: "for %.0f s: %.3f %% CPU, resident ", seconds, used / seconds * 100)
                + memory.map { String(format: "%.1f", $0) }.joined(separator: " + ")
                + String(
                    format: " MiB (keeper + witness), together %.1f MiB when what they share counts once", share))
    }

    /// Seconds of processor time so far.
    static func cpu(_ process: Int32) -> Double {
        let text = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
        let fields = text.components(separatedBy: ") ").last?.split(separator: " ").map(String.init) ?? []
        guard fields.count > 12 else { return 0 }
        return ((Double(fields[11]) ?? 0) + (Double(fields[12]) ?? 0)) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// A size from a process's file in /proc.
    static func kibibytes(_ process: Int32, _ file: String, _ key: String) -> Double {
        let text = (try? String(contentsOfFile: "/proc/\(process)/\(file)", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(key) } ?? ""
        return Double(line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first ?? "") ?? 0
    }

    /// CLOCK_MONOTONIC of the first frame with a picture on the display.
    static func firstShown(_ path: String) -> Double? {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 3, words[2] == "1" { return Double(words[0]) }
        }
        return nil
    }

    static func realTime(_ monotonic: Double) -> Double {
        Date().timeIntervalSince1970 - EventFollower.clock() + monotonic
    }
}
