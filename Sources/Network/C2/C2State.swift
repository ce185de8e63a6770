import SRUP
import Storage

/// What the server must not forget beside its counters: joins under way and whom the operator trusts as observer.
///
/// The file may be changed by the command line while the server runs.
public final class C2State: Sendable {
    /// Where it is kept.
    public let database: Database

    /// A join under way, without its nonce: that is in memory only, and after a restart a new one is made.
    public struct Pending: Sendable, Hashable {
        /// Who wants to join.
        public let device: DeviceID
        /// Whom the device has named as its observer; `nil`: any of its zone.
        public let named: DeviceID?
        /// Whose observers are asked; `nil`: those that serve no zone.
        public let zone: String?
        /// How many of them must vouch, and by what.
        public let quorum: Quorum
        /// The token of the device's request.
        public let request: Token
        /// The token of the nonce that the device has, which the answer carries.
        public var offer: Token
        /// Which try this is, from 1; 0 while the join waits for its observer to have a place.
        public var attempt: Int
        /// Whom this try asks, and what they have said.
        public var asks: [Ask]
        /// The device's type, as the key service tells it.
        public let type: String
        /// When the device asked, in seconds since 1970.
        public let created: Double
        /// The device belongs already, and is to show that it is still there.
        public let isRollCall: Bool

        /// Who has vouched in this try, the first first.
        var vouchers: [DeviceID] { asks.filter { $0.verdict == .valid }.map(\.observer) }
        /// Of whom an answer is still to come.
        var open: [Ask] { asks.filter { $0.verdict == nil } }
    }

    /// What an observer was asked in the present try of a join.
    public struct Ask: Sendable, Hashable {
        /// What it has said.
        public enum Verdict: Sendable, Hashable { case valid, failed }
        /// Who was asked.
        public let observer: DeviceID
        /// The token of the request to it.
        public let token: Token
        /// `nil`: nothing yet. (INVALID ends the join.)
        public var verdict: Verdict?
    }

    /// A request that an observer may still answer.
    public struct Asked: Sendable, Hashable {
        /// The token of the request to the observer.
        public let token: Token
        /// Who was asked.
        public let observer: DeviceID
        /// Whom the observer was asked about.
        public let device: DeviceID
        /// When it is over for certain, in seconds since 1970.
        public let until: Double
    }

    /// What an observer has told of itself.
    public struct Observer: Sendable, Hashable {
        /// The observer's identity.
        public let id: DeviceID
        /// How many devices it can look at at once, 1 to 1024.
        public let observations: Int
        /// The `session` of its last identification, new with each connection; `nil`: it has told none.
        public let session: String?
    }

    /// - Parameter use: ``Database/Use/look`` for who only reports.
    /// - Throws: ``StorageError``.
    public init(path: String, use: Database.Use = .change) throws(StorageError) {
        database = try Database(path: path, migrations: Self.migrations, use: use)
    }

    /// On a database server.
    ///
    /// - Throws: ``StorageError``.
    public init(in session: DatabaseSession) throws(StorageError) {
        database = try Database(in: session, store: "c2_state", migrations: Self.migrations)
    }

