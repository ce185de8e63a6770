/// The rules by which sightings become verdicts.
public struct WatchRules: Sendable, Hashable {
    /// How long a watch lasts.
    public var timeout: Duration = .seconds(60)
    /// How long another value must stay in view before it counts as INVALID.
    public var invalidAfter: Duration = .seconds(3)
    /// Two sightings of a value further apart than this are not one stay.
    public var longestGap: Duration = .seconds(1)
    /// How many sightings a stay needs at least, however long it is.
    public var leastSightings = 3
    /// How long a watch goes on without any live witness before it is FAILED.
    public var witnessGrace: Duration = .seconds(15)
    /// How long a value that a watch once expected is ignored after its end: a device needs a moment to take down the
    /// nonce of a try that has failed.
    public var staleFor: Duration = .seconds(60)
    /// How many watches may be open at once.
    public var mostWatches = 32

    public init() {}
}

/// All open watches of one observer and what they have been shown.
///
/// Pure: the time is passed in, as a duration since any fixed moment, and never goes back. The nonce itself is not in
/// here, only a closure that compares with it; it goes when the watch ends.
public struct Watches<ID: Hashable & Sendable>: Sendable {
    /// A watch that has ended.
    public struct Ended: Sendable {
        public let id: ID
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
        var sawSomethingElse = false
        /// Stays of unexpected values, at most a few; the oldest goes first.
        var stays: [Stay] = []
    }

    private struct Stay {
        let value: [UInt8]
        let since: Duration
        var last: Duration
        var count: Int
    }

    public var rules: WatchRules
    private var open: [Watch] = []
    private var stale: [(fingerprint: Int, until: Duration)] = []
    private var witnesses: [String: String?] = [:]
    /// Since when no witness is live; `nil` while one is.
    private var blindSince: Duration?

    public init(rules: WatchRules, now: Duration) {
        self.rules = rules
        blindSince = now
    }

    public var isEmpty: Bool { open.isEmpty }
    public var count: Int { open.count }

    /// Opens a watch.
    ///
    /// - Parameters:
    ///   - fingerprint: anything that is equal for equal nonces and tells nothing of them (see ``fingerprint(of:)``).
    ///   - matches: whether 16 bytes are the nonce, in constant time.
    /// - Returns: `false` when too many watches are open or this one is already.
    public mutating func open(
        _ id: ID, fingerprint: Int, at now: Duration, matches: @escaping @Sendable ([UInt8]) -> Bool
    ) -> Bool {
        guard open.count < rules.mostWatches, !open.contains(where: { $0.id == id }) else { return false }
        stale.removeAll { $0.fingerprint == fingerprint }
        open.append(
            Watch(id: id, matches: matches, fingerprint: fingerprint, opened: now, deadline: now + rules.timeout))
        return true
    }

    /// A number that is equal for equal values; seeded per process, so that it tells nothing outside.
    public static func fingerprint(of value: some Sequence<UInt8>) -> Int {
        var hasher = Hasher()
        for byte in value { hasher.combine(byte) }
        return hasher.finalize()
    }

    /// Judges what was seen.
    public mutating func saw(_ sighting: Sighting, at now: Duration) -> [Ended] {
        if let index = open.firstIndex(where: { $0.matches(sighting.value) }) {
            return [end(at: index, .valid(witness: sighting.witness), now)]
        }
        stale.removeAll { $0.until <= now }
        let fingerprint = Self.fingerprint(of: sighting.value)
        guard !stale.contains(where: { $0.fingerprint == fingerprint }) else { return [] }
        var ended: [Ended] = []
        for index in open.indices.reversed() where note(sighting, watch: index, now) {
            ended.append(end(at: index, .invalid(witness: sighting.witness), now))
        }
        return ended.reversed()
    }

    /// Notes an unexpected value; whether it has been shown for long enough.
    private mutating func note(_ sighting: Sighting, watch index: Int, _ now: Duration) -> Bool {
        open[index].sawSomethingElse = true
        if sighting.manner == .presented { return true }
        guard let stay = open[index].stays.firstIndex(where: { $0.value == sighting.value }),
            now - open[index].stays[stay].last <= rules.longestGap
        else {
            open[index].stays.removeAll { $0.value == sighting.value }
            if open[index].stays.count >= 8 { open[index].stays.removeFirst() }
            open[index].stays.append(Stay(value: sighting.value, since: now, last: now, count: 1))
            return false
        }
        open[index].stays[stay].last = now
        open[index].stays[stay].count += 1
        let since = open[index].stays[stay].since
        return now - since >= rules.invalidAfter && open[index].stays[stay].count >= rules.leastSightings
    }

    /// Notes that a witness can see, or why it cannot.
    public mutating func witness(_ name: String, problem: String?, at now: Duration) {
        witnesses[name] = .some(problem)
        let live = witnesses.values.contains { $0 == nil }
        if live {
            blindSince = nil
        } else if blindSince == nil {
            blindSince = now
        }
    }

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
        return watch.sawSomethingElse
            ? "only values that did not stay in view were seen in \(rules.timeout)"
            : "nothing was seen in \(rules.timeout)"
    }

    private mutating func end(at index: Int, _ verdict: Verdict, _ now: Duration) -> Ended {
        let watch = open.remove(at: index)
        stale.removeAll { $0.until <= now }
        stale.append((watch.fingerprint, now + rules.staleFor))
        return Ended(id: watch.id, verdict: verdict, elapsed: now - watch.opened)
    }
}
