import SRUP
import Storage

/// Peers as an operator looks for them.
extension ParticipantStore {
    /// Which peers are looked for; all conditions hold together.
    public struct PeerQuery: Sendable, Hashable {
        /// The beginning of the identity in hexadecimal, or a part of type, note or identification; empty: all.
        public var text = ""
        /// Only members, or only others; `nil`: both.
        public var isJoined: Bool?
        /// Only of this device type.
        public var type: String?
        /// Only these identities.
        public var among: Set<DeviceID>?
        /// Not this one and none before it: where the page before ended.
        public var after: DeviceID?

        /// All peers.
        public init() {}
    }

    /// Peers in the order of their identities.
    ///
    /// - Throws: ``StorageError``.
    public func peers(_ query: PeerQuery, limit: Int) throws(StorageError) -> [Peer] {
        let (condition, values) = Self.condition(query)
        return try peers(where: condition, values, limit: limit)
    }

    /// How many there are, wherever the page begins.
    ///
    /// - Throws: ``StorageError``.
    public func countPeers(_ query: PeerQuery) throws(StorageError) -> Int {
        var query = query
        query.after = nil
        let (condition, values) = Self.condition(query)
        return Int(try database.read("SELECT count(*) FROM peers WHERE \(condition)", values).first?.integer(0) ?? 0)
    }

    /// The identities are integers of 64 bits without a sign, which SQLite keeps with one: their order is that of these.
    private static func condition(_ query: PeerQuery) -> (String, [Value]) {
        var conditions = ["1 = 1"]
        var values: [Value] = []
        if let after = query.after {
            conditions.append("id > ?")
            values.append(.unsigned(after.value))
        }
        if let isJoined = query.isJoined {
            conditions.append("joined = ?")
            values.append(.integer(isJoined ? 1 : 0))
        }
        if let type = query.type {
            conditions.append("type = ?")
            values.append(.text(type))
        }
        if let among = query.among {
            conditions.append("id IN (\(among.map { _ in "?" }.joined(separator: ",")))")
            values += among.sorted().map { .unsigned($0.value) }
        }
        if !query.text.isEmpty {
            conditions.append(
                """
                (instr(to_hex(id), lower(?)) = 1
                OR instr(lower(coalesce(type, '') || ' ' || coalesce(note, '') || ' ' || coalesce(told, '')), lower(?)) > 0)
                """)
            values += [.text(query.text), .text(query.text)]
        }
        return (conditions.joined(separator: " AND "), values)
    }

    /// The device types of the peers that are known, with how many members each has.
    ///
    /// - Throws: ``StorageError``.
    public func types() throws(StorageError) -> [(type: String, members: Int)] {
        try database.read(
            "SELECT type, CAST(sum(joined) AS BIGINT) FROM peers WHERE type IS NOT NULL GROUP BY type ORDER BY type"
        )
        .compactMap { row in row.text(0).map { ($0, Int(row.integer(1) ?? 0)) } }
    }

    /// Those of some identities that belong.
    ///
    /// - Throws: ``StorageError``.
    public func members(among ids: [DeviceID]) throws(StorageError) -> Set<DeviceID> {
        var members: Set<DeviceID> = []
        // In pieces, so that there are few statements to be kept, whatever the number.
        for start in Swift.stride(from: 0, to: ids.count, by: Self.membersAtOnce) {
            let piece = ids[start..<min(start + Self.membersAtOnce, ids.count)].map { Value.unsigned($0.value) }
            let rows = try database.read(
                "SELECT id FROM peers WHERE joined = 1 AND id IN (\(piece.map { _ in "?" }.joined(separator: ",")))",
                piece)
            members.formUnion(rows.compactMap { $0.unsigned(0).map(DeviceID.init) })
        }
        return members
    }

    private static let membersAtOnce = 64

    /// Keeps what a peer has answered to an ID_REQUEST.
    ///
    /// - Throws: ``StorageError``.
    public func note(identification: String, of id: DeviceID) throws(StorageError) {
        try database.query("UPDATE peers SET told = ? WHERE id = ?", .text(identification), .unsigned(id.value))
    }

