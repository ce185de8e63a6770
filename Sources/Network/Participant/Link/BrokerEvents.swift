import Dispatch
import Synchronization

/// The link's events for one reader; at most 256 wait.
public struct BrokerEvents: AsyncSequence, Sendable {
    /// What has come and was not read yet.
    fileprivate final class Shelf: Sendable {
        private struct Contents {
            var events: [BrokerEvent] = []
            var read = 0
            var isFinished = false
        }
        private let contents = Mutex(Contents())

        func add(_ event: BrokerEvent) { contents.withLock { $0.events.append(event) } }
        func finish() { contents.withLock { $0.isFinished = true } }
        var isFinished: Bool { contents.withLock { $0.isFinished } }

        /// The oldest ones.
        func take(atMost count: Int) -> [BrokerEvent] {
            contents.withLock { contents in
                let end = Swift.min(contents.read + count, contents.events.count)
                let taken = Array(contents.events[contents.read..<end])
                contents.read = end
                if end == contents.events.count {
                    contents.events.removeAll(keepingCapacity: true)
                    contents.read = 0
                }
                return taken
            }
        }
    }

    private let shelf = Shelf()
    private let bell: AsyncStream<Void>
    private let ringing: AsyncStream<Void>.Continuation
    private let places: DispatchSemaphore

    private static let capacity = 256

    /// Without events; the link puts them in.
    public init() {
        (bell, ringing) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        places = DispatchSemaphore(value: 0)
        for _ in 0..<Self.capacity { places.signal() }
    }

    /// Called on the link's thread; waits for a place.
    public func send(_ event: BrokerEvent) {
        places.wait()
        shelf.add(event)
        ringing.yield()
    }

    /// Lets a waiting thread go on, for stopping.
    func release() {
        for _ in 0..<Self.capacity { places.signal() }
    }

    /// No more events come.
    public func finish() {
        shelf.finish()
        ringing.finish()
    }

    /// Iterates over the events; for the one task that reads them.
    public func makeAsyncIterator() -> Iterator {
        Iterator(shelf: shelf, bell: bell.makeAsyncIterator(), places: places)
    }

    /// Gives the events in their order, and the link room for another with each.
    public struct Iterator: AsyncIteratorProtocol {
        private let shelf: Shelf
        private var bell: AsyncStream<Void>.AsyncIterator
        private let places: DispatchSemaphore

        fileprivate init(shelf: Shelf, bell: AsyncStream<Void>.AsyncIterator, places: DispatchSemaphore) {
            self.shelf = shelf
            self.bell = bell
            self.places = places
        }

        /// Waits for the next event; `nil` once the link has ended.
        public mutating func next() async -> BrokerEvent? { await all(atMost: 1).first }

        /// Waits for the next event, and takes all that have come together; empty once the link has ended.
        public mutating func all(
            atMost count: Int, isolation: isolated (any Actor)? = #isolation
        ) async -> [BrokerEvent] {
            while true {
                let taken = shelf.take(atMost: count)
                guard taken.isEmpty else {
                    for _ in taken { places.signal() }
                    return taken
                }
                // A ring between the look and the wait is kept: nothing is missed.
                guard !shelf.isFinished, await bell.next(isolation: isolation) != nil else {
                    return leftovers(count)
                }
            }
        }

        private func leftovers(_ count: Int) -> [BrokerEvent] {
            let taken = shelf.take(atMost: count)
            for _ in taken { places.signal() }
            return taken
        }
    }
}
