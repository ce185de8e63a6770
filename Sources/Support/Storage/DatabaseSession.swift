import Synchronization

/// An open database that several stores may share: what they write in one turn is one transaction.
///
/// With SQLite each store has a file, and a session, of its own; on a database server the stores of a program share one
/// connection. Safe to use from several threads: one transaction at a time.
public final class DatabaseSession: Sendable {
    private struct Handle: @unchecked Sendable {
        // Reached only under the lock.
        let engine: any StorageEngine
        let turn = Turn()
    }

    private let handle: Mutex<Handle>
    /// For reads while another thread has its turn; opened when one is needed.
    private let reading = Mutex(Reading())
    private struct Reading: @unchecked Sendable {
        // Reached only under the lock.
        var engine: (any StorageEngine)?
    }

    /// Held for a whole turn by the thread whose turn it is; everybody else takes it for one transaction.
    private let turns = RecursiveLock()
    /// Where the tables are, for people.
    public let place: String
    /// What may be done.
    let use: Database.Use
    /// What the names of this session's schemas begin with.
    let prefix: String

    /// - Parameters:
    ///   - engine: belongs to the session from now on.
    ///   - use: ``Database/Use/look`` for who only reports; the engine then refuses to change anything.
    ///   - prefix: what the names of the stores' schemas begin with, on a server that keeps several of each kind; lower-case
    ///     letters, digits and `_`.
    public init(_ engine: sending any StorageEngine, use: Database.Use = .change, prefix: String = "") {
        place = engine.place
        self.use = use
        self.prefix = prefix
        handle = Mutex(Handle(engine: engine))
    }

    /// See ``Database/turn(_:)``: for all stores of the session.
    ///
    /// - Throws: ``StorageError``.
    public func turn(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        turns.lock()
        defer { turns.unlockForOthers() }
        var isWhole = false
        locked { _, turn in isWhole = turn.begin() }
        guard isWhole else { return try body() }
        var failure: StorageError?
        do throws(StorageError) {
            try body()
        } catch {
            failure = error
        }
        locked { engine, turn in
            do throws(StorageError) {
                try turn.end(engine, failure)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Everything that `body` reads is as it was at one moment, in all stores of the session.
    ///
    /// - Throws: ``StorageError``.
    public func snapshot(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        turns.lock()
        defer { turns.unlock() }
        var failure: StorageError?
        locked { engine, _ in
            do throws(StorageError) { try engine.beginSnapshot() } catch { failure = error }
        }
        if failure == nil { do throws(StorageError) { try body() } catch { failure = error } }
        locked { engine, _ in engine.rollback() }
        if let failure { throw failure }
    }

    /// Not generic and not throwing: Swift 6.3.1 crashes when it specialises a generic typed-throws closure inside the
    /// lock's own.
    func locked(_ body: (any StorageEngine, Turn) -> Void) {
        turns.lock()
        defer { turns.unlock() }
        handle.withLock { body($0.engine, $0.turn) }
    }

    /// For a read. While another thread has its turn, by a connection of its own, where the engine has one: what is looked at
    /// does not wait for what is stored.
    func lockedForReading(_ body: (any StorageEngine, Turn) -> Void) {
        // Who only looks has no turns.
        if use == .look { return locked(body) }
        guard turns.tryLock() else {
            if !isRead(body) { locked(body) }
            return
        }
        defer { turns.unlock() }
        locked(body)
    }

    private func isRead(_ body: (any StorageEngine, Turn) -> Void) -> Bool {
        reading.withLock { reading in
            if reading.engine == nil {
                reading = handle.withLock { Reading(engine: (try? $0.engine.reader()) ?? nil) }
            }
            guard let engine = reading.engine else { return false }
            body(engine, Turn())
            return true
        }
    }
}

/// Many transactions gathered into one. Used under the session's lock.
final class Turn {
    private enum State {
        case none
        /// Nothing has been written yet.
        case open
        /// In a transaction that has begun.
        case begun
        /// The engine has ended the transaction by itself, as SQLite may when the disk is full, and as a server does with the
        /// connection: with the first error.
        case broken(StorageError)
    }
    private var state = State.none

    var isUnderWay: Bool {
        if case .none = state { false } else { true }
    }

    /// `false` within a turn, which goes on.
    func begin() -> Bool {
        guard case .none = state else { return false }
        state = .open
        return true
    }

    /// Something is about to be written.
    ///
    /// - Parameter store: which others must not write meanwhile; `nil`: they may.
    /// - Returns: whether that is a part of a larger transaction.
    func takesWrite(_ engine: any StorageEngine, _ store: String?) throws(StorageError) -> Bool {
        switch state {
        case .none: return false
        case .open:
            try engine.begin()
            state = .begun
        case .begun: break
        case .broken(let error): throw error
        }
        if let store { try engine.claim(store) }
        return true
    }

    /// A read in a turn that is broken would be of something else than what was written.
    func takesRead() throws(StorageError) {
        if case .broken(let error) = state { throw error }
    }

    /// A statement has failed: is the transaction still there?
    func failed(_ engine: any StorageEngine, _ error: StorageError) {
        if case .begun = state, !engine.isInTransaction { state = .broken(error) }
    }

    /// - Parameter failure: why nothing is to be stored.
    func end(_ engine: any StorageEngine, _ failure: StorageError?) throws(StorageError) {
        defer { state = .none }
        switch state {
        case .none, .open:
            if let failure { throw failure }
        case .broken(let error):
            engine.rollback()
            throw error
        case .begun:
            do throws(StorageError) {
                if let failure { throw failure }
                try engine.commit()
            } catch {
                engine.rollback()
                throw error
            }
        }
    }
}
