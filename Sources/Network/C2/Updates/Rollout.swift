import SRUP

/// A release on its way to devices. Pure: the time, in seconds since 1970, and what is heard are passed in, and what is to be
/// sent and stored comes out. Time is the calendar's, so that deadlines go on while the server is down.
public struct Rollout: Sendable {
    /// How it stands.
    public enum State: String, Sendable, CaseIterable {
        /// Devices are told, step by step.
        case running
        /// Nobody is told to begin; those under way go on.
        case paused
        /// Too many have failed, or an operator has stopped it: nobody is told any more, nor to change over. For good.
        case stopped
        /// An operator has taken it back: the same, and an earlier payload may go out instead.
        case takenBack = "taken-back"
        /// All have been dealt with. Those that were away, and later ones, go on when they come.
        case finished
    }

    /// What is to be sent or told.
    enum Effect: Hashable {
        case initiate(DeviceID, Token)
        case activate(DeviceID, Token)
        case identify(DeviceID)
        case began(step: Int)
        case stopped(why: String)
        case finished
    }

    /// Grows with each.
    public let number: Int64
    /// The release's number.
    public let release: Int64
    /// As it is named, for identifications.
    public let version: String
    /// How it goes out.
    public let plan: RolloutPlan
    /// The order of the devices goes by it.
    public let seed: UInt64
    /// When it was started, in seconds since 1970, and by whom.
    public let (created, by): (Double, String)
    /// How it stands.
    public internal(set) var state = State.running
    /// Which step it is at: 0 is the canary, 1 the first share.
    public internal(set) var step = 0
    /// Why it has stopped; empty when it has not.
    public internal(set) var why = ""
    /// When it first was finished, or stopped, in seconds since 1970.
    public internal(set) var ended: Double?
    /// Its devices, in order.
    public private(set) var devices: [RolloutDevice] = []

    private var places: [DeviceID: Int] = [:]
    /// Those under way, by place.
    private var underWay: Set<Int> = []
    /// How many are in each phase.
    private(set) var counts: [RolloutDevice.Phase: Int] = [:]
    private var reached = 0
    /// When the last ones were told to begin, for the rate.
    private var starts: [Double] = []
    /// What has to be stored: these, and itself.
    private(set) var changes: Set<Int> = []
    private(set) var isChanged = false

    init(
        number: Int64, release: Int64, version: String, plan: RolloutPlan, seed: UInt64, created: Double, by: String
    ) {
        (self.number, self.release, self.version, self.plan, self.seed) = (number, release, version, plan, seed)
        (self.created, self.by) = (created, by)
    }

    /// As it was stored.
    mutating func restore(_ stored: [RolloutDevice], now: Double) {
        for device in stored.sorted(by: { $0.position < $1.position }) { append(device) }
        starts = stored.compactMap(\.told).filter { $0 > now - 60 && $0 <= now }.sorted()
        changes = []
    }

    private mutating func append(_ device: RolloutDevice) {
        guard places[device.id] == nil else { return }
        let place = devices.count
        devices.append(device)
        places[device.id] = place
        counts[device.phase, default: 0] += 1
        if device.isReached { reached += 1 }
        if device.isUnderWay { underWay.insert(place) }
        changes.insert(place)
    }

    // MARK: Reading

    /// A device of it; `nil` when it has none of that identity.
    public func device(_ id: DeviceID) -> RolloutDevice? { places[id].map { devices[$0] } }

    /// How many devices are in a phase.
    public func count(_ phase: RolloutDevice.Phase) -> Int { counts[phase] ?? 0 }

    /// How many devices it has: all but those that have left it.
    public var total: Int { devices.count - count(.left) - count(.superseded) }

    /// How many devices this step has in all, those of the steps before among them; those that are away are passed over.
    public var stepSize: Int {
        let whole = total
        let wanted =
            step == 0
            ? min(plan.canary, whole) : max(min(plan.canary, whole), Self.share(plan.shares[step - 1], of: whole))
        return min(wanted, whole - count(.away))
    }

    /// How many of the step's devices must run the release before the next one begins.
    public var successesWanted: Int { Self.share(plan.successShare, of: stepSize) }

    /// Whether devices may still be told something.
    public var isOpen: Bool { state == .running || state == .paused || state == .finished }

    /// Whether nothing can change any more: nobody is awaited, and what comes too late has had a day to come.
    func isOver(_ now: Double) -> Bool {
        guard underWay.isEmpty, count(.away) == 0, now - (ended ?? now) > 86400 else { return false }
        return !isOpen || state == .finished && !plan.includesLater
    }

