import SRUP
import Storage

/// The audit log.
extension ParticipantStore {
    /// A line of the audit log.
    public struct AuditLine: Sendable, Hashable {
        /// Grows with each line.
        public let id: Int64
        /// Seconds since 1970.
        public let time: Double
        /// What has happened, a word or two.
        public let event: String
        /// More about it. Text from outside may be in it, without control characters.
        public let detail: String
        /// Whom it is about, where it is about somebody.
        public let subject: DeviceID?
        /// The operator who did it; `nil` when nobody did.
        public let by: String?
    }

    /// So many of the newest lines are kept where the log is no evidence.
    private static let maximumAuditLines = 10000

    /// Adds a line to the audit log. A server's is a chain (``keepEvidence(of:key:now:)``), and the line takes the messages
    /// that have led to it; any other keeps the newest 10 000 lines.
    ///
    /// - Parameters:
    ///   - subject: whom it is about.
    ///   - by: the operator who did it; `nil` when nobody did.
    ///   - now: seconds since 1970.
    /// - Throws: ``StorageError``.
    public func audit(
        _ event: String, _ detail: String, about subject: DeviceID? = nil, by name: String? = nil, now: Double
    ) throws(StorageError) {
        let line = AuditEntry(event: event, detail: detail, subject: subject, by: name, now: now)
        if takeDown(.line(line)) { return }
        try database.transaction { connection throws(StorageError) in
            var chain = ChainEnd()
            try Self.write(line, &chain, connection)
        }
    }

    static func write(
        _ line: AuditEntry, _ chain: inout ChainEnd, _ connection: Connection
    ) throws(StorageError) {
        if try chain.isChained(connection) { return try append(line, &chain, connection) }
        try connection.query(
            "INSERT INTO audit (time, event, detail, subject, operator) VALUES (?, ?, ?, ?, ?)", .real(line.now),
            .text(line.event), .text(line.detail), line.subject.map { .unsigned($0.value) } ?? .null,
            line.by.map { .text($0) } ?? .null)
        try connection.query(
            "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", .integer(Int64(maximumAuditLines)))
    }

    /// The newest lines of the audit log, newest first.
    ///
    /// - Parameters:
    ///   - text: only lines in which it stands, in any case; empty: all.
    ///   - subject: only lines about this identity.
    ///   - before: only lines with a lower number, for the next page.
    /// - Throws: ``StorageError``.
    public func auditLog(
        last count: Int, containing text: String = "", about subject: DeviceID? = nil, before: Int64? = nil
    ) throws(StorageError) -> [AuditLine] {
        guard !text.isEmpty, subject == nil else {
            return try lines(last: count, containing: text, about: subject, before: before ?? .max)
        }
        var found: [AuditLine] = []
        var end = before ?? Int64.max
        // Piece by piece: whoever writes does not wait until all of a long log was looked through.
        while found.count < count {
            let ends = try database.read(
                "SELECT (SELECT max(id) FROM audit WHERE id < ?), (SELECT min(id) FROM audit)", [.integer(end)]
            ).first
            guard let newest = ends?.integer(0), let oldest = ends?.integer(1) else { break }
            let start = newest - Self.linesAtOnce
            found += try lines(
                last: count - found.count, containing: text, about: nil, before: newest + 1, from: start)
            guard start > oldest else { break }
            end = start
        }
        return found
    }

    /// So many lines are looked through at once.
    private static let linesAtOnce: Int64 = 10_000

    private func lines(
        last count: Int, containing text: String, about subject: DeviceID?, before: Int64, from: Int64 = .min
    ) throws(StorageError) -> [AuditLine] {
        var conditions = ["id < ?", "id >= ?"]
        var values: [Value] = [.integer(before), .integer(from)]
        if let subject {
            conditions.append("subject = ?")
            values.append(.unsigned(subject.value))
        }
        if !text.isEmpty {
            let pattern = text.replacing("\\", with: "\\\\").replacing("%", with: "\\%").replacing("_", with: "\\_")
            let columns = ["event", "detail", "operator"].map { "lower(\($0)) LIKE lower(?) ESCAPE '\\'" }
            conditions.append("(\(columns.joined(separator: " OR ")))")
            values += columns.map { _ in .text("%\(pattern)%") }
        }
        values.append(.integer(Int64(count)))
        return try database.read(
            """
            SELECT id, time, event, detail, subject, operator FROM audit
            WHERE \(conditions.joined(separator: " AND ")) ORDER BY id DESC LIMIT ?
            """, values
        ).map { row in
            AuditLine(
                id: row.integer(0) ?? 0, time: row.real(1) ?? 0, event: row.text(2) ?? "", detail: row.text(3) ?? "",
                subject: row.unsigned(4).map(DeviceID.init), by: row.text(5))
        }
    }
}
