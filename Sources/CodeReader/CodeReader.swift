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

/// Reads codes in grey pictures with zbar. Not safe to use from several threads: one reader per thread.
public final class CodeReader {
    /// Longer values are cut off the list: no code that matters is longer, and a hostile one may be.
    public static let maximumLength = 4096
    /// More codes than this in one picture are not looked at.
    public static let mostReadings = 64

    private let scanner: OpaquePointer
    private let image: OpaquePointer

    private let symbologies: Set<Symbology>

    /// - Parameter symbologies: what to look for; fewer is faster.
    public init(_ symbologies: Set<Symbology> = Set(Symbology.allCases)) {
        self.symbologies = symbologies
        scanner = zbar_image_scanner_create()
        image = zbar_image_create()
        zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_ENABLE, 0)
        // zbar needs some symbology enabled before positions and density have a meaning.
        for type in symbologies.compactMap(\.zbar) { zbar_image_scanner_set_config(scanner, type, ZBAR_CFG_ENABLE, 1) }
        zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_POSITION, 1)
        // The cache would hide a code that stays in view.
        zbar_image_scanner_enable_cache(scanner, 0)
        zbar_image_set_format(image, 0x3030_3859)  // "Y800"
    }

    deinit {
        zbar_image_destroy(image)
        zbar_image_scanner_destroy(scanner)
    }

    /// How finely zbar looks: 1 for every row and column, 2 for every other.
    public func setDensity(_ density: Int) {
        zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_X_DENSITY, Int32(density))
        zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_Y_DENSITY, Int32(density))
    }

    /// All codes in the picture, each once. Data Matrix and turned linear codes are looked for only where no other code is.
    public func read(_ plane: LumaPlane) -> [Reading] {
        let found = symbologies == [.dataMatrix] ? [] : scan(plane)
        guard found.isEmpty else { return found }
        if symbologies.contains(.dataMatrix), case let symbols = Reading.dataMatrix(plane), !symbols.isEmpty {
            return symbols
        }
        return symbologies.isDisjoint(with: Symbology.linear) ? [] : LinearLocator.read(plane, scan: scan)
    }

    /// What zbar finds.
    func scan(_ plane: LumaPlane) -> [Reading] {
        guard plane.stride == plane.width else {
            var packed = [UInt8](repeating: 0, count: plane.width * plane.height)
            packed.withUnsafeMutableBufferPointer { packed in
                for row in 0..<plane.height {
                    (packed.baseAddress! + row * plane.width).update(
                        from: plane.base + row * plane.stride, count: plane.width)
                }
            }
            return packed.withUnsafeBufferPointer {
                scan(LumaPlane(base: $0.baseAddress!, width: plane.width, height: plane.height, stride: plane.width))
            }
        }
        zbar_image_set_size(image, UInt32(plane.width), UInt32(plane.height))
        zbar_image_set_data(image, plane.base, UInt(plane.width * plane.height), nil)
        // zbar must not keep the borrowed pixels.
        defer { zbar_image_set_data(image, nil, 0, nil) }
        guard zbar_scan_image(scanner, image) > 0 else { return [] }
        var readings: [Reading] = []
        var symbol = zbar_image_first_symbol(image)
        while let found = symbol, readings.count < Self.mostReadings {
            defer { symbol = zbar_symbol_next(found) }
            let count = Int(zbar_symbol_get_data_length(found))
            guard let symbology = Symbology(zbar_symbol_get_type(found)), let data = zbar_symbol_get_data(found),
                count <= Self.maximumLength
            else { continue }
            let value = data.withMemoryRebound(to: UInt8.self, capacity: count) {
                Array(UnsafeBufferPointer(start: $0, count: count))
            }
            let corners = (0..<min(zbar_symbol_get_loc_size(found), 16)).map {
                Reading.Point(x: Int(zbar_symbol_get_loc_x(found, $0)), y: Int(zbar_symbol_get_loc_y(found, $0)))
            }
            let reading = Reading(
                value: symbology == .code39 ? Code39.fullASCII(value) : value, symbology: symbology, corners: corners)
            guard reading.isPlausible else { continue }
            if !readings.contains(where: { $0.value == reading.value && $0.symbology == symbology }) {
                readings.append(reading)
            }
        }
        return readings.withoutFragments
    }
}
