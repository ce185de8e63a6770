import SRUP
import Storage

/// Joins that a person decides, and what is kept of joins that have ended.
extension C2State {
    /// A join that waits for a person, without its nonce: that is in memory only, and after a restart a new one is made.
    public struct Moderation: Sendable, Hashable {
        /// Who wants to join.
        public let device: DeviceID
        /// The token of the device's request.
        public let request: Token
        /// The token of the nonce that the device shows, which the answer carries.
        public var offer: Token
        /// The device's type, as the key service tells it.
        public let type: String
        /// When the device asked, in seconds since 1970.
        public let created: Double
    }

    /// How a join has ended.
    public struct Ending: Sendable, Hashable {
        /// What the device was told, or why it was told nothing.
        public enum Outcome: String, Sendable, CaseIterable {
            /// Let in.
            case joined
            /// JOIN_FAIL.
            case failed
            /// JOIN_REFUSED: ask again.
            case refused
            /// The device has asked anew.
            case replaced
        }
        /// What the device was told.
        public let outcome: Outcome
        /// The reason, in words for the operator.
        public let why: String
        /// The operator who decided; `nil` when nobody did.
        public let by: String?
        /// Seconds since 1970.
        public let at: Double

        /// How a join has ended.
        public init(_ outcome: Outcome, why: String, by: String? = nil, at: Double) {
            self.outcome = outcome
            self.why = why
            self.by = by
            self.at = at
        }
    }

    /// A join, under way or ended, as it is kept for the operator.
    public struct JoinRecord: Sendable, Hashable {
        /// Grows with each join.
        public let id: Int64
        /// Who wanted to join.
        public let device: DeviceID
        /// The device's type, as the key service tells it.
        public let type: String
        /// How it is decided.
        public enum Way: String, Sendable, CaseIterable {
            /// Observers look at the device.
            case observed
            /// A person compares what the device shows.
            case human
            /// Observers look at a device that belongs already.
            case rollCall = "roll call"
        }
        /// How it is decided.
        public let way: Way
        /// Whom the device has named as its observer, or whose word has ended it; `nil` while any of a zone may vouch, and for
        /// a join that a person decides.
        public let observer: DeviceID?
        /// When the device asked, in seconds since 1970.
        public let began: Double
        /// How many values it was sent.
        public let tries: Int
        /// How it ended; `nil` while it is under way.
        public let ending: Ending?
    }

    /// Only the newest are kept: so many of all, and so many of one device, which asks as often as it likes.
    private static let (maximumRecords, maximumRecordsOfOne) = (20000, 50)

    static func log(
        _ request: Token, _ device: DeviceID, _ type: String, _ way: JoinRecord.Way, observer: DeviceID?, began: Double,
        tries: Int, _ connection: Connection
    ) throws(StorageError) {
        try connection.query(
            """
            INSERT INTO joins (request, device, type, way, observer, began, tries) VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (request) DO UPDATE SET tries = excluded.tries
            """, .blob(request.bytes), .unsigned(device.value), .text(type), .text(way.rawValue),
            observer.map { .unsigned($0.value) } ?? .null, .real(began), .integer(Int64(tries)))
        try connection.query(
            """
            DELETE FROM joins WHERE device = ? AND id <=
                (SELECT id FROM joins WHERE device = ? ORDER BY id DESC LIMIT 1 OFFSET ?)
            """, .unsigned(device.value), .unsigned(device.value), .integer(Int64(Self.maximumRecordsOfOne)))
        try connection.query(
            "DELETE FROM joins WHERE id <= (SELECT max(id) FROM joins) - ?", .integer(Int64(Self.maximumRecords)))
    }

