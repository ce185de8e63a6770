import CLinux
import Glibc

/// A wait that another thread may end.
///
/// It is measured by a clock that nobody sets. `DispatchSemaphore`'s waits are, on Linux, until a time of the wall clock:
/// set back by years, as on a machine that started with a wrong one, they would last for years.
public final class WakeUp: Sendable {
    // Without a descriptor (too many are open) waits only take their whole time.
    private let descriptor = srup_eventfd()

    /// Nobody has signalled yet.
    public init() {}

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Ends the wait that is under way, or the next one. Any thread.
    public func signal() { srup_eventfd_write(descriptor) }

    /// Returns after ``signal()``, at the latest after `limit`; `nil`: only then.
    ///
    /// - Returns: whether it was ``signal()``.
    @discardableResult
    public func wait(atMost limit: Duration?) -> Bool {
        let deadline = limit.map { ContinuousClock.now + $0 }
        while true {
            var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if let deadline {
                let left = deadline - .now
                guard left > .zero else { return false }
                _ = srup_poll(&poller, 1, UInt64(left / .nanoseconds(1)))
            } else {
                poll(&poller, 1, -1)
            }
            if srup_eventfd_drain(descriptor) != 0 { return true }
        }
    }
}
