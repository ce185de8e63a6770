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
    private let state = Mutex<Call?>(nil)
    private let onBite: @Sendable (String) -> Void

    /// - Parameter onBite: called before the process ends, with what hangs.
    public init(onBite: @escaping @Sendable (String) -> Void = { _ in }) {
        self.onBite = onBite
        DetachedThread.start(stack: 128) { [weak self] in
            while let self {
                let bitten = self.state.withLock { call in call.flatMap { $0.deadline <= .now ? $0.doing : nil } }
                if let bitten {
                    self.onBite(bitten)
                    _exit(Self.exitCode)
                }
                usleep(50_000)
            }
        }
    }

    func begin(_ limit: Duration, doing: String) {
        state.withLock { $0 = Call(deadline: .now + limit, doing: doing) }
    }

    func end() {
        state.withLock { $0 = nil }
    }
}
