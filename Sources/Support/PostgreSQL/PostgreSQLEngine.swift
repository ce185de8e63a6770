import CPostgres
import Glibc
import Storage

extension DatabaseSession {
    /// Connects to a PostgreSQL database. When the connection is lost, what was under way has failed, and the next transaction
    /// connects anew; with several hosts to the one that may be written by then.
    ///
    /// - Parameters:
    ///   - use: ``Database/Use/look`` for who only reports.
    ///   - prefix: what the names of the stores' schemas begin with.
    ///   - fence: without which nothing is stored.
    ///   - patience: so long one transaction waits for a server to come back, or for another to take its place.
    ///   - answer: so long one statement waits for its answer; then the connection is given up.
    /// - Throws: ``StorageError``.
    public convenience init(
        _ address: PostgreSQLAddress, use: Database.Use = .change, prefix: String = "", fence: Fence? = nil,
        patience: Duration = .seconds(5), answer: Duration = .seconds(30)
    ) throws(StorageError) {
        self.init(
            try PostgreSQLEngine(address, use, fence: fence, patience: patience, answer: answer), use: use,
            prefix: prefix)
    }
}

/// What each transaction that writes asks first, so that a program which was thought dead, and was only frozen, stores nothing
/// once another has taken its place.
public struct Fence: Sendable {
    /// The statement that fails when this program's time is over.
    let statement: String

    /// Holds a row of a table: as long as a transaction of this program is under way, whoever wants to change the number waits, and
    /// once it was changed, nothing is stored. Who changes it locks the row first (`SELECT … FOR UPDATE`); other columns may be
    /// changed all the while.
    ///
    /// - Parameters:
    ///   - table: with its schema.
    ///   - key, value: which row: letters, digits, `_` and `-`.
    ///   - number: the column that must not change.
    public init(table: String, key: String, value: String, number: String, is expected: Int64, why: String) {
        precondition(
            (table + key + value + number + why).utf8.allSatisfy { $0 != 0x27 && $0 != 0x24 && $0 != 0x5C },
            "a fence's words are no one else's")
        statement = """
            DO $$ BEGIN PERFORM 1 FROM \(table) WHERE \(key) = '\(value)' AND \(number) = \(expected) FOR KEY SHARE; \
            IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = '\(StorageError.fenceState)', MESSAGE = '\(why)'; END IF; END $$
            """
    }
}

/// The tables of several stores on a PostgreSQL server, each in a schema of its own, over one connection.
///
/// What begins, parts and claims a transaction is sent with the first statement that needs it: a network's time is spent on
/// statements. Within a transaction a store has one writer at a time, as a SQLite file has, so that what was read in it holds
/// until its end.
final class PostgreSQLEngine: StorageEngine {
    private let address: PostgreSQLAddress
    private let use: Database.Use
    private let fence: Fence?
    private let patience, answer: Duration
    private var link: PostgreSQLLink?

    /// To be sent before the next statement.
    private var waiting: [String] = []
    /// The schema that statements are about now; `nil`: not known.
    private var current: String?
    private var transaction: Transaction?

    private struct Transaction {
        /// Whether the server has heard of it.
        var isThere = false
        var claimed: Set<String> = []
    }

    private struct Prepared: Hashable {
        let store, sql: String
        let types: [UInt32]
    }
    private var prepared: [Prepared: String] = [:]
    private var count = 0
    private static let maximumPrepared = 512

    var place: String { address.place }
    let forgivesFailures = false

    /// A second connection for each program would be one more of the server's, of which it has a hundred.
    func reader() -> (any StorageEngine)? { nil }

    init(
        _ address: PostgreSQLAddress, _ use: Database.Use, fence: Fence? = nil, patience: Duration, answer: Duration
    ) throws(StorageError) {
        self.address = address
        self.use = use
        self.fence = fence
        self.patience = patience
        self.answer = answer
        link = try PostgreSQLLink(address, use, answer)
    }

    // MARK: The connection

    private func connected() throws(StorageError) -> PostgreSQLLink {
        if let link { return link }
        let end = ContinuousClock.now + patience
        while true {
            do throws(StorageError) {
                let new = try PostgreSQLLink(address, use, answer)
                link = new
                return new
            } catch {
                guard ContinuousClock.now < end else { throw error }
                usleep(100_000)
            }
        }
    }

    private func drop() {
        link = nil
        prepared = [:]
        current = nil
    }

    /// Does something with the connection, which is given up when it was lost.
    private func using<Result>(
        _ body: (PostgreSQLLink) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        do throws(StorageError) {
            return try body(try connected())
        } catch {
            switch error {
            case .lost: drop()
            // What may only be read is a server that another has replaced: the next transaction asks which.
            case .refused(_, "25006", _, _) where use == .change: drop()
            default: break
            }
            throw error
        }
    }

