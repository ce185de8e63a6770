import Linux
import Participant
import SRUP

/// What operators do with releases and rollouts.
extension C2Server {
    /// Where releases are.
    ///
    /// - Throws: ``OperationError`` when there is no such place.
    public nonisolated func releases() throws(OperationError) -> ReleaseShelf {
        guard let shelf else { throw .invalid("this server has no folder for releases") }
        return shelf
    }

    /// Tells the pages that releases have changed.
    public nonisolated func releasesChanged() { changes.tell(Change(subject: .rollout, device: nil)) }

    // MARK: Starting

    /// Starts a rollout.
    ///
    /// - Returns: its number.
    /// - Throws: ``OperationError``.
    @discardableResult
    public func startRollout(
        of number: Int64, _ plan: RolloutPlan, seed: UInt64 = .random(in: 0...UInt64.max), by name: String
    ) throws(OperationError) -> Int64 {
        let shelf = try releases()
        guard let release = try stored({ try shelf.store.release(number) }) else {
            throw .invalid("there is no release \(number)")
        }
        let now = participant.wallClock()
        try check(release, plan, now)
        let devices = try targets(of: plan.target, release)
        guard !devices.isEmpty || plan.includesLater else {
            throw .invalid(
                "nobody to update: no member \(release.type.isEmpty ? "" : "of type \(release.type) ")is among them")
        }
        guard devices.count <= RolloutPlan.maximumDevices else {
            throw .invalid("a rollout has \(RolloutPlan.maximumDevices) devices at most; these are \(devices.count)")
        }
        return try stored {
            guard
                let rollout = try shelf.store.add(release, plan, to: devices, seed: seed, by: name, now: now)
            else { throw OperationError.invalid("there is no room for another rollout") }
            supersede(Set(devices), by: rollout, release, now)
            rollouts[rollout.number] = rollout
            let words = "rollout \(rollout.number) of \(release.version) to \(devices.count) devices"
            logger.notice("\(words) is started by \(name)")
            participant.audit("rollout", "\(words): started", by: name)
            occurred(.rolloutStarted, participant.id, type: "C2", why: words, by: name)
            changed(.rollout, nil)
            return rollout.number
        }
    }

    private func check(_ release: UpdateStore.Release, _ plan: RolloutPlan, _ now: Double) throws(OperationError) {
        if let problem = plan.problem { throw .invalid(problem) }
        guard !release.isWithdrawn else { throw .invalid("release \(release.number) was withdrawn") }
        guard release.isThere else {
            throw .invalid("the payload of release \(release.number) is not here yet: upload it first")
        }
        if let expires = release.expires, expires <= now {
            throw .invalid("the manifest of release \(release.number) has expired")
        }
        if case .type(let type) = plan.target, !release.type.isEmpty, type != release.type {
            throw .invalid(
                "release \(release.number) is for devices of type \(release.type.debugDescription), not \(type.debugDescription)"
            )
        }
    }

    /// An older rollout to the same type leaves them to the newer one, but for those that are under way.
    private func supersede(_ ids: Set<DeviceID>, by newer: Rollout, _ release: UpdateStore.Release, _ now: Double) {
        for older in rollouts.values {
            guard let other = try? shelf?.store.release(older.release), other.type == release.type else { continue }
            var rollout = older
            rollout.supersede(ids, by: newer.number, now)
            if rollout.hasChanges { settle(rollout, []) }
        }
    }

    /// Members that a rollout is for.
    private func targets(
        of target: RolloutPlan.Target, _ release: UpdateStore.Release
    ) throws(OperationError) -> [DeviceID] {
        var query = ParticipantStore.PeerQuery()
        query.isJoined = true
        query.type = release.type.isEmpty ? nil : release.type
        switch target {
        case .type(let type): query.type = type
        case .group(let group):
            guard let members = try stored({ try commands.members(of: group) }) else {
                throw .invalid("there is no group \(group)")
            }
            query.among = Set(members)
        case .zone(let zone):
            query.among = try members(ofZone: zone, query)
        case .list(let devices): query.among = Set(devices)
        }
        return try stored {
            try participant.state.peers(query, limit: RolloutPlan.maximumDevices + 1).map(\.id)
        }
    }

    /// Members that were put into a zone or invited to it, and those whose type belongs there.
    private func members(
        ofZone zone: String, _ query: ParticipantStore.PeerQuery
    ) throws(OperationError) -> Set<DeviceID> {
        let all = try stored { try participant.state.peers(query, limit: 100_000) }
        return Set(try stored { try all.filter { try self.zone(of: $0.id, type: $0.type ?? "") == zone } }.map(\.id))
    }

