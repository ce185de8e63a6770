import Storage
import Synchronization
import Testing

/// What a store may rely on, whichever engine keeps its tables.
@Suite struct EngineTests {
    static let first = "CREATE TABLE shelf (id INTEGER PRIMARY KEY, value BLOB)"
    static let second = "ALTER TABLE shelf ADD COLUMN label TEXT"
    static let counted = "CREATE TABLE shelf (id INTEGER PRIMARY KEY AUTOINCREMENT, value TEXT UNIQUE, number INTEGER)"

    // MARK: Migrations

    @Test(arguments: Engine.here) func anOldStoreGetsOnlyWhatItLacks(_ engine: Engine) throws {
        let shelf = try Shelf(engine)
        try shelf.open([Self.first]).query("INSERT INTO shelf (value) VALUES (?)", .blob([7]))
        let database = try shelf.open([Self.first, Self.second])
        #expect(try database.query("SELECT value, label FROM shelf").first?.blob(0) == [7])
        #expect(why { try shelf.open([Self.first]) }.contains("written by a newer version (schema 2, this is 1)"))
        #expect(
            why { try shelf.open([Self.first], .look) }.contains("written by a newer version (schema 2, this is 1)"))
    }

    @Test(arguments: Engine.here) func aMigrationThatFailsLeavesTheStoreAsItWas(_ engine: Engine) throws {
        let shelf = try Shelf(engine)
        _ = try shelf.open([Self.first])
        let broken = Self.second + "; CREATE TABLE shelf (again INTEGER)"
        #expect(why { try shelf.open([Self.first, broken]) }.contains("already exists"))
        #expect(!why { try shelf.open([Self.first]).query("SELECT label FROM shelf") }.isEmpty)
    }

    @Test(arguments: Engine.here) func lookingChangesNothing(_ engine: Engine) throws {
        let shelf = try Shelf(engine)
        #expect(!why { try shelf.open([Self.first], .look) }.isEmpty)
        try shelf.open([Self.first]).query("INSERT INTO shelf (id, value) VALUES (1, ?)", .blob([5]))
        let looker = try shelf.open([Self.first], .look)
        #expect(try looker.read("SELECT value FROM shelf").first?.blob(0) == [5])
        #expect(why { try looker.query("DELETE FROM shelf") }.contains("read"))
        #expect(try looker.read("SELECT value FROM shelf").count == 1)
        #expect(
            why { try shelf.open([Self.first, Self.second], .look) }.contains("older version (schema 1, this is 2)"))
    }

    @Test(arguments: Engine.here) func programsThatOpenANewStoreTogetherMakeItOnce(_ engine: Engine) async throws {
        let shelf = try Shelf(engine)
        // SQLite's first opening sets the kind of its log, which two cannot do at once; its programs hold a folder's lock.
        if engine == .sqlite { _ = try shelf.open([]) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { _ = try shelf.open([Self.first, Self.second]) } }
            try await group.waitForAll()
        }
        #expect(try shelf.open([Self.first, Self.second]).query("SELECT label FROM shelf").isEmpty)
    }

    // MARK: Values

    @Test(arguments: Engine.here) func everyValueComesBackAsItWas(_ engine: Engine) throws {
        let database = try Shelf(engine).open([
            "CREATE TABLE kept (id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT, b BLOB)"
        ])
        let integers: [Int64] = [0, 1, -1, .min, .max]
        let reals = [0, 0.1, -1e300, .greatestFiniteMagnitude, .leastNonzeroMagnitude, 1_800_000_000.123_456]
        let texts = [
            "", "ü 日本 '\";--", "$1 ? ?1", "a\0b", "\0", "\u{F0000}", "\u{F0000}0\0\u{F0000}1", "\u{F0001}", "%_\\",
            String(repeating: "x", count: 100_000),
        ]
        let blobs: [[UInt8]] = [[], [0], Array(0...255), Array(repeating: 0xFF, count: 100_000)]
        for index in 0..<max(integers.count, reals.count, texts.count, blobs.count) {
            let (i, r) = (integers[index % integers.count], reals[index % reals.count])
            let (t, b) = (texts[index % texts.count], blobs[index % blobs.count])
            try database.query(
                "INSERT INTO kept VALUES (?, ?, ?, ?, ?)", .integer(Int64(index)), .integer(i), .real(r), .text(t),
                .blob(b))
            let row = try #require(
                try database.read(
                    "SELECT i, r, t, b FROM kept WHERE id = ? AND i = ? AND r = ? AND t = ? AND b = ?",
                    [.integer(Int64(index)), .integer(i), .real(r), .text(t), .blob(b)]
                ).first)
            #expect(row.integer(0) == i && row.real(1) == r && row.text(2) == t && row.blob(3) == b)
            #expect(row.text(0) == nil && row.integer(1) == nil && row.blob(2) == nil && row.text(3) == nil)
        }
        try database.query("INSERT INTO kept VALUES (99, ?, ?, ?, ?)", .null, .null, .null, .null)
        let row = try #require(try database.read("SELECT i, r, t, b FROM kept WHERE id = 99").first)
        #expect(
            (0..<4).allSatisfy {
                row.integer($0) == nil && row.real($0) == nil && row.text($0) == nil && row.blob($0) == nil
            })
        #expect(try database.read("SELECT CAST(sum(id) AS BIGINT), count(*), 1, 'x' FROM kept").first?.text(3) == "x")
        #expect(try database.read("SELECT sum(id) FROM kept").first?.integer(0) == 99 + (0..<10).reduce(0, +))
    }

    @Test(arguments: Engine.here, [0, 1, .max, 1 << 63, (1 << 63) - 1] as [UInt64])
    func all64BitsAreKept(_ engine: Engine, _ value: UInt64) throws {
        let database = try Shelf(engine).open([Self.first])
        try database.query("INSERT INTO shelf (id) VALUES (?)", .unsigned(value))
        let row = try database.query("SELECT id, to_hex(id) FROM shelf WHERE id = ?", .unsigned(value)).first
        #expect(row?.unsigned(0) == value && row?.text(1) == String(value, radix: 16))
    }

    @Test(arguments: Engine.here) func whatIsGivenAsAValueIsNeverSQL(_ engine: Engine) throws {
        let database = try Shelf(engine).open([Self.counted])
        let text = "x'); DROP TABLE shelf; --"
        try database.query("INSERT INTO shelf (value) VALUES (?)", .text(text))
        #expect(
            try database.query("SELECT value FROM shelf WHERE value = ? AND '?' <> \"value\" -- ?", .text(text)).count
                == 1)
    }

    @Test(arguments: Engine.here) func textIsSortedByteByByte(_ engine: Engine) throws {
        let database = try Shelf(engine).open([Self.counted])
        for text in ["b", "a", "B", "ä", "_", "a b", "ab"] {
            try database.query("INSERT INTO shelf (value) VALUES (?)", .text(text))
        }
        let sorted = try database.read("SELECT value FROM shelf ORDER BY value").compactMap { $0.text(0) }
        #expect(sorted == ["B", "_", "a", "a b", "ab", "b", "ä"])
    }

    @Test(arguments: Engine.here) func oneStatementServesManyShapesOfValues(_ engine: Engine) throws {
        let database = try Shelf(engine).open([Self.counted])
        for index in 0..<600 as Range<Int64> {
            try database.query(
                "INSERT INTO shelf (value, number) VALUES (?, ?) -- \(index)",
                index % 2 == 0 ? .null : .text("\(index)"),
                index % 3 == 0 ? .null : .integer(index))
        }
        #expect(try database.read("SELECT count(value), count(number) FROM shelf").first?.integer(1) == 400)
    }

    @Test(arguments: Engine.here) func rowsArePutInThePlaceOfOthers(_ engine: Engine) throws {
        let database = try Shelf(engine).open([
            "CREATE TABLE pairs (a INTEGER, b INTEGER, c TEXT, d TEXT, PRIMARY KEY (a, b))"
        ])
        let put = Database.put(into: "pairs", key: ["a", "b"], ["c", "d"])
        try database.query(put, 1, 2, "x", "y")
        try database.query(put, 1, 2, .null, "z")
        try database.query(put, 1, 3, "w", .null)
        let rows = try database.read("SELECT b, c, d FROM pairs ORDER BY b LIMIT \(Database.noLimit) OFFSET 0")
        #expect(
            rows.map { $0.integer(0) } == [2, 3] && rows.map { $0.text(1) } == [nil, "w"]
                && rows.map { $0.text(2) } == ["z", nil])
    }

    @Test(arguments: Engine.here, ["SELEC 1", "SELECT * FROM nowhere", "", "DELETE FROM nowhere WHERE x = ?"])
    func aStatementThatIsNoneIsAnErrorAndTheNextGoesOn(_ engine: Engine, _ sql: String) throws {
        let database = try Shelf(engine).open([Self.first])
        let found = why { try database.query(sql, 1) }
        #expect(!found.isEmpty && found.utf8.count < 500)
        #expect(sql.isEmpty || found.contains(sql.prefix(6)), "\(found)")
        try database.query("INSERT INTO shelf (id) VALUES (1)")
        #expect(try database.read("SELECT id FROM shelf").count == 1)
    }

    // MARK: Transactions

    @Test(arguments: Engine.here) func whatThrowsLeavesNothing(_ engine: Engine) throws {
        let shelf = try Shelf(engine)
        let database = try shelf.open([Self.first])
        #expect(throws: StorageError.self) {
            try database.transaction { connection throws(StorageError) in
                try connection.query("INSERT INTO shelf (id) VALUES (1)")
                try connection.query("INSERT INTO shelf (id) VALUES (1)")
            }
        }
        #expect(try database.query("SELECT * FROM shelf").isEmpty)
        let count = try database.transaction { connection throws(StorageError) in
            for id in 1...3 { try connection.query("INSERT INTO shelf (id) VALUES (?)", .integer(Int64(id))) }
            return try connection.query("SELECT count(*) FROM shelf").first?.integer(0)
        }
        #expect(count == 3)
        #expect(try shelf.open([Self.first], .look).query("SELECT id FROM shelf").count == 3)
    }

    @Test(arguments: Engine.here) func whoHidesAFailureStoresNothingWithAServer(_ engine: Engine) throws {
        let database = try Shelf(engine).open([Self.first])
        let outcome = why {
            try database.transaction { connection throws(StorageError) in
                try connection.query("INSERT INTO shelf (id) VALUES (1)")
                _ = try? connection.query("INSERT INTO shelf (id) VALUES (1)")
            }
        }
        // Never silence about something that is not stored.
        #expect(try database.read("SELECT id FROM shelf").count == (outcome.isEmpty ? 1 : 0))
        #expect(outcome.isEmpty == (engine == .sqlite))
    }

    @Test(arguments: Engine.here) func programsAndThreadsTakeTurns(_ engine: Engine) async throws {
        let shelf = try Shelf(engine)
        let counter = "CREATE TABLE counter (value INTEGER NOT NULL); INSERT INTO counter VALUES (0)"
        let programs = try [shelf.open([counter]), shelf.open([counter])]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<6 {
                group.addTask {
                    for _ in 0..<15 {
                        try programs[task % 2].transaction { connection throws(StorageError) in
                            let now = try connection.query("SELECT value FROM counter").first?.integer(0) ?? -1
                            try connection.query("UPDATE counter SET value = ?", .integer(now + 1))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try programs[0].query("SELECT value FROM counter").first?.integer(0) == 90)
    }

    // MARK: Turns

    private static let turned = "CREATE TABLE shelf (id INTEGER PRIMARY KEY, value TEXT UNIQUE)"

    private func pair(_ engine: Engine) throws -> (Database, Database) {
        let shelf = try Shelf(engine)
        return (try shelf.open([Self.turned]), try shelf.open([Self.turned]))
    }

    private func put(_ value: String, _ database: Database) throws(StorageError) {
        try database.query("INSERT INTO shelf (value) VALUES (?)", .text(value))
    }

    private func values(_ database: Database) throws -> [String] {
        try database.read("SELECT value FROM shelf ORDER BY value").compactMap { $0.text(0) }
    }

    @Test(arguments: Engine.here) func allOfATurnIsStoredTogether(_ engine: Engine) throws {
        let (database, other) = try pair(engine)
        var seen: [String]?
        try database.turn { () throws(StorageError) in
            try put("one", database)
            try database.transaction { connection throws(StorageError) in
                try connection.query("INSERT INTO shelf (value) VALUES ('two')")
            }
            seen = try? values(other)
            #expect((try? values(database)) == ["one", "two"])
        }
        #expect(seen == [])
        #expect(try values(other) == ["one", "two"])
    }

    @Test(arguments: Engine.here) func aPartThatFailsTakesNothingElseWithIt(_ engine: Engine) throws {
        let (database, other) = try pair(engine)
        try database.turn { () throws(StorageError) in
            try put("one", database)
            #expect(throws: StorageError.self) {
                try database.transaction { connection throws(StorageError) in
                    try connection.query("INSERT INTO shelf (value) VALUES ('two')")
                    try connection.query("INSERT INTO shelf (value) VALUES ('one')")
                }
            }
            #expect(throws: StorageError.self) { try put("one", database) }
            try database.transaction { connection throws(StorageError) in }
            #expect((try? values(database)) == ["one"])
            try put("three", database)
        }
        #expect(try values(other) == ["one", "three"])
    }

    @Test(arguments: Engine.here) func nothingIsStoredWhenTheWholeFails(_ engine: Engine) throws {
        let (database, other) = try pair(engine)
        #expect(throws: StorageError.self) {
            try database.turn { () throws(StorageError) in
                try database.turn { () throws(StorageError) in try put("one", database) }
                throw StorageError.cannotOpen(path: "x", why: "y")
            }
        }
        #expect(try values(other) == [])
        try database.turn { () throws(StorageError) in try put("two", database) }
        try database.turn { () throws(StorageError) in }
        #expect(try values(other) == ["two"])
    }

    @Test(arguments: Engine.here) func whoOnlyReadsKeepsNobodyFromWriting(_ engine: Engine) throws {
        let (database, other) = try pair(engine)
        try database.turn { () throws(StorageError) in
            _ = try database.query("SELECT value FROM shelf")
            #expect((try? other.query("INSERT INTO shelf (value) VALUES ('other')")) != nil)
        }
        #expect(try values(database) == ["other"])
    }
}
