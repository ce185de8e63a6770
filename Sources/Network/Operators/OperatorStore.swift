import Storage

/// Who may sign in, who is signed in, and which tokens count: `operators.db` in the server's folder, mode 0600.
///
/// The file may be changed by the command line while the server runs: nothing of it is kept in memory. Safe to use from
/// several threads.
public final class OperatorStore: Sendable {
    /// How long sessions last.
    public struct Lifetimes: Sendable, Hashable {
        /// After sign-in, whatever is done.
        public var absolute = Duration.seconds(12 * 3600)
        /// After the last use.
        public var idle = Duration.seconds(3600)

        /// 12 h, and 1 h after the last use.
        public init() {}
    }

    /// Where it is kept.
    public let database: Database
    let lifetimes: Lifetimes
    let cost: PasswordCost

    static let (maximumOperators, maximumSessions, maximumTokens) = (1000, 20, 100)
    /// A clock that was set back by more than this ends what it would make last longer.
    static let clockTolerance = 300.0

    /// Where the file is in a server's folder.
    public static func path(in folder: String) -> String { folder + "/server/operators.db" }

    /// Opens or makes the file.
    ///
    /// - Parameter use: ``Database/Use/look`` for who only reports.
    /// - Throws: ``StorageError``.
    public convenience init(
        path: String, lifetimes: Lifetimes = Lifetimes(), use: Database.Use = .change
    ) throws(StorageError) {
        try self.init(path: path, lifetimes: lifetimes, use: use, cost: .usual)
    }

    init(
        path: String, lifetimes: Lifetimes = Lifetimes(), use: Database.Use = .change, cost: PasswordCost
    ) throws(StorageError) {
        self.lifetimes = lifetimes
        self.cost = cost
        database = try Database(path: path, migrations: Self.migrations, use: use)
    }

    /// On a database server.
    ///
    /// - Throws: ``StorageError``.
    public convenience init(
        in session: DatabaseSession, lifetimes: Lifetimes = Lifetimes()
    ) throws(StorageError) {
        try self.init(in: session, lifetimes: lifetimes, cost: .usual)
    }

    init(
        in session: DatabaseSession, lifetimes: Lifetimes = Lifetimes(), cost: PasswordCost
    ) throws(StorageError) {
        self.lifetimes = lifetimes
        self.cost = cost
        database = try Database(in: session, store: "operators", migrations: Self.migrations)
    }

    private static let migrations = [
        """
        CREATE TABLE operators (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE,
            role TEXT NOT NULL,
            n INTEGER NOT NULL,
            r INTEGER NOT NULL,
            p INTEGER NOT NULL,
            salt BLOB NOT NULL,
            hash BLOB NOT NULL,
            created REAL NOT NULL,
            password_set REAL NOT NULL,
            disabled INTEGER NOT NULL DEFAULT 0
        );
        CREATE TABLE sessions (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            hash BLOB NOT NULL UNIQUE,
            operator INTEGER NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
            secret BLOB NOT NULL,
            created REAL NOT NULL,
            used REAL NOT NULL,
            place TEXT NOT NULL
        );
        CREATE INDEX sessions_of ON sessions (operator);
        CREATE TABLE tokens (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            hash BLOB NOT NULL UNIQUE,
            operator INTEGER NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
            label TEXT NOT NULL,
            role TEXT NOT NULL,
            created REAL NOT NULL,
            used REAL,
            expires REAL
        );
        CREATE INDEX tokens_of ON tokens (operator);
        """
    ]

    // MARK: Operators

    /// All operators in the order of their names; rows that cannot be read are left out.
    ///
    /// - Throws: ``OperatorError``.
    public func operators() throws(OperatorError) -> [Operator] { try operators(where: "1 = 1", []) }

    /// An operator; `nil` when there is none of that name.
    ///
    /// - Throws: ``OperatorError``.
    public func find(_ name: OperatorName) throws(OperatorError) -> Operator? {
        try operators(where: "name = ?", [.text(name.text)]).first
    }

