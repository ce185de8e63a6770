import SRUP
import Storage

/// Who is registered: identity, key, type. One SQLite file.
public final class KeyServiceState: Sendable {
    private let database: Database

    public struct Entry: Sendable {
        public let id: DeviceID
        public let key: PublicKey
        public let type: String
        public let isServer: Bool
    }

    /// - Throws: ``StorageError``.
    public init(path: String) throws(StorageError) {
        database = try Database(
            path: path,
            migrations: [
                """
                CREATE TABLE identities (
                    id INTEGER PRIMARY KEY,
                    public_key TEXT NOT NULL,
                    type TEXT NOT NULL,
                    server INTEGER NOT NULL,
                    registered REAL NOT NULL
                );
                """
            ])
    }

    /// Adds an identity; `false` when it is taken.
    ///
    /// - Throws: ``StorageError``.
    public func add(
        _ id: DeviceID, key: PublicKey, type: String, isServer: Bool, now: Double
    ) throws(StorageError) -> Bool {
        try !database.query(
            "INSERT OR IGNORE INTO identities VALUES (?, ?, ?, ?, ?) RETURNING id", .unsigned(id.value), .text(key.pem),
            .text(type), .integer(isServer ? 1 : 0), .real(now)
        ).isEmpty
    }

    /// - Throws: ``StorageError``.
    public func entry(_ id: DeviceID) throws(StorageError) -> Entry? {
        let rows = try database.query(
            "SELECT public_key, type, server FROM identities WHERE id = ?", .unsigned(id.value))
        guard let row = rows.first, let key = row.text(0).flatMap({ try? PublicKey(pem: $0) }) else { return nil }
        return Entry(id: id, key: key, type: row.text(1) ?? "", isServer: row.integer(2) == 1)
    }

    /// How many identities there are.
    ///
    /// - Throws: ``StorageError``.
    public func count() throws(StorageError) -> Int {
        Int(try database.query("SELECT count(*) FROM identities").first?.integer(0) ?? 0)
    }
}
