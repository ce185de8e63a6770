/// Hexadecimal text and bytes.
public enum Hex {
    /// The value of one hexadecimal digit, a letter in lower case only, or `nil`.
    public static func lowercaseNibble(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    /// The value of one hexadecimal digit in either case, or `nil`.
    public static func nibble(_ character: UInt8) -> UInt8? {
        switch character {
        // Not the bit of the case cleared in whatever it is: that would make digits of control characters.
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: lowercaseNibble(character)
        }
    }

    /// Decodes an even number of hexadecimal digits in either case; `nil` for anything else.
    public static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text {
            guard let value = nibble(character) else { return nil }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return high == nil ? bytes : nil
    }

    /// Decodes an even number of hexadecimal digits in either case; `nil` for anything else.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? { decode(text.utf8) }

    /// Lower-case hexadecimal text of `bytes`.
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The characters of the digits from 0 to 15, in lower case.
    public static let digits = Array("0123456789abcdef".utf8)
}
