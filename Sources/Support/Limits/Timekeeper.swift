/// The clock that timeouts go by. Passed in, so that hours of joins and retries can be played in milliseconds.
public struct Timekeeper: Sendable {
    /// The time since some fixed moment; never goes back.
    public let now: @Sendable () -> Duration
    private let sleep: @Sendable (Duration) async throws -> Void

    /// A clock of one's own making.
    ///
    /// - Parameters:
    ///   - now: the time since some fixed moment; must never go back.
    ///   - sleep: waits for a duration by the same clock, and throws when its task is cancelled.
    public init(now: @escaping @Sendable () -> Duration, sleep: @escaping @Sendable (Duration) async throws -> Void) {
        self.now = now
        self.sleep = sleep
    }

    /// The machine's own clock.
    public static let monotonic: Timekeeper = {
        let start = ContinuousClock.now
        return Timekeeper {
            ContinuousClock.now - start
        } sleep: {
            try await Task.sleep(for: $0)
        }
    }()

    /// A clock that its owner moves; nothing wakes up by itself, the owner calls `tick()` of whatever has timeouts.
    public static func manual(_ now: @escaping @Sendable () -> Duration) -> Timekeeper {
        Timekeeper(now: now) { _ in
            // Until it is cancelled.
            for await _ in AsyncStream<Never>.makeStream().stream {}
            throw CancellationError()
        }
    }

    /// Calls `body` once the time has come, unless the task is cancelled before.
    public func wake(at moment: Duration, _ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task { [self] in
            guard (try? await sleep(max(moment - now(), .zero))) != nil else { return }
            await body()
        }
    }
}
