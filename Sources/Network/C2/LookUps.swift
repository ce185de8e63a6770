import SRUP

/// Whom the server has not met and asks the key service about: a few at once, the others in the order in which they came.
///
/// Pure. Bounded: so many wait, with so many bytes.
struct LookUps: Sendable {
    /// A message that waits until its sender's key is known.
    struct Waiting: Sendable {
        let sender: DeviceID
        let payload: [UInt8]
        let topic: String
    }

    /// What the key service has said.
    struct Found: Sendable {
        let waiting: Waiting
        let outcome: Result<DirectoryEntry?, any Error>
    }

    /// Who waits or is asked about, each once.
    private var senders: Set<DeviceID> = []
    private var queue: [Waiting] = []
    private var next = 0
    private var bytes = 0
    private var underWay = 0

    private static let (atOnce, maximum, maximumBytes) = (16, 32_768, 16 << 20)

    /// How many wait or are asked about.
    var count: Int { senders.count }

    /// Adds a message; one of a sender that waits already is dropped, since it will ask again.
    ///
    /// - Returns: `false` when there is no room.
    mutating func add(_ waiting: Waiting) -> Bool {
        guard !senders.contains(waiting.sender) else { return true }
        guard senders.count < Self.maximum, bytes + waiting.payload.count <= Self.maximumBytes else { return false }
        senders.insert(waiting.sender)
        bytes += waiting.payload.count
        queue.append(waiting)
        return true
    }

    /// Whom to ask about now, if anybody.
    mutating func begin() -> Waiting? {
        guard underWay < Self.atOnce, next < queue.count else { return nil }
        let waiting = queue[next]
        next += 1
        if next == queue.count || next >= 1024 {
            queue.removeFirst(next)
            next = 0
        }
        underWay += 1
        return waiting
    }

    /// There is an answer.
    mutating func end(_ waiting: Waiting) {
        underWay -= 1
        bytes -= waiting.payload.count
        senders.remove(waiting.sender)
    }
}
