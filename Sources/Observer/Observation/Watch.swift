import ObservedValue

/// The rules by which sightings become verdicts.
public struct WatchRules: Sendable, Hashable {
    /// How long a watch lasts.
    public var timeout: Duration = .seconds(60)
    /// How long another value must stay in view before it counts as INVALID.
    public var invalidAfter: Duration = .seconds(3)
    /// No other value counts as INVALID before a watch is this old: a slow display (e-paper takes 15 s) shows the nonce late,
    /// and until then whatever was carried into view with the device.
    public var displayTime: Duration = .seconds(20)
    /// What is first seen within this time of a witness's beginning to look was there before: a label, a poster, the device's
    /// old picture.
    public var settle: Duration = .seconds(2)
    /// Two sightings of a value in pictures further apart than this are not one stay.
    public var longestGap: Duration = .seconds(1)
    /// Likewise of a tag, which is read less often.
    public var longestTagGap: Duration = .seconds(4)
    /// How many sightings a stay needs at least, however long it is.
    public var minimumSightings = 3
    /// A symbol that was in view and not read so lately may be the device's own: no other value is INVALID beside it.
    public var unreadFor: Duration = .seconds(2)
    /// How long a watch goes on without any live witness before it is FAILED.
    public var witnessGrace: Duration = .seconds(15)
    /// How long a value that a watch once expected is ignored after its end: a device needs its time to take down the nonce
    /// of a try that has failed, and a slow one may show it only then.
    public var staleFor: Duration = .seconds(600)
    /// How many watches may be open at once.
    public var maximumWatches = 32
    /// How many values seen are remembered, as numbers that tell nothing of them; the longest unseen go first.
    public var maximumRemembered = 4096

    /// The rules when nothing else is configured.
    public init() {}
}

/// All open watches of one observer and what they have been shown.
///
/// * The nonce, seen once, is VALID.
/// * Another value is INVALID when it was presented by a peer-to-peer tap; when it was seen, only if it came into view after
///   the watch had opened, has stayed there, and no unread symbol is beside it.
/// * What was in view before, in this watch or an earlier one, is furniture and denies nothing.
/// * Nothing of this in time is FAILED.
/// * A value of a printed test sheet (`TestValue`, in the room `ObservedValue`) is nothing, however it is shown, and were it the nonce.
///
/// Pure: the time is passed in, as a duration since any fixed moment, and never goes back. Neither nonces nor values seen
/// are kept, only closures that compare and fingerprints.
public struct Watches<ID: Hashable & Sendable>: Sendable {
    /// A watch that has ended.
    public struct Ended: Sendable {
        /// What the watch was opened with.
        public let id: ID
        /// How it has ended.
        public let verdict: Verdict
        /// How long it was open.
        public let elapsed: Duration
    }

    private struct Watch {
        let id: ID
        let matches: @Sendable ([UInt8]) -> Bool
        let fingerprint: Int
        let opened: Duration
        let deadline: Duration
    }

    /// A value that has been seen.
    private struct Seen {
        /// Ever.
        let first: Duration
        /// When its present stay began.
        var since: Duration
        var last: Duration
        /// Sightings in this stay.
        var count: Int
        var place: String
        var canDeny: Bool
        /// When looking began that showed it first.
        let lookingSince: Duration
    }

    /// The rules in force. A change counts at once, but a new timeout only for watches that are opened later.
    public var rules: WatchRules
    private var open: [Watch] = []
    private var seen: [Int: Seen] = [:]
    private var stale: [(fingerprint: Int, until: Duration)] = []
    private var witnesses: [String: String?] = [:]
    private var lookingSince: [String: Duration] = [:]
    /// The last symbol that could not be read.
    private var unread: (place: String, last: Duration)?
    /// Since when no witness is live; `nil` while one is.
    private var blindSince: Duration?

