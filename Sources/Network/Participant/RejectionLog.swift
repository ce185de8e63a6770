import Logging
import Synchronization

/// Counts what was rejected, by reason, and logs at a bounded rate: the first ten of each minute, then only a number.
public final class RejectionLog: Sendable {
    private struct State {
        var counts: [String: UInt64] = [:]
        var windowStart: ContinuousClock.Instant
        var logged = 0
        var suppressed = 0
    }

    private let state: Mutex<State>
    private let logger: Logger
    private let now: @Sendable () -> ContinuousClock.Instant

    /// A log without entries.
    ///
    /// - Parameter now: the clock for the minutes; tests pass their own.
    public init(logger: Logger, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.logger = logger
        self.now = now
        state = Mutex(State(windowStart: now()))
    }

    /// How often each reason occurred since the start.
    public var counts: [String: UInt64] { state.withLock { $0.counts } }

    /// Counts a rejection, and logs it unless ten were logged in this minute.
    public func record(_ rejection: Rejection) {
        let (log, suppressed) = state.withLock { state -> (Bool, Int) in
            state.counts[rejection.reason, default: 0] += 1
            var suppressed = 0
            if now() - state.windowStart >= .seconds(60) {
                suppressed = state.suppressed
                state.windowStart = now()
                state.logged = 0
                state.suppressed = 0
            }
            if state.logged < 10 {
                state.logged += 1
                return (true, suppressed)
            }
            state.suppressed += 1
            return (false, suppressed)
        }
        if suppressed > 0 { logger.warning("rejected \(suppressed) more messages in the last minute") }
        if log { logger.warning("rejected a message: \(rejection)", metadata: ["reason": "\(rejection.reason)"]) }
    }
}
