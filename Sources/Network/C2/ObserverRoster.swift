import Participant
import SRUP

/// What the server knows of each observer: how many devices it can look at at once, what it may still be busy with, and
/// whether it has been reliable.
///
/// An observer that has not told otherwise has one place: a reference observer keeps the token of the last request only and
/// answers about the first device with it (docs/protocol.md, "One observation at a time"), which would let in a device
/// that nobody saw. So its place stays taken until it has answered, or until its time has long been over.
///
/// Pure: the time is passed in.
struct ObserverRoster: Sendable {
    /// Something that an observer was asked and has not answered.
    struct Slot: Sendable, Hashable {
        let device: DeviceID
        /// When the server gives up waiting.
        let deadline: Duration
        /// When an observer with one place may be asked again without its answer.
        let freeAt: Duration
    }

    private struct Observer: Sendable {
        var capacity = 1
        var session: String?
        var slots: [Token: Slot] = [:]
        /// Tries that expired since it was last heard.
        var silences = 0
        var lastHeard: Duration?
    }

    private var observers: [DeviceID: Observer] = [:]
    /// More slots are not kept for one observer.
    private static let maximumSlots = 1024

    /// Notes what an observer has said of itself.
    ///
    /// - Returns: whether it has connected anew since it was heard last: what it was asked before it has not looked at.
    mutating func learned(_ identification: Identification, of observer: DeviceID) -> Bool {
        let before = observers[observer]?.session
        observers[observer, default: Observer()].capacity = identification.observations ?? 1
        observers[observer, default: Observer()].session = identification.session
        return identification.session != nil && before != nil && before != identification.session
    }

    /// What is kept of it over a restart.
    mutating func restore(_ observer: DeviceID, capacity: Int, session: String?) {
        observers[observer, default: Observer()].capacity = max(1, capacity)
        observers[observer, default: Observer()].session = session
    }

    mutating func heard(_ observer: DeviceID, at now: Duration) {
        guard observers[observer] != nil else { return }
        observers[observer]?.lastHeard = now
        observers[observer]?.silences = 0
    }

    func capacity(of observer: DeviceID) -> Int { observers[observer]?.capacity ?? 1 }

    /// How many of its places are taken.
    func load(of observer: DeviceID, at now: Duration) -> Int {
        guard let known = observers[observer] else { return 0 }
        return known.slots.values.count { (known.capacity == 1 ? $0.freeAt : $0.deadline) > now }
    }

    func isFree(_ observer: DeviceID, at now: Duration) -> Bool { load(of: observer, at: now) < capacity(of: observer) }

    /// Takes a place. An observer with several lets go of an earlier request about the same device by itself.
    mutating func asked(_ observer: DeviceID, _ token: Token, _ slot: Slot, at now: Duration) {
        var known = observers[observer] ?? Observer()
        known.slots = known.slots.filter {
            $0.value.freeAt > now && (known.capacity == 1 || $0.value.device != slot.device)
        }
        if known.slots.count < Self.maximumSlots { known.slots[token] = slot }
        observers[observer] = known
    }

    /// Frees the place of what the observer has answered, however late.
    mutating func answered(_ observer: DeviceID, _ token: Token) -> Slot? {
        observers[observer]?.slots.removeValue(forKey: token)
    }

    /// A try has expired without an answer.
    mutating func expired(_ observer: DeviceID) {
        observers[observer]?.silences += 1
    }

    mutating func forget(_ observer: DeviceID) {
        // What it may still answer stays: forgetting it must not free its place.
        observers[observer]?.lastHeard = nil
    }

    /// Twice what an observer of ours lets pass before it says that it is there.
    private static let lately = Duration.seconds(1200)

    /// Whether there is reason to think that an observer is at work: it was heard lately, and has let no try expire since.
    func isThere(_ observer: DeviceID, at now: Duration) -> Bool {
        guard let known = observers[observer], known.silences == 0, let heard = known.lastHeard else { return false }
        return now - heard <= Self.lately
    }

    /// The observers to ask first: those that answer, those with places, those heard lately.
    func inOrder(_ observers: [DeviceID], at now: Duration) -> [DeviceID] {
        func rank(_ id: DeviceID) -> (Int, Int, Duration) {
            let known = self.observers[id]
            let silence = known?.lastHeard.map { now - $0 } ?? .seconds(1 << 40)
            return (known?.silences ?? 0, isFree(id, at: now) ? 0 : 1, silence)
        }
        return observers.enumerated().sorted { left, right in
            let (a, b) = (rank(left.element), rank(right.element))
            return a == b ? left.offset < right.offset : a < b
        }.map(\.element)
    }
}
