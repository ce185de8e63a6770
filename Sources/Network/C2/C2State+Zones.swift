import SRUP
import Storage

/// Zones: which observers stand where, which devices are to be there; and what observers see by.
extension C2State {
    /// Whether a zone can be named so: 1 to 64 letters, digits, and `.`, `_`, `-`.
    public static func isZone(_ text: some StringProtocol) -> Bool { PlainName.isValid(text) }

    /// One observer serves no more zones.
    public static let maximumZones = 32

    /// The zones that observers serve; one without an entry serves none by name, and looks at devices of no zone.
    ///
    /// - Throws: ``StorageError``.
    public func zones() throws(StorageError) -> [DeviceID: Set<String>] {
        try once(\.zones) { () throws(StorageError) in
            try database.read("SELECT observer, zone FROM serves", []).reduce(into: [:]) { all, row in
                guard let id = row.unsigned(0), let zone = row.text(1) else { return }
                all[DeviceID(id), default: []].insert(zone)
            }
        }
    }

    /// Says which zones an observer serves.
    ///
    /// - Throws: ``StorageError``.
    public func set(zones: Set<String>, of observer: DeviceID) throws(StorageError) {
        defer { wordHasChanged() }
        try database.transaction { connection throws(StorageError) in
            try connection.query("DELETE FROM serves WHERE observer = ?", .unsigned(observer.value))
            for zone in zones.sorted().prefix(Self.maximumZones) {
                try connection.query("INSERT INTO serves VALUES (?, ?)", .unsigned(observer.value), .text(zone))
            }
        }
    }

    /// What observers see by: what the operator says, else what they tell themselves. Of one that has several kinds nobody
    /// knows by which of them it has seen something.
    ///
    /// - Throws: ``StorageError``.
    public func eyes() throws(StorageError) -> [DeviceID: EyeKind] {
        try once(\.eyes) { () throws(StorageError) in
            try database.read("SELECT observer, coalesce(set_to, told) FROM eyes", []).reduce(into: [:]) { all, row in
                guard let id = row.unsigned(0), let kind = row.text(1).flatMap({ EyeKind(rawValue: $0) }) else {
                    return
                }
                all[DeviceID(id)] = kind
            }
        }
    }

    /// The operator's word on what an observer sees by.
    ///
    /// - Parameter kind: `nil` goes back to what the observer says.
    /// - Throws: ``StorageError``.
    public func set(eyes kind: EyeKind?, of observer: DeviceID) throws(StorageError) {
        defer { wordHasChanged() }
        try database.query(
            """
            INSERT INTO eyes (observer, set_to) VALUES (?, ?) ON CONFLICT (observer) DO UPDATE SET set_to = excluded.set_to
            """, .unsigned(observer.value), kind.map { .text($0.rawValue) } ?? .null)
    }

    /// The observer's own word on it.
    ///
    /// - Throws: ``StorageError``.
    func told(eyes kinds: [String], by observer: DeviceID) throws(StorageError) {
        defer { wordHasChanged() }
        let text = kinds.joined(separator: ",")
        try database.query(
            "INSERT INTO eyes (observer, told) VALUES (?, ?) ON CONFLICT (observer) DO UPDATE SET told = excluded.told",
            .unsigned(observer.value), text.isEmpty ? .null : .text(text))
    }

    // MARK: Where devices are to be

    /// A zone that an operator has set for a device type beside `c2.toml`.
    public struct SetZone: Sendable, Hashable {
        /// The device type.
        public let type: String
        /// Whose observers look at its devices; `nil`: those that serve no zone.
        public let zone: String?
        /// Who set it.
        public let by: String
    }

    /// - Throws: ``StorageError``.
    public func typeZones() throws(StorageError) -> [SetZone] {
        try database.read("SELECT type, zone, operator FROM type_zones ORDER BY type", []).compactMap { row in
            row.text(0).map { SetZone(type: $0, zone: row.text(1), by: row.text(2) ?? "") }
        }
    }

    /// Sets the zone of a device type.
    ///
    /// - Throws: ``StorageError``.
    func set(zone: String?, for type: String, by name: String, now: Double) throws(StorageError) {
        try database.query(
            Database.put(into: "type_zones", key: ["type"], ["zone", "operator", "since"]), .text(type),
            zone.map { .text($0) } ?? .null, .text(name), .real(now))
    }

    /// Goes back to what `c2.toml` says about a device type.
    ///
    /// - Throws: ``StorageError``.
    func clearZone(for type: String) throws(StorageError) {
        try database.query("DELETE FROM type_zones WHERE type = ?", .text(type))
    }

    /// The zone that a device was invited to, or that an operator has put it into; `nil`: that of its type.
    ///
    /// - Throws: ``StorageError``.
    public func zone(of device: DeviceID) throws(StorageError) -> String? {
        try database.read("SELECT zone FROM device_zones WHERE device = ?", [.unsigned(device.value)]).first?.text(0)
    }

