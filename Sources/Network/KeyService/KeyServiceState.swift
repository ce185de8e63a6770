import SRUP
import Storage

/// Who is registered: identity, key, type, and what has become of it. One SQLite file, which the key service, the C2 server
/// and the operator's commands use at the same time.
public final class KeyServiceState: Sendable {
    /// Where it is kept.
    public let database: Database
    /// Whether several cells, each with a broker and a folder of its own, go by it.
    let isShared: Bool

    /// A registered identity with its key.
    public struct Entry: Sendable {
        /// The identity.
        public let id: DeviceID
        /// The public key of the identity, which checks its signatures.
        public let key: PublicKey
        /// The device type that it has chosen at registration.
        public let type: String
        /// Whether it is a C2 server.
        public let isServer: Bool
        /// The zone that it was invited to; `nil`: none.
        public let zone: String?
        /// The cell that it was given; `nil`: it was registered before there were several.
        public let cell: String?
    }

    /// An identity and what has become of it; times in seconds since 1970.
    public struct Registration: Sendable {
        /// The identity.
        public let id: DeviceID
        /// The device type that it has chosen at registration.
        public let type: String
        /// Whether it is a C2 server.
        public let isServer: Bool
        /// When it was registered.
        public let registered: Double
        /// When its first certificate for the broker was made.
        public let certified: Double?
        /// When it first joined; `nil`: never.
        public let joined: Double?
    }

    /// What has become of a wish to register.
    public enum Outcome: Sendable {
        case added, taken
        /// The identity, or another one with this key, has ended for good.
        case ended
        /// There is no room, and nobody who has never joined is old enough to go.
        case full
    }

    /// Where the file is in a server's folder.
    public static func path(in folder: String) -> String { folder + "/key-service.db" }

    /// - Throws: ``StorageError``.
    public init(path: String) throws(StorageError) {
        database = try Database(path: path, migrations: Self.migrations)
        isShared = false
    }

    /// On a database server.
    ///
    /// - Throws: ``StorageError``.
    public init(in session: DatabaseSession) throws(StorageError) {
        database = try Database(in: session, store: "key_service", migrations: Self.migrations)
        isShared = true
    }

    private static let migrations = [
        """
        CREATE TABLE identities (
            id INTEGER PRIMARY KEY,
            public_key TEXT NOT NULL,
            type TEXT NOT NULL,
            server INTEGER NOT NULL,
            registered REAL NOT NULL
        );
        """,
        // Of those who were there before, nobody knows whether they have joined: they stay.
        """
        ALTER TABLE identities ADD COLUMN certified REAL;
        ALTER TABLE identities ADD COLUMN joined REAL;
        UPDATE identities SET joined = registered;
        CREATE INDEX identities_server ON identities (server);
        CREATE INDEX identities_unjoined ON identities (registered) WHERE joined IS NULL AND server = 0;
        """,
        """
        CREATE TABLE certificates (serial BLOB PRIMARY KEY, id INTEGER NOT NULL, ends REAL NOT NULL);
        CREATE INDEX certificates_of ON certificates (id);
        CREATE TABLE ended (
            id INTEGER PRIMARY KEY,
            since REAL NOT NULL,
            key BLOB,
            type TEXT NOT NULL,
            why TEXT NOT NULL,
            operator TEXT,
            ends REAL NOT NULL,
            listed REAL,
            closed REAL,
            confirmed INTEGER NOT NULL DEFAULT 0
        );
        CREATE INDEX ended_key ON ended (key);
        CREATE INDEX ended_open ON ended (since) WHERE closed IS NULL;
        """,
        "ALTER TABLE identities ADD COLUMN zone TEXT",
        """
        ALTER TABLE identities ADD COLUMN cell TEXT;
        ALTER TABLE ended ADD COLUMN cell TEXT;
        CREATE INDEX identities_cell ON identities (cell);
        """,
    ]

    /// How many identities there are, and how many of them have ever joined.
    ///
    /// - Throws: ``StorageError``.
    public func counts() throws(StorageError) -> (all: Int, joined: Int) {
        let row = try database.read("SELECT count(*), count(joined) FROM identities").first
        return (Int(row?.integer(0) ?? 0), Int(row?.integer(1) ?? 0))
    }

    /// Adds an identity, however many there are; `false` when it is taken.
    ///
    /// - Throws: ``StorageError``.
    public func add(
        _ id: DeviceID, key: PublicKey, type: String, isServer: Bool, now: Double
    ) throws(StorageError) -> Bool {
        let outcome = try register(
            id, key: key, type: type, isServer: isServer, now: now, maximum: .max, minimumAge: .zero)
        if case .added = outcome { return true }
        return false
    }

    /// Adds an identity. When there are `maximum` already, the oldest goes that has never joined, if it is at least
    /// `minimumAge` old.
    ///
    /// - Throws: ``StorageError``.
    func register(
        _ id: DeviceID, key: PublicKey, type: String, zone: String? = nil, cell: String? = nil, isServer: Bool = false,
        now: Double, maximum: Int, minimumAge: Duration
    ) throws(StorageError) -> Outcome {
        let pem = key.pem
        return try database.transaction { connection throws(StorageError) in
            guard try connection.query("SELECT 1 FROM identities WHERE id = ?", .unsigned(id.value)).isEmpty else {
                return .taken
            }
            guard try Self.isFree(id, key, connection) else { return .ended }
            let excess = try Self.count(connection) - maximum + 1
            if excess > 0 {
                let gone = try connection.query(
                    """
                    DELETE FROM identities WHERE id IN (
                        SELECT id FROM identities WHERE joined IS NULL AND server = 0 AND registered <= ?
                        ORDER BY registered LIMIT ?) RETURNING id
                    """, .real(now - minimumAge / .seconds(1)), .integer(Int64(excess)))
                guard gone.count >= excess else { return .full }
            }
            try connection.query(
                """
                INSERT INTO identities (id, public_key, type, server, registered, zone, cell) VALUES (?, ?, ?, ?, ?, ?, ?)
                """, .unsigned(id.value), .text(pem), .text(type), .integer(isServer ? 1 : 0), .real(now),
                zone.map { .text($0) } ?? .null, cell.map { .text($0) } ?? .null)
            return .added
        }
    }

