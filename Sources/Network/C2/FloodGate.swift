import SRUP

/// Who sends so much more than its budget that it is better not listened to for a while: ten seconds at first, then twice as
/// long each time, up to ten minutes.
///
/// Pure: the time is passed in. Bounded: who has kept quiet for an hour is forgotten.
struct FloodGate: Sendable {
    private struct Sender: Sendable {
        var excess = 0
        var windowEnd: Duration
        var shutUntil: Duration?
        var times = 0
        var last: Duration
    }

    private var senders: [DeviceID: Sender] = [:]

    /// So many messages above the budget in ten seconds are a flood.
    private static let maximumExcess = 100
    private static let window = Duration.seconds(10)
    private static let memory = Duration.seconds(3600)
    private static let maximumSenders = 10_000

    /// Notes a message above the budget; whether the sender is to be shut out now.
    mutating func isFlood(_ id: DeviceID, at now: Duration) -> Bool {
        if senders.count >= Self.maximumSenders { senders = senders.filter { now - $0.value.last < Self.window } }
        var sender = senders[id] ?? Sender(windowEnd: now + Self.window, last: now)
        if now >= sender.windowEnd {
            sender.excess = 0
            sender.windowEnd = now + Self.window
        }
        sender.excess += 1
        sender.last = now
        let isFlood = sender.excess > Self.maximumExcess && sender.shutUntil == nil
        if isFlood {
            sender.shutUntil = now + min(Self.window * (1 << min(sender.times, 10)), .seconds(600))
            sender.times += 1
        }
        senders[id] = sender
        return isFlood
    }

    /// Whose time is over.
    mutating func over(at now: Duration) -> [DeviceID] {
        guard !senders.isEmpty else { return [] }
        var over: [DeviceID] = []
        for (id, sender) in senders {
            if let until = sender.shutUntil, until <= now {
                senders[id]?.shutUntil = nil
                senders[id]?.excess = 0
                over.append(id)
            } else if now - sender.last > Self.memory {
                senders[id] = nil
            }
        }
        return over
    }
}
