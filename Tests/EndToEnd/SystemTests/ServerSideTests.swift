import Foundation
import TestProcesses
import Testing

/// The server side as one: started by one command, examined, saved and put back.
@Suite(.serialized) struct ServerSideTests {
    private func log(_ runner: ProgramRunner, _ role: String) -> String {
        (try? String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)) ?? ""
    }

    private func wait(_ what: String, _ seconds: Double = 90, _ condition: () -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while !condition() {
            guard Date() < deadline else { throw ProgramRunner.Failure(description: "waited in vain: \(what)") }
            usleep(50_000)
        }
    }

    /// Processes whose parent is this one, with their command lines.
    private func children(of process: Int32) -> [(process: Int32, command: String)] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { name in
            guard let child = Int32(name),
                let status = try? String(contentsOfFile: "/proc/\(name)/status", encoding: .utf8),
                status.contains("\nPPid:\t\(process)\n"),
                let command = try? String(contentsOfFile: "/proc/\(name)/cmdline", encoding: .utf8)
            else { return nil }
            return (child, command.replacingOccurrences(of: "\0", with: " "))
        }
    }

    @Test func oneCommandRunsAllOfItAndKeepsItRunning() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        try runner.start("srup-c2", ["up", "--folder", runner.path("c2")], as: "up")
        try wait("the address") { log(runner, "up").contains("The network is up") }
        #expect(log(runner, "up").contains("https://localhost:\(loopback.keyServicePort)"))
        let up = try #require(runner.processIdentifier("up"))
        #expect(children(of: up).count == 3)

        try loopback.registerDevice("lamp", type: "lamp")
        let whole = try runner.run("srup-c2", ["doctor", "--folder", runner.path("c2")], as: "doctor")
        #expect(whole == 0, "\(log(runner, "doctor"))")
        #expect(log(runner, "doctor").contains("C2 server"))

        // Each of them comes back.
        for part in ["broker", "key-service", "run"] {
            let before = try #require(children(of: up).first { $0.command.contains(" \(part) ") })
            kill(before.process, SIGKILL)
            try wait("\(part) comes back") {
                children(of: up).contains { $0.command.contains(" \(part) ") && $0.process != before.process }
            }
        }
        try wait("the key service answers") { ProgramRunner.accepts(port: loopback.keyServicePort) }
        try wait("the broker answers") { ProgramRunner.accepts(port: loopback.brokerPort) }
        #expect(runner.end("up", SIGTERM, within: 90) == 0)
        #expect(
            !ProgramRunner.accepts(port: loopback.keyServicePort) && !ProgramRunner.accepts(port: loopback.brokerPort))
        #expect(children(of: up).isEmpty)
    }

    @Test func whatCannotRunEndsAllWithItsReason() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        let folder = runner.path("c2")
        #expect(try runner.run("srup-c2", ["up", "--folder", folder, "--host", "other"], as: "host") == 64)
        // A port that another program has.
        let other = try LoopbackNetwork(runner)
        try runner.must(
            "srup-c2",
            [
                "init", "--folder", runner.path("other"), "--host", "localhost", "--bind", "127.0.0.1", "--broker-port",
                "\(other.brokerPort)", "--key-service-port", "\(loopback.keyServicePort)",
            ], as: "init-other")
        try loopback.startKeyService()
        #expect(try runner.run("srup-c2", ["key-service", "--folder", runner.path("other")], as: "alone") == 1)
        #expect(try runner.run("srup-c2", ["up", "--folder", runner.path("other")], as: "taken", within: 120) == 1)
        #expect(log(runner, "taken").contains("the key service ends as soon as it is started"))
        #expect(!ProgramRunner.accepts(port: other.brokerPort))
        // A configuration that is wrong.
        try runner.write("host = \"localhost\"\nnonsense = 1\n", to: "c2/c2.toml")
        #expect(try runner.run("srup-c2", ["up", "--folder", folder], as: "wrong") == 78)
        #expect(try runner.run("srup-c2", ["doctor", "--folder", folder], as: "wrong-doctor") == 78)
        #expect(log(runner, "wrong-doctor").contains("nonsense"))
    }

    @Test func aDoctorOfAFolderThatNobodyServesSaysWhatToStart() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.prepare()
        let folder = runner.path("c2")
        #expect(try runner.run("srup-c2", ["doctor", "--folder", folder, "--json"], as: "doctor") == 1)
        struct Report: Decodable {
            struct Check: Decodable { let name, state, says: String }
            let checks: [Check]
            let ok: Bool
        }
        let report = try JSONDecoder().decode(Report.self, from: Data(log(runner, "doctor").utf8))
        #expect(!report.ok)
        for name in ["broker", "key service", "C2 server"] {
            #expect(report.checks.contains { $0.name == name && $0.state == "problem" }, "\(name)")
        }
        #expect(report.checks.contains { $0.name == "key-service.db" && $0.state == "ok" })
        // A database that is damaged is named.
        let path = runner.path("c2/key-service.db")
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        for index in 4096..<min(bytes.count, 8192) { bytes[index] = 0x5A }
        try bytes.write(to: URL(fileURLWithPath: path))
        _ = try runner.run("srup-c2", ["doctor", "--folder", folder], as: "damaged")
        #expect(log(runner, "damaged").contains("FAIL key-service.db"), "\(log(runner, "damaged"))")
        // Group and others are shut out.
        chmod(folder, 0o777)
        _ = try runner.run("srup-c2", ["doctor", "--folder", folder], as: "open")
        #expect(log(runner, "open").contains("FAIL folder"))
    }

    @Test func aBackupOfARunningServerIsPutBackAndItsMembersGoOn() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(["--policy", "lamp=simple"])
        try loopback.registerDevice("lamp", type: "lamp")
        var begin = EventFollower.clock()
        try loopback.startDevice("lamp", present: "command:true", ["--confirm", "2"])
        try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 90)

        let file = runner.path("c2.tar")
        try runner.must("srup-c2", ["backup", "--folder", runner.path("c2"), file], as: "backup")
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try runner.run("srup-c2", ["backup", "--folder", runner.path("c2"), file], as: "again") == 1)
        #expect(!FileManager.default.fileExists(atPath: file + ".part"))
        #expect(!FileManager.default.fileExists(atPath: file + ".part.d"))

        // Life goes on after it, with numbers that the backup does not know.
        begin = EventFollower.clock()
        for _ in 0..<3 {
            try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 90)
            begin = EventFollower.clock()
        }
        for role in ["c2", "broker", "key-service"] { runner.stop(role) }
        #expect(try runner.run("srup-c2", ["restore", "--folder", runner.path("c2"), file], as: "there") == 78)
        try FileManager.default.moveItem(atPath: runner.path("c2"), toPath: runner.path("lost"))
        try runner.must("srup-c2", ["restore", "--folder", runner.path("c2"), file], as: "restore")
        try loopback.startKeyService()
        try loopback.startBroker()
        begin = EventFollower.clock()
        try loopback.startC2(["--policy", "lamp=simple"])
        let again = try loopback.events.wait(for: "lamp", ["joined"], since: begin, within: 90)
        #expect(again.details["again"] == "true")
        #expect(try runner.run("srup-c2", ["doctor", "--folder", runner.path("c2")], as: "doctor") == 0)
    }

    @Test func whatIsNoBackupIsRefused() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let folder = runner.path("new")
        #expect(try runner.run("srup-c2", ["restore", "--folder", folder, runner.path("nothing")], as: "none") == 78)
        try runner.write("not a tar archive", to: "text")
        #expect(try runner.run("srup-c2", ["restore", "--folder", folder, runner.path("text")], as: "text") == 78)
        try FileManager.default.createDirectory(atPath: runner.path("evil"), withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(
            atPath: runner.path("evil/c2.toml"), withDestinationPath: "/etc/passwd")
        try runner.must("/bin/tar", ["-cf", runner.path("evil.tar"), "-C", runner.path("evil"), "."], as: "tar")
        #expect(try runner.run("srup-c2", ["restore", "--folder", folder, runner.path("evil.tar")], as: "evil") == 78)
        #expect(log(runner, "evil").contains("neither a file nor a folder"))
        #expect(!FileManager.default.fileExists(atPath: folder))
        #expect(!FileManager.default.fileExists(atPath: folder + ".part"))
        #expect(try runner.run("srup-c2", ["backup", "--folder", folder, runner.path("x")], as: "backup") == 78)
    }

    @Test func aPersonLetsADeviceInByTheWordsThatItShows() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let loopback = try LoopbackNetwork(runner)
        try loopback.startServer(["--policy", "panel=human"])
        try loopback.registerDevice("panel", type: "panel")
        let shown = runner.path("words")
        let begin = EventFollower.clock()
        try loopback.startDevice("panel", present: "words:file:\(shown)", [])
        try loopback.events.wait(for: "panel", ["showing"], since: begin, within: 90)
        let text = try String(contentsOfFile: shown, encoding: .utf8)
        let words = text.split(separator: "\n").compactMap { $0.split(separator: " ").last.map(String.init) }
        #expect(words.count == 11)
        let id = try #require(loopback.identities["panel"])
        let folder = ["--folder", runner.path("c2")]

        struct Waiting: Decodable {
            let device: String
            let question: [Int]
            let value: String?
        }
        func waiting(_ role: String) throws -> Waiting {
            try runner.must("srup-c2", ["waiting", "--json"] + folder, as: role)
            return try JSONDecoder().decode(Waiting.self, from: Data(log(runner, role).utf8))
        }
        let first = try waiting("waiting")
        #expect(first.device == id && first.value == nil && first.question.count == 3)
        // As a device of the reference would show it.
        try runner.must("srup-c2", ["waiting", "--show", "reference-colours"] + folder, as: "reference")
        let rows = log(runner, "reference").split(separator: "\n").filter { line in
            line.filter { "WRYB".contains($0) }.count == 8 && line.allSatisfy { "WRYB ".contains($0) }
        }
        #expect(rows.count == 8)
        try runner.write("a\nb\n", to: "short")
        let short = ["--show", "reference-words", "--word-list", runner.path("short")]
        #expect(try runner.run("srup-c2", ["waiting"] + short + folder, as: "short") == 1)
        #expect(log(runner, "short").contains("not the reference's list"))
        #expect(try runner.run("srup-c2", ["waiting", "--show", "reference"] + folder, as: "unknown") == 64)
        // Wrong letters let nobody in.
        #expect(try runner.run("srup-c2", ["approve", id, "--words", "qqq", "qqq", "qqq"] + folder, as: "wrong") == 1)
        #expect(log(runner, "wrong").contains("not the words"))
        // Nor does an answer without a terminal and without words.
        #expect(try runner.run("srup-c2", ["approve", id] + folder, as: "silent") == 1)
        let letters = try waiting("waiting-again").question.map { String(words[$0 - 1].prefix(3)) }
        #expect(try runner.run("srup-c2", ["approve", id, "--words"] + letters + folder, as: "right") == 0)
        try loopback.events.wait(for: "panel", ["joined"], since: begin, within: 90)
        try wait("it is taken down") { !FileManager.default.fileExists(atPath: shown) }
        #expect(try runner.run("srup-c2", ["refuse", id] + folder, as: "late") == 1)
        try runner.must("srup-c2", ["audit", "--about", id, "--json"] + folder, as: "audit")
        #expect(log(runner, "audit").contains("\"event\":\"joined\"") && log(runner, "audit").contains("wrong words"))
        // What was shown stands in no log.
        for role in ["c2", "panel", "audit", "right"] {
            #expect(!words.contains { log(runner, role).contains(" \($0) ") }, "\(role)")
        }
        runner.stop("c2")
        #expect(try runner.run("srup-c2", ["waiting"] + folder, as: "nobody") == 1)
        #expect(log(runner, "nobody").contains("no server answers"))
    }
}
