/// On and off over time: for a light or a buzzer. The first step is on, the next off, and so on.
public struct Rhythm: Sendable, Hashable {
    /// In milliseconds.
    public let steps: [Int]

    /// Durations in milliseconds; the first is on, the next off, and so on.
    public init(_ steps: [Int]) {
        self.steps = steps
    }

    /// Never on.
    public static let silent = Rhythm([])

    /// Of one round.
    public var length: Duration { .milliseconds(steps.reduce(0, +)) }

    /// Whether it is on at a time since its beginning.
    public func isOn(at time: Duration, repeating: Bool) -> Bool { place(at: time, repeating)?.isOn ?? false }

    /// When it changes next; `nil` when never.
    public func nextChange(after time: Duration, repeating: Bool) -> Duration? { place(at: time, repeating)?.end }

    /// The step that a time lies in: whether it is on, and when it ends.
    private func place(at time: Duration, _ repeating: Bool) -> (isOn: Bool, end: Duration)? {
        let total = steps.reduce(0, +)
        guard total > 0, time >= .zero else { return nil }
        let elapsed = Int(time / .milliseconds(1))
        guard repeating || elapsed < total else { return nil }
        var end = elapsed / total * total
        for (index, step) in steps.enumerated() {
            end += step
            if elapsed < end { return (index % 2 == 0, .milliseconds(end)) }
        }
        return nil
    }
}
