/// A word of the acceptance check, held before an observer's eyes as a code or tapped: what somebody at the box says who has
/// neither keyboard nor network.
///
/// As text `SRUPACCEPT` and the word in capitals. It is far shorter than the 32 hexadecimal digits of a value and begins with
/// a letter that is no such digit, so that no ``ObservedValue`` is ever made of it: to a watch it is nothing, neither the nonce
/// nor another device's. Witnesses speak of it only when their keeper has asked for it (`[appliance] acceptance`).
public enum SheetCommand: String, Sendable, Hashable, CaseIterable, Codable {
    /// Begin the check, or go on with it.
    case begin
    /// What was asked for has been done: check this step.
    case check
    /// Leave this step out.
    case skip
    /// Somebody has seen it himself and says so.
    case seen
    /// Stop here; go on another time.
    case end

    private static let prefix = "SRUPACCEPT"

    /// What the code or the tag holds: capitals alone, which need the smallest code.
    public var text: String { Self.prefix + rawValue.uppercased() }

    /// `nil` for any other text. Either case, since people type it on a phone; ASCII white space around it is ignored.
    ///
    /// - Parameter text: ASCII, as bytes; any length.
    public init?(text: some Sequence<UInt8>) {
        var bytes: [UInt8] = []
        for byte in text {
            // No text of ours is so long, whatever white space is around it.
            guard bytes.count < 64 else { return nil }
            bytes.append((0x61...0x7A).contains(byte) ? byte - 0x20 : byte)
        }
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        guard let first = bytes.firstIndex(where: { !isSpace($0) }),
            let last = bytes.lastIndex(where: { !isSpace($0) }),
            let found = Self.allCases.first(where: { $0.text.utf8.elementsEqual(bytes[first...last]) })
        else { return nil }
        self = found
    }
}

/// Another device's value on paper: what is held up to see that an observer answers INVALID, where no second device is at hand.
public enum OtherValue {
    /// The ASCII characters `SRUPANOTHERVALUE`; a random nonce is that in one of 10³⁸ cases.
    public static let bytes = Array("SRUPANOTHERVALUE".utf8)
}
