import Dispatch
import Glibc
import Synchronization

/// The thread that children are started from. "The parent has ended" means to the kernel that the *thread* which made the
/// child has (prctl(2), PR_SET_PDEATHSIG), and threads of a pool end when they have nothing to do: this one never does.
final class Nursery: Sendable {
    static let shared = Nursery()

    private let job = Mutex<(@Sendable () -> pid_t)?>(nil)
    private let result = Mutex<pid_t>(0)
    private let asked = DispatchSemaphore(value: 0)
    private let done = DispatchSemaphore(value: 0)
    /// One child at a time.
    private let turn = Mutex(())

    private init() {
        DetachedThread.start(stack: 128) {
            // Signals are for the other threads.
            var all = sigset_t()
            sigfillset(&all)
            pthread_sigmask(SIG_SETMASK, &all, nil)
            while true {
                self.asked.wait()
                let process = self.job.withLock { $0?() } ?? -ECHILD
                self.result.withLock { $0 = process }
                self.done.signal()
            }
        }
    }

    /// Runs `body` on the thread, and waits for it.
    func run(_ body: @escaping @Sendable () -> pid_t) -> pid_t {
        turn.withLock { _ in
            job.withLock { $0 = body }
            asked.signal()
            done.wait()
            job.withLock { $0 = nil }
            return result.withLock { $0 }
        }
    }
}
