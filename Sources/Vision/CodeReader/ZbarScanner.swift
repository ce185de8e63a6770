import CZbar
import Geometry
import Luma

/// zbar's image scanner. Not safe to use from several threads: one for each reader.
final class ZbarScanner {
    private let scanner: OpaquePointer
    private let image: OpaquePointer
    private let packed = Scratch<UInt8>(0)

    /// zbar's warnings at codes that are wrong, once and for all.
    private static let isSilenced: Void = srup_silence_zbar()

    /// - Parameter isUpright: look along every other row and along no column: for bars that are known to stand upright, or
    ///   are looked for otherwise where they do not.
    init(_ symbologies: Set<Symbology>, isUpright: Bool = false) {
        Self.isSilenced
        scanner = zbar_image_scanner_create()
        image = zbar_image_create()
        zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_ENABLE, 0)
        // zbar needs some symbology enabled before positions and density have a meaning.
        for type in symbologies.compactMap(\.zbar) { zbar_image_scanner_set_config(scanner, type, ZBAR_CFG_ENABLE, 1) }
        zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_POSITION, 1)
        if isUpright {
            zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_X_DENSITY, 0)
            zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_Y_DENSITY, 2)
        }
        // The cache would hide a code that stays in view.
        zbar_image_scanner_enable_cache(scanner, 0)
        zbar_image_set_format(image, 0x3030_3859)  // "Y800"
    }

    deinit {
        zbar_image_destroy(image)
        zbar_image_scanner_destroy(scanner)
    }

    /// All codes in the picture, each once.
    func scan(_ plane: LumaPlane) -> [Reading] {
        var readings: [Reading] = []
        readings.add(tallies(plane).map(\.reading))
        return readings.withoutFragments
    }

    /// The same, and in how many scan lines each was read.
    func tallies(_ plane: LumaPlane) -> [LinearBallot.Tally] {
        var pixels = plane.base
        if plane.stride != plane.width {
            let copy = packed.atLeast(plane.width * plane.height)
            for row in 0..<plane.height {
                (copy + row * plane.width).update(from: plane.base + row * plane.stride, count: plane.width)
            }
            pixels = UnsafePointer(copy)
        }
        zbar_image_set_size(image, UInt32(plane.width), UInt32(plane.height))
        zbar_image_set_data(image, pixels, UInt(plane.width * plane.height), nil)
        // zbar must not keep the borrowed pixels.
        defer { zbar_image_set_data(image, nil, 0, nil) }
        guard zbar_scan_image(scanner, image) > 0 else { return [] }
        var tallies: [LinearBallot.Tally] = []
        var symbol = zbar_image_first_symbol(image)
        while let found = symbol, tallies.count < CodeReader.maximumReadings {
            defer { symbol = zbar_symbol_next(found) }
            guard let reading = Self.reading(found), reading.isPlausible else { continue }
            tallies.append(.init(reading: reading, lines: max(Int(zbar_symbol_get_quality(found)), 1)))
        }
        return tallies
    }

    private static func reading(_ symbol: OpaquePointer) -> Reading? {
        let count = Int(zbar_symbol_get_data_length(symbol))
        guard let symbology = Symbology(zbar_symbol_get_type(symbol)), let data = zbar_symbol_get_data(symbol),
            count <= CodeReader.maximumLength
        else { return nil }
        let value = data.withMemoryRebound(to: UInt8.self, capacity: count) {
            Array(UnsafeBufferPointer(start: $0, count: count))
        }
        let corners = (0..<min(zbar_symbol_get_loc_size(symbol), 4096)).map {
            Place(pixel: Int(zbar_symbol_get_loc_x(symbol, $0)), Int(zbar_symbol_get_loc_y(symbol, $0)))
        }
        let box = corners.bounds.map { [Place].box(from: $0.low, to: $0.high) } ?? []
        let format: UInt32 = 1 << ZBAR_MOD_GS1.rawValue | 1 << ZBAR_MOD_AIM.rawValue
        return Reading(
            value: symbology == .code39 ? Code39.fullASCII(value) : value, symbology: symbology,
            corners: symbology == .qr ? corners : box,
            isGS1: zbar_symbol_get_modifiers(symbol) & format != 0)
    }
}
