/// One code in a picture.
public struct Reading: Sendable, Hashable {
    public struct Point: Sendable, Hashable {
        /// In pixels from the left and from the top.
        public let x, y: Int

        public init(x: Int, y: Int) {
            self.x = x
            self.y = y
        }
    }

    /// What the code says; at most ``CodeReader/maximumLength`` bytes.
    public let value: [UInt8]
    public let symbology: Symbology
    /// Of a QR code and of a Data Matrix its corners; of a linear code those of the box around its scan lines.
    public let corners: [Point]
    /// It says by the function character FNC1 that it holds an application's data, mostly GS1's: numbers of goods, parcels
    /// and stamps.
    public let isGS1: Bool

    public init(value: [UInt8], symbology: Symbology, corners: [Point], isGS1: Bool = false) {
        self.value = value
        self.symbology = symbology
        self.corners = corners
        self.isGS1 = isGS1
    }

    /// The 128-bit value, when the code holds one; a GS1 symbol holds none.
    public var candidate: [UInt8]? { isGS1 ? nil : Self.candidate(in: value) }

    /// The 128-bit value that a text is, in the form that devices show: exactly 32 hexadecimal digits in either case, or the
    /// same with hyphens as in a UUID (8-4-4-4-12), white space around them ignored; otherwise `nil`.
    public static func candidate(in text: [UInt8]) -> [UInt8]? {
        let blank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        guard let first = text.firstIndex(where: { !blank($0) }), let last = text.lastIndex(where: { !blank($0) }),
            case let form = text[first...last], form.count == 32 || form.count == 36
        else { return nil }
        var digits: [UInt8] = []
        for (place, character) in form.enumerated() {
            if form.count == 36, [8, 13, 18, 23].contains(place) {
                guard character == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = digit(character) else { return nil }
            digits.append(digit)
        }
        return (0..<16).map { digits[2 * $0] << 4 | digits[2 * $0 + 1] }
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension Reading {
    init(_ text: SymbolDecoder.Text, symbology: Symbology, corners: [Point]) {
        self.init(value: text.value, symbology: symbology, corners: corners, isGS1: text.isGS1)
    }

    /// The same, seen in a part or in a copy: its corners are moved.
    func moved(_ move: (Point) -> Point) -> Reading {
        Reading(value: value, symbology: symbology, corners: corners.map(move), isGS1: isGS1)
    }

    /// Whether both say the same, in the same kind of code.
    func isSame(as other: Reading) -> Bool { value == other.value && symbology == other.symbology }
}

extension [Reading] {
    /// Adds those that are not in it, as long as there is room.
    mutating func add(_ others: [Reading]) {
        for other in others where count < CodeReader.mostReadings && !contains(where: other.isSame) { append(other) }
    }
}
