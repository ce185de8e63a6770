/// A 128-bit value as somebody shows it: in a code, on a tag, by a tap. Whether it is the nonce only the keeper can tell.
///
/// One grammar for all ways of showing it: 32 hexadecimal digits, or the same as 8-4-4-4-12 with hyphens as in a UUID, in
/// either case; white space around it (ASCII: space, tab, line ends) is ignored.
public struct ObservedValue: Sendable, Hashable {
    /// Size in bytes.
    public static let size = 16

    /// 16 bytes.
    public let bytes: [UInt8]

    /// `nil` unless there are exactly 16 bytes.
    public init?(bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        guard bytes.count == Self.size else { return nil }
        self.bytes = bytes
    }

    /// `nil` when the text is anything else than a value.
    ///
    /// - Parameter text: ASCII, as bytes; any length.
    public init?(text: some Sequence<UInt8>) {
        let text = Array(text)
        guard let first = text.firstIndex(where: { !Self.isSpace($0) }),
            let last = text.lastIndex(where: { !Self.isSpace($0) }),
            case let form = text[first...last], form.count == 32 || form.count == 36
        else { return nil }
        var digits: [UInt8] = []
        for (place, character) in form.enumerated() {
            if form.count == 36, Self.hyphens.contains(place) {
                guard character == UInt8(ascii: "-") else { return nil }
                continue
            }
            digits.append(character)
        }
        guard let bytes = Hex.decode(digits) else { return nil }
        self.init(bytes: bytes)
    }

    /// Where the hyphens of a UUID stand.
    private static let hyphens = [8, 13, 18, 23]

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    /// 32 lower-case hexadecimal digits.
    public var hex: String { Hex.encode(bytes) }

    /// All of its hexadecimal digits are decimal: more often a parcel's number than a nonce (of random nonces one in three
    /// million has no letter).
    public var isDecimal: Bool { bytes.allSatisfy { $0 >> 4 < 10 && $0 & 15 < 10 } }
}
