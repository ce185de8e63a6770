import CZbar
import Luma

/// The kinds of code that are read.
public enum Symbology: String, Sendable, CaseIterable {
    case qr
    case dataMatrix = "datamatrix"
    case code128, code93, code39

    /// Bars beside one another.
    public static let linear: Set<Symbology> = [.code128, .code93, .code39]

    init?(_ type: zbar_symbol_type_t) {
        switch type {
        case ZBAR_QRCODE: self = .qr
        case ZBAR_CODE128: self = .code128
        case ZBAR_CODE93: self = .code93
        case ZBAR_CODE39: self = .code39
        default: return nil
        }
    }

    /// `nil` for those that zbar does not read.
    var zbar: zbar_symbol_type_t? {
        switch self {
        case .qr: ZBAR_QRCODE
        case .dataMatrix: nil
        case .code128: ZBAR_CODE128
        case .code93: ZBAR_CODE93
        case .code39: ZBAR_CODE39
        }
    }
}

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
    /// Of a QR code its corners; of a linear code points along its scan lines.
    public let corners: [Point]

    public init(value: [UInt8], symbology: Symbology, corners: [Point]) {
        self.value = value
        self.symbology = symbology
        self.corners = corners
    }

    /// The 128-bit value, when the code holds one: exactly 32 hexadecimal digits in either case, with or without
    /// hyphens, white space around them ignored.
    public var candidate: [UInt8]? { Self.candidate(in: value) }

    static func candidate(in text: [UInt8]) -> [UInt8]? {
        let blank: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        var digits: [UInt8] = []
        for character in text.trimming(while: blank) {
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digits.append(character - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digits.append(character - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digits.append(character - UInt8(ascii: "A") + 10)
            case UInt8(ascii: "-") where !digits.isEmpty && digits.count < 32: continue
            default: return nil
            }
            guard digits.count <= 32 else { return nil }
        }
        guard digits.count == 32 else { return nil }
        return (0..<16).map { digits[2 * $0] << 4 | digits[2 * $0 + 1] }
    }
}

extension Collection where Element == UInt8, Self: BidirectionalCollection {
    fileprivate func trimming(while blank: (UInt8) -> Bool) -> SubSequence {
        guard let first = firstIndex(where: { !blank($0) }), let last = lastIndex(where: { !blank($0) }) else {
            return self[endIndex...]
        }
        return self[first...last]
    }
}

/// Reads codes in grey pictures. Not safe to use from several threads: one reader per thread.
public final class CodeReader {
    /// Longer values are cut off the list: no code that matters is longer, and a hostile one may be.
    public static let maximumLength = 4096
    /// More codes than this in one picture are not looked at.
    public static let mostReadings = 64

    /// Work for one picture, in units of ``WorkBudget``: some tens of milliseconds at most.
    private static let units = 20_000_000

    private let enlarger = Enlarger()
    private let search: QRSearch?
    /// For linear codes.
    private let scanner: ZbarScanner?
    private let symbologies: Set<Symbology>

    /// - Parameter symbologies: what to look for; fewer is faster.
    public init(_ symbologies: Set<Symbology> = Set(Symbology.allCases)) {
        let linear = symbologies.intersection(Symbology.linear)
        search = symbologies.contains(.qr) ? QRSearch(.still) : nil
        scanner = linear.isEmpty ? nil : ZbarScanner(linear)
        self.symbologies = symbologies
    }

    /// The codes in the picture, each once: QR codes by this project's own search, from the cheapest way of looking to the
    /// dearest until one finds some (of what it misses zbar reads no QR code either: measured); others where no QR code is.
    ///
    /// - Parameter isThorough: do not stop at the first way of looking that finds something: there may be smaller QR codes,
    ///   and linear codes beside them.
    public func read(_ plane: LumaPlane, isThorough: Bool = false) -> [Reading] {
        var found = search.map { codes(plane, $0, isThorough) } ?? []
        guard found.isEmpty || isThorough else { return found }
        found += scanner?.scan(plane) ?? []
        guard found.isEmpty else { return Array(found.prefix(Self.mostReadings)) }
        if symbologies.contains(.dataMatrix), case let symbols = Reading.dataMatrix(plane).readings, !symbols.isEmpty {
            return symbols
        }
        guard let scanner else { return [] }
        return LinearLocator.read(plane, scan: scanner.scan)
    }

    private func codes(_ plane: LumaPlane, _ search: QRSearch, _ isThorough: Bool) -> [Reading] {
        var budget = WorkBudget(Self.units)
        let found = codes(plane, search, isThorough, &budget)
        guard found.isEmpty, let large = enlarger.enlarged(plane) else { return found }
        budget = WorkBudget(Self.units)
        let (factor, margin) = (Enlarger.factor, Enlarger.margin)
        return codes(large, search, isThorough, &budget).map { reading in
            let corners = reading.corners.map {
                Reading.Point(x: ($0.x - margin) / factor, y: ($0.y - margin) / factor)
            }
            return Reading(value: reading.value, symbology: reading.symbology, corners: corners)
        }
    }

    private func codes(
        _ plane: LumaPlane, _ search: QRSearch, _ isThorough: Bool, _ budget: inout WorkBudget
    ) -> [Reading] {
        var findings = QRFindings()
        search.begin(plane)
        defer { search.end() }
        let levels = QRSearch.levels(width: plane.width, height: plane.height)
        for isSharpened in [false, true] {
            for level in levels {
                budget.lend(budget.left / 2) {
                    findings.add(search.look(.init(level: level, isSharpened: isSharpened), &$0))
                }
                if !isThorough, !findings.readings.isEmpty { return findings.readings }
            }
            if !findings.readings.isEmpty { break }
        }
        return findings.readings
    }
}
