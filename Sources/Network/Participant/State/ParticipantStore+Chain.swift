import Evidence
import SRUP
import Storage

/// The audit log as a chain: each line's hash covers the line before, and the server signs the newest one.
extension ParticipantStore {
    /// Who signs.
    struct EvidenceKeeper: Sendable {
        let server: DeviceID
        let key: PrivateKey
        let digest: [UInt8]
    }

    var evidenceKeeper: EvidenceKeeper? { keeper.withLock { $0 } }
    var isKeepingEvidence: Bool { evidenceKeeper != nil }
    private static let setting = "evidence"

    /// From now on the log is a chain, for good, and messages are kept. Lines that are there already are taken in as they are.
    ///
    /// - Throws: ``StorageError``, `CryptoError`.
    public func keepEvidence(of server: DeviceID, key: PrivateKey, now: Double) throws {
        let own = EvidenceKeeper(server: server, key: key, digest: try key.publicKey.digest)
        let publicKey = try key.publicKey
        let name = "\(server.hex) \(publicKey.fingerprint)"
        guard try value(Self.setting) != name else { return keeper.withLock { $0 = own } }
        let before = try anchor()
        let first = try database.read("SELECT min(id) FROM audit").first?.integer(0) ?? 1
        let place = before.map { ($0.number, $0.hash) } ?? (UInt64(max(0, first - 1)), EvidenceHash.none)
        let new = try Seal(
            .anchor, server: server, number: place.0, hash: place.1, milliseconds: Self.milliseconds(now),
            signedBy: key, digest: own.digest)
        try database.transaction { connection throws(StorageError) in
            try Self.remember(publicKey, connection)
            if before == nil { try Self.chainOldLines(connection) }
            try connection.query("DELETE FROM seals WHERE kind = 'anchor'")
            try Self.insert(new, connection)
            try connection.query(
                Self.putSetting, .text(Self.setting), .text(name))
            let words =
                before == nil
                ? "the log is chained from here on; lines before were taken in as they were found"
                : "the server seals with the key \(publicKey.fingerprint) from here on"
            try Self.append(
                before == nil ? EvidenceLine.beginning : "evidence key", words, about: nil, by: nil, now: now,
                connection)
        }
        keeper.withLock { $0 = own }
    }

    /// Lines of an earlier release, which have no hashes.
    private static func chainOldLines(_ connection: Connection) throws(StorageError) {
        var previous = EvidenceHash.none
        var next: Int64?
        while true {
            let rows = try connection.query(
                "SELECT id, time, event, detail, subject, operator FROM audit WHERE hash IS NULL ORDER BY id LIMIT 500")
            if rows.isEmpty { return }
            for row in rows {
                let found = row.integer(0) ?? 0
                let number = next ?? found
                let line = line(row, number: number, salt: salt(), parts: [])
                previous = line.hash(after: previous)
                try connection.query(
                    "UPDATE audit SET id = ?, time = ?, salt = ?, hash = ? WHERE id = ?", .integer(number),
                    .real(Double(line.milliseconds) / 1000), .blob(line.salt), .blob(previous), .integer(found))
                next = number + 1
            }
        }
    }

    /// A line out of a row that begins with id, time, event, detail, subject, operator.
    static func line(
        _ row: Row, number: Int64, salt: [UInt8], parts: [EvidenceLine.SignedPart]
    ) -> EvidenceLine {
        EvidenceLine(
            number: UInt64(max(0, number)), milliseconds: milliseconds(row.real(1) ?? 0), event: row.text(2) ?? "",
            detail: row.text(3) ?? "", subject: row.unsigned(4).map(DeviceID.init), by: row.text(5), salt: salt,
            messages: parts)
    }

    static func milliseconds(_ seconds: Double) -> Int64 {
        Int64((max(-1e12, min(seconds, 1e12)) * 1000).rounded())
    }

