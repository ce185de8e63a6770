import Foundation
import TestProcesses

/// The server side under load: key service, broker and C2 server of one folder of programs, each with its disk syncs counted.
final class Programs {
    /// "before" and "after", or the only one.
    let name: String
    let runner: ProgramRunner
    let loopback: LoopbackNetwork
    private let counter: String
    private let arguments: [String]
    /// Where the server side keeps its stores; `nil`: in files.
    private let database: PostgresServer?

    static let roles = ["c2", "broker", "key-service"]

    /// - Parameters:
    ///   - limits: lines of `[limits]` in c2.toml.
    ///   - counter: the library that counts syncs.
    ///   - isOnDatabase: whether a PostgreSQL server of its own keeps the stores; its syncs are not counted.
    ///   - arguments: more of "srup-c2 run".
    init(
        _ name: String, folder: String, counter: String, limits: [String: Int], isOnDatabase: Bool = false,
        arguments: [String] = []
    ) throws {
        self.name = name
        self.counter = counter
        runner = try ProgramRunner(binaries: folder)
        loopback = try LoopbackNetwork(runner)
        database = isOnDatabase ? try PostgresServer() : nil
        loopback.database = try database?.makeDatabase()
        self.arguments = ["--policy", "load=simple"] + arguments
        try loopback.prepare()
        try set(limits)
        try start("key-service")
        try start("broker")
        try start("c2")
        for role in Self.roles where !FileManager.default.fileExists(atPath: counts(role)) {
            throw ProgramRunner.Failure(
                description: "\(role) did not load \(counter): its waits for the disk would not be counted")
        }
        guard isOnDatabase || (usage()["c2"]?.commits ?? 0) > 0 else {
            throw ProgramRunner.Failure(
                description:
                    "none of the C2 server's commits were counted: does srup-c2 link SQLite itself, or for another C library?"
            )
        }
    }

    private func counts(_ role: String) -> String { runner.path("\(role).counts") }

    private func set(_ limits: [String: Int]) throws {
        var lines = try String(contentsOfFile: runner.path("c2/c2.toml"), encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false
        ).map(String.init)
        guard let start = lines.firstIndex(where: { $0.hasPrefix("[limits]") }) else {
            throw ProgramRunner.Failure(description: "c2.toml has no [limits]")
        }
        for (key, value) in limits {
            let line = "\(key) = \(value)"
            if let index = lines[start...].firstIndex(where: { $0.hasPrefix("\(key) ") }) {
                lines[index] = line
            } else {
                lines.insert(line, at: start + 1)
            }
        }
        try runner.write(lines.joined(separator: "\n"), to: "c2/c2.toml")
        chmod(runner.path("c2/c2.toml"), 0o600)
    }

    /// Starts a program and waits until it listens, or until it says that it is connected.
    private func start(_ role: String) throws {
        try launch(role)
        let (isReady, deadline) = (readiness(role), EventFollower.clock() + 120)
        while !isReady() {
            guard runner.isRunning(role), EventFollower.clock() < deadline else {
                throw ProgramRunner.Failure(
                    description: "\(role) does not start; its log ends:\n\(runner.tail(of: role))")
            }
            usleep(5_000)
        }
    }

    private static let database = "database"

    /// What can be killed now.
    var killable: [String] {
        Self.roles.filter(runner.isRunning) + (database?.isRunning == true ? [Self.database] : [])
    }

    /// As a crash.
    func kill(_ role: String) {
        if role == Self.database { database?.crash() } else { runner.kill9(role) }
    }

    func isRunning(_ role: String) -> Bool {
        role == Self.database ? database?.isRunning == true : runner.isRunning(role)
    }

    /// Starts a program.
    func launch(_ role: String) throws {
        if role == Self.database {
            try database?.start()
            return
        }
        let folder = ["--folder", runner.path("c2")]
        switch role {
        case "key-service": try launch("srup-c2", ["key-service"] + folder, as: role)
        case "broker": try launch("mosquitto", ["-c", runner.path("c2/mosquitto.conf")], as: role)
        default:
            try launch(
                "srup-c2", ["run"] + folder + ["--events", EventFollower.file("c2", on: runner)] + arguments, as: role)
        }
    }

    /// Ends a program as a service manager does.
    func stop(_ role: String) { _ = runner.end(role, SIGTERM) }