    /// Sends what waits, and sees to it that the next statement is about this store. A connection that was lost before the
    /// transaction began takes nothing with it: there is a new one.
    private func sendWaiting(_ store: String?) throws(StorageError) {
        if let transaction, transaction.isThere, link == nil {
            throw .lost(place: place, why: "the connection had ended before")
        }
        let hadLink = link != nil
        do throws(StorageError) {
            try sendOnce(store)
        } catch {
            guard case .lost = error, hadLink, transaction?.isThere != true else { throw error }
            try sendOnce(store)
        }
    }

    private func sendOnce(_ store: String?) throws(StorageError) {
        try using { link throws(StorageError) in
            var all = waiting
            if let store, store != current { all.append("SET search_path TO \"\(store)\"") }
            guard !all.isEmpty else { return }
            do throws(StorageError) {
                try link.script(all.joined(separator: ";"))
            } catch {
                // It has begun, and the server waits for its end.
                if case .refused = error { transaction?.isThere = true }
                throw error
            }
            transaction?.isThere = true
            waiting = []
            if let store { current = store }
        }
    }

    // MARK: Statements

    func onlyReads(_ sql: String) -> Bool { sql.hasPrefix("SELECT") }

    func query(_ sql: String, _ values: [Value], of store: String) throws(StorageError) -> [Row] {
        let canRepeat = transaction == nil && onlyReads(sql) && link != nil
        do throws(StorageError) {
            return try queryOnce(sql, values, of: store)
        } catch {
            guard canRepeat, case .lost = error else { throw error }
            return try queryOnce(sql, values, of: store)
        }
    }

    private func queryOnce(_ sql: String, _ values: [Value], of store: String) throws(StorageError) -> [Row] {
        try sendWaiting(store)
        return try using { link throws(StorageError) in
            let key = Prepared(store: store, sql: sql, types: values.map(WireValue.type))
            if let name = prepared[key] { return try link.execute(name, sql, values) }
            let text = Dialect.statement(sql)
            if prepared.count >= Self.maximumPrepared, let (old, name) = prepared.first {
                prepared[old] = nil
                try link.script("DEALLOCATE \(name)")
            }
            count += 1
            let name = "s\(count)"
            try link.prepare(name, text, key.types)
            prepared[key] = name
            return try link.execute(name, sql, values)
        }
    }

    // MARK: Transactions

    var isInTransaction: Bool {
        guard let transaction else { return false }
        return transaction.isThere ? link?.isInTransaction == true : true
    }

    func begin() throws(StorageError) {
        waiting = ["BEGIN ISOLATION LEVEL READ COMMITTED"]
        if let fence { waiting.append(fence.statement) }
        transaction = Transaction()
    }

    func beginSnapshot() throws(StorageError) {
        waiting = ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"]
        transaction = Transaction()
    }