    /// - Throws: ``StorageError``.
    public func entry(_ id: DeviceID) throws(StorageError) -> Entry? {
        let rows = try database.query(
            "SELECT public_key, type, server, zone, cell FROM identities WHERE id = ?", .unsigned(id.value))
        guard let row = rows.first, let key = row.text(0).flatMap({ try? PublicKey(pem: $0) }) else { return nil }
        return Entry(
            id: id, key: key, type: row.text(1) ?? "", isServer: row.integer(2) == 1, zone: row.text(3),
            cell: row.text(4))
    }

    /// Whether somebody is registered, and so has not ended.
    ///
    /// - Throws: ``StorageError``.
    func isRegistered(_ id: DeviceID) throws(StorageError) -> Bool {
        try !database.read("SELECT 1 FROM identities WHERE id = ?", [.unsigned(id.value)]).isEmpty
    }

    /// How many identities each cell has; those that were given none are counted with `nil`.
    ///
    /// - Throws: ``StorageError``.
    public func countsByCell() throws(StorageError) -> [String?: Int] {
        let rows = try database.read("SELECT cell, count(*) FROM identities WHERE server = 0 GROUP BY cell")
        return Dictionary(rows.map { ($0.text(0), Int($0.integer(1) ?? 0)) }) { first, _ in first }
    }

    /// The server with this key.
    ///
    /// - Throws: ``StorageError``.
    func server(with key: PublicKey) throws(StorageError) -> DeviceID? {
        try database.query("SELECT id FROM identities WHERE server = 1 AND public_key = ?", .text(key.pem)).first?
            .unsigned(0).map { DeviceID($0) }
    }

    /// How many identities there are.
    ///
    /// - Throws: ``StorageError``.
    public func count() throws(StorageError) -> Int {
        try database.transaction { connection throws(StorageError) in try Self.count(connection) }
    }

    private static func count(_ connection: Connection) throws(StorageError) -> Int {
        Int(try connection.query("SELECT count(*) FROM identities").first?.integer(0) ?? 0)
    }

    // MARK: What becomes of them

    /// The C2 server has let it in: from now on it is kept. To be called by the C2 server.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Throws: ``StorageError``.
    public func markJoined(_ ids: [DeviceID], now: Double) throws(StorageError) {
        // Most have joined before: nobody is kept from writing for that.
        var new: [DeviceID] = []
        for id in ids {
            let rows = try database.read(
                "SELECT 1 FROM identities WHERE id = ? AND joined IS NULL", [.unsigned(id.value)])
            if !rows.isEmpty { new.append(id) }
        }
        guard !new.isEmpty else { return }
        try database.transaction { connection throws(StorageError) in
            for id in new {
                try connection.query(
                    "UPDATE identities SET joined = ? WHERE id = ? AND joined IS NULL", .real(now), .unsigned(id.value))
            }
        }
    }

    /// Removes those that were registered at least `age` ago and have never joined; servers stay.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Returns: which.
    /// - Throws: ``StorageError``.
    public func forgetUnjoined(olderThan age: Duration, now: Double) throws(StorageError) -> [DeviceID] {
        try database.query(
            "DELETE FROM identities WHERE joined IS NULL AND server = 0 AND registered <= ? RETURNING id",
            .real(now - age / .seconds(1))
        ).compactMap { $0.unsigned(0).map { DeviceID($0) } }
    }

    /// Removes an identity; servers stay.
    ///
    /// - Returns: whether it was there.
    /// - Throws: ``StorageError``.
    public func forget(_ id: DeviceID) throws(StorageError) -> Bool {
        try !database.query("DELETE FROM identities WHERE id = ? AND server = 0 RETURNING id", .unsigned(id.value))
            .isEmpty
    }

    /// What has become of an identity; `nil` when it is not registered.
    ///
    /// - Throws: ``StorageError``.
    public func registration(_ id: DeviceID) throws(StorageError) -> Registration? {
        try database.read(
            "SELECT id, type, server, registered, certified, joined FROM identities WHERE id = ?",
            [.unsigned(id.value)]
        ).compactMap(Self.registration).first
    }

    private static func registration(_ row: Row) -> Registration? {
        guard let id = row.unsigned(0), let registered = row.real(3) else { return nil }
        return Registration(
            id: DeviceID(id), type: row.text(1) ?? "", isServer: row.integer(2) == 1, registered: registered,
            certified: row.real(4), joined: row.real(5))
    }

    /// Identities in the order of their registration, a part at a time.
    ///
    /// - Parameter after: the last one of the part before; `nil`: from the first.
    /// - Throws: ``StorageError``.
    public func registrations(
        neverJoined: Bool = false, after last: Registration? = nil, atMost limit: Int = 1000
    ) throws(StorageError) -> [Registration] {
        try database.query(
            """
            SELECT id, type, server, registered, certified, joined FROM identities
            WHERE (? = 0 OR joined IS NULL AND server = 0) AND (registered, id) > (?, ?) ORDER BY registered, id LIMIT ?
            """, .integer(neverJoined ? 1 : 0), .real(last?.registered ?? -.greatestFiniteMagnitude),
            .unsigned(last?.id.value ?? 0), .integer(Int64(limit))
        ).compactMap(Self.registration)
    }
}