    /// The newest joins first.
    ///
    /// - Parameters:
    ///   - device: only of this one.
    ///   - isObserved: only those that an observer, or that a person decides; `nil`: all.
    ///   - before: only joins with a lower number, for the next page.
    /// - Throws: ``StorageError``.
    public func joins(
        of device: DeviceID? = nil, isObserved: Bool? = nil, before: Int64? = nil, limit: Int
    ) throws(StorageError) -> [JoinRecord] {
        var conditions = ["id < ?"]
        var values: [Value] = [.integer(before ?? .max)]
        if let device {
            conditions.append("device = ?")
            values.append(.unsigned(device.value))
        }
        if let isObserved { conditions.append("way \(isObserved ? "<>" : "=") 'human'") }
        values.append(.integer(Int64(limit)))
        return try database.read(
            """
            SELECT id, device, type, observer, began, tries, ended, outcome, why, operator, way FROM joins
            WHERE \(conditions.joined(separator: " AND ")) ORDER BY id DESC LIMIT ?
            """, values
        ).compactMap { row in
            guard let id = row.integer(0), let device = row.unsigned(1) else { return nil }
            let ending = row.real(6).flatMap { at in
                row.text(7).flatMap { Ending.Outcome(rawValue: $0) }.map {
                    Ending($0, why: row.text(8) ?? "", by: row.text(9), at: at)
                }
            }
            return JoinRecord(
                id: id, device: DeviceID(device), type: row.text(2) ?? "",
                way: row.text(10).flatMap { JoinRecord.Way(rawValue: $0) } ?? .observed,
                observer: row.unsigned(3).map(DeviceID.init), began: row.real(4) ?? 0,
                tries: Int(max(0, min(row.integer(5) ?? 0, 1_000_000))), ending: ending)
        }
    }

    /// How many of the joins that are kept each observer has ended, and how.
    ///
    /// - Throws: ``StorageError``.
    public func verdicts() throws(StorageError) -> [DeviceID: [Ending.Outcome: Int]] {
        try database.read(
            """
            SELECT observer, outcome, count(*) FROM joins
            WHERE observer IS NOT NULL AND outcome IS NOT NULL GROUP BY observer, outcome
            """, []
        ).reduce(into: [:]) { all, row in
            guard let id = row.unsigned(0), let outcome = row.text(1).flatMap({ Ending.Outcome(rawValue: $0) }) else {
                return
            }
            all[DeviceID(id), default: [:]][outcome] = Int(row.integer(2) ?? 0)
        }
    }

    // MARK: Waiting for a person

    private static let putModeration = Database.put(
        into: "moderations", key: ["device"], ["request", "offer", "type", "created"])

    /// - Parameter tries: how many values the device has been sent with this one.
    /// - Throws: ``StorageError``.
    public func save(_ moderation: Moderation, tries: Int) throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            try connection.query(
                Self.putModeration, .unsigned(moderation.device.value),
                .blob(moderation.request.bytes), .blob(moderation.offer.bytes), .text(moderation.type),
                .real(moderation.created))
            try Self.log(
                moderation.request, moderation.device, moderation.type, .human, observer: nil,
                began: moderation.created,
                tries: tries, connection)
        }
    }

    /// The joins that wait for a person, who asked first first; what cannot be read is dropped.
    ///
    /// - Throws: ``StorageError``.
    public func moderations() throws(StorageError) -> [Moderation] {
        try database.query("SELECT device, request, offer, type, created FROM moderations ORDER BY created, device")
            .compactMap { row in
                guard let device = row.unsigned(0), let request = row.blob(1).flatMap({ Token($0) }),
                    let offer = row.blob(2).flatMap({ Token($0) })
                else { return nil }
                return Moderation(
                    device: DeviceID(device), request: request, offer: offer, type: row.text(3) ?? "",
                    created: row.real(4) ?? 0)
            }
    }

    // MARK: Policies that were set while the server ran

    /// A policy that an operator has set beside `c2.toml`.
    public struct SetPolicy: Sendable, Hashable {
        /// The device type; `*` for all that have no policy of their own.
        public let type: String
        /// How its devices may come in.
        public let policy: JoinPolicy
        /// Who set it.
        public let by: String
        /// When, in seconds since 1970.
        public let since: Double
    }

    /// More policies cannot be set.
    static let maximumPolicies = 1000

    /// - Parameter policy: `nil` goes back to what `c2.toml` says.
    /// - Throws: ``StorageError``.
    func set(_ policy: JoinPolicy?, for type: String, by name: String, now: Double) throws(StorageError) {
        if let policy {
            try database.query(
                Database.put(into: "policies", key: ["type"], ["policy", "operator", "since"]), .text(type),
                .text(policy.rawValue), .text(name), .real(now))
        } else {
            try database.query("DELETE FROM policies WHERE type = ?", .text(type))
        }
    }

    /// - Throws: ``StorageError``.
    public func policies() throws(StorageError) -> [SetPolicy] {
        try database.read("SELECT type, policy, operator, since FROM policies ORDER BY type", []).compactMap { row in
            guard let type = row.text(0), let policy = row.text(1).flatMap({ JoinPolicy(rawValue: $0) }) else {
                return nil
            }
            return SetPolicy(type: type, policy: policy, by: row.text(2) ?? "", since: row.real(3) ?? 0)
        }
    }
}
