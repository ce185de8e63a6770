import SRUP
import Synchronization

/// Keys that have been read from their text: reading one costs OpenSSL half a millisecond, and a server needs one for each
/// message.
final class KeyCache: Sendable {
    private let keys = Mutex<[String: PublicKey]>([:])
    /// A key takes some 4 KiB with its contexts: 48 MiB at most, where so many peers are at work.
    private static let maximum = 12_288

    /// The key in `pem`; `nil` when it is none.
    func key(_ pem: String) -> PublicKey? {
        keys.withLock { keys in
            if let known = keys[pem] { return known }
            guard let key = try? PublicKey(pem: pem) else { return nil }
            // Which one goes does not matter: it is read again when it is needed.
            if keys.count >= Self.maximum, let any = keys.keys.first { keys[any] = nil }
            keys[pem] = key
            return key
        }
    }
}
