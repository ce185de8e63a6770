import Foundation
import PostgreSQL
import Storage
import TestProcesses
import Testing

/// Whole stores from one engine to another.
@Suite struct CopyTests {
    static let migrations = [
        """
        CREATE TABLE parents (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, number REAL, bytes BLOB);
        CREATE TABLE children (
            id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parents (id) ON DELETE CASCADE, note TEXT);
        CREATE TABLE keyed (key BLOB PRIMARY KEY, value INTEGER, "only" TEXT) WITHOUT ROWID;
        """
    ]
    static let ways = Engine.here.flatMap { from in Engine.here.map { (from, $0) } }

    private func fill(_ database: Database, rows: Int) throws {
        try database.transaction { connection throws(StorageError) in
            for index in 1...rows {
                try connection.query(
                    "INSERT INTO parents (name, number, bytes) VALUES (?, ?, ?)", .text("n\(index)\0ü'"),
                    index % 3 == 0 ? .null : .real(Double(index) / 3), index % 5 == 0 ? .null : .blob([0, UInt8(index % 256)]))
                try connection.query(
                    "INSERT INTO children (id, parent, note) VALUES (?, ?, ?)", .integer(-Int64(index)),
                    .integer(Int64(index)), index % 2 == 0 ? .null : .text(""))
            }
            try connection.query("INSERT INTO keyed (key, value) VALUES (?, ?)", .blob([]), .unsigned(.max))
            try connection.query("DELETE FROM parents WHERE id = ?", .integer(Int64(rows)))
        }
    }

    private func content(_ database: Database) throws -> [[String]] {
        try ["parents ORDER BY id", "children ORDER BY id", "keyed ORDER BY key"].map { table in
            try database.read("SELECT * FROM \(table)").map { "\($0)" }
        }
    }

    @Test(arguments: ways) func everythingComesAlongAndNoNumberIsGivenTwice(_ from: Engine, _ to: Engine) throws {
        let source = try Shelf(from).open(Self.migrations)
        try fill(source, rows: 700)
        let target = try Shelf(to).open(Self.migrations)
        try fill(target, rows: 3)
        var count = 0
        try source.copied { count = try target.takeOver(source) }
        #expect(count == 699 + 699 + 1)
        #expect(try content(target) == content(source))
        // The last row is gone, and its number with it.
        try target.query("INSERT INTO parents (name) VALUES ('next')")
        #expect(try target.read("SELECT id FROM parents WHERE name = 'next'").first?.integer(0) == 701)
        // One that remembers no number goes on above its highest.
        try target.query("INSERT INTO children (id, parent) VALUES (900, 1)")
        let third = try Shelf(to).open(Self.migrations)
        try target.copied { _ = try third.takeOver(target) }
        try third.query("INSERT INTO children (parent) VALUES (1)")
        #expect(try third.read("SELECT max(id) FROM children").first?.integer(0) == 901)
        // A second time: the same again.
        try source.copied { _ = try target.takeOver(source) }
        #expect(try content(target) == content(source))
    }

    private func problem(_ source: Database, _ target: Database) -> String {
        do {
            try source.copied { _ = try target.takeOver(source) }
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: ways) func whatCannotBeCopiedChangesNothing(_ from: Engine, _ to: Engine) throws {
        let source = try Shelf(from).open(Self.migrations + ["CREATE TABLE more (id INTEGER PRIMARY KEY)"])
        try fill(source, rows: 5)
        let target = try Shelf(to).open(Self.migrations)
        try fill(target, rows: 3)
        let before = try content(target)
        #expect(problem(source, target).contains("the same tables"))
        // One that has another column.
        let other = try Shelf(from).open([Self.migrations[0], "ALTER TABLE keyed ADD COLUMN more TEXT"])
        try fill(other, rows: 5)
        #expect(!problem(other, target).isEmpty)
        #expect(try content(target) == before)
    }

    @Test(arguments: Engine.here) func aCopyIsOfOneMoment(_ engine: Engine) throws {
        let shelf = try Shelf(engine)
        let database = try shelf.open(Self.migrations)
        try fill(database, rows: 3)
        let source = try shelf.open(Self.migrations, .look)
        let target = try Shelf(.sqlite).open(Self.migrations)
        try source.copied {
            // The first look is where it begins.
            #expect(try source.read("SELECT count(*) FROM parents").first?.integer(0) == 2)
            try database.query("INSERT INTO parents (name) VALUES ('late')")
            try target.takeOver(source)
        }
        #expect(try target.read("SELECT count(*) FROM parents").first?.integer(0) == 2)
        #expect(try source.read("SELECT count(*) FROM parents").first?.integer(0) == 3)
    }
}

extension Database {
    /// As it is at one moment.
    fileprivate func copied(_ body: () throws -> Void) throws {
        var failure: (any Error)?
        try session.snapshot { () throws(StorageError) in
            do { try body() } catch let error as StorageError { throw error } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

/// Several programs, of which one stores.
@Suite(.enabled(if: PostgresServer.missing == nil, "PostgreSQL is not installed: deploy/setup --tests installs it"))
struct FenceTests {
    static let shelfTable = "CREATE TABLE shelf (id INTEGER PRIMARY KEY, value TEXT)"

    @Test func behindAFenceThatHasMovedNothingIsStored() throws {
        let address = try PostgreSQLAddress(PostgresServer.shared.get().makeDatabase())
        let book = try Database(
            in: DatabaseSession(address), store: "book",
            migrations: ["CREATE TABLE turns (name TEXT PRIMARY KEY, epoch INTEGER); INSERT INTO turns VALUES ('one', 7)"])
        func fence(_ epoch: Int64) -> Fence {
            Fence(table: "book.turns", key: "name", value: "one", number: "epoch", is: epoch, why: "somebody else is it")
        }
        let first = try Database(
            in: DatabaseSession(address, fence: fence(7)), store: "shelf", migrations: [Self.shelfTable])
        try first.query("INSERT INTO shelf (value) VALUES ('a')")
        // While a transaction is under way, nobody moves the fence.
        try first.transaction { connection throws(StorageError) in
            try connection.query("INSERT INTO shelf (value) VALUES ('b')")
            #expect(why { try book.query("UPDATE turns SET epoch = 8") }.contains("writing the same for too long"))
        }
        try book.query("UPDATE turns SET epoch = 8")
        for body in [
            { try first.query("INSERT INTO shelf (value) VALUES ('c')") },
            { try first.transaction { connection throws(StorageError) in _ = try connection.query("DELETE FROM shelf") } },
            { try first.turn { () throws(StorageError) in try first.query("DELETE FROM shelf") } },
        ] as [() throws -> Any] {
            let error = #expect(throws: StorageError.self) { _ = try body() }
            #expect(error?.isFenced == true, "\(String(describing: error))")
        }
        // It may still look.
        #expect(try first.read("SELECT count(*) FROM shelf").first?.integer(0) == 2)
        let second = try Database(
            in: DatabaseSession(address, fence: fence(8)), store: "shelf", migrations: [Self.shelfTable])
        try second.query("INSERT INTO shelf (value) VALUES ('d')")
        #expect(try second.read("SELECT value FROM shelf ORDER BY value").map { $0.text(0) } == ["a", "b", "d"])
    }
}
