/// Pauses between tries: each about twice as long as the one before, shortened at random by up to half, so that a thousand
/// participants do not come back at once.
public struct Backoff: Sendable {
    /// The first pause, before it is shortened at random.
    public let first: Duration
    /// The longest pause, however many tries there were.
    public let longest: Duration
    /// How many pauses there have been since the last success.
    public private(set) var tries = 0

    /// Begins with no tries.
    ///
    /// - Parameters:
    ///   - first: the first pause, before it is shortened.
    ///   - longest: what pauses grow to.
    public init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
    }

    /// The next pause.
    public mutating func next() -> Duration {
        let whole = min(first * (1 << min(tries, 20)), longest)
        tries += 1
        return whole * Double.random(in: 0.5...1)
    }

    /// Begins with the first pause again: something has succeeded.
    public mutating func reset() { tries = 0 }
}
