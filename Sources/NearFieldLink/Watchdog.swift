import Glibc
import Linux
import Synchronization

/// Ends the process when a call into libnfc does not come back: it loops for ever while a chip says "more" and gives none,
/// and no other thread can stop it. Whoever has started the process starts it again.
public final class Watchdog: Sendable {
    /// The exit code then (sysexits.h: EX_TEMPFAIL).
    public static let exitCode: Int32 = 75

    private struct Call {
        var deadline: ContinuousClock.Instant
        var doing: String
    }
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
            wakeUp.wait(atMost: state.withLock { $0.isWatching } ? .milliseconds(50) : nil)
            let bitten = state.withLock { state -> String? in
                state.isWatching = state.call != nil
                return state.call.flatMap { $0.deadline <= .now ? $0.doing : nil }
            }
            if let bitten {
                onBite(bitten)
                _exit(Self.exitCode)
            }
        }
    }

    func begin(_ limit: Duration, doing: String) {
        let wasAsleep = state.withLock { state -> Bool in
            state.call = Call(deadline: .now + limit, doing: doing)
            defer { state.isWatching = true }
            return !state.isWatching
        }
        if wasAsleep { wakeUp.signal() }
    }

    func end() {
        state.withLock { $0.call = nil }
    }
}
