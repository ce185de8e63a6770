import SRUP
import Storage

/// What the server has told devices to do and how that went, what they have sent, and which groups there are: `commands.db` in
/// the server's folder. Apart from ``C2State``, since values come all day and a join should not wait for them.
public final class CommandStore: Sendable {
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
        database = try Database(in: session, store: "commands", migrations: Self.migrations)
    }

    private static let migrations = [
        """
        CREATE TABLE commands (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            token BLOB NOT NULL,
            device INTEGER NOT NULL,
            in_group TEXT,
            kind TEXT NOT NULL,
            detail TEXT NOT NULL,
            operator TEXT NOT NULL,
            sent REAL NOT NULL,
            answered REAL,
            status INTEGER
        );
        CREATE INDEX commands_by_token ON commands (token, device);
        CREATE INDEX commands_of ON commands (device, id);
        CREATE TABLE readings (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            device INTEGER NOT NULL,
            name TEXT NOT NULL,
            value BLOB NOT NULL,
            received REAL NOT NULL
        );
        CREATE INDEX readings_of ON readings (device, name, id);
        CREATE INDEX readings_by_device ON readings (device, id);
        CREATE TABLE latest (
            device INTEGER NOT NULL,
            name TEXT NOT NULL,
            value BLOB NOT NULL,
            received REAL NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (device, name)
        ) WITHOUT ROWID;
        CREATE TABLE groups (id TEXT PRIMARY KEY, since REAL NOT NULL) WITHOUT ROWID;
        CREATE TABLE group_members (
            in_group TEXT NOT NULL, device INTEGER NOT NULL, since REAL NOT NULL, PRIMARY KEY (in_group, device)
        ) WITHOUT ROWID;
        CREATE INDEX groups_of ON group_members (device);
        """
    ]

    // MARK: What was sent

    /// What a device was told, and what became of it.
    public struct Command: Sendable, Hashable {
        /// What kind of message it was.
        public enum Kind: String, Sendable {
            case action, data, identify
        }
        /// Grows with each one.
        public let number: Int64
        /// Who was told.
        public let device: DeviceID
        /// The group that it was said to; `nil`: to the device alone.
        public let group: GroupID?
        /// What kind of message it was.
        public let kind: Kind
        /// The action's number; or the value's name, and its value as text.
        public let detail: String
        /// The operator who said it.
        public let by: String
        /// When, in seconds since 1970.
        public let sent: Double
        /// When the answer came, in seconds since 1970; `nil`: none yet, as always from a reference device.
        public let answered: Double?
        /// The answer; `nil` when there is none, or to an identification, which is answered with a value.
        public let status: Status?
    }

    /// The newest commands are kept.
    static let maximumCommands: Int64 = 20_000

    /// Notes what is about to be said, to one device or to all members of a group.
    ///
    /// - Returns: the first one's number; the others' follow it, in the order of the devices.
    /// - Throws: ``StorageError``.
    func note(
        _ kind: Command.Kind, _ detail: String, to devices: [DeviceID], in group: GroupID? = nil, token: Token,
        by name: String, now: Double
    ) throws(StorageError) -> Int64 {
        // All in one transaction, and nobody else writes here: their numbers have no gaps.
        try database.transaction { connection throws(StorageError) in
            var last: Int64 = 0
            for device in devices {
                let row = try connection.query(
                    """
                    INSERT INTO commands (token, device, in_group, kind, detail, operator, sent)
                    VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id
                    """, .blob(token.bytes), .unsigned(device.value), group.map { .text($0.text) } ?? .null,
                    .text(kind.rawValue), .text(detail), .text(name), .real(now)
                ).first
                last = row?.integer(0) ?? 0
            }
            try connection.query("DELETE FROM commands WHERE id <= ?", .integer(last - Self.maximumCommands))
            return last - Int64(devices.count) + 1
        }
    }

    /// Takes the answer of a device: the command, the first time that it answers.
    ///
    /// - Throws: ``StorageError``.
    func answer(
        _ token: Token, of device: DeviceID, kind: Command.Kind, _ status: Status, now: Double
    ) throws(StorageError) -> Command? {
        let row = try database.query(
            """
            UPDATE commands SET answered = ?, status = ? WHERE token = ? AND device = ? AND kind = ? AND answered IS NULL
            RETURNING id, device, in_group, kind, detail, operator, sent, answered, status
            """, .real(now), .integer(Int64(status.rawValue)), .blob(token.bytes), .unsigned(device.value),
            .text(kind.rawValue)
        ).first
        return row.flatMap(Self.command)
    }

    /// A device has said what it is: all that had asked are answered.
    ///
    /// - Throws: ``StorageError``.
    func identified(_ device: DeviceID, now: Double) throws(StorageError) {
        try database.query(
            "UPDATE commands SET answered = ? WHERE device = ? AND kind = 'identify' AND answered IS NULL", .real(now),
            .unsigned(device.value))
    }

    private static func command(_ row: Row) -> Command? {
        guard let number = row.integer(0), let device = row.unsigned(1),
            let kind = row.text(3).flatMap({ Command.Kind(rawValue: $0) })
        else { return nil }
        return Command(
            number: number, device: DeviceID(device), group: row.text(2).flatMap { GroupID($0) }, kind: kind,
            detail: row.text(4) ?? "", by: row.text(5) ?? "", sent: row.real(6) ?? 0, answered: row.real(7),
            status: row.integer(8).flatMap { UInt8(exactly: $0) }.flatMap { Status(rawValue: $0) })
    }

    /// Commands, the newest first.
    ///
    /// - Parameters:
    ///   - device: only to this one.
    ///   - before: only those with a lower number, for the next page.
    ///   - since: only those with this number or a higher one.
    /// - Throws: ``StorageError``.
    public func commands(
        to device: DeviceID? = nil, before: Int64? = nil, since: Int64 = 0, limit: Int
    ) throws(StorageError) -> [Command] {
        var values: [Value] = [.integer(before ?? .max), .integer(since)]
        if let device { values.append(.unsigned(device.value)) }
        values.append(.integer(Int64(limit)))
        return try database.read(
            """
            SELECT id, device, in_group, kind, detail, operator, sent, answered, status FROM commands
            WHERE id < ? AND id >= ? \(device == nil ? "" : "AND device = ?") ORDER BY id DESC LIMIT ?
            """, values
        ).compactMap(Self.command)
    }

    // MARK: What has come

    /// A value that a device has sent.
    public struct Reading: Sendable, Hashable {
        /// The value's name; text from outside, without control characters.
        public let name: String
        /// As it came.
        public let value: [UInt8]
        /// When, in seconds since 1970.
        public let received: Double
        /// How many values of this name have come so far; 0 in a history.
        public let count: Int
    }

    /// Longer values are not kept, in bytes.
    public static let maximumValue = 4096
    /// So many names of a device are kept; the one that was silent longest makes room.
    static let maximumNames: Int64 = 64
    /// So many values of a device are kept, over all its names, and so many of all devices.
    static let (maximumReadings, maximumReadingsOfAll): (Int64, Int64) = (256, 200_000)

    /// - Throws: ``StorageError``.
    func keep(_ name: String, _ value: [UInt8], of device: DeviceID, now: Double) throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            let id: Value = .unsigned(device.value)
            try connection.query(
                """
                INSERT INTO latest VALUES (?, ?, ?, ?, 1) ON CONFLICT (device, name)
                DO UPDATE SET value = excluded.value, received = excluded.received, count = latest.count + 1
                """, id, .text(name), .blob(value), .real(now))
            try connection.query(
                """
                DELETE FROM latest WHERE device = ?1 AND name IN
                (SELECT name FROM latest WHERE device = ?1 ORDER BY received DESC, name LIMIT \(Database.noLimit) OFFSET ?2)
                """, id, .integer(Self.maximumNames))
            let row = try connection.query(
                "INSERT INTO readings (device, name, value, received) VALUES (?, ?, ?, ?) RETURNING id", id,
                .text(name), .blob(value), .real(now)
            ).first
            let newest = row?.integer(0) ?? 0
            try connection.query(
                """
                DELETE FROM readings WHERE device = ?1 AND id <=
                (SELECT id FROM readings INDEXED BY readings_by_device WHERE device = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
                """, id, .integer(Self.maximumReadings))
            try connection.query(
                "DELETE FROM readings WHERE id <= ?", .integer(newest - Self.maximumReadingsOfAll))
        }
    }

    /// The last value of each name that a device has sent, by name.
    ///
    /// - Throws: ``StorageError``.
    public func latest(of device: DeviceID) throws(StorageError) -> [Reading] {
        try database.query(
            "SELECT name, value, received, count FROM latest WHERE device = ? ORDER BY name", .unsigned(device.value)
        ).map(Self.reading)
    }

    /// What a device has sent under a name, the newest first.
    ///
    /// - Throws: ``StorageError``.
    public func history(of device: DeviceID, _ name: String, limit: Int) throws(StorageError) -> [Reading] {
        try database.query(
            "SELECT name, value, received, 0 FROM readings WHERE device = ? AND name = ? ORDER BY id DESC LIMIT ?",
            .unsigned(device.value), .text(name), .integer(Int64(limit))
        ).map(Self.reading)
    }

    private static func reading(_ row: Row) -> Reading {
        Reading(
            name: row.text(0) ?? "", value: row.blob(1) ?? [], received: row.real(2) ?? 0,
            count: Int(row.integer(3) ?? 0))
    }

    // MARK: Groups

    /// A group and who is in it.
    public struct Group: Sendable, Hashable {
        /// Its name.
        public let id: GroupID
        /// Who is in it, by identity.
        public let members: [DeviceID]
    }

    /// There are no more groups than this, and no more members in all of them together.
    static let (maximumGroups, maximumMembers): (Int64, Int64) = (256, 10_000)

    /// All groups, by name.
    ///
    /// - Throws: ``StorageError``.
    public func groups() throws(StorageError) -> [Group] {
        let rows = try database.query("SELECT in_group, device FROM group_members ORDER BY in_group, device")
        var members: [String: [DeviceID]] = [:]
        for row in rows {
            if let group = row.text(0), let device = row.unsigned(1) {
                members[group, default: []].append(DeviceID(device))
            }
        }
        return try database.query("SELECT id FROM groups ORDER BY id").compactMap { row in
            row.text(0).flatMap { GroupID($0) }.map { Group(id: $0, members: (members[$0.text] ?? []).sorted()) }
        }
    }

    /// Who is in a group; `nil` when there is none of that name.
    ///
    /// - Throws: ``StorageError``.
    public func members(of group: GroupID) throws(StorageError) -> [DeviceID]? {
        guard try !database.query("SELECT 1 FROM groups WHERE id = ?", .text(group.text)).isEmpty else { return nil }
        return try database.query("SELECT device FROM group_members WHERE in_group = ?", .text(group.text))
            .compactMap { $0.unsigned(0).map(DeviceID.init) }.sorted()
    }

    /// The groups that a device is in, by name.
    ///
    /// - Throws: ``StorageError``.
    public func groups(of device: DeviceID) throws(StorageError) -> [GroupID] {
        try database.query(
            "SELECT in_group FROM group_members WHERE device = ? ORDER BY in_group", .unsigned(device.value)
        )
        .compactMap { $0.text(0).flatMap { GroupID($0) } }
    }

    /// Puts a device into a group, which is made when there is none.
    ///
    /// - Returns: `false` when there is no room.
    /// - Throws: ``StorageError``.
    func add(_ device: DeviceID, to group: GroupID, now: Double) throws(StorageError) -> Bool {
        try database.transaction { connection throws(StorageError) in
            func count(_ table: String) throws(StorageError) -> Int64 {
                try connection.query("SELECT count(*) FROM \(table)").first?.integer(0) ?? 0
            }
            if try connection.query("SELECT 1 FROM groups WHERE id = ?", .text(group.text)).isEmpty {
                guard try count("groups") < Self.maximumGroups else { return false }
                try connection.query("INSERT INTO groups VALUES (?, ?)", .text(group.text), .real(now))
            }
            guard try count("group_members") < Self.maximumMembers else { return false }
            try connection.query(
                "INSERT INTO group_members VALUES (?, ?, ?) ON CONFLICT DO NOTHING", .text(group.text),
                .unsigned(device.value), .real(now))
            return true
        }
    }

    /// - Returns: whether the device was in it.
    /// - Throws: ``StorageError``.
    func remove(_ device: DeviceID, from group: GroupID) throws(StorageError) -> Bool {
        try !database.query(
            "DELETE FROM group_members WHERE in_group = ? AND device = ? RETURNING device", .text(group.text),
            .unsigned(device.value)
        ).isEmpty
    }

    /// Takes a device out of all groups.
    ///
    /// - Returns: whether it was in one.
    /// - Throws: ``StorageError``.
    func removeFromGroups(_ device: DeviceID) throws(StorageError) -> Bool {
        try !database.query("DELETE FROM group_members WHERE device = ? RETURNING in_group", .unsigned(device.value))
            .isEmpty
    }

    /// - Throws: ``StorageError``.
    func destroy(_ group: GroupID) throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            try connection.query("DELETE FROM group_members WHERE in_group = ?", .text(group.text))
            try connection.query("DELETE FROM groups WHERE id = ?", .text(group.text))
        }
    }

    /// Forgets what a device has sent, when its identity has ended.
    ///
    /// - Throws: ``StorageError``.
    public func forget(_ device: DeviceID) throws(StorageError) {
        try database.transaction { connection throws(StorageError) in
            for table in ["latest", "readings", "commands", "group_members"] {
                try connection.query("DELETE FROM \(table) WHERE device = ?", .unsigned(device.value))
            }
        }
    }
}
