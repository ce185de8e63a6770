import Synchronization

/// What is told outside only when what it tells of has been stored.
///
/// For whoever gathers many transactions into one, and is one thread's alone meanwhile.
public final class Afterwards: Sendable {
    /// `nil`: at once.
    private let held = Mutex<[@Sendable () -> Void]?>(nil)

    /// Nothing is held back at first.
    public init() {}

    /// Tells, now or when the transaction has been stored.
    public func run(_ telling: @escaping @Sendable () -> Void) {
        let isHeld = held.withLock { held in
            held?.append(telling)
            return held != nil
        }
        if !isHeld { telling() }
    }

    /// From now on it waits.
    public func hold() { held.withLock { $0 = $0 ?? [] } }

    /// It is stored: all of it is told, in the order of the calls.
    public func release() {
        for telling in held.withLock({ held in held.take() ?? [] }) { telling() }
    }

    /// It was not stored, and so it has not happened.
    public func discard() { held.withLock { $0 = nil } }
}
