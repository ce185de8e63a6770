import CLinux
import Glibc

/// One thread that waits for descriptors and for times: everything in the simulation happens here, one after the other.
final class EventLoop {
    typealias Nanoseconds = UInt64

    private struct Timer {
        let at: Nanoseconds
        let order: Int
        let body: () -> Void
    }

    private var timers: [Timer] = []
    private var order = 0
    private var watched: [Int32: () -> Void] = [:]
    private var isStopping = false

    var now: Nanoseconds {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Nanoseconds(time.tv_sec) * 1_000_000_000 + Nanoseconds(time.tv_nsec)
    }

    /// Runs `body` after a delay; bodies due at the same time run in the order in which they were given.
    func after(_ delay: Nanoseconds, _ body: @escaping () -> Void) {
        at(now + delay, body)
    }

    func at(_ time: Nanoseconds, _ body: @escaping () -> Void) {
        order += 1
        let timer = Timer(at: time, order: order, body: body)
        let index = timers.firstIndex { ($0.at, $0.order) > (timer.at, timer.order) } ?? timers.endIndex
        timers.insert(timer, at: index)
    }

    /// Calls `body` whenever the descriptor is readable or hung up.
    func watch(_ descriptor: Int32, _ body: @escaping () -> Void) {
        watched[descriptor] = body
    }

    func forget(_ descriptor: Int32) {
        watched[descriptor] = nil
    }

    func stop() {
        isStopping = true
    }

    func run() {
        while !isStopping {
            while let timer = timers.first, timer.at <= now {
                timers.removeFirst()
                timer.body()
            }
            var pollers = watched.keys.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let time = now
            let wait = timers.first.map { $0.at > time ? $0.at - time : 0 } ?? 1_000_000_000
            let ready = srup_poll(&pollers, nfds_t(pollers.count), wait)
            guard ready > 0 else { continue }
            for poller in pollers where poller.revents != 0 { watched[poller.fd]?() }
        }
    }
}
