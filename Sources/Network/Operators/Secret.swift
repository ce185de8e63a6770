import COpenSSL
import SRUP

/// Random values that are shown once and stored as their hash.
enum Secret {
    /// In bytes.
    static let size = 32

    /// From OpenSSL's generator, which the kernel seeds.
    static func random(_ count: Int = size) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        // RAND_bytes fails only when the system has no entropy source at all; nothing safe can follow that.
        precondition(RAND_bytes(&bytes, Int32(count)) == 1, "no random numbers from the system")
        return bytes
    }

    /// What is stored of one: it has 256 bits, so that a plain hash cannot be searched.
    static func hash(_ text: String) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let bytes = Array(text.utf8)
        _ = SHA256(bytes, bytes.count, &digest)
        return digest
    }

    static func authenticate(_ text: String, by key: [UInt8]) -> [UInt8] {
        var (digest, length) = ([UInt8](repeating: 0, count: 32), 0)
        let bytes = Array(text.utf8)
        let done = EVP_Q_mac(
            nil, "HMAC", nil, "SHA256", nil, key, key.count, bytes, bytes.count, &digest, digest.count, &length)
        precondition(done != nil && length == digest.count, "OpenSSL has no HMAC with SHA-256")
        return digest
    }

    /// Takes the same time whatever the bytes are.
    static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }

    // MARK: base64url without padding (RFC 4648, 5)

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// How many characters 32 bytes take.
    static let textCount = 43

    static func text(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var (bits, count) = (UInt32(0), 0)
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count) & 63)])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Whether it may be one: nothing else is looked up.
    static func isText(_ text: some StringProtocol) -> Bool {
        text.utf8.count == textCount && text.utf8.allSatisfy(alphabet.contains)
    }
}

/// Makes and checks the tokens that a session's forms carry, so that no foreign page can send one in its name.
public struct FormKey: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    let bytes: [UInt8]

    /// The token of the form for `purpose`.
    public func token(for purpose: String) -> String { Secret.text(Secret.authenticate(purpose, by: bytes)) }

    /// Whether `token` is that of the form for `purpose`; takes the same time whatever it is.
    public func isToken(_ token: String, for purpose: String) -> Bool {
        Secret.areEqual(Array(token.utf8), Array(self.token(for: purpose).utf8))
    }

    /// Nothing of the key.
    public var description: String { "<form key>" }
    /// Without children, so that `dump` shows nothing of the key.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
