import Foundation
import Glibc
import Storage
import Synchronization
import Testing

/// Many transactions gathered into one.
@Suite struct TurnTests {
    let scratch: Scratch
    let database: Database
    /// Another process's view of the same file.
    let other: Database

    private static let tables = "CREATE TABLE shelf (id INTEGER PRIMARY KEY, value TEXT UNIQUE)"

    init() throws {
        scratch = try Scratch()
        database = try Database(path: scratch("state.db"), migrations: [Self.tables])
        other = try Database(path: scratch("state.db"), migrations: [Self.tables])
    }

    private func put(_ value: String) throws(StorageError) {
        try database.query("INSERT INTO shelf (value) VALUES (?)", .text(value))
    }

    private func values(_ database: Database) throws -> [String] {
        try database.read("SELECT value FROM shelf ORDER BY id").compactMap { $0.text(0) }
    }

    @Test func allIsStoredTogetherAndNobodyElseSeesAPartOfIt() throws {
        var seen: [String]?
        try database.turn { () throws(StorageError) in
            try put("one")
            try database.transaction { connection throws(StorageError) in
                try connection.query("INSERT INTO shelf (value) VALUES ('two')")
            }
            seen = try? values(other)
            #expect((try? values(database)) == ["one", "two"])
        }
        #expect(seen == [])
        #expect(try values(other) == ["one", "two"])
    }

    @Test func aPartThatFailsTakesNothingElseWithIt() throws {
        try database.turn { () throws(StorageError) in
            try put("one")
            #expect(throws: StorageError.self) {
                try database.transaction { connection throws(StorageError) in
                    try connection.query("INSERT INTO shelf (value) VALUES ('two')")
                    try connection.query("INSERT INTO shelf (value) VALUES ('one')")
                }
            }
            #expect(throws: StorageError.self) { try put("one") }
            try put("three")
        }
        #expect(try values(other) == ["one", "three"])
    }

    @Test func nothingIsStoredWhenTheWholeFails() throws {
        #expect(throws: StorageError.self) {
            try database.turn { () throws(StorageError) in
                try put("one")
                throw StorageError.cannotOpen(path: "x", why: "y")
            }
        }
        #expect(try values(other) == [])
        // And the next one begins anew.
        try database.turn { () throws(StorageError) in try put("two") }
        #expect(try values(other) == ["two"])
    }

    @Test func aTurnWithinATurnIsAPartOfIt() throws {
        #expect(throws: StorageError.self) {
            try database.turn { () throws(StorageError) in
                try database.turn { () throws(StorageError) in try put("one") }
                throw StorageError.cannotOpen(path: "x", why: "y")
            }
        }
        #expect(try values(other) == [])
    }

    @Test func whoOnlyReadsKeepsNobodyFromWriting() throws {
        try database.turn { () throws(StorageError) in
            _ = try database.query("SELECT value FROM shelf")
            // With the write lock taken this would wait for five seconds and fail.
            #expect((try? other.query("INSERT INTO shelf (value) VALUES ('other')")) != nil)
        }
        #expect(try values(database) == ["other"])
    }

    @Test func anotherThreadWaitsAndIsNotDrawnIn() async throws {
        let database = database
        let entered = Mutex(false)
        let done = Mutex(false)
        let thread = Task.detached {
            while !entered.withLock({ $0 }) { await Task.yield() }
            try database.query("INSERT INTO shelf (value) VALUES ('thread')")
            done.withLock { $0 = true }
        }
        #expect(throws: StorageError.self) {
            try database.turn { () throws(StorageError) in
                entered.withLock { $0 = true }
                try put("turn")
                usleep(50_000)
                #expect(!done.withLock { $0 })
                throw StorageError.cannotOpen(path: "x", why: "y")
            }
        }
        try await thread.value
        #expect(try values(other) == ["thread"])
    }

    @Test func whatTheDiskRefusesIsToldOnceAndTheNextTurnGoesOn() throws {
        // A limit in place of a full disk: SQLite says the same, and rolls back by itself where it has to.
        let pages = try database.query("PRAGMA page_count").first?.integer(0) ?? 0
        try database.query("PRAGMA max_page_count = \(pages)")
        let large = String(repeating: "x", count: 100_000)
        #expect(throws: StorageError.self) {
            try database.turn { () throws(StorageError) in
                try put("one")
                do throws(StorageError) {
                    try put(large)
                } catch {
                    // Whoever goes on all the same may not be left with half of it.
                    try put("two")
                    throw error
                }
            }
        }
        #expect(try values(other) == [])
        try database.query("PRAGMA max_page_count = 100000")
        try database.turn { () throws(StorageError) in try put(large) }
        #expect(try values(other).count == 1)
    }

    @Test func whoLooksDoesNotWaitForATurnAndSeesWhatIsStored() throws {
        let database = database
        try put("before")
        let entered = Mutex(false)
        let seen = Mutex<[String]?>(nil)
        // A thread of its own: this one blocks until it has looked.
        Thread.detachNewThread {
            while !entered.withLock({ $0 }) { usleep(1000) }
            let rows = try? database.read("SELECT value FROM shelf ORDER BY id")
            seen.withLock { $0 = rows?.compactMap { $0.text(0) } ?? ["nothing"] }
        }
        try database.turn { () throws(StorageError) in
            try put("in the turn")
            entered.withLock { $0 = true }
            // It would never come while this thread has its turn.
            while seen.withLock({ $0 == nil }) { usleep(1000) }
            // The turn itself sees what it has written.
            #expect((try? values(database)) == ["before", "in the turn"])
        }
        #expect(seen.withLock { $0 } == ["before"])
        #expect(try values(database) == ["before", "in the turn"])
    }

    @Test func nobodyIsKeptWaitingByTurnsThatFollowEachOther() throws {
        let database = database
        let isDone = Mutex(false)
        Thread.detachNewThread {
            _ = try? database.query("INSERT INTO shelf (value) VALUES ('writer')")
            isDone.withLock { $0 = true }
        }
        var turns = 0
        while !isDone.withLock({ $0 }) {
            try database.turn { () throws(StorageError) in
                try put("turn \(turns)")
                usleep(2000)
            }
            turns += 1
            if turns > 5000 { break }
        }
        #expect(isDone.withLock { $0 }, "after \(turns) turns")
        #expect(try values(other).contains("writer"))
    }
}
