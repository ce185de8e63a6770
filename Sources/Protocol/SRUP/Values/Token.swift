import ObservedValue

/// Ties the messages of one conversation together: opaque bytes, in practice the 36 characters of a random UUID.
public struct Token: Hashable, Sendable, CustomStringConvertible {
    /// 1 to 65 535 bytes.
    public let bytes: [UInt8]

    /// `nil` when `bytes` is empty or longer than a 16-bit length can say.
    public init?(_ bytes: [UInt8]) {
        guard (1...0xFFFF).contains(bytes.count) else { return nil }
        self.bytes = bytes
    }

    /// `nil` when `text` is empty or longer than 65 535 bytes of UTF-8.
    public init?(_ text: String) {
        self.init(Array(text.utf8))
    }

    /// A fresh version 4 UUID in lower-case text with hyphens, from the system's generator.
    public static func random() -> Token {
        var generator = SystemRandomNumberGenerator()
        let high = generator.next() & ~0xF000 | 0x4000
        let low = generator.next() & ~(0b11 << 62) | 0b10 << 62
        var text: [UInt8] = []
        for index in 0..<32 {
            if [8, 12, 16, 20].contains(index) { text.append(UInt8(ascii: "-")) }
            let word = index < 16 ? high : low
            text.append(Hex.digits[Int(word >> (60 - 4 * UInt64(index % 16)) & 15)])
        }
        return Token(unchecked: text)
    }

    private init(unchecked bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The token as text when it is printable ASCII (it always is between well-behaved peers).
    public var text: String? {
        bytes.allSatisfy { (0x20...0x7E).contains($0) } ? String(decoding: bytes, as: UTF8.self) : nil
    }

    /// The text, or `hex:` and the bytes; at most 80 characters, so that a peer cannot fill a log with it.
    public var description: String {
        let whole = text ?? "hex:" + Hex.encode(bytes.prefix(40))
        return whole.utf8.count <= 80 ? whole : String(whole.prefix(77)) + "..."
    }
}
