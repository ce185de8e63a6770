import Participant
import SRUP

/// Who may look at a device: the observer that it names, or those of its zone, as many as its policy asks for.
extension C2Server {
    /// Whose observers look at a device: of the zone that it was invited to or put into, else of its type's.
    func zone(of device: DeviceID, type: String) throws -> String? {
        try state.zone(of: device) ?? rules.zones[type]
    }

    /// The zone of a device type; `nil`: none.
    public func zone(ofType type: String) -> String? { rules.zones[type] }

    /// By what each observer sees, where that is known.
    func eyeKinds() throws -> [DeviceID: EyeKind] {
        var kinds = try state.eyes()
        for phone in phones.keys { kinds[phone] = .person }
        return kinds
    }

    /// Who may vouch at all, and where each stands: read once for all joins that wait.
    private func standing() throws -> (usable: Set<DeviceID>, zones: [DeviceID: Set<String>]) {
        (Set(try usableObservers()), try state.zones())
    }

    /// Who may look at a device. Operators' phones only where a person must, or nobody else is there.
    func candidates(for join: C2State.Pending) throws -> Set<DeviceID> {
        let (usable, zones) = try standing()
        if let named = join.named, !usable.contains(named), try isUsableNeighbour(named) {
            // Which of the cell's zones it serves, only its own operator could say: who names it has to stand before it.
            guard named != join.device else { return [] }
            roster.restore(named, capacity: Self.foreignPlaces, session: nil)
            return [named]
        }
        return candidates(for: join, usable, zones)
    }

    private func candidates(
        for join: C2State.Pending, _ usable: Set<DeviceID>, _ zones: [DeviceID: Set<String>]
    ) -> Set<DeviceID> {
        var usable = usable
        usable.remove(join.device)
        if let zone = join.zone {
            usable = usable.filter { zones[$0]?.contains(zone) == true || phones[$0] != nil }
        }
        if let named = join.named { return usable.intersection([named]) }
        if join.zone == nil { usable = usable.filter { zones[$0] == nil } }
        let now = time.now()
        let standing = usable.filter { phones[$0] == nil }
        guard !join.quorum.kinds.contains(.person), !joins.hasFailed(join.device, at: now),
            standing.contains(where: { roster.isThere($0, at: now) })
        else { return usable }
        return standing
    }

    /// Why a device cannot be observed at all; `nil` when it can.
    func obstacleToObserving(_ join: C2State.Pending) throws -> String? {
        if let observer = join.named {
            if observer == join.device { return "a device cannot vouch for itself" }
            if try !state.trusted().contains(observer) {
                return "\(observer) is not trusted as an observer (srup-c2 trust \(observer))"
            }
            if try participant.state.peer(observer)?.isJoined != true, try !isUsableNeighbour(observer) {
                return "the observer \(observer) has not joined"
            }
        }
        let candidates = try candidates(for: join)
        eyes = try eyeKinds()
        if join.quorum.isMet(by: candidates.map { eyes[$0] }) { return nil }
        let place = join.zone.map { "the zone \($0)" } ?? "no zone"
        if let observer = join.named { return "\(observer) does not serve \(place)" }
        if candidates.isEmpty { return "no trusted observer that serves \(place) has joined" }
        return "\(join.quorum) must see it, and \(candidates.count) that can have joined and serve \(place)"
    }

    /// The observers that are asked about a device if it is its turn now, those that answer best first.
    func askable(_ entry: JoinBook.Entry, _ now: Duration) -> [DeviceID] {
        let free = entry.candidates.filter {
            roster.isFree($0, at: now) && entry.join.quorum.canUse(eyes[$0])
        }
        return Array(roster.inOrder(free.sorted(), at: now).prefix(Self.maximumAsked))
    }

    /// More observers are not asked about one device at once.
    private static let maximumAsked = 16

    /// Whether it can be a device's turn: enough who may look have a place.
    ///
    /// All that are there and handle several observations must have one: an observer that was not asked about one of the
    /// devices before it would take its value for another's lie.
    func isReady(_ entry: JoinBook.Entry, _ now: Duration) -> Bool {
        let asked = askable(entry, now)
        guard entry.join.named == nil else { return !asked.isEmpty }
        let busy = entry.candidates.subtracting(asked)
        if asked.count < Self.maximumAsked,
            busy.contains(where: {
                roster.capacity(of: $0) > 1 && roster.isThere($0, at: now) && !roster.isFree($0, at: now)
            })
        {
            return false
        }
        return entry.join.quorum.isMet(by: asked.map { eyes[$0] })
    }

