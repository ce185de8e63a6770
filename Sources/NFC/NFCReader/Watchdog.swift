import Glibc
import Linux
import Synchronization

/// Ends the process when a call into libnfc does not come back: it loops for ever while a chip says "more" and gives none,
/// and no other thread can stop it. Whoever has started the process starts it again.
///
/// What counts is time in which this process ran: while the machine or the process stands still, nothing hangs.
public final class Watchdog: Sendable {
    /// The exit code then (sysexits.h: EX_TEMPFAIL).
    public static let exitCode: Int32 = 75

    private struct Call {
        let doing: String
        var remaining: Duration
        /// Until when the time is counted.
        var counted = ContinuousClock.now

        /// Counts the time since the last look, two periods at most.
        mutating func look() {
            let now = ContinuousClock.now
            remaining -= min(now - counted, Watchdog.period * 2)
            counted = now
        }
    }
    /// How often is looked.
    private static let period = Duration.milliseconds(50)

    private struct State {
        var call: Call?
        /// Whether the thread looks now and then; without a call it sleeps, so that a witness at rest costs nothing.
        var isWatching = false
    }
    private let state = Mutex(State())
    private let wakeUp = WakeUp()
    private let onBite: @Sendable (String) -> Void

    /// - Parameter onBite: called before the process ends, with what hangs.
    public init(onBite: @escaping @Sendable (String) -> Void = { _ in }) {
        self.onBite = onBite
        // For the life of the process, as the thread is.
        DetachedThread.start(stack: 128) { self.watch() }
    }

    private func watch() {
        while true {
            wakeUp.wait(atMost: state.withLock { $0.isWatching } ? Self.period : nil)
            let bitten = state.withLock { state -> String? in
                state.isWatching = state.call != nil
                state.call?.look()
                return state.call.flatMap { $0.remaining <= .zero ? $0.doing : nil }
            }
            if let bitten {
                onBite(bitten)
                _exit(Self.exitCode)
            }
        }
    }

    func begin(_ limit: Duration, doing: String) {
        let wasAsleep = state.withLock { state -> Bool in
            state.call = Call(doing: doing, remaining: limit)
            defer { state.isWatching = true }
            return !state.isWatching
        }
        if wasAsleep { wakeUp.signal() }
    }

    func end() {
        state.withLock { $0.call = nil }
    }
}
