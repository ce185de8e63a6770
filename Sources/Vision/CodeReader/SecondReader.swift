import Geometry
import Luma

/// zbar as a second reader of QR codes: it gets the parts of a picture where finder patterns are that gave no text.
///
/// Its search is much weaker than ours, and what it reads alone is little: of 167 photographs of the corpus none, of 480
/// drawn scenes one (a reflection over the symbol); five more as streams a few frames before ours. What it is here for as
/// much is to contradict.
///
/// Not safe to use from several threads.
final class SecondReader {
    /// A part is drawn with modules of about so many pixels: zbar reads smaller ones badly, and larger ones cost time.
    private static let module: Float = 3
    /// And is at most so large, in pixels on a side.
    private static let maximumSide = 400
    /// Three patterns with modules of that size have some thirty lines; what is more comes from data, and from tricks.
    static let maximumLines = 54

    private let scanner = ZbarScanner([.qr])
    private let lines = FinderLineCount()
    private let pixels = Scratch<UInt8>(0)

    /// A place where a symbol is or may be.
    struct Part {
        /// A box around it, in pixels.
        var low, high: Place
        /// Size of a module, in pixels.
        var module: Float
        var isInverted: Bool
    }

    /// The QR codes in a part of a picture, and for no longer than some milliseconds.
    ///
    /// - Parameter isCoarse: with modules half as large, so that gaps between them close.
    func read(_ plane: LumaPlane, _ part: Part, isCoarse: Bool = false) -> [Reading] {
        guard let (cut, origin) = plane.part(from: part.low, to: part.high) else { return [] }
        let side = max(cut.width, cut.height)
        let wanted = max(part.module > 0 && part.module < 1000 ? Int(part.module / Self.module) : 1, 1)
        let factor = max(wanted * (isCoarse ? 2 : 1), (side + Self.maximumSide - 1) / Self.maximumSide)
        let (width, height) = (cut.width / factor, cut.height / factor)
        guard min(width, height) >= Pyramid.smallestSide else { return [] }
        let copy = pixels.atLeast(width * height)
        cut.reduce(by: factor, into: copy)
        if part.isInverted { for index in 0..<width * height { copy[index] = ~copy[index] } }
        let small = LumaPlane(base: copy, width: width, height: height, stride: width)
        guard lines.isAtMost(Self.maximumLines, small) else { return [] }
        return scanner.scan(small).map { $0.moved(scale: Float(factor), to: origin) }
    }

    /// Of a whole picture, zbar gets a copy with at most so many lines.
    private static let maximumWholeLines = 4 * maximumLines

    /// The QR codes in a whole picture, where zbar is the only reader: in the largest copy of it that cannot cost seconds, and in
    /// smaller ones until something is read.
    func read(_ plane: LumaPlane) -> [Reading] {
        var factor = 1
        while min(plane.width, plane.height) / factor >= Pyramid.smallestSide {
            defer { factor *= 2 }
            let (width, height) = (plane.width / factor, plane.height / factor)
            let pixels = pixels.atLeast(width * height)
            plane.reduce(by: factor, into: pixels)
            let copy = LumaPlane(base: pixels, width: width, height: height, stride: width)
            guard lines.isAtMost(Self.maximumWholeLines, copy) else { continue }
            let readings = scanner.scan(copy)
            if !readings.isEmpty { return readings.map { $0.moved(scale: Float(factor), to: .zero) } }
        }
        return []
    }

    /// Whether two readers cannot both be right about a symbol.
    ///
    /// What is no ASCII may be the same in another character set.
    static func contradicts(_ one: Reading, _ other: Reading) -> Bool {
        guard one.value != other.value else { return false }
        if one.candidate != nil || other.candidate != nil { return one.candidate != other.candidate }
        return !(one.value + other.value).contains { $0 >= 0x80 }
    }
}

extension SecondReader.Part {
    /// Of light ground about a symbol, in modules: the quiet zone of four, and one more.
    private static let margin: Float = 5

    /// What is needed to read a symbol, and a margin about it.
    init(_ symbol: QRFindings.Symbol) {
        let box = symbol.grid.corners.bounds ?? (.zero, .zero)
        let margin = Place(repeating: Self.margin * symbol.module)
        (low, high) = (box.low - margin, box.high + margin)
        module = symbol.module
        isInverted = symbol.isInverted
    }

    /// All that the symbol may cover of which two finder patterns are known.
    init(_ hint: QRFindings.Hint) {
        let places = hint.aim.corners
        let middle = (places[0] + places[2]) / 2
        let reach = Place(repeating: (places[2] - places[0]).length * 0.9 + Self.margin * hint.aim.module)
        (low, high) = (middle - reach, middle + reach)
        module = hint.aim.module
        isInverted = hint.isInverted
    }
}

extension [SecondReader.Part] {
    /// Without those that lie in the middle of one before.
    var distinct: [SecondReader.Part] {
        var kept: [SecondReader.Part] = []
        for part in self {
            let middle = (part.low + part.high) / 2
            let isKnown = kept.contains { (($0.low + $0.high) / 2 - middle).length < 0.2 * ($0.high - $0.low).length }
            if !isKnown { kept.append(part) }
        }
        return kept
    }
}

extension QRFindings.Symbol {
    /// Whether a reading is of this symbol: its middle lies on it.
    func isPlace(of reading: Reading) -> Bool { covers(reading.corners) }

    /// Whether the middle of what is aimed at lies on it.
    func covers(_ aim: Aim) -> Bool { covers(aim.corners) }

    private func covers(_ corners: [Place]) -> Bool {
        !corners.isEmpty && ConvexArea(corners: grid.corners).contains(corners.middle)
    }
}
