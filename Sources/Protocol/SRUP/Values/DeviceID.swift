import ObservedValue

/// The 64-bit identity of a participant (device, observer or server), chosen by itself at registration.
///
/// On the wire it is eight bytes, least significant first. Everywhere else (MQTT topic, key service, certificate
/// common name) it is its lower-case hexadecimal text without `0x` and without leading zeros: at most 16 digits.
public struct DeviceID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The identity as an integer.
    public let value: UInt64

    /// Any 64-bit value is a legal identity on the wire.
    public init(_ value: UInt64) {
        self.value = value
    }

    /// Reads the canonical text form: 1 to 16 lower-case hexadecimal digits with no leading zero (`0` alone is zero).
    ///
    /// Other spellings of the same number are refused, since the text is also a topic and a certificate's name:
    /// two spellings would be two different names there.
    public init?(hex: some StringProtocol) {
        let digits = Array(hex.utf8)
        guard (1...16).contains(digits.count), digits.count == 1 || digits[0] != UInt8(ascii: "0") else { return nil }
        var value: UInt64 = 0
        for digit in digits {
            guard let nibble = Hex.lowercaseNibble(digit) else { return nil }
            value = value << 4 | UInt64(nibble)
        }
        self.value = value
    }

    /// Whether it is 0, which nobody can have: identities are made of random UUIDs of version 4, and 0 is what is left when
    /// one is forgotten. No message from it is believed, since nobody registers it.
    public var isNobodys: Bool { value == 0 }

    /// Reads the canonical text form of somebody's identity: ``init(hex:)``, and not 0.
    public init?(participant text: some StringProtocol) {
        self.init(hex: text)
        if isNobodys { return nil }
    }

    /// A new identity the way the reference makes one: the top 64 bits of a random version 4 UUID.
    public static func random() -> DeviceID {
        var generator = SystemRandomNumberGenerator()
        let bits = generator.next()
        return DeviceID(bits & ~0xF000 | 0x4000)
    }

    /// The canonical text form.
    public var hex: String { String(value, radix: 16) }
    /// The canonical text form, as ``hex``.
    public var description: String { hex }

    /// Compares the identities as integers.
    public static func < (left: DeviceID, right: DeviceID) -> Bool { left.value < right.value }
}
