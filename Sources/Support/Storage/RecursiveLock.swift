import CSQLite
import Glibc
import Synchronization

/// A lock that the thread that holds it may take again: SQLite's own.
final class RecursiveLock: @unchecked Sendable {
    // Reached only through SQLite's calls, which are made for several threads.
    private let mutex: OpaquePointer
    private let waiting = Atomic(0)

    init() {
        sqlite3_initialize()
        guard let mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_RECURSIVE) else {
            preconditionFailure("SQLite was built without threads, or there is no memory")
        }
        self.mutex = mutex
    }

    deinit { sqlite3_mutex_free(mutex) }

    func lock() {
        guard !tryLock() else { return }
        waiting.add(1, ordering: .relaxed)
        sqlite3_mutex_enter(mutex)
        waiting.subtract(1, ordering: .relaxed)
    }

    /// `false` when another thread has it.
    func tryLock() -> Bool { sqlite3_mutex_try(mutex) == SQLITE_OK }

    func unlock() { sqlite3_mutex_leave(mutex) }

    /// Gives it back and lets those who wait go first: a thread that takes it again at once would be ahead of them each time.
    func unlockForOthers() {
        unlock()
        if waiting.load(ordering: .relaxed) > 0 { usleep(Self.turnOfOthers) }
    }

    /// In microseconds: a thread that was woken has it by then.
    private static let turnOfOthers: UInt32 = 200
}
