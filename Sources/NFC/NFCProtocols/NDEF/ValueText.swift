/// How a 128-bit value is written: 32 hexadecimal digits, or the same as 8-4-4-4-12 with hyphens, in either case; white space
/// around it (ASCII: space, tab, line ends) is ignored. Whatever shows a value, by code or by tap, is read by this rule.
public enum ValueText {
    /// The 16 bytes; `nil` when the text is anything else.
    ///
    /// - Parameter text: ASCII, as bytes.
    public static func value(_ text: some Sequence<UInt8>) -> [UInt8]? {
        let bytes = Array(text)
        guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) })
        else { return nil }
        let word = bytes[first...last]
        guard word.count == 32 || word.count == 36 else { return nil }
        let digits: [UInt8]
        if word.count == 36 {
            let hyphens = [8, 13, 18, 23].map { word.startIndex + $0 }
            guard hyphens.allSatisfy({ word[$0] == UInt8(ascii: "-") }) else { return nil }
            digits = word.indices.filter { !hyphens.contains($0) }.map { word[$0] }
        } else {
            digits = Array(word)
        }
        let nibbles = digits.compactMap(nibble)
        guard digits.count == 32, nibbles.count == 32 else { return nil }
        return stride(from: 0, to: 32, by: 2).map { nibbles[$0] << 4 | nibbles[$0 + 1] }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}
