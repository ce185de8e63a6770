import COpenSSL
import ObservedValue

/// The secret 128-bit value that the joining device shows and the observer looks for.
///
/// Held in memory only, overwritten when the last copy goes, compared in constant time; printing or logging it shows
/// nothing of it. It travels as 32 hexadecimal characters (see ``Envelope``).
public struct Nonce: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// Size in bytes.
    public static let size = 16
    private let secret: SecretBytes

    /// 128 bits from OpenSSL's generator, which the kernel seeds.
    public static func random() -> Nonce {
        Nonce(
            SecretBytes(capacity: size) { buffer in
                // RAND_bytes fails only when the system has no entropy source at all; nothing safe can follow that.
                precondition(RAND_bytes(buffer.baseAddress, Int32(size)) == 1, "no random numbers from the system")
                return size
            })
    }

    /// Reads exactly 32 hexadecimal characters in either case; `nil` for anything else.
    public init?(hex: UnsafeRawBufferPointer) {
        guard hex.count == 2 * Nonce.size else { return nil }
        var valid = true
        let secret = SecretBytes(capacity: Nonce.size) { buffer in
            for index in 0..<Nonce.size {
                let high = Hex.nibble(hex[2 * index])
                let low = Hex.nibble(hex[2 * index + 1])
                valid = valid && high != nil && low != nil
                buffer[index] = (high ?? 0) << 4 | (low ?? 0)
            }
            return Nonce.size
        }
        guard valid else { return nil }
        self.secret = secret
    }

    /// Reads exactly 32 hexadecimal characters in either case; `nil` for anything else.
    public init?(hex: String) {
        var hex = hex
        guard let nonce = hex.withUTF8({ Nonce(hex: UnsafeRawBufferPointer($0)) }) else { return nil }
        self = nonce
    }

    /// `nil` unless there are exactly 16 bytes.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Nonce.size else { return nil }
        secret = SecretBytes(capacity: Nonce.size) { buffer in
            buffer.copyBytes(from: bytes)
            return Nonce.size
        }
    }

    private init(_ secret: SecretBytes) {
        self.secret = secret
    }

    /// Whether `seen` is this value; takes the same time whatever the bytes are.
    public func matches(_ seen: some Collection<UInt8>) -> Bool {
        guard let other = Nonce(bytes: seen) else { return false }
        return self == other
    }

    /// Lends the 16 bytes.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try secret.withBytes(body)
    }

    /// Lends the 32 lower-case hexadecimal characters as bytes and overwrites them afterwards.
    public func withHex<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let text = SecretBytes(capacity: 2 * Nonce.size) { buffer in
            secret.withBytes { bytes in
                for (index, byte) in bytes.enumerated() {
                    buffer[2 * index] = Hex.digits[Int(byte >> 4)]
                    buffer[2 * index + 1] = Hex.digits[Int(byte & 15)]
                }
            }
            return 2 * Nonce.size
        }
        return try text.withBytes(body)
    }

    /// Whether both are the same value; takes the same time whatever the bytes are.
    public static func == (left: Nonce, right: Nonce) -> Bool {
        left.secret.withBytes { a in
            right.secret.withBytes { b in CRYPTO_memcmp(a.baseAddress, b.baseAddress, size) == 0 }
        }
    }

    /// The same text for every nonce, so that none gets into a log.
    public var description: String { "<nonce>" }
    /// Without children, so that `dump` shows nothing of the nonce.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