    private static let migrations = [
        """
        CREATE TABLE pending (
            device INTEGER PRIMARY KEY,
            observer INTEGER NOT NULL,
            request BLOB NOT NULL,
            offer BLOB NOT NULL,
            observation BLOB NOT NULL,
            attempt INTEGER NOT NULL
        );
        CREATE TABLE trusted (id INTEGER PRIMARY KEY, since REAL NOT NULL);
        """,
        """
        ALTER TABLE pending ADD COLUMN type TEXT NOT NULL DEFAULT '';
        ALTER TABLE pending ADD COLUMN created REAL NOT NULL DEFAULT 0;
        CREATE TABLE asked (
            token BLOB PRIMARY KEY,
            observer INTEGER NOT NULL,
            device INTEGER NOT NULL,
            until REAL NOT NULL
        );
        CREATE TABLE observers (id INTEGER PRIMARY KEY, observations INTEGER NOT NULL, session TEXT);
        CREATE TABLE removals (id INTEGER PRIMARY KEY, since REAL NOT NULL);
        """,
        """
        CREATE TABLE moderations (
            device INTEGER PRIMARY KEY,
            request BLOB NOT NULL,
            offer BLOB NOT NULL,
            type TEXT NOT NULL,
            created REAL NOT NULL
        );
        CREATE TABLE joins (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            request BLOB NOT NULL UNIQUE,
            device INTEGER NOT NULL,
            type TEXT NOT NULL,
            observer INTEGER,
            began REAL NOT NULL,
            tries INTEGER NOT NULL,
            ended REAL,
            outcome TEXT,
            why TEXT,
            operator TEXT
        );
        CREATE INDEX joins_of ON joins (device, id);
        CREATE TABLE policies (type TEXT PRIMARY KEY, policy TEXT NOT NULL, operator TEXT NOT NULL, since REAL NOT NULL);
        """,
        """
        CREATE TABLE occurrences (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            time REAL NOT NULL,
            kind TEXT NOT NULL,
            device INTEGER NOT NULL,
            type TEXT,
            outcome TEXT,
            why TEXT,
            operator TEXT,
            observer INTEGER
        );
        CREATE TABLE webhook (
            "only" INTEGER PRIMARY KEY CHECK ("only" = 1),
            told INTEGER NOT NULL,
            succeeded REAL,
            failed REAL,
            problem TEXT,
            dropped INTEGER NOT NULL DEFAULT 0
        );
        ALTER TABLE removals ADD COLUMN operator TEXT;
        CREATE TABLE ended (id INTEGER PRIMARY KEY, since REAL NOT NULL, why TEXT NOT NULL, operator TEXT);
        """,
        """
        ALTER TABLE pending ADD COLUMN zone TEXT;
        ALTER TABLE pending ADD COLUMN quorum TEXT NOT NULL DEFAULT '1';
        ALTER TABLE pending ADD COLUMN roll_call INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE joins ADD COLUMN way TEXT NOT NULL DEFAULT 'observed';
        UPDATE joins SET way = 'human' WHERE observer IS NULL;
        CREATE TABLE serves (observer INTEGER NOT NULL, zone TEXT NOT NULL, PRIMARY KEY (observer, zone));
        CREATE TABLE eyes (observer INTEGER PRIMARY KEY, told TEXT, set_to TEXT);
        CREATE TABLE type_zones (type TEXT PRIMARY KEY, zone TEXT, operator TEXT NOT NULL, since REAL NOT NULL);
        CREATE TABLE device_zones (device INTEGER PRIMARY KEY, zone TEXT NOT NULL);
        CREATE TABLE roll_calls (
            device INTEGER PRIMARY KEY,
            type TEXT NOT NULL,
            observer INTEGER,
            seen REAL NOT NULL,
            tried REAL NOT NULL,
            failures INTEGER NOT NULL DEFAULT 0,
            why TEXT
        );
        CREATE INDEX roll_calls_due ON roll_calls (type, seen);
        """,
    ]

    // MARK: Joins under way

    /// - Throws: ``StorageError``.
    public func save(_ pending: Pending) throws(StorageError) {
        try database.transaction { connection throws(StorageError) in try Self.save(pending, connection) }
    }

    private static let putPending = Database.put(
        into: "pending", key: ["device"],
        [
            "observer", "request", "offer", "observation", "attempt", "type", "created", "zone", "quorum", "roll_call",
        ])
    private static let putAsked = Database.put(into: "asked", key: ["token"], ["observer", "device", "until"])

    private static func save(_ pending: Pending, _ connection: Connection) throws(StorageError) {
        // Two columns of earlier releases: whom the device has named, or 0; the one request, where there is one.
        try connection.query(
            putPending, .unsigned(pending.device.value), .unsigned(pending.named?.value ?? 0),
            .blob(pending.request.bytes), .blob(pending.offer.bytes),
            .blob((pending.asks.count == 1 ? pending.asks[0].token : pending.offer).bytes),
            .integer(Int64(pending.attempt)), .text(pending.type), .real(pending.created),
            pending.zone.map { .text($0) } ?? .null, .text(pending.quorum.description),
            .integer(pending.isRollCall ? 1 : 0))
        try Self.log(
            pending.request, pending.device, pending.type, pending.isRollCall ? .rollCall : .observed,
            observer: pending.named, began: pending.created, tries: pending.attempt, connection)
    }

