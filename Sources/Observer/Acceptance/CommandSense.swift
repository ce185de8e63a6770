import ObservedValue

/// Which word somebody means of those that are before the eyes: a card must be held alone and for a moment, so that a sheet that
/// is carried through the picture with all its codes says nothing, and a word counts once until it has been taken away.
///
/// Pure: the time is passed in.
public struct CommandSense: Sendable {
    /// A card is held up for so long until it counts, and no other one is seen meanwhile.
    public static let stay = Duration.seconds(1)
    /// Sightings further apart than this are not one stay.
    static let longestGap = Duration.milliseconds(700)
    /// A word counts again when it has been away for so long: before a camera, and at a reader, which asks a tag less often.
    static let (away, tagAway) = (Duration.milliseconds(1500), Duration.seconds(5))

    /// An eye that looks again takes so long at most to see a card that was there all the time.
    static let blink = Duration.seconds(2)

    private struct Seen {
        var since: Duration
        var last: Duration
        var isSpent = false
    }
    private var seen: [SheetCommand: Seen] = [:]

    /// Nothing has been seen.
    public init() {}

    /// Notes what an eye has seen.
    ///
    /// - Parameters:
    ///   - isTapped: at a reader: there is but one tag, and it counts at once.
    ///   - now: the time since any fixed moment, never earlier than before.
    /// - Returns: the word, when it counts now.
    public mutating func saw(_ command: SheetCommand, isTapped: Bool, at now: Duration) -> SheetCommand? {
        var one = seen[command] ?? Seen(since: now, last: now)
        let gap = now - one.last
        if gap > Self.longestGap { one.since = now }
        if gap > (isTapped ? Self.tagAway : Self.away) { one.isSpent = false }
        one.last = now
        defer { seen[command] = one }
        guard !one.isSpent else { return nil }
        if !isTapped {
            let isAlone = seen.allSatisfy { $0.key == command || now - $0.value.last > Self.stay }
            guard isAlone, now - one.since >= Self.stay else { return nil }
        }
        one.isSpent = true
        return command
    }

    /// The eyes do not look for a while: what is in view to the last may stay so.
    public mutating func pause(at now: Duration) {
        seen = seen.filter { now - $0.value.last <= Self.longestGap }
    }

    /// They look again: a card that has counted, and is still held up, does not count anew.
    public mutating func resume(at now: Duration) {
        for command in seen.keys { seen[command]?.last = now + Self.blink - Self.away }
    }
}
