import Foundation
import TestProcesses

/// The server side under load: key service, broker and C2 server of one folder of programs, each with its disk syncs counted; a
/// broker and a C2 server more for each further cell.
final class Programs {
    /// "before" and "after", "1 cell" and "2 cells", or the only one.
    let name: String
    let runner: ProgramRunner
    let loopback: LoopbackNetwork
    private let counter: String
    private let arguments: [String]
    /// Where the server side keeps its stores; `nil`: in files.
    private let database: PostgresServer?

    /// What is measured: of several cells the sum.
    static let roles = ["key-service", "broker", "c2"]
    /// The folders of the cells, and their brokers' ports.
    private var cells: [(folder: String, brokerPort: Int)] = []

    /// All that runs, in the order in which it is started: "key-service", "broker", "c2", "broker-cell2", "c2-cell2" …
    private var running: [String] {
        Self.roles + cells.indices.dropFirst().flatMap { ["broker-cell\($0 + 1)", "c2-cell\($0 + 1)"] }
    }

    /// What a program is, and of which cell.
    private func part(_ role: String) -> (kind: String, cell: Int) {
        let words = role.split(separator: "-cell")
        return words.count == 2 ? (String(words[0]), (Int(words[1]) ?? 1) - 1) : (role, 0)
    }

    /// The folder of the cell with a broker.
    func folder(atBroker port: Int) -> String {
        (cells.first { $0.brokerPort == port } ?? cells[0]).folder
    }

    /// - Parameters:
    ///   - limits: lines of `[limits]` in c2.toml.
    ///   - counter: the library that counts syncs.
    ///   - isOnDatabase: whether a PostgreSQL server of its own keeps the stores; its syncs are not counted.
    ///   - cells: how many; more than one need a database.
    ///   - arguments: more of "srup-c2 run".
    init(
        _ name: String, folder: String, counter: String, limits: [String: Int], isOnDatabase: Bool = false,
        cells: Int = 1, arguments: [String] = []
    ) throws {
        self.name = name
        self.counter = counter
        runner = try ProgramRunner(binaries: folder)
        loopback = try LoopbackNetwork(runner)
        database = isOnDatabase ? try PostgresServer() : nil
        loopback.database = try database?.makeDatabase()
        self.arguments = ["--policy", "load=simple"] + arguments
        try loopback.prepare()
        self.cells = [(runner.path("c2"), loopback.brokerPort)]
        for number in (1...max(1, cells)).dropFirst() { try addCell(number) }
        for cell in self.cells { try set(limits, cell.folder) }
        for role in running { try start(role) }
        for role in running where !FileManager.default.fileExists(atPath: counts(role)) {
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

    private func addCell(_ number: Int) throws {
        let (folder, port) = (runner.path("cell\(number)"), try ProgramRunner.freePort())
        try runner.must(
            "srup-c2",
            [
                "cell", "new", "cell\(number)", "--folder", runner.path("c2"), "--to", folder, "--host", "localhost",
                "--bind",
                "127.0.0.1", "--broker-port", "\(port)", "--key-service-port", "\(try ProgramRunner.freePort())",
                "--pages-port", "\(try ProgramRunner.freePort())",
            ], as: "cell")
        cells.append((folder, port))
    }

    private func set(_ limits: [String: Int], _ folder: String) throws {
        var lines = try String(contentsOfFile: folder + "/c2.toml", encoding: .utf8).split(
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
        try lines.joined(separator: "\n").write(toFile: folder + "/c2.toml", atomically: true, encoding: .utf8)
        chmod(folder + "/c2.toml", 0o600)
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
        let (kind, cell) = part(role)
        let folder = ["--folder", cells[cell].folder]
        switch kind {
        case "key-service": try launch("srup-c2", ["key-service"] + folder, as: role)
        case "broker": try launch("mosquitto", ["-c", cells[cell].folder + "/mosquitto.conf"], as: role)
        default:
            try launch(
                "srup-c2", ["run"] + folder + ["--events", EventFollower.file(role, on: runner)] + arguments, as: role)
        }
    }

    /// Ends a program as a service manager does.
    func stop(_ role: String) { _ = runner.end(role, SIGTERM) }

    /// Whether a program that was just started listens, or is connected.
    func readiness(_ role: String) -> () -> Bool {
        if role == Self.database { return { self.database?.isRunning == true } }
        let (kind, cell) = part(role)
        if kind == "c2" {
            _ = loopback.events.news()
            return { self.loopback.events.news().contains { $0.who == role && $0.name == "connected" } }
        }
        let port = kind == "broker" ? cells[cell].brokerPort : loopback.keyServicePort
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

    /// What all have used so far, by what they are.
    func usage() -> [String: Usage] {
        var all: [String: Usage] = [:]
        for role in running {
            all[part(role).kind, default: Usage()] += Usage(
                process: runner.processIdentifier(role), counts: counts(role))
        }
        return all
    }

    func memory() -> [String: Memory] {
        var all: [String: Memory] = [:]
        for role in running {
            guard let memory = runner.processIdentifier(role).flatMap({ Memory(process: $0) }) else { continue }
            all[part(role).kind, default: Memory()] += memory
        }
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
    static func += (sum: inout Usage, other: Usage) { sum = sum + other }

    var syncs: Double { fsyncs + fdatasyncs }
}

/// A program's memory now, in MiB.
struct Memory: Codable {
    var resident = 0.0
    var highest = 0.0
    /// What it shares with others, divided among them.
    var proportional = 0.0

    init() {}

    static func += (sum: inout Memory, other: Memory) {
        sum.resident += other.resident
        sum.highest += other.highest
        sum.proportional += other.proportional
    }

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
