import CLinux
import Glibc

/// A wait that another thread may end.
///
/// It is measured by a clock that nobody sets. `DispatchSemaphore`'s waits are, on Linux, until a time of the wall clock:
/// set back by years, as on a machine that started with a wrong one, they would last for years.
public final class WakeUp: Sendable {
    // Without a descriptor (too many are open) waits only take their whole time.
    private let descriptor = srup_eventfd()

    public init() {}

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Ends the wait that is under way, or the next one. Any thread.
    public func signal() { srup_eventfd_write(descriptor) }

    /// Returns after ``signal()``, at the latest after `limit`.
    public func wait(atMost limit: Duration) {
        let deadline = ContinuousClock.now + limit
        while case let left = deadline - .now, left > .zero {
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = srup_poll(&poller, 1, UInt64(left / .nanoseconds(1)))
            if srup_eventfd_drain(descriptor) != 0 { return }
        }
    }
}
