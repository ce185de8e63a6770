import Evidence
import SRUP
import Storage

/// The log as it is exported and checked, and what leaves it at the front.
extension ParticipantStore {
    /// Which lines are told; all others stand in the export by their hash alone.
    public struct EvidenceSelection: Sendable {
        /// Not before, in seconds since 1970.
        public var since = -Double.infinity
        /// Not after, in seconds since 1970.
        public var until = Double.infinity
        /// Only about this identity.
        public var about: DeviceID?

        /// All lines.
        public init() {}

        func takes(_ line: EvidenceLine) -> Bool {
            let time = Double(line.milliseconds) / 1000
            return time >= since && time <= until && (about == nil || line.subject == about)
        }
    }

    /// So many lines are read at once.
    private static let linesAtOnce: UInt64 = 200

    /// Newest and oldest line, where the log is a chain.
    public struct EvidenceExtent: Sendable {
        /// What it begins behind.
        public let anchor: Seal
        /// The newest line; the anchor's, when there is none.
        public let last: UInt64
        /// The newest line's hash.
        public let head: [UInt8]
        /// The newest line that is signed; `nil`: none is.
        public let sealed: UInt64?
    }

    /// How much of the chain there is; `nil`: the log is none.
    ///
    /// - Throws: ``StorageError``.
    public func evidenceExtent() throws(StorageError) -> EvidenceExtent? {
        guard let anchor = try anchor() else { return nil }
        let row = try database.read("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").first
        let sealed = try database.read("SELECT max(number) FROM seals WHERE kind = 'seal'").first?.unsigned(0)
        return EvidenceExtent(
            anchor: anchor, last: row?.unsigned(0) ?? anchor.number, head: row?.blob(1) ?? anchor.hash, sealed: sealed)
    }

    /// Gives the whole chain, record by record, from the header to the end.
    ///
    /// - Parameters:
    ///   - through: not beyond this line; `nil`: all that are there now.
    ///   - take: gets each record.
    /// - Throws: ``StorageError``, and what `take` throws.
    public func evidence(
        _ selection: EvidenceSelection = .init(), through: UInt64? = nil, _ take: (EvidenceRecord) throws -> Void
    ) throws {
        guard let extent = try evidenceExtent() else { return }
        let anchor = extent.anchor
        try take(.header(server: anchor.server, key: anchor.key, anchor: anchor))
        var told: Set<[UInt8]> = []
        func tell(_ key: [UInt8]) throws {
            guard told.insert(key).inserted else { return }
            let row = try database.read("SELECT pem FROM evidence_keys WHERE digest = ?", [.blob(key)]).first
            if let pem = row?.text(0) { try take(.key(digest: key, pem: pem)) }
        }
        try tell(anchor.key)
        let last = min(through ?? .max, extent.last)
        var (next, count) = (anchor.number + 1, UInt64(0))
        while next <= last {
            let end = min(next + Self.linesAtOnce - 1, last)
            let page = try lines(next...end)
            for line in page.lines {
                count += 1
                if selection.takes(line.line) {
                    for message in line.line.messages { try tell(message.key) }
                    try take(.line(line.line, hash: line.hash))
                } else {
                    try take(.omitted(number: line.line.number, content: line.line.content, hash: line.hash))
                }
                for seal in page.seals where seal.number == line.line.number { try take(.seal(seal)) }
            }
            next = end + 1
        }
        if through == nil {
            for seal in try seals(.seal, "kind = 'seal' AND number > ? ORDER BY number", [.unsigned(last)]) {
                try take(.seal(seal))
            }
        }
        try take(.end(lines: count))
    }

    private func lines(
        _ range: ClosedRange<UInt64>
    ) throws(StorageError) -> (lines: [(line: EvidenceLine, hash: [UInt8])], seals: [Seal]) {
        let values: [Value] = [.unsigned(range.lowerBound), .unsigned(range.upperBound)]
        var parts: [UInt64: [EvidenceLine.SignedPart]] = [:]
        let messages = try database.read(
            "SELECT line, key, bytes FROM evidence WHERE line BETWEEN ? AND ? ORDER BY line, id", values)
        for row in messages {
            guard let line = row.unsigned(0), let key = row.blob(1), let bytes = row.blob(2) else { continue }
            parts[line, default: []].append(.init(bytes: bytes, key: key))
        }
        let lines = try database.read(
            """
            SELECT id, time, event, detail, subject, operator, salt, hash FROM audit
            WHERE id BETWEEN ? AND ? ORDER BY id
            """, values
        ).map { row in
            let number = row.integer(0) ?? 0
            let line = Self.line(
                row, number: number, salt: row.blob(6) ?? [], parts: parts[UInt64(max(0, number))] ?? [])
            return (line: line, hash: row.blob(7) ?? EvidenceHash.none)
        }
        let seals = try seals(.seal, "kind = 'seal' AND number BETWEEN ? AND ? ORDER BY number", values)
        return (lines, seals)
    }

    // MARK: What leaves

    /// Lets the oldest lines go, up to this one; the chain goes on behind it, from a place that is signed.
    ///
    /// - Throws: ``StorageError``, `CryptoError`.
    public func dropEvidence(through number: UInt64, now: Double) throws {
        guard let own = evidenceKeeper, let before = try anchor(), number > before.number else { return }
        let hash = try database.read("SELECT hash FROM audit WHERE id = ?", [.unsigned(number)]).first?.blob(0)
        guard let hash else { return }
        let anchor = try Seal(
            .anchor, server: own.server, number: number, hash: hash, milliseconds: Self.milliseconds(now),
            signedBy: own.key, digest: own.digest)
        try database.transaction { connection throws(StorageError) in
            try connection.query("DELETE FROM audit WHERE id <= ?", .unsigned(number))
            try connection.query("DELETE FROM evidence WHERE line <= ?", .unsigned(number))
            try connection.query("DELETE FROM seals WHERE kind = 'anchor' OR number <= ?", .unsigned(number))
            try Self.insert(anchor, connection)
            try connection.query(
                "DELETE FROM evidence_keys WHERE digest <> ? AND digest NOT IN (SELECT key FROM evidence)",
                .blob(own.digest))
        }
    }

    /// The number of the last line that is older than this, among the first lines; `nil`: none is.
    ///
    /// - Parameter count: no more of them.
    /// - Throws: ``StorageError``.
    public func lastEvidence(before time: Double, among count: UInt64) throws(StorageError) -> UInt64? {
        guard let anchor = try anchor() else { return nil }
        return try database.read(
            "SELECT max(id) FROM audit WHERE id <= ? AND time < ?", [.unsigned(anchor.number + count), .real(time)]
        ).first?.unsigned(0)
    }
}
