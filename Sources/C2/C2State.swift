import SRUP
import Storage

/// What the server must not forget beside its counters: joins under way and whom the operator trusts as observer.
///
/// The file may be changed by the command line while the server runs.
public final class C2State: Sendable {
    private let database: Database

    /// A join under way, without its nonce: that is in memory only, and after a restart a new one is made.
    public struct Pending: Sendable, Hashable {
        public let device: DeviceID
        public let observer: DeviceID
        /// The token of the device's request.
        public let request: Token
        /// The token of the nonce that the device has, which the answer carries.
        public var offer: Token
        /// The token of the request to the observer.
        public var observation: Token
        /// Which try this is, from 1.
        public var attempt: Int
    }

    /// - Throws: ``StorageError``.
    public init(path: String) throws(StorageError) {
        database = try Database(
            path: path,
            migrations: [
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
                """
            ])
    }

    /// - Throws: ``StorageError``.
    public func save(_ pending: Pending) throws(StorageError) {
        try database.query(
            "INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?, ?, ?)", .unsigned(pending.device.value),
            .unsigned(pending.observer.value), .blob(pending.request.bytes), .blob(pending.offer.bytes),
            .blob(pending.observation.bytes), .integer(Int64(pending.attempt)))
    }

    /// - Throws: ``StorageError``.
    public func remove(_ device: DeviceID) throws(StorageError) {
        try database.query("DELETE FROM pending WHERE device = ?", .unsigned(device.value))
    }

    /// - Throws: ``StorageError``.
    public func pending() throws(StorageError) -> [Pending] {
        try database.query("SELECT device, observer, request, offer, observation, attempt FROM pending")
            .compactMap { row in
                guard let device = row.unsigned(0), let observer = row.unsigned(1),
                    let request = row.blob(2).flatMap({ Token($0) }), let offer = row.blob(3).flatMap({ Token($0) }),
                    let observation = row.blob(4).flatMap({ Token($0) }), let attempt = row.integer(5)
                else { return nil }
                return Pending(
                    device: DeviceID(device), observer: DeviceID(observer), request: request, offer: offer,
                    observation: observation, attempt: Int(attempt))
            }
    }

    /// Lets an observer vouch for devices. Its type alone is no reason to: an identity chooses its own type.
    ///
    /// - Throws: ``StorageError``.
    public func trust(_ observer: DeviceID, now: Double) throws(StorageError) {
        try database.query("INSERT OR IGNORE INTO trusted VALUES (?, ?)", .unsigned(observer.value), .real(now))
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
}
