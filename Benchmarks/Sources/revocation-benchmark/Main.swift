import Foundation
import TestProcesses

/// A hundred devices at a real Mosquitto, one of which is taken out while it says something ten times a second, again and
/// again: when the broker accepts its last message, and whether the others notice.
@main
struct RevocationBenchmark {
    static func main() throws {
        guard CommandLine.arguments.count >= 2 else {
            print("usage: revocation-benchmark FOLDER-WITH-THE-PROGRAMS [ROUNDS] [OTHERS]")
            exit(2)
        }
        func number(_ index: Int, _ otherwise: Int) -> Int {
            CommandLine.arguments.count > index ? Int(CommandLine.arguments[index]) ?? otherwise : otherwise
        }
        let runner = try ProgramRunner(binaries: CommandLine.arguments[1])
        defer { runner.close() }
        do {
            try Benchmark(runner, rounds: number(2, 50), others: number(3, 99)).run()
        } catch {
            print("error: \(error)")
            runner.close()
            exit(1)
        }
    }
}

struct Benchmark {
    let runner: ProgramRunner
    let loopback: LoopbackNetwork
    let rounds: Int
    let others: Int

    init(_ runner: ProgramRunner, rounds: Int, others: Int) throws {
        self.runner = runner
        self.rounds = rounds
        self.others = others
        loopback = try LoopbackNetwork(runner)
    }

    func run() throws {
        try loopback.prepare()
        try loopback.startKeyService()
        try loopback.startKeptBroker()
        try loopback.startC2(["--policy", "lamp=simple"])
        try runner.start(
            "mosquitto_sub",
            credentials(loopback.monitor) + ["-q", "1", "-t", "SRUP/#", "-F", "%U %t"], as: "ears")
        for number in 0..<others {
            let name = "lamp-\(number)"
            try loopback.registerDevice(name, type: "lamp")
            try runner.start(
                "mosquitto_sub", credentials(runner.path(name)) + ["-q", "1", "-t", topic(name)], as: name)
        }
        var (last, closed): ([Double], [Double]) = ([], [])
        for number in 0..<rounds {
            let (message, connection) = try takeOut("victim-\(number)")
            last.append(message)
            closed.append(connection)
        }
        let disturbed = try disturbances()
        report("last accepted message after the decision", last)
        report("connection closed after the decision, as the audit says", closed)
        print("the \(others) others: \(disturbed) connections lost or made anew")
    }

    private func credentials(_ folder: String) -> [String] {
        [
            "-h", "localhost", "-p", "\(loopback.brokerPort)", "--cafile", folder + "/ca.pem", "--cert",
            folder + "/certificate.pem", "--key", folder + "/access.pem",
        ]
    }

    private func topic(_ name: String) -> String { "SRUP/\(loopback.identities[name] ?? "")" }

    /// - Returns: milliseconds from the decision to its last message, and to what the audit says.
    private func takeOut(_ name: String) throws -> (message: Double, connection: Double) {
        try loopback.registerDevice(name, type: "lamp")
        let id = loopback.identities[name] ?? ""
        // Not one of the project's programs: it does nothing of what it is told, and comes back as soon as it can.
        let options = credentials(runner.path(name)).map { "'\($0)'" }.joined(separator: " ")
        try runner.start(
            "bash",
            [
                "-c",
                """
                while :; do
                    (while echo x; do sleep 0.1; done) | mosquitto_pub \(options) -q 1 -t \(topic(name)) -l
                    sleep 0.1
                done
                """,
            ], as: name)
        try wait(for: "the first messages of \(name)") { heard(topic(name)).count >= 5 }
        // Decisions come at any moment between two messages.
        usleep(UInt32.random(in: 0..<100_000))
        try runner.must("srup-c2", ["deregister", "--folder", runner.path("c2"), id], as: "deregister")
        Thread.sleep(forTimeInterval: 1.5)
        try runner.must("srup-c2", ["ended", "--json", "--folder", runner.path("c2")], as: "ended")
        struct Line: Decodable {
            let identity: String
            let since: Double
            let closed: Double?
        }
        let lines = try text("ended").split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
        guard let line = lines.first(where: { $0.identity == id }), let closed = line.closed,
            let last = heard(topic(name)).last
        else { throw ProgramRunner.Failure(description: "\(name) has not ended") }
        runner.stop(name)
        return (max(0, (last - line.since) * 1000), (closed - line.since) * 1000)
    }

    private func text(_ role: String) throws -> String {
        try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)
    }

    /// When the broker has passed on what was said there, in seconds since 1970.
    private func heard(_ topic: String) -> [Double] {
        ((try? text("ears")) ?? "").split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            return words.count == 2 && words[1] == topic ? Double(words[0]) : nil
        }
    }

    /// From the broker's log: each of the others has connected once, and nothing else.
    private func disturbances() throws -> Int {
        let lines = try text("broker").split(separator: "\n")
        return (0..<others).reduce(0) { count, number in
            let id = loopback.identities["lamp-\(number)"] ?? ""
            let connected = lines.count { $0.contains("New client connected") && $0.contains(" as \(id) ") }
            let lost = lines.count { $0.contains("Client \(id) ") }
            return count + abs(connected - 1) + lost
        }
    }

    private func wait(for what: String, _ condition: () -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: 60)
        while !condition() {
            guard Date() < deadline else { throw ProgramRunner.Failure(description: "waited for \(what)") }
            usleep(10_000)
        }
    }

    private func report(_ what: String, _ values: [Double]) {
        let sorted = values.sorted()
        guard let worst = sorted.last else { return }
        print(
            String(
                format: "%@, %d times: median %.0f ms, 90 %% %.0f ms, worst %.0f ms", what, sorted.count,
                sorted[sorted.count / 2], sorted[sorted.count * 9 / 10], worst))
    }
}
