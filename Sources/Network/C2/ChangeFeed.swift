import SRUP
import Synchronization

/// Which part of the stored state is out of date on a page; what it is now has to be read.
public struct Change: Sendable, Hashable {
    /// What kind of row it is.
    public enum Subject: String, Sendable, CaseIterable {
        /// A join that waits for a person.
        case waiting
        /// A device or an observer.
        case device
        /// A join under way, or ended.
        case join
        /// A device type's policy.
        case policy
        /// A rollout or one of its devices.
        case rollout
    }
    /// What kind of row it is.
    public let subject: Subject
    /// Whom the row is about; `nil`: about all of them.
    public let device: DeviceID?
}

/// Tells whoever listens what has changed. Who does not keep up misses the oldest, and should read all again now and then.
/// Safe to use from several threads.
public final class Feed<Element: Sendable>: Sendable {
    private struct Listeners {
        var next = 0
        var all: [Int: @Sendable (Element) -> Void] = [:]
    }
    private let listeners = Mutex(Listeners())

    /// Nobody listens yet.
    public init() {}

    /// Calls `receive` with what changes from now on, at once and on whatever thread; it must not take long.
    ///
    /// - Returns: the listener's number, for ``stop(_:)``.
    public func hear(_ receive: @escaping @Sendable (Element) -> Void) -> Int {
        listeners.withLock { listeners in
            listeners.next += 1
            listeners.all[listeners.next] = receive
            return listeners.next
        }
    }

    /// Calls a listener no more.
    public func stop(_ number: Int) { listeners.withLock { $0.all[number] = nil } }

    /// What changes from now on, until the reader stops.
    public func listen() -> AsyncStream<Element> {
        let (stream, continuation) = AsyncStream<Element>.makeStream(bufferingPolicy: .bufferingNewest(256))
        let number = hear { continuation.yield($0) }
        continuation.onTermination = { [weak self] _ in self?.stop(number) }
        return stream
    }

    func tell(_ change: Element) {
        let all = listeners.withLock { Array($0.all.values) }
        for listener in all { listener(change) }
    }
}

/// Which rows are out of date.
public typealias ChangeFeed = Feed<Change>
