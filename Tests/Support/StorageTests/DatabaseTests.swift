import Foundation
import Glibc
import Storage
import Testing

/// A folder that goes with the test.
final class Scratch: Sendable {
    let path = URL(fileURLWithPath: NSTemporaryDirectory()).path + "/storage-\(UUID().uuidString)"
    init() throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func callAsFunction(_ name: String) -> String { path + "/" + name }

    /// The names of what is in the folder.
    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

    func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: self(name)))) }
}

func permissions(_ path: String) -> mode_t {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
}

@Suite struct DatabaseTests {
    static let first = "CREATE TABLE shelf (id INTEGER PRIMARY KEY, value BLOB)"
    static let second = "ALTER TABLE shelf ADD COLUMN label TEXT"

    let scratch: Scratch
    var path: String { scratch("state.db") }

    init() throws { scratch = try Scratch() }

    private func open(
        _ migrations: [String] = [first], _ use: Database.Use = .change
    ) throws(StorageError) -> Database {
        try Database(path: path, migrations: migrations, use: use)
    }

    // MARK: Migrations

    @Test func aNewFileGetsAllMigrationsAndIsPrivate() throws {
        let database = try open([Self.first, Self.second])
        #expect(try database.query("PRAGMA user_version").first?.integer(0) == 2)
        try database.query("INSERT INTO shelf (value, label) VALUES (?, ?)", .blob([1]), "one")
        #expect(permissions(path) == 0o600)
        for name in scratch.names { #expect(permissions(scratch(name)) & 0o077 == 0, "\(name)") }
    }

    @Test func anOldFileGetsOnlyWhatItLacks() throws {
        do {
            let database = try open()
            try database.query("INSERT INTO shelf (value) VALUES (?)", .blob([7]))
        }
        let database = try open([Self.first, Self.second])
        #expect(try database.query("SELECT value, label FROM shelf").first?.blob(0) == [7])
        #expect(try database.query("PRAGMA user_version").first?.integer(0) == 2)
    }

    @Test func aMigrationThatFailsLeavesTheFileAsItWas() throws {
        do { _ = try open() }
        let broken = Self.second + "; CREATE TABLE shelf (again INTEGER)"
        #expect(why { try open([Self.first, broken]) }.contains("already exists"))
        let database = try open()
        #expect(try database.query("PRAGMA user_version").first?.integer(0) == 1)
        #expect(why { try database.query("SELECT label FROM shelf") }.contains("no such column"))
    }

    @Test(arguments: [Database.Use.change, .look])
    func aFileOfANewerVersionIsNotTouched(_ use: Database.Use) throws {
        do { _ = try open([Self.first, Self.second]) }
        #expect(why { try open([Self.first], use) }.contains("written by a newer version (schema 2, this is 1)"))
        #expect(try open([Self.first, Self.second]).query("PRAGMA user_version").first?.integer(0) == 2)
    }

    @Test(arguments: [Database.Use.change, .look])
    func aSchemaNumberThatCannotBeIsSaidToBeDamage(_ use: Database.Use) throws {
        do { try open().query("PRAGMA user_version = -3") }
        #expect(why { try open([Self.first], use) }.contains("its schema number is -3"))
    }

    @Test func migrationsNeedNotBeThere() throws {
        #expect(try open([]).query("SELECT 1").first?.integer(0) == 1)
    }

    // MARK: Values

    @Test(arguments: [
        Value.null, .integer(0), .integer(.min), .integer(.max), .real(0.1), .real(-1e300), .text(""),
        .text("ü 日本 '\";--"),
        .blob([]), .blob([0]), .blob(Array(0...255)), .text(String(repeating: "x", count: 100_000)),
        .blob(Array(repeating: 0xFF, count: 100_000)),
    ])
    func everyValueComesBackAsItWas(_ value: Value) throws {
        let row = try #require(try open().query("SELECT ?, typeof(?)", value, value).first)
        switch value {
        case .null:
            #expect(row.integer(0) == nil && row.real(0) == nil && row.text(0) == nil && row.blob(0) == nil)
            #expect(row.text(1) == "null")
        case .integer(let number): #expect(row.integer(0) == number && row.real(0) == Double(number))
        case .real(let number): #expect(row.real(0) == number && row.integer(0) == nil)
        case .text(let text): #expect(row.text(0) == text && row.blob(0) == nil)
        case .blob(let bytes): #expect(row.blob(0) == bytes && row.text(0) == nil && row.text(1) == "blob")
        }
    }

    @Test(arguments: [0, 1, .max, 1 << 63, (1 << 63) - 1] as [UInt64])
    func all64BitsAreKept(_ value: UInt64) throws {
        let database = try open()
        try database.query("INSERT INTO shelf (id) VALUES (?)", .unsigned(value))
        #expect(try database.query("SELECT id FROM shelf WHERE id = ?", .unsigned(value)).first?.unsigned(0) == value)
    }

    @Test func aTextWithANULIsKeptWhole() throws {
        #expect(try open().query("SELECT ?", .text("a\0b")).first?.text(0) == "a\0b")
    }

    @Test func textThatIsNoUTF8IsReadableAllTheSame() throws {
        let row = try #require(try open().query("SELECT CAST(? AS TEXT)", .blob([0x61, 0xFF, 0x62])).first)
        #expect(row.text(0) == "a\u{FFFD}b")
    }

    @Test func whatIsGivenAsAValueIsNeverSQL() throws {
        let database = try open()
        let text = "x'); DROP TABLE shelf; --"
        try database.query("INSERT INTO shelf (value) VALUES (?)", .text(text))
        #expect(try database.query("SELECT value FROM shelf").first?.text(0) == text)
    }

    @Test func rowsComeInTheirOrderAndNoneIsAnEmptyList() throws {
        let database = try open()
        #expect(try database.read("SELECT * FROM shelf").isEmpty)
        for id in 1...50 { try database.query("INSERT INTO shelf (id) VALUES (?)", .integer(Int64(id))) }
        #expect(
            try database.read("SELECT id FROM shelf ORDER BY id DESC LIMIT ?", [3]).map { $0.integer(0) } == [
                50, 49, 48,
            ])
    }

