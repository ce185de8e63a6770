import Releases
import SRUP
import Storage

/// Which releases there are and which rollouts: `updates.db` in the server's folder.
///
/// The file may be changed by the command line while the server runs, which adds releases; rollouts are the server's alone.
public final class UpdateStore: Sendable {
    /// Where it is kept.
    public let database: Database

    /// - Parameter use: ``Database/Use/look`` for who only reports.
    /// - Throws: ``StorageError``.
    public init(path: String, use: Database.Use = .change) throws(StorageError) {
        database = try Database(path: path, migrations: Self.migrations, use: use)
    }

    /// On a database server.
    ///
    /// - Throws: ``StorageError``.
    public init(in session: DatabaseSession) throws(StorageError) {
        database = try Database(in: session, store: "updates", migrations: Self.migrations)
    }

    private static let migrations = [
        """
        CREATE TABLE releases (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            type TEXT NOT NULL,
            version TEXT NOT NULL,
            url TEXT NOT NULL,
            digest TEXT NOT NULL,
            manifest TEXT,
            payload TEXT NOT NULL,
            size INTEGER,
            file TEXT,
            is_there INTEGER NOT NULL,
            expires REAL,
            added REAL NOT NULL,
            operator TEXT NOT NULL,
            withdrawn INTEGER NOT NULL DEFAULT 0,
            UNIQUE (digest, type)
        );
        CREATE TABLE rollouts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            release INTEGER NOT NULL REFERENCES releases (id),
            kind TEXT NOT NULL,
            target TEXT NOT NULL,
            canary INTEGER NOT NULL,
            shares TEXT NOT NULL,
            success_share INTEGER NOT NULL,
            failure_share INTEGER NOT NULL,
            failures INTEGER,
            includes_later INTEGER NOT NULL,
            under_way INTEGER NOT NULL,
            starts_per_minute INTEGER NOT NULL,
            download_time REAL NOT NULL,
            activation_time REAL NOT NULL,
            tries INTEGER NOT NULL,
            takes_silence INTEGER NOT NULL,
            seed INTEGER NOT NULL,
            created REAL NOT NULL,
            operator TEXT NOT NULL,
            state TEXT NOT NULL,
            step INTEGER NOT NULL,
            why TEXT NOT NULL,
            ended REAL
        );
        CREATE TABLE rollout_devices (
            rollout INTEGER NOT NULL REFERENCES rollouts (id),
            device INTEGER NOT NULL,
            position INTEGER NOT NULL,
            phase TEXT NOT NULL,
            token BLOB,
            tries INTEGER NOT NULL,
            since REAL NOT NULL,
            not_before REAL NOT NULL,
            told REAL,
            is_heard INTEGER NOT NULL,
            was_named INTEGER NOT NULL,
            asked REAL,
            proof TEXT,
            status INTEGER,
            why TEXT NOT NULL,
            PRIMARY KEY (rollout, device)
        ) WITHOUT ROWID;
        CREATE INDEX rollouts_of ON rollout_devices (device);
        """
    ]

    // MARK: Releases

    /// A release that devices can be told of.
    public struct Release: Sendable, Hashable {
        /// Grows with each.
        public let number: Int64
        /// For devices of this type; empty: of any, where there is no manifest.
        public let type: String
        /// As it is named.
        public let version: String
        /// What INITIATE names: the manifest's address, or without one the payload's.
        public let url: String
        /// SHA-256 of what is at ``url``, 64 hexadecimal digits.
        public let digest: String
        /// The manifest's text; `nil`: devices are told of the payload itself, as by a reference server.
        public let manifest: String?
        /// SHA-256 of the payload, 64 hexadecimal digits.
        public let payload: String
        /// Of the payload, in bytes; `nil`: not known here.
        public let size: Int64?
        /// The payload's name among the files that are served here; `nil`: it is elsewhere.
        public let file: String?
        /// Whether the payload is where it should be, as far as that is known here.
        public let isThere: Bool
        /// From then on it may not be installed, in seconds since 1970; `nil`: no end.
        public let expires: Double?
        /// When it was added, in seconds since 1970.
        public let added: Double
        /// Who has added it.
        public let by: String
        /// Nobody is told of it any more.
        public let isWithdrawn: Bool
    }

    /// What there is to say of a release before it has a number.
    public struct NewRelease: Sendable, Hashable {
        var type, version, url, digest: String
        var manifest: String?
        var payload: String
        var size: Int64?
        var file: String?
        var isThere: Bool
        var expires: Double?
    }

    /// There are no more releases than this.
    public static let maximumReleases: Int64 = 1000

    private static let columns =
        "id, type, version, url, digest, manifest, payload, size, file, is_there, expires, added, operator, withdrawn"

    /// - Returns: its number; `nil` when it is there already, or there is no room.
    /// - Throws: ``StorageError``.
    func add(_ new: NewRelease, by name: String, now: Double) throws(StorageError) -> Int64? {
        try database.transaction { connection throws(StorageError) in
            let count = try connection.query("SELECT count(*) FROM releases").first?.integer(0) ?? 0
            guard count < Self.maximumReleases else { return nil }
            return try connection.query(
                """
                INSERT INTO releases
                (type, version, url, digest, manifest, payload, size, file, is_there, expires, added, operator)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id
                """, .text(new.type), .text(new.version), .text(new.url), .text(new.digest), .optional(new.manifest),
                .text(new.payload), new.size.map { .integer($0) } ?? .null, .optional(new.file),
                .integer(new.isThere ? 1 : 0), .optional(new.expires), .real(now), .text(name)
            ).first?.integer(0)
        }
    }

    /// Releases, the newest first.
    ///
    /// - Throws: ``StorageError``.
    public func releases(before: Int64? = nil, limit: Int = 1000) throws(StorageError) -> [Release] {
        try database.read(
            "SELECT \(Self.columns) FROM releases WHERE id < ? ORDER BY id DESC LIMIT ?",
            [.integer(before ?? .max), .integer(Int64(limit))]
        ).compactMap(Self.release)
    }

    /// - Throws: ``StorageError``.
    public func release(_ number: Int64) throws(StorageError) -> Release? {
        try database.read("SELECT \(Self.columns) FROM releases WHERE id = ?", [.integer(number)]).first
            .flatMap(Self.release)
    }

    private static func release(_ row: Row) -> Release? {
        guard let number = row.integer(0) else { return nil }
        return Release(
            number: number, type: row.text(1) ?? "", version: row.text(2) ?? "", url: row.text(3) ?? "",
            digest: row.text(4) ?? "", manifest: row.text(5), payload: row.text(6) ?? "", size: row.integer(7),
            file: row.text(8), isThere: row.integer(9) == 1, expires: row.real(10), added: row.real(11) ?? 0,
            by: row.text(12) ?? "", isWithdrawn: row.integer(13) == 1)
    }

    /// A payload has come, whole.
    ///
    /// - Throws: ``StorageError``.
    func isThere(payload digest: String, file: String) throws(StorageError) {
        try database.query(
            "UPDATE releases SET is_there = 1 WHERE payload = ? AND file = ?", .text(digest), .text(file))
    }

    /// - Throws: ``StorageError``.
    func withdraw(_ number: Int64) throws(StorageError) {
        try database.query("UPDATE releases SET withdrawn = 1, is_there = 0 WHERE id = ?", .integer(number))
    }
}

extension Value {
    static func optional(_ text: String?) -> Value { text.map { .text($0) } ?? .null }
    static func optional(_ number: Double?) -> Value { number.map { .real($0) } ?? .null }
}
