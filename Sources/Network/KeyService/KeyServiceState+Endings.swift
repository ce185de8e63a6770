import SRUP
import Storage

/// Identities that have ended for good: neither key nor certificate is given for them any more, nobody gets their name again,
/// and none of their certificates counts.
extension KeyServiceState {
    /// An identity that has ended; times in seconds since 1970.
    public struct Ended: Sendable, Hashable {
        /// Who it was.
        public let id: DeviceID
        /// When it was decided.
        public let since: Double
        /// SHA-256 of its public key (SubjectPublicKeyInfo, DER); `nil` when the key was not known here.
        public let key: [UInt8]?
        /// The device type that it had chosen.
        public let type: String
        /// The reason, in words for the operator.
        public let why: String
        /// The operator who decided; `nil` when nobody did.
        public let by: String?
        /// When the broker was given the list with its certificates; `nil`: not yet.
        public let listed: Double?
        /// When the broker had closed its connection; `nil`: not yet.
        public let closed: Double?
        /// Whether the device itself has said that its keys are gone.
        public let isConfirmed: Bool
        /// The cell whose broker it had; `nil`: it was registered before there were several.
        public let cell: String?
    }

    /// No certificate is valid for longer after its identity's end, in seconds: a year and a day for clocks.
    private static let longestCertificate = Double(Authority.days + 1) * 86400

    /// What is kept of identities that have ended by their own wish, whose certificates have run out long since.
    private static let keptForOwnWish = longestCertificate

    /// Ends an identity; it need not be registered. A server does not end this way.
    ///
    /// - Parameters:
    ///   - why: in words for the operator.
    ///   - name: the operator who decides; `nil`: the identity's own wish.
    ///   - now: seconds since 1970.
    /// - Returns: `false` when it had ended before, or is a server's.
    /// - Throws: ``StorageError``.
    @discardableResult
    public func end(_ id: DeviceID, why: String, by name: String?, now: Double) throws(StorageError) -> Bool {
        try database.transaction { connection throws(StorageError) in
            let row = try connection.query(
                "SELECT public_key, type, server, cell FROM identities WHERE id = ?", .unsigned(id.value)
            ).first
            guard row?.integer(2) != 1,
                try connection.query("SELECT 1 FROM ended WHERE id = ?", .unsigned(id.value)).isEmpty
            else { return false }
            let key = row?.text(0).flatMap { try? PublicKey(pem: $0) }?.digest
            try connection.query(
                """
                INSERT INTO ended (id, since, key, type, why, operator, ends, cell) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """, .unsigned(id.value), .real(now), key.map { .blob($0) } ?? .null, .text(row?.text(1) ?? ""),
                .text(why), name.map { .text($0) } ?? .null, .real(now + Self.longestCertificate),
                row?.text(3).map { .text($0) } ?? .null)
            try connection.query("DELETE FROM identities WHERE id = ?", .unsigned(id.value))
            return true
        }
    }

    /// Whether an identity may be registered with this key.
    static func isFree(_ id: DeviceID, _ key: PublicKey, _ connection: Connection) throws(StorageError) -> Bool {
        try connection.query(
            "SELECT 1 FROM ended WHERE id = ? OR key = ? LIMIT 1", .unsigned(id.value), .blob(key.digest)
        ).isEmpty
    }

    /// - Throws: ``StorageError``.
    public func ended(_ id: DeviceID) throws(StorageError) -> Ended? {
        try ended(where: "id = ?", .unsigned(id.value)).first
    }

    /// All that have ended, in the order in which they did.
    ///
    /// - Throws: ``StorageError``.
    public func allEnded() throws(StorageError) -> [Ended] { try ended(where: "1 = 1") }

    /// Those that have ended, in that order, a page of them.
    ///
    /// - Parameter last: where the page before ended; `nil`: from the beginning.
    /// - Throws: ``StorageError``.
    public func ended(after last: DeviceID?, limit: Int) throws(StorageError) -> [Ended] {
        guard let last else { return try ended(where: "1 = 1", limit: limit) }
        guard let since = try ended(last)?.since else { return [] }
        return try ended(where: "(since, id) > (?, ?)", .real(since), .unsigned(last.value), limit: limit)
    }

    /// Those whose connection the broker has not closed yet, as far as is known.
    ///
    /// - Throws: ``StorageError``.
    public func openEndings() throws(StorageError) -> [Ended] { try ended(where: "closed IS NULL") }

    /// Those of which the broker has not been given the certificates yet.
    ///
    /// - Throws: ``StorageError``.
    func unlisted() throws(StorageError) -> [Ended] { try ended(where: "listed IS NULL") }