    /// No watch is open, nothing has been seen, and no witness is live.
    ///
    /// - Parameters:
    ///   - rules: when a verdict is given.
    ///   - now: the time since the same fixed moment as in all other calls.
    public init(rules: WatchRules, now: Duration) {
        self.rules = rules
        blindSince = now
    }

    /// Whether no watch is open.
    public var isEmpty: Bool { open.isEmpty }
    /// How many watches are open.
    public var count: Int { open.count }
    /// Since when a watch is open and when its time is up, by the clock of all other calls; `nil` when it is not open.
    public func times(of id: ID) -> (opened: Duration, deadline: Duration)? {
        open.first { $0.id == id }.map { ($0.opened, $0.deadline) }
    }
    /// How many values seen are remembered.
    public var remembered: Int { seen.count }

    /// Opens a watch.
    ///
    /// - Parameters:
    ///   - id: stands for the watch, in its verdict.
    ///   - fingerprint: anything that is equal for equal nonces and tells nothing of them (see ``fingerprint(of:)``).
    ///   - now: never earlier than before.
    ///   - matches: whether 16 bytes are the nonce, in constant time.
    /// - Returns: `false` when too many watches are open or this one is already.
    public mutating func open(
        _ id: ID, fingerprint: Int, at now: Duration, matches: @escaping @Sendable ([UInt8]) -> Bool
    ) -> Bool {
        guard open.count < rules.maximumWatches, !open.contains(where: { $0.id == id }) else { return false }
        stale.removeAll { $0.fingerprint == fingerprint }
        open.append(
            Watch(id: id, matches: matches, fingerprint: fingerprint, opened: now, deadline: now + rules.timeout))
        return true
    }

    /// Closes a watch without a verdict: something else has taken its place.
    public mutating func close(_ id: ID, at now: Duration) {
        guard let index = open.firstIndex(where: { $0.id == id }) else { return }
        retire(open.remove(at: index), now)
    }

    /// A number that is equal for equal values; seeded per process, so that it tells nothing outside.
    public static func fingerprint(of value: some Sequence<UInt8>) -> Int {
        var hasher = Hasher()
        for byte in value { hasher.combine(byte) }
        return hasher.finalize()
    }

    // MARK: What is seen

    /// Judges what was seen.
    public mutating func saw(_ sighting: Sighting, at now: Duration) -> [Ended] {
        guard TestValue(sighting.value) == nil else { return [] }
        if let index = open.firstIndex(where: { $0.matches(sighting.value) }) {
            return [end(at: index, .valid(witness: sighting.witness), now)]
        }
        stale.removeAll { $0.until <= now }
        let fingerprint = Self.fingerprint(of: sighting.value)
        let value = note(sighting, fingerprint, now)
        guard !stale.contains(where: { $0.fingerprint == fingerprint }) else { return [] }
        var ended: [Ended] = []
        for index in open.indices.reversed() where denies(value, sighting, open[index], now) {
            ended.append(end(at: index, .invalid(witness: sighting.witness), now))
        }
        return ended.reversed()
    }

    private mutating func note(_ sighting: Sighting, _ fingerprint: Int, _ now: Duration) -> Seen {
        let start = lookingSince[sighting.witness] ?? now
        var value =
            seen[fingerprint]
            ?? Seen(
                first: now, since: now, last: now, count: 0, place: "", canDeny: true, lookingSince: start)
        let gap = sighting.manner == .resting ? rules.longestTagGap : rules.longestGap
        if now - value.last > gap {
            value.since = now
            value.count = 0
        }
        value.last = now
        value.count += 1
        value.place = sighting.place
        // A value that was ever read where it proves nothing, proves nothing.
        value.canDeny = value.canDeny && sighting.canDeny
        seen[fingerprint] = value
        if seen.count > max(rules.maximumRemembered, 8) { forgetTheOldest() }
        return value
    }

