import ServiceLifecycle

/// Tells when it is time again for something that is to be done once a day by the wall clock, which on small machines jumps:
/// a day after the last time, at once when the clock was set back, and an hour after it did not work.
///
/// Whoever has one asks every ``interval``, since a sleep of a day would last a day of the monotonic clock.
public struct DailyRound: Sendable {
    /// How often to ask.
    public static let interval = Duration.seconds(10)

    private static let day = 86400.0
    private static let hour = 3600.0
    private var last: Double?
    private var pause = day

    /// A round that is due at once.
    public init() {}

    /// Goes the rounds until the service group shuts down or the task is cancelled.
    ///
    /// - Parameters:
    ///   - clock: seconds since 1970.
    ///   - daily: what is to be done once a day; whether it worked.
    ///   - always: done at each look, every ``interval``, after what is due.
    public static func follow(
        clock: @escaping @Sendable () -> Double = { Participant.systemTime() },
        daily: @escaping @Sendable (Double) async -> Bool, always: @escaping @Sendable () -> Void = {}
    ) async {
        await cancelWhenGracefulShutdown {
            var round = DailyRound()
            while !Task.isCancelled {
                let now = clock()
                if round.isDue(now) { round.done(now, worked: await daily(now)) }
                always()
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Whether it is time; the first time it is.
    ///
    /// - Parameter now: seconds since 1970.
    public func isDue(_ now: Double) -> Bool {
        guard let last else { return true }
        // Set back by less than a minute is a clock that is kept right.
        return now >= last + pause || now < last - 60
    }

    /// To be called after each time.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - worked: `false`: to be tried again in an hour.
    public mutating func done(_ now: Double, worked: Bool) {
        last = now
        pause = worked ? Self.day : Self.hour
    }
}