    private func operators(where condition: String, _ values: [Value]) throws(OperatorError) -> [Operator] {
        try read(
            """
            SELECT name, role, created, password_set, disabled,
                (SELECT count(*) FROM sessions WHERE operator = operators.id),
                (SELECT count(*) FROM tokens WHERE operator = operators.id)
            FROM operators WHERE \(condition) ORDER BY name
            """, values
        ).compactMap { row in
            guard let name = row.text(0).flatMap({ OperatorName($0) }), let role = row.text(1).flatMap(Role.init)
            else { return nil }
            return Operator(
                name: name, role: role, created: row.real(2) ?? 0, passwordSet: row.real(3) ?? 0,
                isDisabled: row.integer(4) != 0, sessions: Int(row.integer(5) ?? 0), tokens: Int(row.integer(6) ?? 0))
        }
    }

    /// Adds an operator. Takes a third of a second and 128 MB; blocks.
    ///
    /// - Throws: ``OperatorError``.
    public func add(_ name: OperatorName, role: Role, password: Password, now: Double) throws(OperatorError) {
        try add(name, role: role, hash: try PasswordHash(of: password.bytes, cost: cost), now: now)
    }

    func add(_ name: OperatorName, role: Role, hash: PasswordHash, now: Double) throws(OperatorError) {
        try change { connection throws(StorageError) in
            let count = try Self.count("operators", connection)
            guard count < Self.maximumOperators else {
                return .full("there are \(count) operators already; remove one first")
            }
            let added = try connection.query(
                """
                INSERT INTO operators (name, role, n, r, p, salt, hash, created, password_set)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING id
                """, [.text(name.text), .text(role.rawValue)] + Self.columns(hash) + [.real(now), .real(now)])
            return added.isEmpty ? .taken(name) : nil
        }
    }

    private static func columns(_ hash: PasswordHash) -> [Value] {
        [.unsigned(hash.cost.n), .unsigned(hash.cost.r), .unsigned(hash.cost.p), .blob(hash.salt), .blob(hash.hash)]
    }

    /// Sets a password and ends the operator's sessions. Takes a third of a second and 128 MB; blocks.
    ///
    /// - Parameter session: one that goes on: whoever changes their own password stays signed in there.
    /// - Throws: ``OperatorError``.
    public func setPassword(
        _ password: Password, of name: OperatorName, keeping session: Int64? = nil, now: Double
    ) throws(OperatorError) {
        try setHash(
            try PasswordHash(of: password.bytes, cost: cost), of: name, keeping: session, now: now)
    }

    func setHash(
        _ hash: PasswordHash, of name: OperatorName, keeping session: Int64? = nil, now: Double
    ) throws(OperatorError) {
        try change(name) { connection, id throws(StorageError) in
            try connection.query(
                "UPDATE operators SET n = ?, r = ?, p = ?, salt = ?, hash = ?, password_set = ? WHERE id = ?",
                Self.columns(hash) + [.real(now), .integer(id)])
            try connection.query(
                "DELETE FROM sessions WHERE operator = ? AND id <> ?", .integer(id), .integer(session ?? -1))
            return nil
        }
    }

    /// Gives an operator another role and ends their sessions.
    ///
    /// - Parameter keepsOne: refuses it when nobody would be left who may administer.
    /// - Throws: ``OperatorError``.
    public func setRole(_ role: Role, of name: OperatorName, keepsOne: Bool = true) throws(OperatorError) {
        try change(name) { connection, id throws(StorageError) in
            if keepsOne, role < .administer, try Self.isLastAdministrator(id, connection) {
                return .lastAdministrator
            }
            try connection.query("UPDATE operators SET role = ? WHERE id = ?", .text(role.rawValue), .integer(id))
            try connection.query("DELETE FROM sessions WHERE operator = ?", .integer(id))
            return nil
        }
    }

    /// Keeps an operator from signing in, ends their sessions, and lets their tokens not count; or takes that back.
    ///
    /// - Parameter keepsOne: refuses it when nobody would be left who may administer.
    /// - Throws: ``OperatorError``.
    public func setDisabled(_ isDisabled: Bool, _ name: OperatorName, keepsOne: Bool = true) throws(OperatorError) {
        try change(name) { connection, id throws(StorageError) in
            if keepsOne, isDisabled, try Self.isLastAdministrator(id, connection) {
                return .lastAdministrator
            }
            try connection.query(
                "UPDATE operators SET disabled = ? WHERE id = ?", .integer(isDisabled ? 1 : 0), .integer(id))
            if isDisabled { try connection.query("DELETE FROM sessions WHERE operator = ?", .integer(id)) }
            return nil
        }
    }

