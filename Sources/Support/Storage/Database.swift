/// The tables of one store, which survive power cuts: every committed transaction is on disk when the call returns.
///
/// They are a SQLite file of their own, or a schema on a database server (``DatabaseSession``). Safe to use from several
/// threads: one transaction at a time, each a few milliseconds.
public final class Database: Sendable {
    /// Over which its engine is reached; of a file it is its own.
    public let session: DatabaseSession
    /// The schema on a server; of a file there is one.
    private let store: String
    private let isShared: Bool
    /// Where the tables are, for people: the file's path, or the server's address without a password.
    public var path: String { session.place }

    /// What may be done with the tables.
    public enum Use: Sendable {
        /// All; a file that is not there is made.
        case change
        /// Only read: neither the file nor its folder is changed, not even by SQLite's own files beside it.
        case look
    }

    /// Opens or creates the file with mode 0600 and brings it to the newest schema.
    ///
    /// - Parameters:
    ///   - path: of the SQLite file.
    ///   - migrations: SQL scripts; the file remembers how many it has had. Never change one that was released: add
    ///     another.
    ///   - use: ``Use/look`` for who only reports; a file of an older schema is refused then.
    /// - Throws: ``StorageError``.
    public convenience init(path: String, migrations: [String], use: Use = .change) throws(StorageError) {
        try self.init(
            in: DatabaseSession(try SQLiteEngine(path, use), use: use), store: "main", migrations: migrations)
    }

