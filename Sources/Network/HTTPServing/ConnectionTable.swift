import Limits
import Synchronization

/// Who has how many connections open. Safe to use from several threads.
///
/// A stranger who opens many and says nothing must not keep others out, wherever those come from: when there is no room, the
/// connection that has waited longest goes, of the address that has the most.
final class ConnectionTable: Sendable {
    /// A connection's place.
    struct Place: Sendable, Hashable {
        let group: AddressGroup
        let number: UInt64
    }

    private struct Entry {
        let number: UInt64
        let since: ContinuousClock.Instant
        let close: @Sendable () -> Void
    }

    private struct State {
        var groups: [AddressGroup: [Entry]] = [:]
        var count = 0
        var last: UInt64 = 0
    }

    private let state = Mutex(State())
    private let maximum: Int
    private let maximumForOne: Int

    /// A connection younger than this is taken for one that is just being served, and is not closed for another of the same
    /// address: many devices behind one address may come at once.
    static let grace = Duration.seconds(2)

    init(maximum: Int, maximumForOne: Int) {
        self.maximum = maximum
        self.maximumForOne = maximumForOne
    }

    var count: Int { state.withLock { $0.count } }

    /// Adds a connection, closing another when there is no room.
    ///
    /// - Parameter close: closes the connection; called at most once, on any thread.
    /// - Returns: its place; `nil` when there is none, and it is to be closed.
    func add(
        _ group: AddressGroup, now: ContinuousClock.Instant = .now, close: @escaping @Sendable () -> Void
    ) -> Place? {
        let (place, victim) = state.withLock { state -> (Place?, Entry?) in
            var victim: Entry?
            let isFull = state.count >= maximum
            if isFull || (state.groups[group]?.count ?? 0) >= maximumForOne {
                let loser = (state.groups[group]?.count ?? 0) >= maximumForOne ? group : largest(state) ?? group
                if isFull && loser != group || isOld(state.groups[loser]?.first, now) {
                    victim = removeFirst(loser, &state)
                } else if isFull {
                    return (nil, nil)
                }
            }
            state.last += 1
            state.count += 1
            state.groups[group, default: []].append(Entry(number: state.last, since: now, close: close))
            return (Place(group: group, number: state.last), victim)
        }
        victim?.close()
        return place
    }

    /// A connection has ended.
    func remove(_ place: Place) {
        state.withLock { state in
            guard let index = state.groups[place.group]?.firstIndex(where: { $0.number == place.number }) else {
                return
            }
            state.groups[place.group]?.remove(at: index)
            tidy(place.group, &state)
        }
    }

    private func largest(_ state: State) -> AddressGroup? { state.groups.max { $0.value.count < $1.value.count }?.key }

    private func isOld(_ entry: Entry?, _ now: ContinuousClock.Instant) -> Bool {
        entry.map { now - $0.since >= Self.grace } ?? false
    }

    private func removeFirst(_ group: AddressGroup, _ state: inout State) -> Entry? {
        guard let first = state.groups[group]?.first else { return nil }
        state.groups[group]?.removeFirst()
        tidy(group, &state)
        return first
    }

    private func tidy(_ group: AddressGroup, _ state: inout State) {
        state.count -= 1
        if state.groups[group]?.isEmpty == true { state.groups[group] = nil }
    }
}
