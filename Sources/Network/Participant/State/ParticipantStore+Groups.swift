import SRUP
import Storage

/// Groups: on a device those that it listens to, on a server the numbers of what it has said to its own. Each group has
/// numbers of its own, since all its members hear the same message.
extension ParticipantStore {
    static let groupTables = """
        CREATE TABLE groups (
            server INTEGER NOT NULL,
            id TEXT NOT NULL,
            sent INTEGER NOT NULL DEFAULT 0,
            received INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (server, id)
        ) WITHOUT ROWID;
        """

    /// The groups of a server that are known here, by name.
    ///
    /// - Throws: ``StorageError``.
    public func groups(of server: DeviceID) throws(StorageError) -> [GroupID] {
        try database.query("SELECT id FROM groups WHERE server = ? ORDER BY id", .unsigned(server.value))
            .compactMap { $0.text(0).flatMap { GroupID($0) } }
    }

    /// Notes a group that is listened to from now on; what is noted already keeps its number.
    ///
    /// - Parameter number: only messages with a higher one count.
    /// - Throws: ``StorageError``.
    public func enter(_ group: GroupID, of server: DeviceID, after number: SequenceNumber) throws(StorageError) {
        try database.query(
            """
            INSERT INTO groups (server, id, received) VALUES (?, ?, ?)
            ON CONFLICT (server, id) DO UPDATE SET received =
            CASE WHEN excluded.received > groups.received THEN excluded.received ELSE groups.received END
            """, .unsigned(server.value), .text(group.text), .integer(Int64(clamping: number.value)))
    }

    /// - Throws: ``StorageError``.
    public func leave(_ group: GroupID, of server: DeviceID) throws(StorageError) {
        try database.query(
            "DELETE FROM groups WHERE server = ? AND id = ?", .unsigned(server.value), .text(group.text))
    }

    /// What became of a number in a group.
    public enum GroupNumber: Sendable, Hashable {
        /// It is the highest so far, and on disk.
        case taken
        /// It had to exceed this one.
        case replayed(last: SequenceNumber)
        /// The group is not listened to.
        case notListening
    }

    /// Takes the number of a verified message to a group.
    ///
    /// - Parameter opening: a request that the message makes, stored with the number.
    /// - Throws: ``StorageError``.
    public func accept(
        _ sequence: SequenceNumber, in group: GroupID, of server: DeviceID, opening: Request? = nil
    ) throws(StorageError) -> GroupNumber {
        try database.transaction { connection throws(StorageError) in
            let row = try connection.query(
                "SELECT received FROM groups WHERE server = ? AND id = ?", .unsigned(server.value), .text(group.text)
            ).first
            guard let row else { return .notListening }
            let last = SequenceNumber(UInt64(clamping: row.integer(0) ?? 0))
            // Numbers in a group are the server's alone, and stay below what SQLite's own order can say.
            guard sequence > last, let number = Int64(exactly: sequence.value) else { return .replayed(last: last) }
            try connection.query(
                "UPDATE groups SET received = ? WHERE server = ? AND id = ?", .integer(number),
                .unsigned(server.value), .text(group.text))
            if let opening { try Self.insert(opening, connection) }
            return .taken
        }
    }

    /// The highest number that was used in a group of our own.
    ///
    /// - Throws: ``StorageError``.
    public func lastSent(to group: GroupID, of server: DeviceID) throws(StorageError) -> SequenceNumber {
        let row = try database.query(
            "SELECT sent FROM groups WHERE server = ? AND id = ?", .unsigned(server.value), .text(group.text)
        ).first
        return SequenceNumber(UInt64(clamping: row?.integer(0) ?? 0))
    }

    /// As ``enqueue(to:topic:answering:membership:now:_:)``, for a message to a group of our own.
    ///
    /// - Throws: ``StorageError``, ``ParticipantError``.
    func enqueue(
        to group: GroupID, of server: DeviceID, now: Double, _ make: (SequenceNumber) throws -> [UInt8]
    ) throws -> Outgoing {
        guard let outgoing = try number(to: group, of: server, now: now, { .whole(try make($0)) }) else {
            throw ParticipantError.cannotWrite("it was put off")
        }
        return outgoing
    }

    /// As ``number(to:topic:answering:membership:opening:now:_:)``, for a message to a group of our own.
    ///
    /// - Throws: ``StorageError``, ``ParticipantError``.
    func number(
        to group: GroupID, of server: DeviceID, now: Double, _ make: (SequenceNumber) throws -> Writing
    ) throws -> Outgoing? {
        let outcome = try database.transaction {
            connection throws(StorageError) -> Result<Outgoing?, ParticipantError> in
            try connection.query(
                "INSERT INTO groups (server, id) VALUES (?, ?) ON CONFLICT DO NOTHING", .unsigned(server.value),
                .text(group.text))
            let row = try connection.query(
                "SELECT sent FROM groups WHERE server = ? AND id = ?", .unsigned(server.value), .text(group.text)
            ).first
            let next = SequenceNumber(UInt64(clamping: row?.integer(0) ?? 0)).advanced(by: Self.stride)
            guard let next, let number = Int64(exactly: next.value) else {
                return .failure(.sequenceExhausted(server))
            }
            let writing: Writing
            do {
                writing = try make(next)
            } catch {
                return .failure(.cannotWrite(String(describing: error)))
            }
            try connection.query(
                "UPDATE groups SET sent = ? WHERE server = ? AND id = ?", .integer(number), .unsigned(server.value),
                .text(group.text))
            return .success(
                try write(writing, to: nil, topic: Topic.group(group).description, now: now, connection))
        }
        return try outcome.get()
    }
}
