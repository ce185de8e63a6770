import Participant
import SRUP

/// The joins under way: who waits for which observer, who is being looked at, until when.
///
/// Pure: the time is passed in.
struct JoinBook: Sendable {
    struct Entry: Sendable {
        var join: C2State.Pending
        /// When the device asked, by the server's own clock.
        let began: Duration
        /// When the present try expires; `nil` while the join waits for its observer.
        var deadline: Duration?
        /// While it waits: not before this time.
        var notBefore: Duration
        /// Whom it may be observed by; while the join is under way others may come, and some may go.
        var candidates: Set<DeviceID>
    }

    private(set) var entries: [DeviceID: Entry] = [:]
    // What can be told from the entries, kept beside them so that no message has all of them looked through: change(_:_:).
    private var waiting: Set<DeviceID> = []
    private var asked: [Token: DeviceID] = [:]
    private var byObserver: [DeviceID: Int] = [:]
    private var byType: [String: Int] = [:]
    /// How often a device has failed lately, and when it did last.
    private var failures: [DeviceID: (count: Int, last: Duration)] = [:]

    /// Failures longer ago than this are forgotten.
    private static let failureMemory = Duration.seconds(600)
    private static let maximumFailures = 4096

    var count: Int { entries.count }

    subscript(device: DeviceID) -> Entry? { entries[device] }

    /// Every change of an entry.
    private mutating func change(_ device: DeviceID, _ body: (inout Entry?) -> Void) {
        var entry = entries[device]
        if let entry {
            waiting.remove(device)
            for ask in entry.join.asks { asked[ask.token] = nil }
            if let named = entry.join.named { Self.count(-1, named, &byObserver) }
            Self.count(-1, entry.join.type, &byType)
        }
        body(&entry)
        entries[device] = entry
        guard let entry else { return }
        if entry.deadline == nil { waiting.insert(device) }
        for ask in entry.join.asks { asked[ask.token] = device }
        if let named = entry.join.named { Self.count(1, named, &byObserver) }
        Self.count(1, entry.join.type, &byType)
    }

    private static func count<Key>(_ more: Int, _ key: Key, _ counts: inout [Key: Int]) {
        let sum = counts[key, default: 0] + more
        counts[key] = sum > 0 ? sum : nil
    }

    /// Why there is no place for a join; `nil` when there is one.
    ///
    /// - Parameter observer: whom the device has named.
    func problem(
        _ device: DeviceID, _ observer: DeviceID?, type: String, _ limits: C2Rules.Limits
    ) -> String? {
        // The join that this one takes the place of does not count.
        let own = entries[device]?.join
        if entries.count - (own == nil ? 0 : 1) >= limits.joins { return "too many joins are under way" }
        if let observer,
            byObserver[observer, default: 0] - (own?.named == observer ? 1 : 0) >= limits.joinsByOneObserver
        {
            return "too many joins wait for the observer \(observer)"
        }
        if byType[type, default: 0] - (own?.type == type ? 1 : 0) >= limits.joinsOfOneType {
            return "too many joins of type \(type) are under way"
        }
        return nil
    }

    /// Adds a join that waits.
    mutating func wait(
        _ join: C2State.Pending, began: Duration, notBefore: Duration, candidates: Set<DeviceID>
    ) {
        change(join.device) {
            $0 = Entry(join: join, began: began, deadline: nil, notBefore: notBefore, candidates: candidates)
        }
    }

    /// Other observers may look at a device from now on.
    mutating func set(candidates: Set<DeviceID>, for device: DeviceID) { entries[device]?.candidates = candidates }

    /// Notes that a join's try has begun.
    mutating func look(_ join: C2State.Pending, until deadline: Duration) {
        change(join.device) {
            $0?.join = join
            $0?.deadline = deadline
        }
    }

    /// Notes what observers have said in the present try.
    mutating func note(_ join: C2State.Pending) { change(join.device) { $0?.join = join } }

    /// Back to waiting, for another try.
    mutating func wait(again join: C2State.Pending, notBefore: Duration) {
        change(join.device) {
            $0?.join = join
            $0?.join.asks = []
            $0?.deadline = nil
            $0?.notBefore = notBefore
        }
    }

    @discardableResult
    mutating func remove(_ device: DeviceID) -> C2State.Pending? {
        guard let join = entries[device]?.join else { return nil }
        change(device) { $0 = nil }
        return join
    }

    /// The join whose turn it is with an observer: of those that may go on, whoever has failed least, then who has been
    /// looked at least, then who asked first. Roll calls come after all others.
    ///
    /// - Parameter isReady: whether, of the join's candidates, enough have a place.
    func next(
        for observer: DeviceID, at now: Duration, isReady: (Entry) -> Bool
    ) -> Entry? {
        waiting.compactMap { entries[$0] }.filter {
            $0.notBefore <= now && $0.candidates.contains(observer) && isReady($0)
        }.min { rank($0, now) < rank($1, now) }
    }

    private func rank(_ entry: Entry, _ now: Duration) -> (Int, Int, Duration, DeviceID) {
        let last = entry.join.isRollCall ? 1 << 20 : 0
        return (
            last + recentFailures(entry.join.device, now), entry.join.attempt, entry.began, entry.join.device
        )
    }

    /// The observers that joins wait for.
    var awaited: Set<DeviceID> {
        waiting.reduce(into: []) { all, device in all.formUnion(entries[device]?.candidates ?? []) }
    }

    /// The joins that an observer is to look at, or may be.
    func joins(by observer: DeviceID) -> [Entry] {
        entries.values.filter { entry in
            entry.deadline == nil
                ? entry.candidates.contains(observer) : entry.join.open.contains { $0.observer == observer }
        }
    }

    /// The join of which a request to an observer is still open in its present try.
    func join(asking observer: DeviceID, _ token: Token) -> Entry? {
        guard let entry = asked[token].flatMap({ entries[$0] }), entry.deadline != nil,
            entry.join.open.contains(where: { $0.token == token && $0.observer == observer })
        else { return nil }
        return entry
    }

    /// How many roll calls are under way.
    var rollCalls: Int { entries.values.count { $0.join.isRollCall } }

    /// What is due: tries that have expired, joins that have lasted too long.
    func due(at now: Duration, longest: Duration) -> (expired: [C2State.Pending], old: [C2State.Pending]) {
        let old = entries.values.filter { now - $0.began >= longest }.map(\.join)
        let expired = entries.values.filter { ($0.deadline ?? .seconds(1 << 40)) <= now && now - $0.began < longest }
        return (expired.map(\.join), old)
    }

    // MARK: Failures

    mutating func failed(_ device: DeviceID, at now: Duration) {
        if failures.count >= Self.maximumFailures {
            failures = failures.filter { now - $0.value.last < Self.failureMemory }
            if failures.count >= Self.maximumFailures { failures.removeAll() }
        }
        failures[device] = (recentFailures(device, now) + 1, now)
    }

    mutating func succeeded(_ device: DeviceID) { failures[device] = nil }

    /// Whether a join of the device has failed lately.
    func hasFailed(_ device: DeviceID, at now: Duration) -> Bool { recentFailures(device, now) > 0 }

    private func recentFailures(_ device: DeviceID, _ now: Duration) -> Int {
        guard let known = failures[device], now - known.last < Self.failureMemory else { return 0 }
        return known.count
    }
}
