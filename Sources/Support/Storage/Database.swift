import CSQLite
import Glibc
import Synchronization

/// One SQLite file that survives power cuts: every committed transaction is on disk when the call returns.
///
/// SQLite's C API and not a Swift layer over it, since this goes onto the appliance, which links no full Foundation.
/// Safe to use from several threads: one transaction at a time, each a few milliseconds.
public final class Database: Sendable {
    private struct Handle: @unchecked Sendable {
        // Reached only under the lock; closed in deinit, when no other reference exists.
        let pointer: OpaquePointer
        let statements = Statements()
        let turn = Turn()
    }

    private let handle: Mutex<Handle>
    /// Held for a whole turn by the thread whose turn it is; everybody else takes it for one transaction.
    private let turns = RecursiveLock()
    /// Of the SQLite file.
    public let path: String

    /// What may be done with the file.
    public enum Use: Sendable {
        /// All; a file that is not there is made.
        case change
        /// Only read: neither the file nor its folder is changed, not even by SQLite's own files beside it.
        case look
    }

    /// Opens or creates the file with mode 0600 and brings it to the newest schema.
    ///
    /// - Parameters:
    ///   - migrations: SQL scripts; the file remembers how many it has had. Never change one that was released: add
    ///     another.
    ///   - use: ``Use/look`` for who only reports; a file of an older schema is refused then.
    /// - Throws: ``StorageError``.
    public init(path: String, migrations: [String], use: Use = .change) throws(StorageError) {
        self.path = path
        handle = Mutex(Handle(pointer: try use == .change ? Self.open(path) : Self.look(path)))
        switch use {
        case .change:
            // FULL and not NORMAL: with the write-ahead log, NORMAL may lose the last transactions in a power cut, and a
            // replay counter that steps back would open an old number again.
            try run { connection throws(StorageError) in
                for pragma in ["journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"] {
                    _ = try connection.query("PRAGMA \(pragma)")
                }
            }
            try migrate(migrations)
        case .look:
            let done = try run { connection throws(StorageError) in try self.schema(connection, migrations.count) }
            guard done == migrations.count else {
                throw .cannotOpen(
                    path: path,
                    why:
                        "it is of an older version (schema \(done), this is \(migrations.count)); the program that uses it "
                        + "brings it up to date when it runs")
            }
        }
    }

    /// Writes a copy of a file as it is at this moment, also while programs use it. It reads and changes nothing there.
    ///
    /// - Parameters:
    ///   - path: of the SQLite file.
    ///   - copy: where the copy is put; there must be nothing.
    /// - Throws: ``StorageError``.
    public static func copy(_ path: String, to copy: String) throws(StorageError) {
        let pointer = try look(path)
        defer { sqlite3_close_v2(pointer) }
        let statements = Statements()
        defer { statements.finish() }
        let connection = Connection(pointer: pointer, statements: statements, turn: Turn(), path: path)
        try connection.query("VACUUM INTO ?", .text(copy))
    }

    /// What is wrong inside a file, in SQLite's words; `nil` when nothing is. It reads and changes nothing there.
    ///
    /// - Throws: ``StorageError`` when it cannot be looked at.
    public static func damage(_ path: String) throws(StorageError) -> String? {
        let pointer = try look(path)
        defer { sqlite3_close_v2(pointer) }
        let statements = Statements()
        defer { statements.finish() }
        let connection = Connection(pointer: pointer, statements: statements, turn: Turn(), path: path)
        let words = try connection.query("PRAGMA quick_check(1)").first?.text(0)
        return words == "ok" ? nil : words ?? "it could not be checked"
    }

