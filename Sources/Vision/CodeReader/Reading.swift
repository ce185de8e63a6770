import ObservedValue

/// One code in a picture.
public struct Reading: Sendable, Hashable {
    /// A place in a picture; it may lie outside of it, as a corner of a code that reaches over the edge.
    public struct Point: Sendable, Hashable {
        /// In pixels from the left and from the top.
        public let x, y: Int

        /// A place in pixels from the left and from the top.
        public init(x: Int, y: Int) {
            self.x = x
            self.y = y
        }
    }

    /// What the code says; at most ``CodeReader/maximumLength`` bytes.
    public let value: [UInt8]
    /// The kind of code.
    public let symbology: Symbology
    /// Of a QR code and of a Data Matrix its corners; of a linear code those of the box around its scan lines.
    public let corners: [Point]
    /// It says by the function character FNC1 that it holds an application's data, mostly GS1's: numbers of goods, parcels
    /// and stamps.
    public let isGS1: Bool

    /// A code that was read.
    ///
    /// - Parameters:
    ///   - value: what it says, in bytes.
    ///   - symbology: what kind of code it is.
    ///   - corners: in pixels of the picture, see ``corners``.
    ///   - isGS1: whether FNC1 says that it holds an application's data.
    public init(value: [UInt8], symbology: Symbology, corners: [Point], isGS1: Bool = false) {
        self.value = value
        self.symbology = symbology
        self.corners = corners
        self.isGS1 = isGS1
    }

    /// The 128-bit value, when the code holds one; a GS1 symbol holds none.
    public var candidate: [UInt8]? { isGS1 ? nil : ObservedValue(text: value)?.bytes }
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