    @Test(arguments: ["SELEC 1", "SELECT * FROM nowhere", "", "SELECT ?2; "])
    func aStatementThatIsNoneIsAnErrorWithItsText(_ sql: String) throws {
        let database = try open()
        let found = why { try database.query(sql, 1, 2, 3) }
        #expect(!found.isEmpty)
        #expect(sql.isEmpty || found.contains(sql.prefix(6)), "\(found)")
    }

    @Test func aLongStatementIsCutInTheError() throws {
        let database = try open()
        let found = why { try database.query("SELECT nothing" + String(repeating: " , x", count: 10_000)) }
        #expect(!found.isEmpty && found.utf8.count < 400)
    }

    // MARK: Transactions

    @Test func whatThrowsLeavesNothing() throws {
        struct Enough: Error {}
        let database = try open()
        #expect(throws: StorageError.self) {
            try database.transaction { connection throws(StorageError) in
                try connection.query("INSERT INTO shelf (id) VALUES (1)")
                try connection.query("INSERT INTO shelf (id) VALUES (1)")
            }
        }
        #expect(try database.query("SELECT * FROM shelf").isEmpty)
        // And the next one is not inside the one that failed.
        try database.transaction { connection throws(StorageError) in
            _ = try connection.query("INSERT INTO shelf (id) VALUES (2)")
        }
        #expect(try Database(path: path, migrations: [Self.first], use: .look).query("SELECT id FROM shelf").count == 1)
    }

    @Test func aTransactionGivesItsResult() throws {
        let database = try open()
        let count = try database.transaction { connection throws(StorageError) in
            for id in 1...3 { try connection.query("INSERT INTO shelf (id) VALUES (?)", .integer(Int64(id))) }
            return try connection.query("SELECT count(*) FROM shelf").first?.integer(0)
        }
        #expect(count == 3)
    }

    @Test func aConstraintNamesTheStatement() throws {
        let database = try open()
        try database.query("INSERT INTO shelf (id) VALUES (1)")
        let error = #expect(throws: StorageError.self) { try database.query("INSERT INTO shelf (id) VALUES (1)") }
        #expect(error?.isDamage == false)
        #expect(error?.description.contains("UNIQUE constraint failed: shelf.id") == true)
        #expect(error?.description.contains("INSERT INTO shelf") == true)
    }

    @Test func manyThreadsTakeTurns() async throws {
        let database = try open()
        try database.query("INSERT INTO shelf (id, value) VALUES (1, 0)")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<25 {
                        try database.transaction { connection throws(StorageError) in
                            let now = try connection.query("SELECT value FROM shelf").first?.integer(0) ?? -1
                            try connection.query("UPDATE shelf SET value = ?", .integer(now + 1))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try database.query("SELECT value FROM shelf").first?.integer(0) == 200)
    }

    @Test func whatIsDeletedIsOverwritten() throws {
        let marker = Array("a value that was secret".utf8)
        do {
            let database = try open()
            try database.query("INSERT INTO shelf (id, value) VALUES (1, ?)", .blob(marker))
            try database.query("DELETE FROM shelf")
        }
        // Closed in order: the log is in the file.
        #expect(scratch.names == ["state.db"])
        #expect(try Data(scratch.bytes("state.db")).range(of: Data(marker)) == nil)
    }

    // MARK: Looking

    private func filled() throws {
        let database = try open()
        try database.query("INSERT INTO shelf (id, value) VALUES (1, ?)", .blob([5]))
    }

    @Test func lookingMakesNoFile() throws {
        #expect(why { try open([Self.first], .look) }.contains("No such file"))
        #expect(scratch.names.isEmpty)
    }

    @Test func lookingReadsAndChangesNothing() throws {
        try filled()
        let before = try scratch.bytes("state.db")
        do {
            let database = try open([Self.first], .look)
            #expect(try database.read("SELECT value FROM shelf").first?.blob(0) == [5])
            #expect(why { try database.query("DELETE FROM shelf") }.contains("read-only"))
            #expect(scratch.names == ["state.db"])
        }
        #expect(try scratch.bytes("state.db") == before)
        #expect(scratch.names == ["state.db"])
    }

    @Test func lookingSeesWhatAnotherHasJustWritten() throws {
        let writer = try open()
        try writer.query("INSERT INTO shelf (id) VALUES (41)")
        let before = scratch.names
        do {
            let looker = try open([Self.first], .look)
            #expect(try looker.read("SELECT id FROM shelf").first?.integer(0) == 41)
            try writer.query("INSERT INTO shelf (id) VALUES (42)")
            #expect(try looker.read("SELECT max(id) FROM shelf").first?.integer(0) == 42)
        }
        #expect(scratch.names == before)
        try writer.query("INSERT INTO shelf (id) VALUES (43)")
    }

    /// What a power cut leaves: the log, and perhaps its index. A copy of files in use is the same.
    @Test(arguments: [true, false])
    func lookingReadsWhatAPowerCutHasLeft(_ hasIndex: Bool) throws {
        let writer = try open()
        try writer.query("INSERT INTO shelf (id) VALUES (41)")
        let cut = scratch("cut")
        mkdir(cut, 0o700)
        for suffix in ["", "-wal"] + (hasIndex ? ["-shm"] : []) {
            try FileManager.default.copyItem(atPath: path + suffix, toPath: cut + "/state.db" + suffix)
        }
        let before = try FileManager.default.contentsOfDirectory(atPath: cut).sorted()
        do {
            let looker = try Database(path: cut + "/state.db", migrations: [Self.first], use: .look)
            #expect(try looker.read("SELECT id FROM shelf").first?.integer(0) == 41)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: cut).sorted() == before)
        // And who may change it goes on from there.
        let owner = try Database(path: cut + "/state.db", migrations: [Self.first])
        #expect(try owner.query("SELECT id FROM shelf").first?.integer(0) == 41)
    }

    @Test func lookingAtAnOlderSchemaSaysWhoHelps() throws {
        try filled()
        let found = why { try open([Self.first, Self.second], .look) }
        #expect(found.contains("older version (schema 1, this is 2)"))
        #expect(try open().query("PRAGMA user_version").first?.integer(0) == 1)
    }

    @Test(arguments: ["a b", "a?mode=rw", "100%", "ü#", "a;b&c", "%41"])
    func anyNameCanBeLookedAt(_ name: String) throws {
        let path = scratch(name)
        do {
            let database = try Database(path: path, migrations: [Self.first])
            try database.query("INSERT INTO shelf (id) VALUES (9)")
        }
        let looker = try Database(path: path, migrations: [Self.first], use: .look)
        #expect(try looker.read("SELECT id FROM shelf").first?.integer(0) == 9)
        #expect(scratch.names == [name])
    }

    @Test func whereOnlyLookingIsAllowedItIsEnough() throws {
        try filled()
        chmod(scratch.path, 0o500)
        chmod(path, 0o400)
        defer { chmod(scratch.path, 0o700) }
        #expect(try open([Self.first], .look).read("SELECT count(*) FROM shelf").first?.integer(0) == 1)
    }

    // MARK: Damage

    @Test(arguments: [Database.Use.change, .look])
    func whatIsNoDatabaseIsDamagedAndStaysAsItIs(_ use: Database.Use) throws {
        let garbage = Data((0..<9000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        try garbage.write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: StorageError.self) { try open([Self.first], use) }
        #expect(error?.isDamage == true)
        #expect(error?.description.contains("restore it from a backup") == true)
        #expect(try Data(scratch.bytes("state.db")) == garbage)
    }

    @Test func aPageThatIsOverwrittenIsDamage() throws {
        do {
            let database = try open()
            for id in 1...200 {
                try database.query(
                    "INSERT INTO shelf VALUES (?, ?)", .integer(Int64(id)), .blob(Array(repeating: 1, count: 500)))
            }
        }
        var bytes = try scratch.bytes("state.db")
        #expect(bytes.count > 4096 * 4)
        for place in 4096..<bytes.count { bytes[place] = 0xA5 }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: StorageError.self) {
            let database = try open()
            try database.query("SELECT sum(length(value)) FROM shelf")
        }
        #expect(error?.isDamage == true, "\(String(describing: error))")
    }

    @Test func aFileThatWasCutOffIsNotTakenForANewOne() throws {
        try filled()
        #expect(truncate(path, 1000) == 0)
        let error = #expect(throws: StorageError.self) { try open() }
        #expect(error?.isDamage == true, "\(String(describing: error))")
    }

    @Test func anEmptyFileIsANewOne() throws {
        FileManager.default.createFile(atPath: path, contents: Data())
        #expect(try open().query("SELECT count(*) FROM shelf").first?.integer(0) == 0)
    }

    @Test func aFolderIsNoFile() throws {
        mkdir(path, 0o700)
        #expect(why { try open() }.contains("cannot be opened: Is a directory"))
    }

    @Test func aFolderThatIsMissingIsNamed() throws {
        let path = scratch("gone/state.db")
        #expect(why { try Database(path: path, migrations: []) }.contains("\(path) cannot be opened: No such file"))
    }

    /// A disk of its own, as small as they come.
    @Test(.enabled(if: geteuid() == 0, "only root can mount a small disk"))
    func aFullDiskIsSaidAndWhatWasThereStays() throws {
        let disk = scratch("disk")
        mkdir(disk, 0o700)
        guard mount("none", disk, "tmpfs", 0, "size=128k,mode=700") == 0 else { return }
        defer { umount2(disk, Int32(MNT_DETACH)) }
        let database = try Database(path: disk + "/state.db", migrations: [Self.first])
        try database.query("INSERT INTO shelf VALUES (1, ?)", .blob([1]))
        let large = Value.blob(Array(repeating: 7, count: 200_000))
        let error = #expect(throws: StorageError.self) {
            try database.query("INSERT INTO shelf VALUES (2, ?)", large)
        }
        #expect(error?.isDamage == false)
        #expect(error?.description.contains("the disk is full") == true, "\(String(describing: error))")
        #expect(try database.query("SELECT id FROM shelf").map { $0.integer(0) } == [1])
    }
}
