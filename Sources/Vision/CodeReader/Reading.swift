import Geometry
import ObservedValue

/// One code in a picture.
public struct Reading: Sendable, Hashable {
    /// What the code says; at most ``CodeReader/maximumLength`` bytes.
    public let value: [UInt8]
    /// The kind of code.
    public let symbology: Symbology
    /// Of a QR code and of a Data Matrix its corners; of a linear code those of the box around its scan lines. They may lie
    /// outside of the picture, as those of a code that reaches over the edge, and are at most a million pixels away.
    public let corners: [Place]
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
    public init(value: [UInt8], symbology: Symbology, corners: [Place], isGS1: Bool = false) {
        self.value = value
        self.symbology = symbology
        self.corners = corners.map(\.bounded)
        self.isGS1 = isGS1
    }

    /// The 128-bit value, when the code holds one; a GS1 symbol holds none.
    public var candidate: [UInt8]? { isGS1 ? nil : ObservedValue(text: value)?.bytes }

    /// The word of the acceptance check that it is; only a QR code can be one.
    public var command: SheetCommand? { symbology == .qr && !isGS1 ? SheetCommand(text: value) : nil }
}

extension Reading {
    init(_ text: SymbolDecoder.Text, symbology: Symbology, corners: [Place]) {
        self.init(value: text.value, symbology: symbology, corners: corners, isGS1: text.isGS1)
    }

    /// The same in the whole, when it was seen in a part or in a copy of it.
    ///
    /// - Parameters:
    ///   - scale: pixels of the whole for a pixel of the copy.
    ///   - origin: where the part begins in the whole.
    func moved(scale: Float = 1, to origin: Place) -> Reading {
        Reading(value: value, symbology: symbology, corners: corners.map { $0 * scale + origin }, isGS1: isGS1)
    }

    /// Whether both say the same, in the same kind of code.
    func isSame(as other: Reading) -> Bool { value == other.value && symbology == other.symbology }
}

extension [Reading] {
    /// Adds those that are not in it, as long as there is room.
    mutating func add(_ others: [Reading]) {
        for other in others where count < CodeReader.maximumReadings && !contains(where: other.isSame) { append(other) }
    }
}
