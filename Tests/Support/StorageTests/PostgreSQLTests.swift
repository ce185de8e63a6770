import Foundation
import PostgreSQL
import Storage
import Synchronization
import TestProcesses
import Testing

/// What there is with a server alone: connections that end, others in the way, addresses.
@Suite(.enabled(if: PostgresServer.missing == nil, "PostgreSQL is not installed: deploy/setup --tests installs it"))
struct PostgreSQLTests {
    static let table = "CREATE TABLE shelf (id INTEGER PRIMARY KEY, value TEXT UNIQUE)"

    private func values(_ database: Database) throws(StorageError) -> [String] {
        try database.read("SELECT value FROM shelf ORDER BY value").compactMap { $0.text(0) }
    }

    private func put(_ value: String, _ database: Database) throws(StorageError) {
        try database.query("INSERT INTO shelf (value) VALUES (?)", .text(value))
    }

    /// Ends all connections to a database but one's own, as an operator can.
    private func cut(_ shelf: Shelf) throws {
        try PostgresServer.shared.get().sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() "
                + "AND pid <> pg_backend_pid()", at: shelf.text)
    }

    // MARK: The connection

    @Test func aConnectionThatEndedWhileNothingWasUnderWayIsReplaced() throws {
        let shelf = try Shelf(.postgres)
        let database = try shelf.open([Self.table])
        try put("one", database)
        try cut(shelf)
        #expect(try values(database) == ["one"])
        try cut(shelf)
        try put("two", database)
        try cut(shelf)
        try database.turn { () throws(StorageError) in try put("three", database) }
        #expect(try values(database) == ["one", "three", "two"])
    }

    @Test func whoClaimsAStoreWaitsForWhatIsStillBeingStored() throws {
        let shelf = try Shelf(.postgres)
        let (database, earlier) = (try shelf.open([Self.table]), try shelf.open([Self.table]))
        let (isWriting, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        // As a server that goes on with the transaction of a program which has given up its connection.
        let thread = Thread {
            try? earlier.transaction { connection throws(StorageError) in
                try connection.query("INSERT INTO shelf (value) VALUES ('late')")
                isWriting.signal()
                mayEnd.wait()
            }
        }
        thread.start()
        isWriting.wait()
        #expect(try values(database) == [])
        DispatchQueue.global().asyncAfter(deadline: .now() + 0.3) { mayEnd.signal() }
        try database.turn { () throws(StorageError) in
            try database.claim()
            #expect(try values(database) == ["late"])
            try put("new", database)
        }
        #expect(try values(database) == ["late", "new"])
    }

    @Test func aTransactionWhoseConnectionEndsHasFailedAndTheNextOneGoesOn() throws {
        let shelf = try Shelf(.postgres)
        let database = try shelf.open([Self.table])
        let error = #expect(throws: StorageError.self) {
            try database.transaction { connection throws(StorageError) in
                try connection.query("INSERT INTO shelf (value) VALUES ('one')")
                try? cut(shelf)
                try connection.query("INSERT INTO shelf (value) VALUES ('two')")
            }
        }
        guard case .lost = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try values(database) == [])
        try put("three", database)
        #expect(try values(database) == ["three"])
    }

    @Test func aTurnWhoseConnectionEndsStoresNothingWhateverTheCallsWithinDo() throws {
        let shelf = try Shelf(.postgres)
        let database = try shelf.open([Self.table])
        let failures = Mutex<[String]>([])
        let error = #expect(throws: StorageError.self) {
            try database.turn { () throws(StorageError) in
                try put("one", database)
                try? cut(shelf)
                // Whoever goes on all the same may not be left with half of it, nor be told what is not so.
                for value in ["two", "three"] {
                    do throws(StorageError) {
                        try put(value, database)
                    } catch {
                        failures.withLock { $0.append("\(error)") }
                    }
                }
                #expect((try? values(database)) == nil)
            }
        }
        #expect(failures.withLock { $0 }.count == 2)
        guard case .lost = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try values(database) == [])
        try database.turn { () throws(StorageError) in try put("four", database) }
        #expect(try values(database) == ["four"])
    }

    @Test func aCommitWithoutAnAnswerIsSaidToBeUnknown() throws {
        let shelf = try Shelf(.postgres)
        let database = try shelf.open([Self.table])
        let error = #expect(throws: StorageError.self) {
            try database.turn { () throws(StorageError) in
                try put("one", database)
                try? cut(shelf)
            }
        }
        guard case .unknownWhetherStored = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.description.contains("nobody knows whether") == true)
        // Here it was not.
        #expect(try values(database) == [])
    }

    @Test func whatWasStoredOutlivesTheServersCrashAndWhatWasUnderWayDoesNot() throws {
        let server = try PostgresServer()
        let shelf = try Shelf(.postgres, server)
        let database = try shelf.open([Self.table])
        for value in 0..<20 { try put("\(value)", database) }
        let error = #expect(throws: StorageError.self) {
            try database.transaction { connection throws(StorageError) in
                try connection.query("INSERT INTO shelf (value) VALUES ('half')")
                server.crash()
                try connection.query("INSERT INTO shelf (value) VALUES ('other half')")
            }
        }
        guard case .lost = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let absent = why { try put("absent", database) }
        #expect(absent.contains("cannot be opened"), "\(absent)")
        try server.start()
        #expect(try values(database).count == 20)
        try put("after", database)
        #expect(try values(database).contains("after"))
    }

    @Test func aServerThatComesBackInTimeIsWaitedFor() throws {
        let server = try PostgresServer()
        let shelf = try Shelf(.postgres, server)
        let session = try DatabaseSession(PostgreSQLAddress(shelf.text), patience: .seconds(60))
        let database = try Database(in: session, store: "shelf", migrations: [Self.table])
        try put("one", database)
        server.crash()
        let thread = Thread {
            usleep(300_000)
            try? server.start()
        }
        thread.start()
        try put("two", database)
        #expect(try values(database) == ["one", "two"])
    }

    @Test func aServerThatStandsStillIsNotWaitedForForEver() throws {
        let server = try PostgresServer()
        let address = try PostgreSQLAddress(server.makeDatabase())
        let session = try DatabaseSession(address, patience: .seconds(1), answer: .seconds(2))
        let database = try Database(in: session, store: "shelf", migrations: [Self.table])
        try put("one", database)
        server.freeze(true)
        let words = why {
            try database.transaction { connection throws(StorageError) in
                _ = try connection.query("INSERT INTO shelf (value) VALUES ('two')")
            }
        }
        #expect(!words.isEmpty)
        server.freeze(false)
        let later = try DatabaseSession(address, patience: .seconds(60))
        #expect(try values(Database(in: later, store: "shelf", migrations: [Self.table])) == ["one"])
    }

    // MARK: Others

    @Test func whoeverHasWrittenForTooLongIsNotWaitedForForEver() throws {
        let shelf = try Shelf(.postgres)
        let (database, other) = (try shelf.open([Self.table]), try shelf.open([Self.table]))
        try database.transaction { connection throws(StorageError) in
            try connection.query("INSERT INTO shelf (value) VALUES ('one')")
            let words = why { try put("two", other) }
            #expect(words.contains("another program has been writing"), "\(words)")
            // Another store of the same database is nobody's way.
            #expect(why { try shelf.open([Self.table], store: "other") } == "")
        }
        try put("two", other)
        #expect(try values(database) == ["one", "two"])
    }

    @Test func aDeadlockEndsWithOneThatIsRunAgain() throws {
        let shelf = try Shelf(.postgres)
        let runs = Mutex(0)
        let databases = try (0..<2).map { _ in
            try shelf.open(["CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)"], store: "s")
        }
        try databases[0].query("INSERT INTO t VALUES (1, 0)")
        try databases[0].query("INSERT INTO t VALUES (2, 0)")
        // The claim keeps two of ours apart: this one is somebody else, with the same rows in the other order.
        let server = try PostgresServer.shared.get()
        let done = Mutex(false)
        let text = shelf.text
        let thread = Thread {
            _ = try? server.sql(
                "SET deadlock_timeout = '60s'; BEGIN; UPDATE s.t SET n = n + 10 WHERE id = 2; SELECT pg_sleep(1); "
                    + "UPDATE s.t SET n = n + 10 WHERE id = 1; COMMIT", at: text)
            done.withLock { $0 = true }
        }
        thread.start()
        while true {
            let busy = try server.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(1)%' AND pid <> pg_backend_pid() "
                    + "AND datname = current_database()", at: shelf.text)
            if busy == "1" { break }
        }
        try databases[0].transaction { connection throws(StorageError) in
            runs.withLock { $0 += 1 }
            try connection.query("UPDATE t SET n = n + 1 WHERE id = 1")
            try connection.query("UPDATE t SET n = n + 1 WHERE id = 2")
        }
        while !done.withLock({ $0 }) { usleep(10_000) }
        // On a slow machine the other one is still there when it is run again.
        #expect(runs.withLock { $0 } >= 2)
        #expect(try databases[0].read("SELECT n FROM t ORDER BY id").map { $0.integer(0) } == [11, 11])
    }

    @Test func storesThatShareASessionShareTheTurn() throws {
        let shelf = try Shelf(.postgres)
        let session = try #require(try shelf.session())
        let stores = try ["one", "two", "three"].map { try Database(in: session, store: $0, migrations: [Self.table]) }
        let other = try shelf.open([Self.table], store: "two")
        func fill(fails: Bool) throws(StorageError) {
            try stores[0].turn { () throws(StorageError) in
                try stores[1].turn { () throws(StorageError) in
                    for store in stores { try put("x", store) }
                    #expect((try? values(other)) == [])
                    #expect(throws: StorageError.self) { try put("x", stores[2]) }
                    #expect((try? values(stores[0])) == ["x"])
                }
                if fails { throw .cannotOpen(path: "x", why: "y") }
            }
        }
        #expect(throws: StorageError.self) { try fill(fails: true) }
        for store in stores { #expect(try values(store) == []) }
        try fill(fails: false)
        for store in stores { #expect(try values(store) == ["x"]) }
        #expect(try values(other) == ["x"])
    }

    // MARK: The server

    @Test func aDatabaseWithAnotherEncodingIsRefused() throws {
        let address = try PostgresServer.shared.get().makeDatabase(encoding: "LATIN1")
        #expect(why { try DatabaseSession(PostgreSQLAddress(address)) }.contains("its encoding is LATIN1"))
    }

    @Test func aServerThatForgetsInAPowerCutIsRefusedForWriting() throws {
        let server = try PostgresServer()
        let address = try PostgreSQLAddress(server.makeDatabase())
        server.crash()
        try server.start(["fsync=off"])
        #expect(why { try DatabaseSession(address) }.contains("fsync = off"))
        #expect(why { try DatabaseSession(address, use: .look) } == "")
    }

    @Test func ofSeveralHostsTheOneIsUsedThatMayBeWritten() throws {
        let (first, second) = (try PostgresServer(), try PostgresServer())
        let text = try first.makeDatabase()
        let name = try #require(text.firstMatch(of: /\/(t[0-9a-f]+)\?/)?.1)
        try second.sql(
            "CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'UTF8'",
            at: text.replacing(name, with: "postgres")
                .replacing(try host(text), with: try host(second.makeDatabase())))
        let both = text.replacing("host=", with: "host=\(try host(second.makeDatabase())),")
        // As a standby: it takes connections, and nothing may be written.
        second.crash()
        try second.start(["default_transaction_read_only=on"])
        let database = try Database(
            in: DatabaseSession(PostgreSQLAddress(both)), store: "shelf", migrations: [Self.table])
        try put("one", database)
        #expect(try first.sql("SELECT value FROM shelf.shelf", at: text) == "one")
        // The first one is lost, and the second one takes its place (with nothing in it here: who copies it is not ours).
        first.crash()
        second.crash()
        try second.start()
        #expect(why { try put("two", database) }.contains("shelf"))
        let again = try Database(in: DatabaseSession(PostgreSQLAddress(both)), store: "shelf", migrations: [Self.table])
        try put("three", again)
        #expect(try values(again) == ["three"])
    }

    private func host(_ address: String) throws -> String {
        String(try #require(address.split(separator: "host=").last))
    }

    // MARK: Addresses

    @Test(arguments: [
        "postgresql://srup:geheim@nowhere.invalid:1/srup", "postgresql://srup:geheim@127.0.0.1:1,localhost:2/srup",
        "postgresql:///srup?user=x&password=geheim&host=/nonexistent",
    ])
    func thePasswordIsNeverInAnError(_ text: String) throws {
        let address = try PostgreSQLAddress(text)
        #expect(!address.place.contains("geheim") && !address.place.contains("x@"))
        let words = why { try DatabaseSession(address) }
        #expect(words.contains("cannot be opened") && !words.contains("geheim"), "\(words)")
    }

    @Test(arguments: [
        "", "srup", "host=x password=geheim", "mysql://geheim@x", "postgresql://srup:geheim@[x/srup",
        "postgresql://srup:geheim@x:y/srup?nothing=1", "postgresql://a%00geheim/x", "postgresql://x/\0geheim",
    ])
    func whatIsNoAddressIsRefusedWithoutItsText(_ text: String) {
        let words = why { try PostgreSQLAddress(text) }
        #expect(words.contains("postgresql://user@host/database") && !words.contains("geheim"), "\(words)")
    }

    @Test(arguments: [
        ("postgresql://u:p@one:1,two:2/d", "postgresql://one:1,two:2/d"),
        ("postgresql://u@one,two:7/d", "postgresql://one,two:7/d"),
        ("postgresql:///d?host=/run/x", "postgresql:///run/x/d"), ("postgres://h", "postgresql://h/"),
    ])
    func aPlaceIsHostPortAndDatabase(_ text: String, _ place: String) throws {
        #expect(try PostgreSQLAddress(text).place == place)
    }
}