    private static func salt() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<EvidenceLine.saltSize / 8).flatMap { _ in
            withUnsafeBytes(of: UInt64.random(in: .min ... .max, using: &generator)) { Array($0) }
        }
    }

    // MARK: Lines

    /// Whether lines are chained, whoever writes them: the command line knows no key.
    static func isChained(_ connection: Connection) throws(StorageError) -> Bool {
        try !connection.query("SELECT 1 FROM settings WHERE name = ?", .text(setting)).isEmpty
    }

    /// Adds a line behind the last one, with the messages that it takes.
    static func append(
        _ event: String, _ detail: String, about subject: DeviceID?, by name: String?, now: Double,
        _ connection: Connection
    ) throws(StorageError) {
        var chain = ChainEnd()
        try append(AuditEntry(event: event, detail: detail, subject: subject, by: name, now: now), &chain, connection)
    }

    /// Where the chain ends, for who adds several lines in one transaction.
    struct ChainEnd {
        private var isChained: Bool?
        fileprivate var last: (number: UInt64, hash: [UInt8])?

        mutating func isChained(_ connection: Connection) throws(StorageError) -> Bool {
            if let isChained { return isChained }
            let found = try ParticipantStore.isChained(connection)
            isChained = found
            return found
        }
    }

    static func append(
        _ new: AuditEntry, _ chain: inout ChainEnd, _ connection: Connection
    ) throws(StorageError) {
        let last = if let last = chain.last { last } else { try newest(connection) }
        let open = try open(for: new.event, about: new.subject, connection)
        let line = EvidenceLine(
            number: last.number + 1, milliseconds: milliseconds(new.now), event: new.event, detail: new.detail,
            subject: new.subject, by: new.by, salt: salt(), messages: open.map(\.part))
        let hash = line.hash(after: last.hash)
        try connection.query(
            """
            INSERT INTO audit (id, time, event, detail, subject, operator, salt, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """, .unsigned(line.number), .real(Double(line.milliseconds) / 1000), .text(new.event), .text(new.detail),
            new.subject.map { .unsigned($0.value) } ?? .null, new.by.map { .text($0) } ?? .null, .blob(line.salt),
            .blob(hash))
        for message in open {
            try connection.query(
                "UPDATE evidence SET line = ? WHERE id = ?", .unsigned(line.number), .integer(message.row))
        }
        chain.last = (line.number, hash)
    }

    /// The last line, or what is before the first one.
    private static func newest(_ connection: Connection) throws(StorageError) -> (number: UInt64, hash: [UInt8]) {
        let row = try connection.query("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").first
        if let row, let number = row.unsigned(0) { return (number, row.blob(1) ?? EvidenceHash.none) }
        let anchor = try connection.query(
            "SELECT number, hash FROM seals WHERE kind = 'anchor' ORDER BY number DESC LIMIT 1"
        ).first
        return (anchor?.unsigned(0) ?? 0, anchor?.blob(1) ?? EvidenceHash.none)
    }

    // MARK: Seals

    /// Of lines so many seals are kept, beside the newest one.
    private static let linesPerSeal: UInt64 = 1024

    /// Signs the newest line, if it is not signed yet.
    ///
    /// - Returns: the new seal; `nil` when there was nothing to sign.
    /// - Throws: ``StorageError``, `CryptoError`.
    @discardableResult
    public func seal(now: Double) throws -> Seal? {
        guard let own = evidenceKeeper else { return nil }
        let (last, sealed) = try database.transaction { connection throws(StorageError) in
            (
                try Self.newest(connection),
                try connection.query("SELECT max(number) FROM seals WHERE kind = 'seal'").first?.unsigned(0)
            )
        }
        guard last.number > 0, sealed != last.number else { return nil }
        // Not within the transaction: the line that is signed does not change any more.
        let seal = try Seal(
            .seal, server: own.server, number: last.number, hash: last.hash, milliseconds: Self.milliseconds(now),
            signedBy: own.key, digest: own.digest)
        try database.transaction { connection throws(StorageError) in
            // A newer one says all that the one before has said.
            if let sealed, sealed / Self.linesPerSeal == seal.number / Self.linesPerSeal {
                try connection.query("DELETE FROM seals WHERE kind = 'seal' AND number = ?", .unsigned(sealed))
            }
            try Self.insert(seal, connection)
        }
        return seal
    }

    private static let putSeal = Database.put(
        into: "seals", key: ["kind", "number"], ["server", "hash", "time", "key", "signature"])

    static func insert(_ seal: Seal, _ connection: Connection) throws(StorageError) {
        try connection.query(
            putSeal, .text(seal.kind.rawValue), .unsigned(seal.number), .unsigned(seal.server.value), .blob(seal.hash),
            .integer(seal.milliseconds),
            .blob(seal.key), .blob(seal.signature))
    }

    /// Where what is kept begins; `nil`: the log is no chain.
    ///
    /// - Throws: ``StorageError``.
    public func anchor() throws(StorageError) -> Seal? {
        try seals(.anchor, "kind = 'anchor' ORDER BY number DESC LIMIT 1", []).first
    }

    func seals(_ kind: Seal.Kind, _ condition: String, _ values: [Value]) throws(StorageError) -> [Seal] {
        try database.read(
            "SELECT server, number, hash, time, key, signature FROM seals WHERE \(condition)", values
        ).compactMap { row in
            guard let server = row.unsigned(0), let number = row.unsigned(1), let hash = row.blob(2),
                let key = row.blob(4), let signature = row.blob(5)
            else { return nil }
            return Seal(
                kind, server: DeviceID(server), number: number, hash: hash, milliseconds: row.integer(3) ?? 0, key: key,
                signature: signature)
        }
    }
}
