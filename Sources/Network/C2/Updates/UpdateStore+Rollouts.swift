import SRUP
import Storage

extension UpdateStore {
    /// There are no more rollouts than this.
    static let maximumRollouts: Int64 = 10_000

    /// Keeps a new rollout with its devices.
    ///
    /// - Returns: it; `nil` when there is no room.
    /// - Throws: ``StorageError``.
    func add(
        _ release: Release, _ plan: RolloutPlan, to devices: [DeviceID], seed: UInt64, by name: String, now: Double
    ) throws(StorageError) -> Rollout? {
        try database.transaction { connection throws(StorageError) in
            let count = try connection.query("SELECT count(*) FROM rollouts").first?.integer(0) ?? 0
            guard count < Self.maximumRollouts else { return nil }
            let row = try connection.query(
                """
                INSERT INTO rollouts
                (release, kind, target, canary, shares, success_share, failure_share, failures, includes_later, under_way,
                starts_per_minute, download_time, activation_time, tries, takes_silence, seed, created, operator, state,
                step, why)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', 0, '') RETURNING id
                """, .integer(release.number), .text(plan.target.kind), .text(plan.target.text), .count(plan.canary),
                .text(plan.shares.map(String.init).joined(separator: ",")), .count(plan.successShare),
                .count(plan.failureShare), plan.failures.map { .count($0) } ?? .null, .flag(plan.includesLater),
                .count(plan.underWay), .count(plan.startsPerMinute), .real(plan.downloadTime),
                .real(plan.activationTime), .count(plan.tries), .flag(plan.takesSilence), .unsigned(seed), .real(now),
                .text(name)
            ).first
            guard let number = row?.integer(0) else { return nil }
            var rollout = Rollout(
                number: number, release: release.number, version: release.version, plan: plan, seed: seed, created: now,
                by: name)
            rollout.add(devices, now: now)
            try Self.save(rollout.takeChanges().devices, of: number, connection)
            return rollout
        }
    }

    /// Keeps what has changed of a rollout, all of it or nothing.
    ///
    /// - Throws: ``StorageError``.
    func save(_ rollout: inout Rollout) throws(StorageError) {
        let (isChanged, devices) = rollout.takeChanges()
        guard isChanged || !devices.isEmpty else { return }
        let now = rollout
        try database.transaction { connection throws(StorageError) in
            if isChanged {
                try connection.query(
                    "UPDATE rollouts SET state = ?, step = ?, why = ?, ended = ? WHERE id = ?",
                    .text(now.state.rawValue), .count(now.step), .text(now.why), .optional(now.ended),
                    .integer(now.number))
            }
            try Self.save(devices, of: now.number, connection)
        }
    }

    private static let putDevice = Database.put(
        into: "rollout_devices", key: ["rollout", "device"],
        [
            "position", "phase", "token", "tries", "since", "not_before", "told", "is_heard", "was_named", "asked",
            "proof",
            "status", "why",
        ])

    private static func save(
        _ devices: [RolloutDevice], of number: Int64, _ connection: Connection
    ) throws(StorageError) {
        for device in devices {
            try connection.query(
                putDevice, .integer(number), .unsigned(device.id.value), .count(device.position),
                .text(device.phase.rawValue),
                device.token.map { .blob($0.bytes) } ?? .null, .count(device.tries), .real(device.since),
                .real(device.notBefore), .optional(device.told), .flag(device.isHeard), .flag(device.wasNamed),
                .optional(device.asked), .optional(device.proof?.rawValue),
                device.status.map { .integer(Int64($0.rawValue)) } ?? .null, .text(device.why))
        }
    }

    private static let columns =
        """
        rollouts.id, release, kind, target, canary, shares, success_share, failure_share, failures, includes_later,
        under_way, starts_per_minute, download_time, activation_time, tries, takes_silence, seed, created,
        rollouts.operator, state, step, why, ended, releases.version
        """

