import Signals

/// Pointing a camera by the lamp: for some minutes after the start the eyes look, and the lamp says whether what they see
/// is read. Pure: the time is passed in.
struct LampAim: Hashable {
    /// When it ends.
    private(set) var end: Duration
    private var lastRead: Duration?

    /// A value that is in view is said a few times a second: so long after the last word it is gone.
    static let memory = Duration.milliseconds(1500)

    init(until end: Duration) { self.end = end }

    /// The same with another end.
    func until(_ end: Duration) -> Self {
        var copy = self
        copy.end = end
        return copy
    }

    /// A code with a value, or a tap, was read.
    mutating func read(at now: Duration) { lastRead = now }

    /// What the lamp shows; `nil` when the time is up.
    func word(at now: Duration) -> SignalWord? {
        guard now < end else { return nil }
        return lastRead.map { now - $0 < Self.memory } == true ? .readable : .aiming
    }

    /// When ``word(at:)`` changes by itself next.
    func nextChange(after now: Duration) -> Duration {
        guard let lastRead, now - lastRead < Self.memory else { return end }
        return min(lastRead + Self.memory, end)
    }
}