    private static func share(_ percent: Int, of whole: Int) -> Int { (whole * percent + 99) / 100 }

    // MARK: Changing

    /// Whether there is something to be stored.
    var hasChanges: Bool { isChanged || !changes.isEmpty }

    /// The figures, for people.
    public var figures: String {
        let words: [(RolloutDevice.Phase, String)] = [
            (.updated, "updated"), (.failed, "failed"), (.initiated, "downloading"), (.activated, "changing over"),
            (.waiting, "waiting"), (.away, "away"), (.left, "left out"), (.superseded, "in a newer rollout"),
        ]
        return words.filter { count($0.0) > 0 }.map { "\(count($0.0)) \($0.1)" }.joined(separator: ", ")
    }

    /// What has to be stored, once.
    mutating func takeChanges() -> (isChanged: Bool, devices: [RolloutDevice]) {
        defer { (isChanged, changes) = (false, []) }
        return (isChanged, changes.sorted().map { devices[$0] })
    }

    /// Changes a device, and keeps the figures.
    mutating func change(_ id: DeviceID, _ body: (inout RolloutDevice) -> Void) {
        guard let place = places[id] else { return }
        let before = devices[place]
        body(&devices[place])
        let after = devices[place]
        guard after != before else { return }
        counts[before.phase, default: 0] -= 1
        counts[after.phase, default: 0] += 1
        reached += (after.isReached ? 1 : 0) - (before.isReached ? 1 : 0)
        if after.isUnderWay { underWay.insert(place) } else { underWay.remove(place) }
        changes.insert(place)
    }

    mutating func set(_ new: State, why: String = "", now: Double) {
        (state, self.why, isChanged) = (new, why, true)
        if new == .stopped || new == .takenBack || new == .finished, ended == nil { ended = now }
    }

    mutating func go(to new: Int) { (step, isChanged) = (new, true) }

    /// More devices; those that are in it already stay as they are. The order among them goes by the seed.
    mutating func add(_ ids: some Sequence<DeviceID>, now: Double) {
        let new = Set(ids).filter { places[$0] == nil }
        let order = new.map { (Self.mixed(seed ^ $0.value), $0) }.sorted { $0 < $1 }
        for (_, id) in order.prefix(max(0, RolloutPlan.maximumDevices - devices.count)) {
            append(RolloutDevice(id, position: devices.count, since: now))
        }
    }

    /// SplitMix64's last step: a number that says nothing of its order (https://prng.di.unimi.it/splitmix64.c).
    private static func mixed(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    // MARK: Whom to tell next

    /// Those under way.
    var current: [RolloutDevice] { underWay.sorted().map { devices[$0] } }

    /// Those that may be told to begin now: as many as step, places and rate let.
    ///
    /// - Parameter isFree: whether nobody else is at work with a device.
    mutating func next(_ now: Double, isFree: (DeviceID) -> Bool) -> [DeviceID] {
        guard state == .running, count(.waiting) > 0 else { return [] }
        starts.removeAll { $0 <= now - 60 || $0 > now }
        var room = min(plan.underWay - underWay.count, plan.startsPerMinute - starts.count)
        var fresh = stepSize - reached
        var found: [DeviceID] = []
        for device in devices where device.phase == .waiting {
            guard room > 0 else { break }
            guard device.tries > 0 || fresh > 0, device.notBefore <= now, isFree(device.id) else { continue }
            if device.tries == 0 { fresh -= 1 }
            room -= 1
            found.append(device.id)
        }
        starts += found.map { _ in now }
        return found
    }

    /// Whether this step has its share of successes.
    var isStepDone: Bool { stepSize > 0 && reached >= stepSize && count(.updated) >= successesWanted }

    /// Why it has to stop; `nil` when it need not.
    var reasonToStop: String? {
        let (failed, size) = (count(.failed), max(1, stepSize))
        guard failed > 0 else { return nil }
        if let limit = plan.failures, failed >= limit { return "\(failed) of \(total) devices have failed" }
        if failed * 100 >= plan.failureShare * size {
            return "\(failed) of this step's \(size) devices have failed, which is \(plan.failureShare) % or more"
        }
        if step < plan.shares.count, size - failed < Self.share(plan.successShare, of: size) {
            return
                "\(failed) of this step's \(size) devices have failed: \(plan.successShare) % cannot succeed any more"
        }
        return nil
    }

    /// Whether all have been dealt with that are here.
    var isSettled: Bool { total > 0 && count(.waiting) == 0 && underWay.isEmpty && step == plan.shares.count }
}