    private mutating func forgetTheOldest() {
        let times = seen.values.map(\.last).sorted()
        let limit = times[times.count / 4]
        seen = seen.filter { $0.value.last > limit }
    }

    /// Whether a value that is not the nonce means that something else was shown in the device's place.
    private func denies(_ value: Seen, _ sighting: Sighting, _ watch: Watch, _ now: Duration) -> Bool {
        if sighting.manner == .presented { return true }
        guard value.canDeny, !isFurniture(value, watch), value.count >= rules.minimumSightings else { return false }
        if let unread, now - unread.last <= rules.unreadFor { return false }
        return now - value.since >= rules.invalidAfter && now - watch.opened >= rules.displayTime
    }

    private func isFurniture(_ value: Seen, _ watch: Watch) -> Bool {
        value.first < max(watch.opened, value.lookingSince) + rules.settle
    }

    /// Notes that a symbol is in view that cannot be read.
    public mutating func sawUnread(_ place: String, at now: Duration) {
        unread = (place, now)
    }

    /// Notes that a witness can see, beginning now, or why it cannot.
    public mutating func witness(_ name: String, problem: String?, at now: Duration) {
        if problem == nil { lookingSince[name] = now }
        witnesses[name] = .some(problem)
        let live = witnesses.values.contains { $0 == nil }
        if live {
            blindSince = nil
        } else if blindSince == nil {
            blindSince = now
        }
    }

    // MARK: The end

    /// Ends the watches whose time is up.
    public mutating func tick(at now: Duration) -> [Ended] {
        var ended: [Ended] = []
        for index in open.indices.reversed() where end(of: open[index]) <= now {
            ended.append(end(at: index, .failed(reason(open[index], now)), now))
        }
        return ended.reversed()
    }

    /// When ``tick(at:)`` has something to do next.
    public var nextDeadline: Duration? { open.map { end(of: $0) }.min() }

    private func end(of watch: Watch) -> Duration {
        guard let blindSince else { return watch.deadline }
        return min(watch.deadline, max(blindSince, watch.opened) + rules.witnessGrace)
    }

    private func reason(_ watch: Watch, _ now: Duration) -> String {
        if blindSince != nil {
            let problems = witnesses.sorted { $0.key < $1.key }.compactMap { name, problem in
                problem.map { "\(name): \($0)" }
            }
            return "no live witness (\(problems.isEmpty ? "none has reported" : problems.joined(separator: "; ")))"
        }
        var parts = others(watch).map { "another value: \($0)" }
        if let unread, unread.last >= watch.opened {
            parts.append("a symbol that could not be read at \(unread.place)")
        }
        return parts.isEmpty
            ? "nothing was seen in \(rules.timeout)"
            : "the value was not seen in \(rules.timeout), only " + parts.joined(separator: "; ")
    }

    /// What else was seen while a watch was open, and why it was not held against the device; the latest first, at most
    /// three.
    private func others(_ watch: Watch) -> [String] {
        seen.values.filter { $0.last >= watch.opened }.sorted { $0.last > $1.last }.prefix(3).map { value in
            let why =
                if isFurniture(value, watch) {
                    "there before"
                } else if !value.canDeny {
                    "no proof of anything"
                } else {
                    "did not stay long enough"
                }
            return "\(value.place.isEmpty ? "somewhere" : value.place) (\(why))"
        }
    }

    private mutating func end(at index: Int, _ verdict: Verdict, _ now: Duration) -> Ended {
        let watch = open.remove(at: index)
        retire(watch, now)
        return Ended(id: watch.id, verdict: verdict, elapsed: now - watch.opened)
    }

    /// Its nonce is nobody's other value for a while.
    private mutating func retire(_ watch: Watch, _ now: Duration) {
        stale.removeAll { $0.until <= now }
        if stale.count >= max(rules.maximumRemembered, 8) { stale.removeFirst() }
        stale.append((watch.fingerprint, now + rules.staleFor))
    }
}