    /// Rollouts with their devices, the newest first.
    ///
    /// - Parameters:
    ///   - before: only those with a lower number.
    ///   - onlyOpen: only those in which something can change.
    ///   - now: seconds since 1970.
    /// - Throws: ``StorageError``.
    public func rollouts(
        before: Int64? = nil, limit: Int, onlyOpen: Bool = false, now: Double
    ) throws(StorageError) -> [Rollout] {
        let condition =
            onlyOpen
            ? """
            AND (state IN ('running', 'paused') OR includes_later = 1 AND state = 'finished' OR ended > ?3 - 86400
            OR EXISTS (SELECT 1 FROM rollout_devices
            WHERE rollout = rollouts.id AND phase IN ('initiated', 'activated', 'away')))
            """ : "AND ?3 IS NOT NULL"
        let rows = try database.read(
            """
            SELECT \(Self.columns) FROM rollouts JOIN releases ON releases.id = release
            WHERE rollouts.id < ?1 \(condition) ORDER BY rollouts.id DESC LIMIT ?2
            """, [.integer(before ?? .max), .integer(Int64(limit)), .real(now)])
        var found: [Rollout] = []
        for row in rows {
            guard var rollout = Self.rollout(row) else { continue }
            let devices = try database.read(
                """
                SELECT device, position, phase, token, tries, since, not_before, told, is_heard, was_named, asked, proof,
                status, why FROM rollout_devices WHERE rollout = ?
                """, [.integer(rollout.number)])
            rollout.restore(devices.compactMap(Self.device), now: now)
            found.append(rollout)
        }
        return found
    }

    /// A rollout with its devices.
    ///
    /// - Throws: ``StorageError``.
    public func rollout(_ number: Int64, now: Double) throws(StorageError) -> Rollout? {
        guard number < .max else { return nil }
        return try rollouts(before: number + 1, limit: 1, now: now).first.flatMap { $0.number == number ? $0 : nil }
    }

    private static func rollout(_ row: Row) -> Rollout? {
        func count(_ column: Int) -> Int { Int(row.integer(column) ?? 0) }
        guard let number = row.integer(0), let release = row.integer(1),
            let target = RolloutPlan.Target(kind: row.text(2) ?? "", text: row.text(3) ?? ""),
            let state = row.text(19).flatMap({ Rollout.State(rawValue: $0) })
        else { return nil }
        var plan = RolloutPlan(target)
        plan.canary = count(4)
        plan.shares = (row.text(5) ?? "").split(separator: ",").compactMap { Int($0) }
        (plan.successShare, plan.failureShare) = (count(6), count(7))
        plan.failures = row.integer(8).map { Int($0) }
        plan.includesLater = count(9) == 1
        (plan.underWay, plan.startsPerMinute) = (count(10), count(11))
        (plan.downloadTime, plan.activationTime) = (row.real(12) ?? 0, row.real(13) ?? 0)
        (plan.tries, plan.takesSilence) = (count(14), count(15) == 1)
        // Somebody else's hand in the file: a step that the plan has not would stop the program.
        guard plan.problem == nil, (0...plan.shares.count).contains(count(20)) else { return nil }
        var rollout = Rollout(
            number: number, release: release, version: row.text(23) ?? "", plan: plan, seed: row.unsigned(16) ?? 0,
            created: row.real(17) ?? 0, by: row.text(18) ?? "")
        (rollout.state, rollout.step, rollout.why, rollout.ended) = (state, count(20), row.text(21) ?? "", row.real(22))
        return rollout
    }

    private static func device(_ row: Row) -> RolloutDevice? {
        guard let id = row.unsigned(0), let phase = row.text(2).flatMap({ RolloutDevice.Phase(rawValue: $0) }) else {
            return nil
        }
        var device = RolloutDevice(DeviceID(id), position: Int(row.integer(1) ?? 0), since: row.real(5) ?? 0)
        device.phase = phase
        device.token = row.blob(3).flatMap { Token($0) }
        device.tries = Int(row.integer(4) ?? 0)
        (device.notBefore, device.told) = (row.real(6) ?? 0, row.real(7))
        (device.isHeard, device.wasNamed, device.asked) = (row.integer(8) == 1, row.integer(9) == 1, row.real(10))
        device.proof = row.text(11).flatMap { RolloutDevice.Proof(rawValue: $0) }
        device.status = row.integer(12).flatMap { UInt8(exactly: $0) }.flatMap { Status(rawValue: $0) }
        device.why = row.text(13) ?? ""
        return device
    }

    /// Forgets a device in what has been, when its identity has ended.
    ///
    /// - Throws: ``StorageError``.
    public func forget(_ device: DeviceID) throws(StorageError) {
        try database.query("DELETE FROM rollout_devices WHERE device = ?", .unsigned(device.value))
    }
}

extension Value {
    static func count(_ count: Int) -> Value { .integer(Int64(count)) }
    static func flag(_ flag: Bool) -> Value { .integer(flag ? 1 : 0) }
}