    /// Notes a try, and until when its observers may answer it.
    ///
    /// - Throws: ``StorageError``.
    public func save(_ pending: Pending, askedUntil until: Double) throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            try Self.save(pending, connection)
            for ask in pending.asks {
                try connection.query(
                    Self.putAsked, .blob(ask.token.bytes), .unsigned(ask.observer.value),
                    .unsigned(pending.device.value), .real(until))
            }
        }
    }

    /// Ends the join of a device that is under way, if there is one, and notes how.
    ///
    /// - Parameter observer: whose word has ended it; `nil`: whom the device has named, if it has.
    /// - Returns: the joins that have ended with this: none or one.
    /// - Throws: ``StorageError``.
    @discardableResult
    public func remove(
        _ device: DeviceID, _ ending: Ending, observer: DeviceID? = nil
    ) throws(StorageError) -> [(type: String, way: JoinRecord.Way, observer: DeviceID?)] {
        try database.transaction { connection throws(StorageError) in
            for table in ["pending", "moderations"] {
                try connection.query("DELETE FROM \(table) WHERE device = ?", .unsigned(device.value))
            }
            return try connection.query(
                """
                UPDATE joins SET ended = ?, outcome = ?, why = ?, operator = ?, observer = coalesce(?, observer)
                WHERE device = ? AND ended IS NULL RETURNING type, way, observer
                """, .real(ending.at), .text(ending.outcome.rawValue), .text(ending.why),
                ending.by.map { .text($0) } ?? .null, observer.map { .unsigned($0.value) } ?? .null,
                .unsigned(device.value)
            ).map { row in
                (
                    row.text(0) ?? "", row.text(1).flatMap { JoinRecord.Way(rawValue: $0) } ?? .observed,
                    row.unsigned(2).map(DeviceID.init)
                )
            }
        }
    }

    /// The joins under way; what cannot be read is dropped.
    ///
    /// - Throws: ``StorageError``.
    public func pending() throws(StorageError) -> [Pending] {
        try database.query(
            """
            SELECT device, observer, request, offer, observation, attempt, type, created, zone, quorum, roll_call
            FROM pending ORDER BY created, device
            """
        ).compactMap { row in
            guard let device = row.unsigned(0), let observer = row.unsigned(1),
                let request = row.blob(2).flatMap({ Token($0) }), let offer = row.blob(3).flatMap({ Token($0) }),
                let observation = row.blob(4).flatMap({ Token($0) }), let attempt = row.integer(5)
            else { return nil }
            let named = observer == 0 ? nil : DeviceID(observer)
            // Of several, nobody knows after a restart what they have said: they are asked anew.
            let ask = named.map { Ask(observer: $0, token: observation, verdict: nil) }
            return Pending(
                device: DeviceID(device), named: named, zone: row.text(8),
                quorum: row.text(9).flatMap { Quorum($0) } ?? .one, request: request, offer: offer,
                attempt: Int(max(0, min(attempt, 1000))), asks: ask.map { [$0] } ?? [], type: row.text(6) ?? "",
                created: row.real(7) ?? 0, isRollCall: row.integer(10) == 1)
        }
    }

    /// Ends what an observer was asked: `true` the first time.
    ///
    /// - Throws: ``StorageError``.
    public func takeAsked(_ token: Token, of observer: DeviceID) throws(StorageError) -> Bool {
        try !database.query(
            "DELETE FROM asked WHERE token = ? AND observer = ? RETURNING device", .blob(token.bytes),
            .unsigned(observer.value)
        ).isEmpty
    }

    /// What observers may still answer; what is over is dropped.
    ///
    /// - Parameter longest: no entry can last longer, whatever the clock has done.
    /// - Throws: ``StorageError``.
    public func asked(now: Double, longest: Double) throws(StorageError) -> [Asked] {
        try database.query("DELETE FROM asked WHERE until <= ? OR until > ?", .real(now), .real(now + longest))
        return try database.query("SELECT token, observer, device, until FROM asked").compactMap { row in
            guard let token = row.blob(0).flatMap({ Token($0) }), let observer = row.unsigned(1),
                let device = row.unsigned(2), let until = row.real(3)
            else { return nil }
            return Asked(token: token, observer: DeviceID(observer), device: DeviceID(device), until: until)
        }
    }

    // MARK: Observers

    /// - Throws: ``StorageError``.
    public func save(_ observer: Observer) throws(StorageError) {
        try database.query(
            Database.put(into: "observers", key: ["id"], ["observations", "session"]), .unsigned(observer.id.value),
            .integer(Int64(observer.observations)), observer.session.map { .text($0) } ?? .null)
    }

    /// - Throws: ``StorageError``.
    public func observers() throws(StorageError) -> [Observer] {
        try database.query("SELECT id, observations, session FROM observers").compactMap { row in
            guard let id = row.unsigned(0) else { return nil }
            return Observer(
                id: DeviceID(id), observations: Int(max(1, min(row.integer(1) ?? 1, 1024))), session: row.text(2))
        }
    }

    // MARK: The operator's word

    /// Has an identity put out by the running server, or by the next one.
    ///
    /// - Parameter name: the operator who decides.
    /// - Throws: ``StorageError``.
    public func askRemoval(of id: DeviceID, by name: String? = nil, now: Double) throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            try connection.query("DELETE FROM trusted WHERE id = ?", .unsigned(id.value))
            try connection.query(
                Database.put(into: "removals", key: ["id"], ["since", "operator"]), .unsigned(id.value), .real(now),
                name.map { .text($0) } ?? .null)
        }
    }

    /// Whom an operator wants put out, and which operator.
    ///
    /// - Throws: ``StorageError``.
    public func removals() throws(StorageError) -> [(id: DeviceID, by: String?)] {
        try database.query("SELECT id, operator FROM removals ORDER BY since, id").compactMap { row in
            row.unsigned(0).map { (DeviceID($0), row.text(1)) }
        }
    }

    /// - Throws: ``StorageError``.
    public func removed(_ id: DeviceID) throws(StorageError) {
        try database.query("DELETE FROM removals WHERE id = ?", .unsigned(id.value))
    }

    /// Lets an observer vouch for devices. Its type alone is no reason to: an identity chooses its own type.
    ///
    /// - Throws: ``StorageError``.
    public func trust(_ observer: DeviceID, now: Double) throws(StorageError) {
        try database.query(
            "INSERT INTO trusted VALUES (?, ?) ON CONFLICT DO NOTHING", .unsigned(observer.value), .real(now))
    }

    /// - Throws: ``StorageError``.
    public func distrust(_ observer: DeviceID) throws(StorageError) {
        try database.query("DELETE FROM trusted WHERE id = ?", .unsigned(observer.value))
    }

    /// The observers that may vouch, the earliest first.
    ///
    /// - Throws: ``StorageError``.
    public func trusted() throws(StorageError) -> [DeviceID] {
        try database.query("SELECT id FROM trusted ORDER BY since, id").compactMap { $0.unsigned(0).map(DeviceID.init) }
    }

    // MARK: Identities that have ended

    /// Notes that an identity has ended, beside the key service's own book: one out of a backup learns it from here.
    ///
    /// - Throws: ``StorageError``.
    func noteEnded(_ identity: EndedIdentity) throws(StorageError) {
        guard try !hasEnded(identity.id) else { return }
        try database.query(
            "INSERT INTO ended VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", .unsigned(identity.id.value),
            .real(identity.since),
            .text(identity.why), identity.by.map { .text($0) } ?? .null)
    }

    /// Whether an identity has ended, as far as this server has learned of it.
    ///
    /// - Throws: ``StorageError``.
    func hasEnded(_ id: DeviceID) throws(StorageError) -> Bool {
        try !database.read("SELECT 1 FROM ended WHERE id = ?", [.unsigned(id.value)]).isEmpty
    }

    /// The identities that have ended, as far as this server has learned of it.
    ///
    /// - Throws: ``StorageError``.
    public func ended() throws(StorageError) -> [EndedIdentity] {
        try database.read("SELECT id, since, why, operator FROM ended ORDER BY since, id").compactMap { row in
            guard let id = row.unsigned(0), let since = row.real(1) else { return nil }
            return EndedIdentity(id: DeviceID(id), since: since, why: row.text(2) ?? "", by: row.text(3))
        }
    }
}
