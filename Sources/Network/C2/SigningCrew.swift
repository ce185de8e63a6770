import Dispatch
import Glibc
import SRUP
import Synchronization

/// Signs many messages at once, on as many cores as there are: a key signs one at a time, so each core has its own.
struct SigningCrew: Sendable {
    private let keys: [PrivateKey]

    /// - Parameter cores: how many sign at once.
    init(_ key: PrivateKey, cores: Int = sysconf(Int32(_SC_NPROCESSORS_ONLN))) {
        keys = [key] + (0..<max(0, min(cores, Self.maximum) - 1)).compactMap { _ in try? key.twin() }
    }

    /// For what comes together, more are of no use.
    private static let maximum = 64

    /// - Returns: the messages in their order.
    /// - Throws: what the first that could not be signed has said.
    func sign(_ messages: [UnsignedMessage]) throws -> [SignedMessage] {
        let atWork = min(keys.count, messages.count)
        guard atWork > 1 else { return try messages.map { try $0.signed(with: keys[0]) } }
        let results = Mutex([Result<SignedMessage, any Error>?](repeating: nil, count: messages.count))
        let next = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: atWork) { worker in
            // Whoever is free takes the next one: cores may have other work.
            while true {
                let index = next.add(1, ordering: .relaxed).oldValue
                guard index < messages.count else { return }
                let result = Result { try messages[index].signed(with: keys[worker]) }
                results.withLock { $0[index] = result }
            }
        }
        return try results.withLock { results in
            try results.map { result in
                guard let result else { throw CryptoError.cannotSign }
                return try result.get()
            }
        }
    }
}
