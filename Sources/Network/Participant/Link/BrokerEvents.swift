import Dispatch
import Synchronization

/// The link's events for one reader; those that wait have a bound in number and in bytes.
///
/// The thread that brings them also sends what we publish: while it waits for room here, nothing leaves. So there is room for
/// a network that asks all at once.
public struct BrokerEvents: AsyncSequence, Sendable {
    /// What has come and was not read yet.
    fileprivate final class Shelf: Sendable {
        private struct Contents {
            var events: [BrokerEvent] = []
            var read = 0
            var bytes = 0
            var isFinished = false
            var isOpen = false
            /// Whether the link's thread waits for room.
            var isAwaited = false
        }
        private let contents = Mutex(Contents())
        private let room = DispatchSemaphore(value: 0)

        private static let (maximum, maximumBytes) = (16384, 8 << 20)

        /// Waits for room.
        func add(_ event: BrokerEvent) {
            while !isAdded(event) { room.wait() }
        }

        private func isAdded(_ event: BrokerEvent) -> Bool {
            contents.withLock { contents in
                let waiting = contents.events.count - contents.read
                guard
                    contents.isOpen || waiting == 0
                        || waiting < Self.maximum && contents.bytes + event.size <= Self.maximumBytes
                else {
                    contents.isAwaited = true
                    return false
                }
                contents.events.append(event)
                contents.bytes += event.size
                return true
            }
        }

        /// Nobody waits for room any more.
        func open() {
            contents.withLock { $0.isOpen = true }
            room.signal()
        }

        func finish() { contents.withLock { $0.isFinished = true } }
        var isFinished: Bool { contents.withLock { $0.isFinished } }

        /// The oldest ones.
        func take(atMost count: Int) -> [BrokerEvent] {
            let (taken, isAwaited) = contents.withLock { contents in
                let end = Swift.min(contents.read + count, contents.events.count)
                let taken = Array(contents.events[contents.read..<end])
                contents.read = end
                contents.bytes -= taken.reduce(0) { $0 + $1.size }
                // What was read goes when it is the larger part, so that each is moved once at most.
                if contents.read * 2 >= contents.events.count {
                    contents.events.removeFirst(contents.read)
                    contents.read = 0
                }
                defer { contents.isAwaited = contents.isAwaited && taken.isEmpty }
                return (taken, contents.isAwaited && !taken.isEmpty)
            }
            if isAwaited { room.signal() }
            return taken
        }
    }

    private let shelf = Shelf()
    private let bell: AsyncStream<Void>
    private let ringing: AsyncStream<Void>.Continuation

    /// Without events; the link puts them in.
    public init() {
        (bell, ringing) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Called on the link's thread; waits for room.
    public func send(_ event: BrokerEvent) {
        shelf.add(event)
        ringing.yield()
    }

    /// Lets a waiting thread go on, for stopping.
    func release() { shelf.open() }

    /// No more events come.
    public func finish() {
        shelf.finish()
        ringing.finish()
    }

    /// Iterates over the events; for the one task that reads them.
    public func makeAsyncIterator() -> Iterator {
        Iterator(shelf: shelf, bell: bell.makeAsyncIterator())
    }

    /// Gives the events in their order, and the link room for others.
    public struct Iterator: AsyncIteratorProtocol {
        private let shelf: Shelf
        private var bell: AsyncStream<Void>.AsyncIterator

        fileprivate init(shelf: Shelf, bell: AsyncStream<Void>.AsyncIterator) {
            self.shelf = shelf
            self.bell = bell
        }

        /// Waits for the next event; `nil` once the link has ended.
        public mutating func next() async -> BrokerEvent? { await all(atMost: 1).first }

        /// Waits for the next event, and takes all that have come together; empty once the link has ended.
        public mutating func all(
            atMost count: Int, isolation: isolated (any Actor)? = #isolation
        ) async -> [BrokerEvent] {
            while true {
                let taken = shelf.take(atMost: count)
                guard taken.isEmpty else { return taken }
                // A ring between the look and the wait is kept: nothing is missed.
                guard !shelf.isFinished, await bell.next(isolation: isolation) != nil else {
                    return shelf.take(atMost: count)
                }
            }
        }
    }
}

extension BrokerEvent {
    /// In bytes, roughly.
    fileprivate var size: Int {
        switch self {
        case .message(_, let payload): 256 + payload.count
        case .connected, .disconnected, .confirmed: 64
        }
    }
}
