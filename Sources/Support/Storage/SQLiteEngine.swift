import CSQLite
import Glibc

/// One SQLite file.
///
/// SQLite's C API and not a Swift layer over it, since this goes onto the appliance, which links no full Foundation.
final class SQLiteEngine: StorageEngine {
    private let pointer: OpaquePointer
    private let statements = Statements()
    let place: String
    let forgivesFailures = true

    init(_ path: String, _ use: Database.Use) throws(StorageError) {
        place = path
        pointer = try use == .change ? Self.open(path) : Self.look(path)
        Self.addFunctions(pointer)
        guard use == .change else { return }
        // FULL and not NORMAL: with the write-ahead log, NORMAL may lose the last transactions in a power cut, and a
        // replay counter that steps back would open an old number again.
        for pragma in ["journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"] {
            _ = try query("PRAGMA \(pragma)")
        }
    }

    /// Beside one that writes: in a write-ahead log readers and the writer do not wait for each other.
    private init(readingBeside path: String) throws(StorageError) {
        place = path
        pointer = try Self.open(path, path, SQLITE_OPEN_READWRITE)
        Self.addFunctions(pointer)
        _ = try query("PRAGMA query_only=ON")
    }

    func reader() throws(StorageError) -> (any StorageEngine)? { try SQLiteEngine(readingBeside: place) }

    deinit {
        statements.finish()
        sqlite3_close_v2(pointer)
    }

    private static func open(_ path: String) throws(StorageError) -> OpaquePointer {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .cannotOpen(path: path, why: String(cString: strerror(errno))) }
        close(descriptor)
        return try open(path, path, SQLITE_OPEN_READWRITE)
    }

    private static func open(_ name: String, _ path: String, _ flags: Int32) throws(StorageError) -> OpaquePointer {
        var pointer: OpaquePointer?
        let flags = flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE
        guard sqlite3_open_v2(name, &pointer, flags, nil) == SQLITE_OK, let pointer else {
            let why = String(cString: sqlite3_errmsg(pointer))
            sqlite3_close_v2(pointer)
            throw .cannotOpen(path: path, why: why)
        }
        sqlite3_busy_timeout(pointer, 5000)
        return pointer
    }

    /// Opens for reading in the one of SQLite's ways that writes nothing. https://www.sqlite.org/wal.html#readonly
    private static func look(_ path: String) throws(StorageError) -> OpaquePointer {
        func size(_ suffix: String) -> Int? {
            var status = stat()
            return stat(path + suffix, &status) == 0 ? Int(status.st_size) : nil
        }
        guard size("") != nil else { throw .cannotOpen(path: path, why: String(cString: strerror(errno))) }
        let uri = "file:" + path.utf8.map(Self.escaped).joined()
        let way =
            switch (size("-wal") ?? 0, size("-shm")) {
            // Closed in order: nothing but the file itself, which nobody writes to.
            case (0, nil): "?mode=ro&immutable=1"
            // In use, or left by a crash: what is shared may be read, and is put aside where it is out of date.
            case (_, .some): "?mode=ro&readonly_shm=1"
            // What is shared went in a power cut: nobody has the file open, and an index of the log is made in memory.
            default: "?mode=ro&vfs=unix-none"
            }
        let pointer = try open(uri + way, path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI)
        if way.hasSuffix("unix-none") { sqlite3_exec(pointer, "PRAGMA locking_mode=EXCLUSIVE", nil, nil, nil) }
        srup_sqlite_leave_log(pointer)
        return pointer
    }

    private static func escaped(_ byte: UInt8) -> String {
        switch byte {
        case 0x2D...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: String(UnicodeScalar(byte))
        default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }
    }

    /// PostgreSQL's `to_hex`, which statements of both engines use: all 64 bits, without zeros in front.
    private static func addFunctions(_ pointer: OpaquePointer) {
        sqlite3_create_function_v2(
            pointer, "to_hex", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nil,
            { context, _, values in
                guard let value = values?[0], sqlite3_value_type(value) == SQLITE_INTEGER else {
                    return sqlite3_result_null(context)
                }
                let text = String(UInt64(bitPattern: sqlite3_value_int64(value)), radix: 16)
                // SQLITE_TRANSIENT: SQLite copies the bytes before the call returns.
                let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
                sqlite3_result_text(context, text, Int32(text.utf8.count), transient)
            }, nil, nil, nil)
    }

    // https://sqlite.org/c3ref/get_autocommit.html
    var isInTransaction: Bool { sqlite3_get_autocommit(pointer) == 0 }

    /// `false` for a statement that SQLite does not understand, too.
    func onlyReads(_ sql: String) -> Bool {
        guard let statement = statements.statement(sql, pointer) else { return false }
        defer { statements.giveBack(statement, sql) }
        return sqlite3_stmt_readonly(statement) != 0
    }

    func query(_ sql: String, _ values: [Value], of store: String) throws(StorageError) -> [Row] {
        try query(sql, values)
    }

    @discardableResult
    func query(_ sql: String, _ values: [Value] = []) throws(StorageError) -> [Row] {
        guard let statement = statements.statement(sql, pointer) else { throw failure(sql) }
        defer { statements.giveBack(statement, sql) }
        for (index, value) in values.enumerated() {
            guard value.bind(to: statement, at: Int32(index + 1)) == SQLITE_OK else { throw failure(sql) }
        }
        var rows: [Row] = []
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW:
                rows.append(Row((0..<sqlite3_column_count(statement)).map { Value(column: $0, of: statement) }))
            case SQLITE_DONE: return rows
            default: throw failure(sql)
            }
        }
    }

    private func script(_ sql: String) throws(StorageError) {
        guard sqlite3_exec(pointer, sql, nil, nil, nil) == SQLITE_OK else { throw failure(sql) }
    }

    private func failure(_ sql: String) -> StorageError {
        let code = sqlite3_extended_errcode(pointer)
        return .failed(
            path: place, code: code, why: String(cString: sqlite3_errmsg(pointer)), statement: String(sql.prefix(80)))
    }

    // MARK: Transactions

    func begin() throws(StorageError) { try query("BEGIN IMMEDIATE") }
    /// The file has one writer at a time.
    func claim(_ store: String) {}
    /// SQLite's snapshot is of the first read in it.
    func beginSnapshot() throws(StorageError) { try query("BEGIN") }
    func commit() throws(StorageError) { try query("COMMIT") }
    func rollback() { if isInTransaction { _ = try? query("ROLLBACK") } }
    func beginPart() throws(StorageError) { try query("SAVEPOINT part") }
    func endPart() throws(StorageError) { try query("RELEASE part") }

    func dropPart() {
        // SQLite may have ended the whole transaction.
        guard isInTransaction else { return }
        _ = try? query("ROLLBACK TO part")
        _ = try? query("RELEASE part")
    }

    // MARK: Migrations

    func schema(of store: String) throws(StorageError) -> Int {
        Int(try query("PRAGMA user_version").first?.integer(0) ?? 0)
    }

    func migrate(_ store: String, _ scripts: ArraySlice<String>, to version: Int) throws(StorageError) {
        for text in scripts { try script(text) }
        try script("PRAGMA user_version = \(version)")
    }

    // MARK: Whole stores

    func tables(of store: String) throws(StorageError) -> [StoredTable] {
        let names = try query(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
        ).compactMap { $0.text(0) }
        var tables: [StoredTable] = []
        for name in names {
            let columns = try query("SELECT name FROM pragma_table_info(?) ORDER BY cid", [.text(name)])
            tables.append(StoredTable(name: name, columns: columns.compactMap { $0.text(0) }))
        }
        return tables
    }

    func eachRow(
        of table: StoredTable, in store: String, _ body: ([Row]) throws(StorageError) -> Void
    ) throws(StorageError) {
        let sql = table.selection
        guard let statement = statements.statement(sql, pointer) else { throw failure(sql) }
        defer { statements.giveBack(statement, sql) }
        var rows: [Row] = []
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW:
                rows.append(Row((0..<sqlite3_column_count(statement)).map { Value(column: $0, of: statement) }))
                guard rows.count >= Database.rowsAtOnce else { continue }
                try body(rows)
                rows = []
            case SQLITE_DONE: return try body(rows)
            default: throw failure(sql)
            }
        }
    }

    func lastNumber(of table: StoredTable, in store: String) throws(StorageError) -> Int64? {
        guard try givesNumbers(table) else { return nil }
        return try query("SELECT seq FROM sqlite_sequence WHERE name = ?", [.text(table.name)]).first?.integer(0) ?? 0
    }

    func setLastNumber(_ number: Int64, of table: StoredTable, in store: String) throws(StorageError) {
        guard try givesNumbers(table), number > 0 else { return }
        try query("DELETE FROM sqlite_sequence WHERE name = ?", [.text(table.name)])
        try query("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [.text(table.name), .integer(number)])
    }

    /// https://www.sqlite.org/autoinc.html
    private func givesNumbers(_ table: StoredTable) throws(StorageError) -> Bool {
        try !query(
            "SELECT 1 FROM sqlite_master WHERE name = ? AND sql LIKE '%AUTOINCREMENT%'", [.text(table.name)]
        ).isEmpty
    }
}