    /// Members that have come since, where a rollout is for them, too: the newest rollout takes them.
    func takeLaterOnes() {
        let now = participant.wallClock()
        var taken: [String: Set<DeviceID>] = [:]
        for rollout in rollouts.values.sorted(by: { $0.number > $1.number }) where rollout.isOpen {
            guard let release = try? shelf?.store.release(rollout.release) else { continue }
            defer { taken[release.type, default: []].formUnion(rollout.devices.map(\.id)) }
            guard rollout.plan.includesLater, let all = try? targets(of: rollout.plan.target, release) else { continue }
            let known = taken[release.type] ?? []
            var changed = rollout
            changed.join(all.filter { !known.contains($0) }, now)
            taken[release.type, default: []].formUnion(all)
            if changed.hasChanges { settle(changed, []) }
        }
    }

    // MARK: Steering

    /// Nobody is told to begin any more; those under way go on.
    ///
    /// - Throws: ``OperationError``.
    public func pauseRollout(_ number: Int64, by name: String) throws(OperationError) {
        try steer(number, "paused", by: name) { rollout, now in rollout.pause(now) }
    }

    /// Goes on.
    ///
    /// - Throws: ``OperationError``.
    public func resumeRollout(_ number: Int64, by name: String) throws(OperationError) {
        try steer(number, "resumed", by: name) { rollout, now in rollout.resume(now) }
    }

    /// Ends it for good: whoever has not changed over stays as it is.
    ///
    /// - Throws: ``OperationError``.
    public func stopRollout(_ number: Int64, by name: String) throws(OperationError) {
        try steer(number, "stopped", by: name) { rollout, now in rollout.stop(.stopped, "by \(name)", now) }
        occurred(.rolloutStopped, participant.id, type: "C2", why: "rollout \(number)", by: name)
    }

    /// Stops a rollout for good, and says which release would bring back what was before: one with a higher version, since
    /// devices take no lower one, and an earlier payload.
    ///
    /// - Returns: the release to go on with; `nil`: there is none, and one has to be signed.
    /// - Throws: ``OperationError``.
    @discardableResult
    public func takeBackRollout(_ number: Int64, by name: String) throws(OperationError) -> UpdateStore.Release? {
        try steer(number, "taken back", by: name) { rollout, now in rollout.stop(.takenBack, "by \(name)", now) }
        occurred(.rolloutStopped, participant.id, type: "C2", why: "rollout \(number) is taken back", by: name)
        return try wayBack(number)
    }

    /// The release that would bring back what was before a rollout; `nil`: there is none.
    ///
    /// - Throws: ``OperationError``.
    public nonisolated func wayBack(_ number: Int64) throws(OperationError) -> UpdateStore.Release? {
        let shelf = try releases()
        do {
            guard let rollout = try shelf.store.rollout(number, now: participant.wallClock()),
                let release = try shelf.store.release(rollout.release)
            else { return nil }
            return try shelf.wayBack(from: release)
        } catch let error as OperationError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }

    private func steer(
        _ number: Int64, _ words: String, by name: String, _ body: (inout Rollout, Double) -> Bool
    ) throws(OperationError) {
        let now = participant.wallClock()
        let found = try rollout(number)
        var rollout = found
        guard body(&rollout, now) else {
            throw .invalid("rollout \(number) is \(found.state.rawValue): it cannot be \(words)")
        }
        try stored { try shelf?.store.save(&rollout) }
        rollouts[number] = rollout
        logger.notice("rollout \(number) is \(words) by \(name)")
        participant.audit("rollout", "rollout \(number) of \(rollout.version): \(words)", by: name)
        changed(.rollout, nil)
    }

    // MARK: Reading

    /// A rollout as it is now.
    ///
    /// - Throws: ``OperationError``.
    public func rollout(_ number: Int64) throws(OperationError) -> Rollout {
        if let rollout = rollouts[number] { return rollout }
        let shelf = try releases()
        guard let rollout = try stored({ try shelf.store.rollout(number, now: participant.wallClock()) }) else {
            throw .invalid("there is no rollout \(number)")
        }
        return rollout
    }

    /// Rollouts, the newest first.
    ///
    /// - Parameter before: only those with a lower number.
    /// - Throws: ``OperationError``.
    public nonisolated func allRollouts(before: Int64? = nil, limit: Int) throws(OperationError) -> [Rollout] {
        let shelf = try releases()
        do {
            return try shelf.store.rollouts(before: before, limit: limit, now: participant.wallClock())
        } catch {
            throw .failed("\(error)")
        }
    }
}