    func claim(_ store: String) throws(StorageError) {
        guard transaction?.claimed.insert(store).inserted == true else { return }
        // "SRUP", and the store.
        let hash = store.utf8.reduce(0x811C_9DC5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        waiting.append("SELECT pg_advisory_xact_lock(\(0x5352_5550), \(Int32(bitPattern: hash)))")
    }

    func commit() throws(StorageError) {
        guard let transaction, transaction.isThere else {
            // Nothing was said in it.
            waiting = []
            return self.transaction = nil
        }
        guard link != nil else { throw .lost(place: place, why: "the connection had ended before") }
        let all = waiting + ["COMMIT"]
        waiting = []
        let done: String
        do throws(StorageError) {
            done = try using { link throws(StorageError) in try link.script(all.joined(separator: ";")) }
        } catch {
            if case .lost(let place, let why) = error {
                self.transaction = nil
                throw .unknownWhetherStored(place: place, why: why)
            }
            throw error
        }
        self.transaction = nil
        // A transaction in which something has failed is rolled back, and that is no error.
        guard done == "COMMIT" else {
            current = nil
            throw .refused(
                place: place, state: "25P02", why: "something in the transaction has failed", statement: "COMMIT")
        }
    }

    func rollback() {
        if transaction?.isThere == true, link != nil {
            do throws(StorageError) {
                try using { link throws(StorageError) in _ = try link.script("ROLLBACK") }
            } catch {
                drop()
            }
        }
        // The server goes back to the schema of before.
        current = nil
        waiting = []
        transaction = nil
    }

    private static let partBegins = "SAVEPOINT part"

    func beginPart() throws(StorageError) { waiting.append(Self.partBegins) }

    func endPart() throws(StorageError) {
        // One in which nothing was said need not be.
        if waiting.last == Self.partBegins { waiting.removeLast() } else { waiting.append("RELEASE SAVEPOINT part") }
    }

    func dropPart() {
        if let index = waiting.lastIndex(of: Self.partBegins) {
            waiting.removeSubrange(index...)
        } else if transaction?.isThere == true, link != nil {
            do throws(StorageError) {
                try using { link throws(StorageError) in
                    _ = try link.script("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")
                }
            } catch {
                drop()
            }
        }
        current = nil
    }

    // MARK: Migrations

    func schema(of store: String) throws(StorageError) -> Int {
        guard !store.isEmpty,
            store.utf8.allSatisfy({ (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F })
        else {
            throw .cannotOpen(path: place, why: "\"\(store)\" is no name for a schema")
        }
        let table = "\"\(store)\".schema_version"
        let isThere = try query("SELECT to_regclass(?) IS NOT NULL", [.text(table)], of: store).first?.integer(0) == 1
        if !isThere {
            guard use == .change else {
                throw .cannotOpen(path: place, why: "nothing has been stored there yet (there is no \(table))")
            }
            let hasSchema = try query("SELECT to_regnamespace(?) IS NOT NULL", [.text("\"\(store)\"")], of: store)
            if hasSchema.first?.integer(0) != 1 { waiting.append("CREATE SCHEMA \"\(store)\"") }
            waiting.append("CREATE TABLE \(table) (version BIGINT NOT NULL)")
        }
        return Int(try query("SELECT version FROM \(table)", [], of: store).first?.integer(0) ?? 0)
    }

    func migrate(_ store: String, _ scripts: ArraySlice<String>, to version: Int) throws(StorageError) {
        guard !scripts.isEmpty else { return }
        try sendWaiting(store)
        try using { link throws(StorageError) in
            try link.script("SET LOCAL statement_timeout = 0")
            for script in scripts {
                try link.script(Dialect.script(script), patience: PostgreSQLLink.longestMigration)
            }
            try link.script("DELETE FROM schema_version; INSERT INTO schema_version VALUES (\(version))")
        }
    }

    // MARK: Whole stores

    func tables(of store: String) throws(StorageError) -> [StoredTable] {
        // A table is made after those that it refers to.
        let names = try query(
            """
            SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = ? AND c.relkind = 'r' AND c.relname <> 'schema_version' ORDER BY c.oid::bigint
            """, [.text(store)], of: store
        ).compactMap { $0.text(0) }
        var tables: [StoredTable] = []
        for name in names {
            let columns = try query(
                """
                SELECT a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = ? AND c.relname = ? AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum::bigint
                """, [.text(store), .text(name)], of: store)
            tables.append(StoredTable(name: name, columns: columns.compactMap { $0.text(0) }))
        }
        return tables
    }

    func eachRow(
        of table: StoredTable, in store: String, _ body: ([Row]) throws(StorageError) -> Void
    ) throws(StorageError) {
        precondition(transaction != nil, "a cursor lives in a transaction")
        try sendWaiting(store)
        try using { link throws(StorageError) in
            try link.script("DECLARE whole NO SCROLL CURSOR FOR \(table.selection)")
        }
        while true {
            let rows = try using { link throws(StorageError) in
                try link.fetch("FETCH \(Database.rowsAtOnce) FROM whole")
            }
            guard !rows.isEmpty else { break }
            try body(rows)
        }
        try using { link throws(StorageError) in _ = try link.script("CLOSE whole") }
    }

    func lastNumber(of table: StoredTable, in store: String) throws(StorageError) -> Int64? {
        guard let (_, sequence) = try sequence(of: table, in: store) else { return nil }
        let row = try query("SELECT last_value, is_called FROM \(sequence)", [], of: store).first
        return row?.integer(1) == 1 ? row?.integer(0) : 0
    }

    func setLastNumber(_ number: Int64, of table: StoredTable, in store: String) throws(StorageError) {
        guard let (column, sequence) = try sequence(of: table, in: store) else { return }
        // SQLite goes on above the highest row, too, where it remembers no number.
        let highest =
            try query("SELECT max(\"\(column)\") FROM \"\(table.name)\"", [], of: store).first?.integer(0) ?? 0
        guard max(number, highest) > 0 else { return }
        _ = try query("SELECT setval(?::regclass, ?)", [.text(sequence), .integer(max(number, highest))], of: store)
    }

    /// The column that a table numbers by itself, and where it counts.
    private func sequence(
        of table: StoredTable, in store: String
    ) throws(StorageError) -> (column: String, sequence: String)? {
        let columns = try query(
            """
            SELECT a.attname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = ? AND c.relname = ? AND a.attidentity <> '' AND NOT a.attisdropped
            """, [.text(store), .text(table.name)], of: store)
        guard let column = columns.first?.text(0) else { return nil }
        return try query(
            "SELECT pg_get_serial_sequence(?, ?)", [.text("\"\(store)\".\"\(table.name)\""), .text(column)], of: store
        ).first?.text(0).map { (column, $0) }
    }
}
