import CSQLite

/// A lock that the thread that holds it may take again: SQLite's own.
final class RecursiveLock: @unchecked Sendable {
    // Reached only through SQLite's calls, which are made for several threads.
    private let mutex: OpaquePointer

    init() {
        sqlite3_initialize()
        guard let mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_RECURSIVE) else {
            preconditionFailure("SQLite was built without threads, or there is no memory")
        }
        self.mutex = mutex
    }

    deinit { sqlite3_mutex_free(mutex) }

    func lock() { sqlite3_mutex_enter(mutex) }
    func unlock() { sqlite3_mutex_leave(mutex) }
}