extension Database {
    /// Writes a copy of a file as it is at this moment, also while programs use it. It reads and changes nothing there.
    ///
    /// - Parameters:
    ///   - path: of the SQLite file.
    ///   - copy: where the copy is put; there must be nothing.
    /// - Throws: ``StorageError``.
    public static func copy(_ path: String, to copy: String) throws(StorageError) {
        _ = try SQLiteEngine(path, .look).query("VACUUM INTO ?", [.text(copy)])
    }

    /// What is wrong inside a file, in SQLite's words; `nil` when nothing is. It reads and changes nothing there.
    ///
    /// - Throws: ``StorageError`` when it cannot be looked at.
    public static func damage(_ path: String) throws(StorageError) -> String? {
        let words = try SQLiteEngine(path, .look).query("PRAGMA quick_check(1)").first?.text(0)
        return words == "ok" ? nil : words ?? "it could not be checked"
    }
}

/// Statements that were compiled once: compiling one costs about as much as running it. Used under the database's lock.
private final class Statements {
    private var resting: [String: OpaquePointer] = [:]
    private static let maximum = 256

    /// A statement that nobody uses; `nil` when SQLite does not understand it.
    func statement(_ sql: String, _ connection: OpaquePointer) -> OpaquePointer? {
        if let known = resting.removeValue(forKey: sql) { return known }
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(connection, sql, -1, &statement, nil) == SQLITE_OK else { return nil }
        return statement
    }

    /// Ends what it was doing and forgets what was bound to it.
    func giveBack(_ statement: OpaquePointer, _ sql: String) {
        sqlite3_reset(statement)
        sqlite3_clear_bindings(statement)
        if resting.count >= Self.maximum, let (sql, oldest) = resting.first {
            sqlite3_finalize(oldest)
            resting[sql] = nil
        }
        if let twin = resting.updateValue(statement, forKey: sql) { sqlite3_finalize(twin) }
    }

    func finish() {
        for statement in resting.values { sqlite3_finalize(statement) }
        resting = [:]
    }
}