    /// Opens or makes the tables of a store on a server and brings them to the newest schema.
    ///
    /// - Parameters:
    ///   - session: may be shared with other stores; what may be done is the session's.
    ///   - store: the name of the schema; lower-case letters, digits and `_`.
    ///   - migrations: SQL scripts, the same as for a file.
    ///   - isShared: whether all who use the server share it, whatever the session's prefix, and write it at once: each
    ///     statement must then do without what was read before it.
    /// - Throws: ``StorageError``.
    public init(
        in session: DatabaseSession, store: String, migrations: [String], isShared: Bool = false
    ) throws(StorageError) {
        self.session = session
        self.store = isShared ? store : session.prefix + store
        self.isShared = isShared
        switch session.use {
        case .change:
            try transaction { connection throws(StorageError) in
                try connection.engine.claim(self.store)
                let done = try self.schema(connection, migrations.count)
                try connection.migrate(migrations[done...], to: migrations.count)
            }
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

    /// How many migrations the tables have had.
    ///
    /// - Throws: ``StorageError`` when it has had more than there are, or less than none.
    private func schema(_ connection: Connection, _ newest: Int) throws(StorageError) -> Int {
        let done = try connection.schema()
        guard done >= 0 else {
            throw .cannotOpen(
                path: path,
                why: "its schema number is \(done): it is damaged, or another program's; restore it from a backup")
        }
        guard done <= newest else {
            throw .cannotOpen(path: path, why: "it was written by a newer version (schema \(done), this is \(newest))")
        }
        return done
    }

    /// Runs `body` in one transaction: all of it is on disk afterwards, or nothing.
    ///
    /// No other program writes the same store in the meantime. `body` may be run again, when a server has rolled back what it
    /// did since others were in its way: it changes nothing but what is stored. After
    /// ``StorageError/unknownWhetherStored(place:why:)`` look at what is stored.
    ///
    /// - Throws: what `body` throws, or ``StorageError``.
    public func transaction<Result: Sendable>(
        _ body: (Connection) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try run { connection throws(StorageError) in
            var tries = 1
            while true {
                var isPart = false
                do throws(StorageError) {
                    isPart = try connection.beginWriting()
                    let result = try body(connection)
                    try connection.endWriting(isPart)
                    return result
                } catch {
                    connection.dropWriting(isPart, error)
                    guard connection.mayBeRunAgain(after: error), tries < Connection.maximumTries else { throw error }
                    tries += 1
                }
            }
        }
    }

    /// Gathers all that `body` writes into one transaction: each write to the disk's surface takes milliseconds, however
    /// little it holds. Within it a ``transaction(_:)`` is a part that may fail by itself; afterwards all of it is on disk,
    /// or nothing. Other threads wait until the turn is over, and see nothing of what has not been stored. Stores that share a
    /// session share the turn.
    ///
    /// `body` must not tell anybody what it has written: that is for afterwards. It blocks whoever else uses the file, and must
    /// not wait for them. It is run once: with a server that has lost the connection, or has rolled back since others were in
    /// the way, nothing is stored, and the caller begins anew from what is. After
    /// ``StorageError/unknownWhetherStored(place:why:)``, too: there all of it is stored, or nothing.
    ///
    /// - Throws: ``StorageError``, of the disk or of `body`: nothing was stored, whatever the calls within have said.
    public func turn(_ body: () throws(StorageError) -> Void) throws(StorageError) { try session.turn(body) }

    /// One statement in a transaction of its own.
    ///
    /// - Throws: ``StorageError``.
    @discardableResult
    public func query(_ sql: String, _ values: Value...) throws(StorageError) -> [Row] {
        try run { connection throws(StorageError) in try connection.statement(sql, values) }
    }

    /// Reads, without the write lock that a transaction takes: nobody has to wait for it, and nothing is written. Nor does it
    /// wait for another thread's turn: it sees what has been stored.
    ///
    /// - Throws: ``StorageError``.
    public func read(_ sql: String, _ values: [Value] = []) throws(StorageError) -> [Row] {
        try run(isReading: true) { connection throws(StorageError) in try connection.read(sql, values) }
    }

    /// For `LIMIT` where there is only an `OFFSET`: more rows than any store has.
    public static let noLimit: Int64 = 1 << 60

    /// The statement that puts a row in the place of the one with the same key, or adds it. Its values are those of the key,
    /// then the others.
    public static func put(into table: String, key: [String], _ columns: [String]) -> String {
        let all = key + columns
        return
            "INSERT INTO \(table) (\(all.joined(separator: ", "))) VALUES (\(all.map { _ in "?" }.joined(separator: ", "))) "
            + "ON CONFLICT (\(key.joined(separator: ", "))) DO UPDATE SET "
            + columns.map { "\($0) = excluded.\($0)" }.joined(separator: ", ")
    }

    func run<Result: Sendable>(
        isReading: Bool = false, _ body: (Connection) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        var outcome: Swift.Result<Result, StorageError>?
        let (store, isShared) = (store, isShared)
        enter(isReading) { engine, turn in
            do throws(StorageError) {
                outcome = .success(try body(Connection(engine: engine, turn: turn, store: store, isShared: isShared)))
            } catch {
                outcome = .failure(error)
            }
        }
        guard let outcome else { throw .cannotOpen(path: path, why: "the body of a transaction did not run") }
        return try outcome.get()
    }

    private func enter(_ isReading: Bool, _ body: (any StorageEngine, Turn) -> Void) {
        if isReading { session.lockedForReading(body) } else { session.locked(body) }
    }
}

/// The open tables of a store, lent to the body of a transaction; it must not be kept.
public struct Connection {
    let engine: any StorageEngine
    let turn: Turn
    let store: String
    let isShared: Bool

    /// Runs one statement and collects its rows.
    ///
    /// - Throws: ``StorageError``. With a server nothing more can be done in the transaction then.
    @discardableResult
    public func query(_ sql: String, _ values: [Value] = []) throws(StorageError) -> [Row] {
        try engine.query(sql, values, of: store)
    }

    /// Runs one statement and collects its rows.
    ///
    /// - Throws: ``StorageError``.
    @discardableResult
    public func query(_ sql: String, _ values: Value...) throws(StorageError) -> [Row] { try query(sql, values) }

    fileprivate func schema() throws(StorageError) -> Int { try engine.schema(of: store) }

    fileprivate func migrate(_ scripts: ArraySlice<String>, to version: Int) throws(StorageError) {
        try engine.migrate(store, scripts, to: version)
    }

    fileprivate func read(_ sql: String, _ values: [Value]) throws(StorageError) -> [Row] {
        try turn.takesRead()
        do throws(StorageError) {
            return try query(sql, values)
        } catch {
            turn.failed(engine, error)
            throw error
        }
    }

    /// One statement, as a transaction or as a part of one.
    fileprivate func statement(_ sql: String, _ values: [Value]) throws(StorageError) -> [Row] {
        if engine.onlyReads(sql) { return try read(sql, values) }
        // An engine that undoes a statement that fails needs nothing around one: it is a transaction, or a part.
        if engine.forgivesFailures {
            do throws(StorageError) {
                _ = try turn.takesWrite(engine, isShared ? nil : store)
                return try query(sql, values)
            } catch {
                turn.failed(engine, error)
                throw error
            }
        }
        var tries = 1
        while true {
            var isPart = false
            do throws(StorageError) {
                isPart = try beginWriting()
                let rows = try query(sql, values)
                try endWriting(isPart)
                return rows
            } catch {
                dropWriting(isPart, error)
                guard mayBeRunAgain(after: error), tries < Self.maximumTries else { throw error }
                tries += 1
            }
        }
    }

    /// So often a transaction is run when others are in its way.
    fileprivate static let maximumTries = 5

    /// Not as a part of a turn, of which more has been rolled back than this.
    fileprivate func mayBeRunAgain(after error: StorageError) -> Bool { error.isCollision && !turn.isUnderWay }

    /// - Returns: whether it is a part of a larger transaction.
    fileprivate func beginWriting() throws(StorageError) -> Bool {
        if try turn.takesWrite(engine, isShared ? nil : store) {
            try engine.beginPart()
            return true
        }
        try engine.begin()
        if !isShared { try engine.claim(store) }
        return false
    }

    fileprivate func endWriting(_ isPart: Bool) throws(StorageError) {
        if isPart { try engine.endPart() } else { try engine.commit() }
    }

    fileprivate func dropWriting(_ isPart: Bool, _ error: StorageError) {
        if isPart { engine.dropPart() } else if !turn.isUnderWay { engine.rollback() }
        turn.failed(engine, error)
    }
}