    /// Devices with a zone of their own.
    ///
    /// - Throws: ``StorageError``.
    public func devices(inZone zone: String) throws(StorageError) -> [DeviceID] {
        try database.read("SELECT device FROM device_zones WHERE zone = ? ORDER BY device", [.text(zone)])
            .compactMap { $0.unsigned(0).map(DeviceID.init) }
    }

    /// Puts a device into a zone.
    ///
    /// - Parameter zone: `nil`: that of its type.
    /// - Throws: ``StorageError``.
    public func set(zone: String?, of device: DeviceID) throws(StorageError) {
        guard try zone != self.zone(of: device) else { return }
        if let zone {
            try database.query(
                Database.put(into: "device_zones", key: ["device"], ["zone"]), .unsigned(device.value), .text(zone))
        } else {
            try database.query("DELETE FROM device_zones WHERE device = ?", .unsigned(device.value))
        }
    }
}

/// Roll calls: which members were seen when, and which were not.
extension C2State {
    /// When a member was seen by an observer, and when it was not.
    public struct Presence: Sendable, Hashable {
        /// The member.
        public let device: DeviceID
        /// Its type, as the key service tells it.
        public let type: String
        /// Who has seen it last.
        public let observer: DeviceID?
        /// When that was, in seconds since 1970.
        public let seen: Double
        /// When a roll call was tried last; earlier than `seen` when there was none since.
        public let tried: Double
        /// How many roll calls in a row it has failed.
        public let failures: Int
        /// Why it has failed the last one; `nil` when it has not.
        public let why: String?
    }

    /// An observer has seen a device.
    ///
    /// - Throws: ``StorageError``.
    func saw(_ device: DeviceID, type: String, by observer: DeviceID?, now: Double) throws(StorageError) {
        try database.query(
            Database.put(
                into: "roll_calls", key: ["device"], ["type", "observer", "seen", "tried", "failures", "why"]),
            .unsigned(device.value), .text(type), observer.map { .unsigned($0.value) } ?? .null, .real(now), .real(now),
            0, .null)
    }

    /// A device has failed a roll call.
    ///
    /// - Returns: how many in a row that makes.
    /// - Throws: ``StorageError``.
    func failedRollCall(_ device: DeviceID, why: String, now: Double) throws(StorageError) -> Int {
        try Int(
            database.query(
                "UPDATE roll_calls SET tried = ?, failures = failures + 1, why = ? WHERE device = ? RETURNING failures",
                .real(now), .text(why), .unsigned(device.value)
            ).first?.integer(0) ?? 0)
    }

    /// Whoever does not belong any more is not called.
    ///
    /// - Throws: ``StorageError``.
    func forgetPresence(of device: DeviceID) throws(StorageError) {
        try database.query("DELETE FROM roll_calls WHERE device = ?", .unsigned(device.value))
    }

    /// - Throws: ``StorageError``.
    public func presence(of device: DeviceID) throws(StorageError) -> Presence? {
        try presences("device = ?", [.unsigned(device.value)], limit: 1).first
    }

    /// Members that have failed their last roll call, the latest first.
    ///
    /// - Throws: ``StorageError``.
    public func missing(limit: Int) throws(StorageError) -> [Presence] {
        try presences("failures > 0", [], order: "tried DESC, device", limit: limit)
    }

    /// Members that were not seen for so long, of one type or of all types but some, who was not tried for the longest first.
    ///
    /// - Throws: ``StorageError``.
    func unseen(
        since: Double, triedBefore: Double, type: String?, except: [String], limit: Int
    ) throws(StorageError) -> [Presence] {
        let others = except.map { _ in "?" }.joined(separator: ", ")
        let condition = type == nil ? "type NOT IN (\(others))" : "type = ?"
        return try presences(
            "seen <= ? AND tried <= ? AND \(condition)",
            [.real(since), .real(triedBefore)] + (type.map { [.text($0)] } ?? except.map { .text($0) }),
            order: "tried, device", limit: limit)
    }

    private func presences(
        _ condition: String, _ values: [Value], order: String = "device", limit: Int
    ) throws(StorageError) -> [Presence] {
        try database.read(
            """
            SELECT device, type, observer, seen, tried, failures, why FROM roll_calls
            WHERE \(condition) ORDER BY \(order) LIMIT ?
            """, values + [.integer(Int64(limit))]
        ).compactMap { row in
            guard let device = row.unsigned(0), let seen = row.real(3), let tried = row.real(4) else { return nil }
            return Presence(
                device: DeviceID(device), type: row.text(1) ?? "", observer: row.unsigned(2).map(DeviceID.init),
                seen: seen, tried: tried, failures: Int(max(0, min(row.integer(5) ?? 0, 1_000_000))), why: row.text(6))
        }
    }
}