    /// How many peers belong.
    ///
    /// - Throws: ``StorageError``.
    public func countMembers() throws(StorageError) -> Int {
        Int(try database.read("SELECT count(*) FROM peers WHERE joined = 1").first?.integer(0) ?? 0)
    }

    /// Those that belong, and in whose identification there is a word of this name with another value.
    ///
    /// - Throws: ``StorageError``.
    public func members(whose word: String, isNot value: String) throws(StorageError) -> [DeviceID] {
        try database.read(
            "SELECT id FROM peers WHERE joined = 1 AND instr(told, ?) > 0 AND instr(told || ' ', ?) = 0",
            [.text(" \(word)="), .text(" \(word)=\(value) ")]
        ).compactMap { $0.unsigned(0).map(DeviceID.init) }
    }

    /// Keeps what an operator notes about a peer; `nil` removes the note.
    ///
    /// - Throws: ``StorageError``.
    public func note(_ note: String?, about id: DeviceID) throws(StorageError) {
        try database.query(
            "UPDATE peers SET note = ? WHERE id = ?", note.map { .text($0) } ?? .null, .unsigned(id.value))
    }

    // MARK: After a backup was put back

    /// More messages than were exchanged between a backup and the day it is put back.
    private static let leap: UInt64 = 1 << 32

    /// Jumps ahead with all numbers, for a file that comes out of a backup: no number that was sent since is sent again, and
    /// no message that was taken since is taken again. Peers learn of it by the next message that they are sent; until then
    /// theirs count as replayed.
    ///
    /// - Parameter now: seconds since 1970, for the line that says so.
    /// - Throws: ``StorageError``.
    public func leapAhead(now: Double = Participant.systemTime()) throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            for row in try connection.query("SELECT id, sent, received FROM peers") {
                let last = max(row.unsigned(1) ?? 0, row.unsigned(2) ?? 0)
                guard let id = row.integer(0), let next = SequenceNumber(last).advanced(by: Self.leap),
                    next < .highestAccepted
                else { continue }
                try connection.query(
                    "UPDATE peers SET sent = ?, received = ? WHERE id = ?", .unsigned(next.value),
                    .unsigned(next.value),
                    .integer(id))
            }
            // Those of groups are whole numbers with a sign.
            try connection.query(
                "UPDATE groups SET sent = sent + ? WHERE sent < ?", .unsigned(Self.leap), .integer(1 << 62))
            try connection.query("DELETE FROM outbox")
            try connection.query(Self.putSetting, "leaped", "1")
            guard try Self.isChained(connection) else { return }
            try Self.append(
                "restored", "a backup was put back: lines that were written after it are not in this log", about: nil,
                by: nil, now: now, connection)
        }
    }

    /// How far numbers jump when another program goes on with the same counters: more than it can have sent without a word of
    /// it here.
    private static let jump: Int64 = 1 << 20

    /// Jumps ahead with the numbers that are sent, for a server that goes on where another has stopped, nobody knows at which
    /// message. What it has stored still has to be sent, and what it has taken is not taken again.
    ///
    /// - Throws: ``StorageError``.
    public func jumpAhead() throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            // Numbers above that have no sign any more; nobody gets there by counting.
            for table in ["peers", "groups"] {
                try connection.query(
                    "UPDATE \(table) SET sent = sent + ? WHERE sent > 0 AND sent < ?", .integer(Self.jump),
                    .integer(1 << 61))
            }
        }
    }

    /// Whether ``leapAhead()`` was ever called.
    ///
    /// - Throws: ``StorageError``.
    public func hasLeaped() throws(StorageError) -> Bool { try value("leaped") != nil }

    /// The identities of all peers whose key is known, members first.
    ///
    /// - Throws: ``StorageError``.
    public func knownPeers() throws(StorageError) -> [DeviceID] {
        try database.read("SELECT id FROM peers WHERE public_key IS NOT NULL ORDER BY joined DESC, id")
            .compactMap { $0.unsigned(0).map(DeviceID.init) }
    }
}
