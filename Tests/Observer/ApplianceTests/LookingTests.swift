import Foundation
import Participant
import SRUP
import TestProcesses
import Storage
import Testing

/// Status and doctor only look: neither the state nor the folder around it is another afterwards, whatever state it is in.
@Suite struct LookingTests {
    /// How a state folder was left.
    enum Left: String, CaseIterable {
        case closed
        /// With the log that a crash leaves, and what is shared about it.
        case crashed
        /// What is shared went in a power cut.
        case crashedWithoutShared
        /// By a version of before, or by nobody.
        case old
    }

    private static let key = Result { try PrivateKey.generate() }

    private func makeState(_ runner: ProgramRunner, _ left: Left) throws -> String {
        let folder = runner.path("made")
        let key = try Self.key.get()
        try Identity.save(
            .init(
                id: DeviceID(0xA1), key: key, accessKey: key, certificate: "none\n", authority: "none\n",
                brokerHost: "localhost", brokerPort: 1, keyService: "https://localhost:1", server: DeviceID(0xC2),
                serverKey: nil), in: folder, machineKey: nil)
        let copy = runner.path("state")
        do {
            let state = try ParticipantStore(path: Identity.statePath(folder))
            try state.audit("observation", "VALID 00a1", now: 1)
            if left == .old { try state.database.query("PRAGMA user_version = 0") }
            // A copy while it is open is what a crash leaves.
            if left == .crashed || left == .crashedWithoutShared {
                try FileManager.default.copyItem(atPath: folder, toPath: copy)
            }
        }
        if !FileManager.default.fileExists(atPath: copy) {
            try FileManager.default.copyItem(atPath: folder, toPath: copy)
        }
        if left == .crashedWithoutShared { unlink(copy + "/state.db-shm") }
        chmod(copy, 0o700)
        return copy
    }

    /// Names, times, sizes and contents of everything in a folder, and the folder's own time.
    private func picture(of folder: String) throws -> [String: [String]] {
        var picture: [String: [String]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) + ["."] {
            let path = folder + "/" + name
            let values = try FileManager.default.attributesOfItem(atPath: path)
            picture[name] = [
                "\(values[.modificationDate] ?? "")", "\(values[.size] ?? "")", "\(values[.posixPermissions] ?? "")",
                name == "." ? "" : (FileManager.default.contents(atPath: path) ?? Data()).base64EncodedString(),
            ]
        }
        return picture
    }

    private func log(_ role: String, _ runner: ProgramRunner) throws -> String {
        try String(contentsOfFile: runner.path("log/\(role).log"), encoding: .utf8)
    }

    @Test(arguments: Left.allCases) func statusAndDoctorChangeNothing(_ left: Left) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let folder = try makeState(runner, left)
        try runner.write(
            "state = \"\(folder)\"\n[camera]\ndevice = \"folder:\(runner.path("absent"))\"\n", to: "observer.toml")
        let before = try picture(of: folder)
        if left == .crashed { #expect(before["state.db-shm"] != nil && before["state.db-wal"] != nil) }
        let config = ["--config", runner.path("observer.toml")]
        let status = try runner.run("srup-observer", ["status"] + config, as: "status")
        _ = try runner.run("srup-observer", ["doctor", "--offline"] + config, as: "doctor")
        #expect(try picture(of: folder) == before)
        let (said, found) = try (log("status", runner), log("doctor", runner))
        if left == .old {
            #expect(status == 78 && said.contains("older version"), "\(said)")
            #expect(found.contains("older version"), "\(found)")
        } else {
            // What is in the log only is read, too.
            #expect(status == 1 && said.contains("VALID 00a1"), "\(said)")
            #expect(found.contains("registered") && found.contains("as a1"), "\(found)")
        }
    }

    /// What a hostile or damaged state file may say of its schema.
    @Test(arguments: [-1, -2_147_483_648, 99]) func aSchemaNumberThatCannotBeIsNamed(_ number: Int) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let folder = try makeState(runner, .closed)
        do {
            let state = try ParticipantStore(path: Identity.statePath(folder))
            try state.database.query("PRAGMA user_version = \(number)")
        }
        for use in [Database.Use.change, .look] {
            let error = #expect(throws: StorageError.self) {
                try ParticipantStore(path: Identity.statePath(folder), use: use)
            }
            let words = number < 0 ? "its schema number is \(number)" : "newer version"
            #expect(error?.description.contains(words) == true)
        }
    }

    @Test func whatIsNotThereIsNotMade() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let path = runner.path("a b?c%41#.db")
        #expect(throws: StorageError.self) { try Database(path: path, migrations: [], use: .look) }
        #expect(!FileManager.default.fileExists(atPath: path))
        // Names that mean something in an address.
        do { _ = try Database(path: path, migrations: ["CREATE TABLE t (x); INSERT INTO t VALUES (7)"]) }
        let database = try Database(path: path, migrations: [""], use: .look)
        #expect(try database.query("SELECT x FROM t").first?.integer(0) == 7)
        #expect(throws: StorageError.self) { try database.query("INSERT INTO t VALUES (8)") }
    }

    /// The doctor looks while the observer writes.
    @Test func aFileThatIsInUseIsRead() throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        let path = runner.path("live.db")
        let writer = try Database(path: path, migrations: ["CREATE TABLE t (x)"])
        for number in 0..<50 {
            try writer.query("INSERT INTO t VALUES (?)", .integer(Int64(number)))
            let reader = try Database(path: path, migrations: [""], use: .look)
            #expect(try reader.query("SELECT count(*) FROM t").first?.integer(0) == Int64(number + 1))
        }
    }
}
