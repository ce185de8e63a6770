import HTTPTypes
import Synchronization

/// What has been answered to requests with an `Idempotency-Key`, so that one that is sent again is not done again.
///
/// In memory only, and bounded: of one token the newest 256, of all 4,096, each for a day. After a restart a request that is
/// sent again meets what it has done (a device that does not wait any more, say). Safe to use from several threads.
final class IdempotencyTable: Sendable {
    private struct Key: Hashable {
        let token: Int64
        let text: String
    }

    private struct Entry {
        let fingerprint: [UInt8]
        let since: Duration
        /// `nil`: under way.
        var answer: Answer?
    }

    /// What is said again.
    enum Answer: Sendable {
        case answer(APIAnswer)
        case problem(APIProblem)
        /// It was done, and what was answered is a secret: it is not kept.
        case secret
    }

    /// How things stand for a request.
    enum Standing: Sendable {
        /// It is to be done, and ``end(_:_:_:)`` to be told how it went.
        case fresh
        case answered(Answer)
        /// The key was used for another request.
        case reused
        case underWay
    }

    static let (maximumOfOne, maximum) = (256, 4096)
    static let lifetime = Duration.seconds(86400)

    private let entries = Mutex<[Key: Entry]>([:])

    func begin(_ token: Int64, _ key: String, _ fingerprint: [UInt8], now: Duration) -> Standing {
        let key = Key(token: token, text: key)
        return entries.withLock { entries in
            if let entry = entries[key], now - entry.since < Self.lifetime {
                guard entry.fingerprint == fingerprint else { return .reused }
                return entry.answer.map { .answered($0) } ?? .underWay
            }
            Self.makeRoom(&entries, for: token, now)
            entries[key] = Entry(fingerprint: fingerprint, since: now)
            return .fresh
        }
    }

    /// - Parameter answer: `nil`: it was not done, and may be tried again.
    func end(_ token: Int64, _ key: String, _ answer: Answer?) {
        let key = Key(token: token, text: key)
        entries.withLock { entries in
            if let answer { entries[key]?.answer = answer } else { entries[key] = nil }
        }
    }

    var count: Int { entries.withLock { $0.count } }

    private static func makeRoom(_ entries: inout [Key: Entry], for token: Int64, _ now: Duration) {
        if entries.count >= maximum {
            entries = entries.filter { now - $0.value.since < lifetime }
        }
        while entries.count >= maximum, let oldest = oldest(entries) { entries[oldest] = nil }
        while entries.keys.count(where: { $0.token == token }) >= maximumOfOne,
            let oldest = oldest(entries.filter { $0.key.token == token })
        {
            entries[oldest] = nil
        }
    }

    private static func oldest(_ entries: [Key: Entry]) -> Key? {
        entries.min { $0.value.since < $1.value.since }?.key
    }
}