    /// Removes an operator with their sessions and tokens.
    ///
    /// - Parameter keepsOne: refuses it when nobody would be left who may administer.
    /// - Throws: ``OperatorError``.
    public func remove(_ name: OperatorName, keepsOne: Bool = true) throws(OperatorError) {
        try change(name) { connection, id throws(StorageError) in
            if keepsOne, try Self.isLastAdministrator(id, connection) { return .lastAdministrator }
            try connection.query("DELETE FROM operators WHERE id = ?", .integer(id))
            return nil
        }
    }

    private static func isLastAdministrator(_ id: Int64, _ connection: Connection) throws(StorageError) -> Bool {
        let all = try connection.query(
            "SELECT id FROM operators WHERE role = ? AND disabled = 0 LIMIT 2", .text(Role.administer.rawValue))
        return all.count == 1 && all.first?.integer(0) == id
    }

    // MARK: Signing in

    /// What is needed to check a password.
    struct Credential: Sendable {
        let id: Int64
        let hash: PasswordHash
        let isDisabled: Bool
    }

    /// `nil` when there is no such operator, or its row is damaged.
    func credential(_ name: OperatorName) throws(OperatorError) -> Credential? {
        let rows = try read(
            "SELECT id, disabled, n, r, p, salt, hash, role FROM operators WHERE name = ?", [.text(name.text)])
        guard let row = rows.first, let id = row.integer(0), row.text(7).flatMap(Role.init) != nil,
            let n = row.unsigned(2), let r = row.unsigned(3), let p = row.unsigned(4), let salt = row.blob(5),
            let hash = row.blob(6),
            let known = PasswordHash(cost: PasswordCost(n: n, r: r, p: p), salt: salt, hash: hash)
        else { return nil }
        return Credential(id: id, hash: known, isDisabled: row.integer(1) != 0)
    }

    /// Puts another hash of the same password in the place of one whose cost is another than today's.
    func exchange(_ old: Credential, for new: PasswordHash) throws(OperatorError) {
        try change { connection throws(StorageError) in
            try connection.query(
                "UPDATE operators SET n = ?, r = ?, p = ?, salt = ?, hash = ? WHERE id = ? AND salt = ? AND hash = ?",
                Self.columns(new) + [.integer(old.id), .blob(old.hash.salt), .blob(old.hash.hash)])
            return nil
        }
    }

    /// The same with the operator's row.
    private func change(
        _ name: OperatorName,
        _ body: (Connection, Int64) throws(StorageError) -> OperatorError?
    ) throws(OperatorError) {
        try change { connection throws(StorageError) in
            let row = try connection.query("SELECT id FROM operators WHERE name = ?", .text(name.text)).first
            guard let id = row?.integer(0) else { return .unknown(name) }
            return try body(connection, id)
        }
    }

    /// - Parameter body: what it says has failed must have changed nothing.
    func change(_ body: (Connection) throws(StorageError) -> OperatorError?) throws(OperatorError) {
        let problem: OperatorError?
        do throws(StorageError) {
            problem = try database.transaction(body)
        } catch {
            throw .failed("\(error)")
        }
        if let problem { throw problem }
    }

    /// The same for what has a result.
    func compute<Output: Sendable>(
        _ body: (Connection) throws(StorageError) -> Result<Output, OperatorError>
    ) throws(OperatorError) -> Output {
        let outcome: Result<Output, OperatorError>
        do throws(StorageError) {
            outcome = try database.transaction(body)
        } catch {
            throw .failed("\(error)")
        }
        return try outcome.get()
    }

    func read(_ sql: String, _ values: [Value]) throws(OperatorError) -> [Row] {
        do throws(StorageError) {
            return try database.read(sql, values)
        } catch {
            throw .failed("\(error)")
        }
    }

    static func count(_ table: String, of id: Int64? = nil, _ connection: Connection) throws(StorageError) -> Int {
        let condition = id == nil ? "" : " WHERE operator = ?"
        let values: [Value] = id.map { [.integer($0)] } ?? []
        return Int(try connection.query("SELECT count(*) FROM \(table)\(condition)", values).first?.integer(0) ?? 0)
    }
}