    /// Who has come and who has gone since joins began to wait, and what observers see by now.
    func lookForCandidates() throws {
        eyes = try eyeKinds()
        let waiting = joins.entries.values.filter { $0.deadline == nil && $0.join.named == nil }
        guard !waiting.isEmpty else { return }
        let (usable, zones) = try standing()
        for entry in waiting {
            let candidates = candidates(for: entry.join, usable, zones)
            if candidates != entry.candidates { joins.set(candidates: candidates, for: entry.join.device) }
        }
    }

    // MARK: The operator's word

    /// Zones as they were set beside the configuration; nothing when they cannot be read, which is logged.
    func setZones() -> [C2State.SetZone] {
        do {
            return try state.typeZones()
        } catch {
            causedLog.log(.error, about: "the state file", "zones cannot be read: \(error)")
            return []
        }
    }

    /// Says which zones an observer serves: it is asked about devices that are to be there, and about no others by itself.
    ///
    /// - Throws: ``OperationError``.
    public func setZones(_ zones: Set<String>, of observer: DeviceID, by name: String) throws(OperationError) {
        guard zones.allSatisfy({ C2State.isZone($0) }) else { throw .invalid(Self.zoneForm) }
        guard zones.count <= C2State.maximumZones else {
            throw .invalid("an observer serves \(C2State.maximumZones) zones at most")
        }
        try known(observer)
        try stored {
            try state.set(zones: zones, of: observer)
            let words = zones.isEmpty ? "none" : zones.sorted().joined(separator: ", ")
            participant.audit("zones", "\(observer) serves \(words)", about: observer, by: name)
            try lookForCandidates()
            changed(.device, observer)
        }
    }

    /// Says what an observer sees by, where its own word is not to count.
    ///
    /// - Parameter kind: `nil` goes back to its own word.
    /// - Throws: ``OperationError``.
    public func setEyes(_ kind: EyeKind?, of observer: DeviceID, by name: String) throws(OperationError) {
        try known(observer)
        try stored {
            try state.set(eyes: kind, of: observer)
            participant.audit(
                "eyes", "\(observer) sees by \(kind?.rawValue ?? "what it says itself")", about: observer, by: name)
            changed(.device, observer)
        }
    }

    /// Says in which zone a device is to be.
    ///
    /// - Parameter zone: `nil`: that of its type.
    /// - Throws: ``OperationError``.
    public func setZone(_ zone: String?, of device: DeviceID, by name: String) throws(OperationError) {
        guard zone.map({ C2State.isZone($0) }) ?? true else { throw .invalid(Self.zoneForm) }
        try known(device)
        try stored {
            try state.set(zone: zone, of: device)
            participant.audit("zone", "\(device): \(zone ?? "that of its type")", about: device, by: name)
            changed(.device, device)
        }
    }

    /// Says in which zone the devices of a type are to be.
    ///
    /// - Parameter zone: empty: in none; `nil`: back to the configuration.
    /// - Throws: ``OperationError``.
    public func setZone(_ zone: String?, for type: String, by name: String) throws(OperationError) {
        try Self.check(type: type)
        if let zone, !zone.isEmpty, !C2State.isZone(zone) { throw .invalid(Self.zoneForm) }
        try stored {
            guard try zone == nil || state.typeZones().count < C2State.maximumPolicies else {
                throw OperationError.invalid("no more than \(C2State.maximumPolicies) types can have a zone here")
            }
            if let zone {
                try state.set(zone: zone.isEmpty ? nil : zone, for: type, by: name, now: participant.wallClock())
            } else {
                try state.clearZone(for: type)
            }
            participant.audit(
                "zone", "type \(type): \(zone.map { $0.isEmpty ? "none" : $0 } ?? "as configured")", by: name)
            use(configured)
            changed(.policy, nil)
        }
    }

    private static let zoneForm = "a zone has 1 to 64 letters, digits, and . _ -"
}
