/// How long a link waits before it tries again to connect.
///
/// A participant's waits double from half a second to a minute, so that a thousand devices do not come back at once. A server
/// tries ten times a second at first: there is one of it, all others wait for it, and after a restart of the broker it must be
/// there before they are, since the broker takes their TLS handshakes one after the other.
struct RetryPace {
    /// Of a server.
    let isAwaited: Bool
    private var delay = RetryPace.first
    private var hastyTries = 0

    private static let first = 0.5
    private static let (hasty, mostHastyTries) = (0.1, 100)

    init(isAwaited: Bool) { self.isAwaited = isAwaited }

    private var longest: Double { isAwaited ? 5 : 60 }

    /// The connection has held, or is made anew for a good reason: the next waits are short.
    mutating func reset() { self = RetryPace(isAwaited: isAwaited) }

    /// In seconds: at most so long; up to half of it is left out at random.
    mutating func next() -> Double {
        if isAwaited, hastyTries < Self.mostHastyTries {
            hastyTries += 1
            return Self.hasty
        }
        defer { delay = min(delay * 2, longest) }
        return delay
    }
}