    deinit {
        handle.withLock { handle in
            handle.statements.finish()
            sqlite3_close_v2(handle.pointer)
        }
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

    private func migrate(_ migrations: [String]) throws(StorageError) {
        try transaction { connection throws(StorageError) in
            let done = try self.schema(connection, migrations.count)
            for script in migrations[done...] { try connection.script(script) }
            try connection.script("PRAGMA user_version = \(migrations.count)")
        }
    }

    /// How many migrations the file has had.
    ///
    /// - Throws: ``StorageError`` when it has had more than there are, or less than none.
    private func schema(_ connection: Connection, _ newest: Int) throws(StorageError) -> Int {
        let done = try connection.query("PRAGMA user_version").first?.integer(0) ?? 0
        guard done >= 0 else {
            throw .cannotOpen(
                path: path,
                why: "its schema number is \(done): it is damaged, or another program's; restore it from a backup")
        }
        guard done <= newest else {
            throw .cannotOpen(path: path, why: "it was written by a newer version (schema \(done), this is \(newest))")
        }
        return Int(done)
    }

    /// Runs `body` in one transaction: all of it is on disk afterwards, or nothing.
    ///
    /// - Throws: what `body` throws, or ``StorageError``.
    public func transaction<Result: Sendable>(
        _ body: (Connection) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try run { connection throws(StorageError) in
            let isPart = try connection.turn.takesWrite(connection)
            do throws(StorageError) {
                try connection.query(isPart ? "SAVEPOINT part" : "BEGIN IMMEDIATE")
                let result = try body(connection)
                try connection.query(isPart ? "RELEASE part" : "COMMIT")
                return result
            } catch {
                if isPart { _ = try? connection.query("ROLLBACK TO part") }
                _ = try? connection.query(isPart ? "RELEASE part" : "ROLLBACK")
                connection.turn.failed(connection, error)
                throw error
            }
        }
    }

    /// Gathers all that `body` writes into one transaction: each write to the disk's surface takes milliseconds, however
    /// little it holds. Within it a ``transaction(_:)`` is a part that may fail by itself; afterwards all of it is on disk,
    /// or nothing. Other threads wait until the turn is over, and see nothing of what has not been stored.
    ///
    /// `body` must not tell anybody what it has written: that is for afterwards. It blocks whoever else uses the file, and must
    /// not wait for them.
    ///
    /// - Throws: ``StorageError``, of the disk or of `body`: nothing was stored, whatever the calls within have said.
    public func turn(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        turns.lock()
        defer { turns.unlock() }
        var isWhole = false
        locked { isWhole = $0.turn.begin() }
        guard isWhole else { return try body() }
        var failure: StorageError?
        do throws(StorageError) {
            try body()
        } catch {
            failure = error
        }
        locked { connection in
            do throws(StorageError) {
                try connection.turn.end(connection, failure)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// One statement in a transaction of its own.
    ///
    /// - Throws: ``StorageError``.
    @discardableResult
    public func query(_ sql: String, _ values: Value...) throws(StorageError) -> [Row] {
        try run { connection throws(StorageError) in
            if !connection.onlyReads(sql) { _ = try connection.turn.takesWrite(connection) }
            do throws(StorageError) {
                return try connection.query(sql, values)
            } catch {
                connection.turn.failed(connection, error)
                throw error
            }
        }
    }

    /// Reads, without the write lock that a transaction takes: nobody has to wait for it, and nothing is written.
    ///
    /// - Throws: ``StorageError``.
    public func read(_ sql: String, _ values: [Value] = []) throws(StorageError) -> [Row] {
        try run { connection throws(StorageError) in try connection.query(sql, values) }
    }

    private func run<Result: Sendable>(
        _ body: (Connection) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        var outcome: Swift.Result<Result, StorageError>?
        locked { connection in
            do throws(StorageError) {
                outcome = .success(try body(connection))
            } catch {
                outcome = .failure(error)
            }
        }
        guard let outcome else { throw .cannotOpen(path: path, why: "the body of a transaction did not run") }
        return try outcome.get()
    }

    /// Not generic and not throwing: Swift 6.3.1 crashes when it specialises a generic typed-throws closure inside the
    /// lock's own.
    private func locked(_ body: (Connection) -> Void) {
        turns.lock()
        defer { turns.unlock() }
        handle.withLock {
            body(Connection(pointer: $0.pointer, statements: $0.statements, turn: $0.turn, path: path))
        }
    }
}

/// The open file, lent to the body of a transaction; it must not be kept.
public struct Connection {
    fileprivate let pointer: OpaquePointer
    fileprivate let statements: Statements
    fileprivate let turn: Turn
    fileprivate let path: String

    /// Whether no transaction is under way.
    fileprivate var isAlone: Bool { sqlite3_get_autocommit(pointer) != 0 }

    /// Whether a statement changes nothing. `false` for one that SQLite does not understand, too.
    fileprivate func onlyReads(_ sql: String) -> Bool {
        guard let statement = statements.statement(sql, pointer) else { return false }
        defer { statements.giveBack(statement, sql) }
        return sqlite3_stmt_readonly(statement) != 0
    }

    /// Runs one statement and collects its rows.
    ///
    /// - Throws: ``StorageError``.
    @discardableResult
    public func query(_ sql: String, _ values: [Value] = []) throws(StorageError) -> [Row] {
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

    /// Runs one statement and collects its rows.
    ///
    /// - Throws: ``StorageError``.
    @discardableResult
    public func query(_ sql: String, _ values: Value...) throws(StorageError) -> [Row] { try query(sql, values) }

    func script(_ sql: String) throws(StorageError) {
        guard sqlite3_exec(pointer, sql, nil, nil, nil) == SQLITE_OK else { throw failure(sql) }
    }

    private func failure(_ sql: String) -> StorageError {
        let code = sqlite3_extended_errcode(pointer)
        return .failed(
            path: path, code: code, why: String(cString: sqlite3_errmsg(pointer)), statement: String(sql.prefix(80)))
    }
}

/// Many transactions gathered into one. Used under the database's lock.
private final class Turn {
    private enum State {
        case none
        /// Nothing has been written yet.
        case open
        /// In a transaction that has begun.
        case begun
        /// SQLite has rolled the transaction back by itself, as it may when the disk is full: with the first error.
        case broken(StorageError)
    }
    private var state = State.none

    /// `false` within a turn, which goes on.
    func begin() -> Bool {
        guard case .none = state else { return false }
        state = .open
        return true
    }

    /// Something is about to be written.
    ///
    /// - Returns: whether that is a part of a larger transaction.
    func takesWrite(_ connection: Connection) throws(StorageError) -> Bool {
        switch state {
        case .none: return false
        case .open:
            try connection.query("BEGIN IMMEDIATE")
            state = .begun
            return true
        case .begun: return true
        case .broken(let error): throw error
        }
    }

    /// A statement has failed: is the transaction still there? https://sqlite.org/c3ref/get_autocommit.html
    func failed(_ connection: Connection, _ error: StorageError) {
        if case .begun = state, connection.isAlone { state = .broken(error) }
    }

    /// - Parameter failure: why nothing is to be stored.
    func end(_ connection: Connection, _ failure: StorageError?) throws(StorageError) {
        defer { state = .none }
        switch state {
        case .none, .open: return
        case .broken(let error): throw error
        case .begun:
            do throws(StorageError) {
                if let failure { throw failure }
                try connection.query("COMMIT")
            } catch {
                _ = try? connection.query("ROLLBACK")
                throw error
            }
        }
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

/// What a column holds.
public enum Value: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    /// All 64 bits, kept as the signed number of the same bit pattern.
    public static func unsigned(_ value: UInt64) -> Value { .integer(Int64(bitPattern: value)) }
    /// A text, as a literal.
    public init(stringLiteral value: String) { self = .text(value) }
    /// An integer, as a literal.
    public init(integerLiteral value: Int64) { self = .integer(value) }

    init(column: Int32, of statement: OpaquePointer?) {
        let count = Int(sqlite3_column_bytes(statement, column))
        switch sqlite3_column_type(statement, column) {
        case SQLITE_INTEGER: self = .integer(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT: self = .real(sqlite3_column_double(statement, column))
        case SQLITE_TEXT:
            let text = UnsafeBufferPointer(start: sqlite3_column_text(statement, column), count: count)
            self = .text(String(decoding: text, as: UTF8.self))
        case SQLITE_BLOB:
            self = .blob(Array(UnsafeRawBufferPointer(start: sqlite3_column_blob(statement, column), count: count)))
        default: self = .null
        }
    }

    func bind(to statement: OpaquePointer?, at index: Int32) -> Int32 {
        // SQLITE_TRANSIENT: SQLite copies the bytes before the call returns.
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        return switch self {
        case .null: sqlite3_bind_null(statement, index)
        case .integer(let value): sqlite3_bind_int64(statement, index, value)
        case .real(let value): sqlite3_bind_double(statement, index, value)
        case .text(let value): sqlite3_bind_text(statement, index, value, Int32(value.utf8.count), transient)
        case .blob(let value):
            value.isEmpty
                ? sqlite3_bind_zeroblob(statement, index, 0)
                : sqlite3_bind_blob(statement, index, value, Int32(value.count), transient)
        }
    }
}

/// One row of a result; columns counted from 0.
public struct Row: Sendable {
    let values: [Value]

    init(_ values: [Value]) {
        self.values = values
    }

    /// The integer in a column; `nil` when something else is there. A column that the row lacks stops the program.
    public func integer(_ column: Int) -> Int64? {
        if case .integer(let value) = values[column] { value } else { nil }
    }
    /// The 64 bits that ``Value/unsigned(_:)`` has kept in a column; `nil` when no integer is there.
    public func unsigned(_ column: Int) -> UInt64? { integer(column).map(UInt64.init(bitPattern:)) }
    /// The number in a column, of an integer the nearest one; `nil` when something else is there.
    public func real(_ column: Int) -> Double? {
        switch values[column] {
        case .real(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
    }
    /// The text in a column; `nil` when something else is there.
    public func text(_ column: Int) -> String? {
        if case .text(let value) = values[column] { value } else { nil }
    }
    /// The bytes in a column; `nil` when something else is there, a text too.
    public func blob(_ column: Int) -> [UInt8]? {
        if case .blob(let value) = values[column] { value } else { nil }
    }
}

/// Why the state file could not be used.
public enum StorageError: Error, Sendable, CustomStringConvertible {
    case cannotOpen(path: String, why: String)
    case failed(path: String, code: Int32, why: String, statement: String)

    /// Whether the file itself is broken, and not what it lies on or who asks.
    public var isDamage: Bool {
        guard case .failed(_, let code, _, _) = self else { return false }
        return [SQLITE_CORRUPT, SQLITE_NOTADB].contains(code & 0xFF)
    }

    /// For people, in one line: which file, what is wrong with it and, where something helps, what to do.
    public var description: String {
        switch self {
        case .cannotOpen(let path, let why): "the state file \(path) cannot be opened: \(why)"
        case .failed(let path, let code, let why, let statement):
            switch code & 0xFF {
            case SQLITE_FULL: "the disk is full: \(path) could not be written; free some space"
            case SQLITE_READONLY: "\(path) is read-only; check the file system and the owner of the file"
            case SQLITE_CORRUPT, SQLITE_NOTADB:
                "\(path) is damaged (\(why)); restore it from a backup, or move it away and register again"
            default: "\(path): \(why) (SQLite \(code)) in \"\(statement)\""
            }
        }
    }
}