    /// Whether a program that was just started listens, or is connected.
    func readiness(_ role: String) -> () -> Bool {
        if role == Self.database { return { self.database?.isRunning == true } }
        if role == "c2" {
            _ = loopback.events.news()
            return { self.loopback.events.news().contains { $0.who == "c2" && $0.name == "connected" } }
        }
        let port = role == "broker" ? loopback.brokerPort : loopback.keyServicePort
        return { ProgramRunner.accepts(port: port) }
    }

    private func launch(_ program: String, _ arguments: [String], as role: String) throws {
        let ours = runner.binaries + "/" + program
        let path = FileManager.default.isExecutableFile(atPath: ours) ? ours : program
        try runner.start(
            "env",
            [
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LD_PRELOAD=\(counter)",
                "SRUP_SYNC_COUNTS=\(counts(role))",
                path,
            ] + arguments, as: role)
    }

    /// What all three have used so far, by their roles.
    func usage() -> [String: Usage] {
        var all: [String: Usage] = [:]
        for role in Self.roles {
            all[role] = Usage(process: runner.processIdentifier(role), counts: counts(role))
        }
        return all
    }

    func memory() -> [String: Memory] {
        var all: [String: Memory] = [:]
        for role in Self.roles { all[role] = runner.processIdentifier(role).flatMap { Memory(process: $0) } }
        return all
    }
}

/// What a program has used since it was started.
struct Usage: Codable {
    /// User and system time, in seconds.
    var cpu = 0.0
    var fsyncs = 0.0
    var fdatasyncs = 0.0
    var commits = 0.0
    /// Bytes that it has sent to the disk.
    var written = 0.0

    init() {}

    /// - Parameters:
    ///   - process: `nil`: this one.
    ///   - counts: SyncCounter's file.
    init(process: Int32?, counts: String? = nil) {
        let folder = "/proc/" + (process.map { "\($0)" } ?? "self")
        let stat = (try? String(contentsOfFile: folder + "/stat", encoding: .utf8)) ?? ""
        // After the name, which may have blanks: the state is the third field, user and system time the 14th and 15th (proc(5)).
        let fields = stat.drop { $0 != ")" }.split(separator: " ")
        if fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) {
            cpu = (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
        let io = (try? String(contentsOfFile: folder + "/io", encoding: .utf8)) ?? ""
        for line in io.split(separator: "\n") where line.hasPrefix("write_bytes: ") {
            written = Double(line.dropFirst("write_bytes: ".count)) ?? 0
        }
        guard let counts, let data = FileManager.default.contents(atPath: counts), data.count >= 24 else { return }
        let values = (0..<3).map { index in
            Double(data.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self) })
        }
        (fsyncs, fdatasyncs, commits) = (values[0], values[1], values[2])
    }

    static func - (later: Usage, earlier: Usage) -> Usage {
        var difference = Usage()
        difference.cpu = later.cpu - earlier.cpu
        difference.fsyncs = later.fsyncs - earlier.fsyncs
        difference.fdatasyncs = later.fdatasyncs - earlier.fdatasyncs
        difference.commits = later.commits - earlier.commits
        difference.written = later.written - earlier.written
        return difference
    }

    static func + (one: Usage, other: Usage) -> Usage { one - (Usage() - other) }

    var syncs: Double { fsyncs + fdatasyncs }
}

/// A program's memory now, in MiB.
struct Memory: Codable {
    var resident = 0.0
    var highest = 0.0
    /// What it shares with others, divided among them.
    var proportional = 0.0

    init?(process: Int32) {
        func values(_ file: String) -> [Substring: Double] {
            let text = (try? String(contentsOfFile: "/proc/\(process)/\(file)", encoding: .utf8)) ?? ""
            var found: [Substring: Double] = [:]
            for line in text.split(separator: "\n") {
                let words = line.split { $0 == " " || $0 == "\t" }
                if words.count == 3, words[2] == "kB", let value = Double(words[1]) {
                    found[words[0].dropLast()] = value / 1024
                }
            }
            return found
        }
        let status = values("status")
        guard let resident = status["VmRSS"] else { return nil }
        self.resident = resident
        highest = status["VmHWM"] ?? 0
        proportional = values("smaps_rollup")["Pss"] ?? 0
    }
}
