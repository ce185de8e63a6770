/// What data codewords say (ISO/IEC 16022, 5.2): ASCII, and five other encodations that it switches to.
///
/// Character sets (extended channel interpretations) are passed over: the bytes are given as they are.
package struct CodewordText {
    /// At most some thousands: a symbol holds 1558 codewords, a codeword says two characters at most.
    package private(set) var bytes: [UInt8] = []

    /// FNC1 in first position, or in second: an application's data, in its own form (ISO/IEC 16022, 5.2.4.6).
    package private(set) var isGS1 = false

    private let codewords: [UInt8]
    private var position = 0
    /// Codewords in front that say which of several symbols this is.
    private var preamble = 0
    /// A macro's last characters.
    private var trailer: [UInt8] = []
    /// The next character is one of the upper half.
    private var isUpper = false

    private static let groupSeparator: UInt8 = 0x1D

    /// `nil` when they say what cannot be, or nothing.
    package init?(_ codewords: [UInt8]) {
        self.codewords = codewords
        while let codeword = next(), codeword != 129 {  // the rest is padding
            guard ascii(codeword) else { return nil }
        }
        bytes += trailer
        guard !bytes.isEmpty else { return nil }
    }

    private var left: Int { codewords.count - position }

    private mutating func next() -> UInt8? {
        guard position < codewords.count else { return nil }
        position += 1
        return codewords[position - 1]
    }

    private mutating func append(_ character: UInt8) {
        bytes.append(isUpper ? character | 0x80 : character)
        isUpper = false
    }

    // MARK: ASCII

    private mutating func ascii(_ codeword: UInt8) -> Bool {
        switch codeword {
        case 1...128: append(codeword - 1)
        case 130...229:
            append(UInt8(ascii: "0") + (codeword - 130) / 10)
            append(UInt8(ascii: "0") + (codeword - 130) % 10)
        case 230: return triples(Self.c40)
        case 231: return base256()
        case 232:
            // FNC1 in front says what kind of data follows; elsewhere it separates fields.
            if position == preamble + 1 {
                isGS1 = true
            } else {
                isGS1 = isGS1 || position == preamble + 2
                append(Self.groupSeparator)
            }
        case 233:
            // A part of several symbols, read for itself: which one, and of which file.
            guard left >= 3 else { return false }
            if position == 1 { preamble = 4 }
            position += 3
        case 234:
            // The text sets up a reader: what it means to that one is not ours to know.
            guard position == 1 else { return false }
            preamble = 1
        case 235: isUpper = true
        case 236, 237:
            // A macro stands in front.
            guard position == 1 else { return false }
            bytes = Array((codeword == 236 ? "[)>\u{1E}05\u{1D}" : "[)>\u{1E}06\u{1D}").utf8)
            trailer = [0x1E, 0x04]
        case 238: return triples(Self.x12)
        case 239: return triples(Self.text)
        case 240: edifact()
        case 241:
            guard let first = next(), first > 0 else { return false }
            let more = first < 128 ? 0 : first < 192 ? 1 : 2
            guard left >= more else { return false }
            position += more
        default: return false  // 0, and what is not defined
        }
        return true
    }

    // MARK: C40, Text and X12: three values in two codewords

    private enum Meaning {
        case character(UInt8)
        case shift(Int)
        case upper
        case separator
        case nothing
    }

    private static let digits = characters(48...57)
    private static let c40 = sets(letters: characters(65...90), others: characters(96...127))
    private static let text = sets(
        letters: characters(97...122), others: characters(96...96) + characters(65...90) + characters(123...127))
    private static let x12: [[Meaning]] = [
        [.character(13), .character(42), .character(62), .character(32)] + digits + characters(65...90)
    ]

    private static func characters(_ range: ClosedRange<UInt8>) -> [Meaning] {
        range.map { (character: UInt8) -> Meaning in .character(character) }
    }

    /// What values from 0 to 39 mean: those of the basic set, then those of the three shifts.
    private static func sets(letters: [Meaning], others: [Meaning]) -> [[Meaning]] {
        let basic: [Meaning] = [.shift(1), .shift(2), .shift(3), .character(32)]
        let special: [Meaning] = [.separator, .nothing, .nothing, .upper]
        return [
            basic + digits + letters, characters(0...31),
            characters(33...47) + characters(58...64) + characters(91...95) + special, others,
        ]
    }

    private mutating func triples(_ sets: [[Meaning]]) -> Bool {
        var shift = 0
        while left > 0 {
            if codewords[position] == 254 {
                position += 1
                return true
            }
            // A single codeword at the end is ASCII.
            guard left >= 2 else { return true }
            let packed = Int(codewords[position]) << 8 + Int(codewords[position + 1]) - 1
            position += 2
            guard packed >= 0 else { return false }
            for value in [packed / 1600, packed / 40 % 40, packed % 40] {
                guard value < sets[shift].count else { return false }
                let meaning = sets[shift][value]
                shift = 0
                switch meaning {
                case .character(let character): append(character)
                case .shift(let set): shift = set
                case .upper: isUpper = true
                case .separator: append(Self.groupSeparator)
                case .nothing: return false
                }
            }
        }
        return true
    }

    // MARK: EDIFACT: four characters in three codewords

    private mutating func edifact() {
        // Two codewords or less at the end are ASCII.
        while left >= 3 {
            let start = position
            var packed = 0
            for codeword in codewords[start..<start + 3] { packed = packed << 8 | Int(codeword) }
            for index in 0..<4 {
                let value = UInt8(packed >> (18 - 6 * index) & 0x3F)
                if value == 31 {
                    // Back to ASCII, with the next whole codeword.
                    position = start + min(index + 1, 3)
                    return
                }
                append(value & 0x20 == 0 ? value | 0x40 : value)
            }
            position = start + 3
        }
    }

    // MARK: Base 256: bytes as they are

    private mutating func base256() -> Bool {
        guard let first = byte() else { return false }
        var count = Int(first)
        if first == 0 {
            count = left
        } else if first >= 250 {
            guard let second = byte() else { return false }
            count = 250 * (count - 249) + Int(second)
        }
        guard count <= left else { return false }
        for _ in 0..<count {
            guard let byte = byte() else { return false }
            bytes.append(byte)
        }
        return true
    }

    /// Their codewords have a number added that depends on the place (annex B.2).
    private mutating func byte() -> UInt8? {
        guard let codeword = next() else { return nil }
        return codeword &- UInt8(149 * position % 255 + 1)
    }
}