    private func ended(
        where condition: String, _ values: Value..., limit: Int = Int(Database.noLimit)
    ) throws(StorageError) -> [Ended] {
        try database.read(
            """
            SELECT id, since, key, type, why, operator, listed, closed, confirmed, cell FROM ended WHERE \(condition)
            ORDER BY since, id LIMIT ?
            """, values + [.integer(Int64(limit))]
        ).compactMap { row in
            guard let id = row.unsigned(0), let since = row.real(1) else { return nil }
            return Ended(
                id: DeviceID(id), since: since, key: row.blob(2), type: row.text(3) ?? "", why: row.text(4) ?? "",
                by: row.text(5), listed: row.real(6), closed: row.real(7), isConfirmed: row.integer(8) == 1,
                cell: row.text(9))
        }
    }

    /// The broker has been given the list with these.
    ///
    /// - Throws: ``StorageError``.
    func markListed(_ ids: [DeviceID], now: Double) throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            for id in ids {
                try connection.query("UPDATE ended SET listed = ? WHERE id = ?", .real(now), .unsigned(id.value))
            }
        }
    }

    /// The broker has closed its connection. To be called by the C2 server.
    ///
    /// - Parameters:
    ///   - confirmed: whether the device has said that its keys are gone.
    ///   - now: seconds since 1970.
    /// - Throws: ``StorageError``.
    public func markClosed(_ id: DeviceID, confirmed: Bool, now: Double) throws(StorageError) {
        try database.query(
            """
            UPDATE ended SET closed = ?, confirmed = CASE WHEN ? = 1 THEN 1 ELSE confirmed END
            WHERE id = ? AND closed IS NULL
            """, .real(now), .integer(confirmed ? 1 : 0), .unsigned(id.value))
    }

    // MARK: Certificates

    /// One identity has no more certificates that are valid at once; each is an entry in the list when it ends.
    static let maximumCertificates = 64

    /// Notes a certificate before it is handed out.
    ///
    /// - Returns: `false` when the identity has ended in the meantime, or has too many: it must not be handed out.
    /// - Throws: ``StorageError``.
    func record(_ pem: String, of id: DeviceID, now: Double) throws(StorageError) -> Bool {
        guard let serial = Authority.serial(of: pem), let dates = Authority.dates(pem) else { return false }
        return try database.transaction { connection throws(StorageError) in
            guard
                try !connection.query("SELECT 1 FROM identities WHERE id = ?", .unsigned(id.value)).isEmpty,
                try connection.query(
                    "SELECT count(*) FROM certificates WHERE id = ? AND ends > ?", .unsigned(id.value), .real(now)
                ).first?.integer(0) ?? 0 < Self.maximumCertificates
            else { return false }
            try connection.query(
                Database.put(into: "certificates", key: ["serial"], ["id", "ends"]), .blob(serial), .unsigned(id.value),
                .real(dates.end))
            try connection.query(
                "UPDATE identities SET certified = ? WHERE id = ? AND certified IS NULL", .real(now),
                .unsigned(id.value))
            return true
        }
    }

    /// The certificates that do not count any more: those of operators' decisions first, then the newest.
    ///
    /// - Throws: ``StorageError``.
    func revoked(now: Double, atMost limit: Int) throws(StorageError) -> [Authority.Revoked] {
        try database.read(
            """
            SELECT serial, since FROM certificates JOIN ended USING (id) WHERE certificates.ends > ?
            ORDER BY operator IS NULL, since DESC LIMIT ?
            """, [.real(now - 86400), .integer(Int64(limit))]
        ).compactMap { row in
            row.blob(0).flatMap { serial in row.real(1).map { Authority.Revoked(serial: serial, since: $0) } }
        }
    }

    /// Those certificates of a list that have run out.
    ///
    /// - Throws: ``StorageError``.
    func runOut(_ serials: [[UInt8]], now: Double) throws(StorageError) -> Set<[UInt8]> {
        var found: Set<[UInt8]> = []
        for serial in serials {
            let row = try database.read("SELECT ends FROM certificates WHERE serial = ?", [.blob(serial)]).first
            if let ends = row?.real(0), ends <= now - 86400 { found.insert(serial) }
        }
        return found
    }

    /// The identities whose certificates may still be valid.
    ///
    /// - Throws: ``StorageError``.
    func namesToRefuse(now: Double) throws(StorageError) -> [DeviceID] {
        try database.read("SELECT id FROM ended WHERE ends > ? ORDER BY id", [.real(now)]).compactMap {
            $0.unsigned(0).map { DeviceID($0) }
        }
    }

    /// Drops what nobody needs any more: certificates that have run out long since and belong to nobody here, and identities
    /// that have ended by their own wish more than a year ago.
    ///
    /// - Throws: ``StorageError``.
    func prune(now: Double) throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            try connection.query(
                "DELETE FROM certificates WHERE ends <= ?", .real(now - Self.longestCertificate))
            try connection.query(
                "DELETE FROM ended WHERE operator IS NULL AND closed IS NOT NULL AND ends <= ?",
                .real(now - Self.keptForOwnWish))
        }
    }
}
