/// What stands where in a QR code of a version, whatever it says (ISO/IEC 18004, 6.3).
struct QRLayout {
    /// Of a module: what it must be, or that it depends.
    enum Module: UInt8 {
        case light, dark, format, version, data
    }

    /// 1 to 40.
    let version: Int
    /// Modules on a side: 21 to 177.
    let dimension: Int
    /// Row by row.
    let modules: [Module]
    /// Centres of the alignment patterns along a side, in whole modules; none in version 1.
    let alignment: [Int]

    static let versions = 1...40

    static func dimension(ofVersion version: Int) -> Int { 17 + 4 * version }

    init(version: Int) {
        let version = min(max(version, 1), 40)
        let n = Self.dimension(ofVersion: version)
        self.version = version
        dimension = n
        alignment = Self.alignment(version, n)
        var modules = [Module](repeating: .data, count: n * n)
        func set(_ u: Int, _ v: Int, _ module: Module) {
            if u >= 0, v >= 0, u < n, v < n { modules[v * n + u] = module }
        }
        for k in 0..<n {
            set(k, 6, k % 2 == 0 ? .dark : .light)
            set(6, k, k % 2 == 0 ? .dark : .light)
        }
        for v in alignment {
            for u in alignment where !((u == 6 && (v == 6 || v == n - 7)) || (v == 6 && u == n - 7)) {
                for dv in -2...2 {
                    for du in -2...2 { set(u + du, v + dv, max(abs(du), abs(dv)) == 1 ? .light : .dark) }
                }
            }
        }
        for k in 0..<9 {
            set(k, 8, .format)
            set(8, k, .format)
        }
        for k in 0..<8 {
            set(n - 1 - k, 8, .format)
            set(8, n - 1 - k, .format)
        }
        if version >= 7 {
            for k in 0..<18 {
                set(n - 11 + k % 3, k / 3, .version)
                set(k / 3, n - 11 + k % 3, .version)
            }
        }
        for (u, v) in [(3, 3), (n - 4, 3), (3, n - 4)] {
            for dv in -4...4 {
                for du in -4...4 {
                    let ring = max(abs(du), abs(dv))
                    set(u + du, v + dv, ring == 2 || ring == 4 ? .light : .dark)
                }
            }
        }
        // Row and column 6 belong to the timing patterns again beyond the separators.
        set(6, 8, .dark)
        set(8, 6, .dark)
        set(8, n - 8, .dark)
        self.modules = modules
    }

    private static func alignment(_ version: Int, _ n: Int) -> [Int] {
        guard version > 1 else { return [] }
        let count = version / 7 + 2
        // Even distances, the first may be shorter (annex E).
        let step = version == 32 ? 26 : (version * 4 + count * 2 + 1) / (count * 2 - 2) * 2
        return [6] + (0..<count - 1).reversed().map { n - 7 - $0 * step }
    }

    subscript(u: Int, v: Int) -> Module { modules[v * dimension + u] }

    // MARK: Format information (6.9)

    /// The 32 words of 15 bits: two bits of error correction level, three of mask, ten of BCH code, masked.
    static let formats: [UInt16] = (0..<32).map { (data: UInt16) -> UInt16 in
        var rest = data << 10
        for bit in stride(from: 14, through: 10, by: -1) where rest >> UInt16(bit) & 1 == 1 {
            rest ^= 0x537 << UInt16(bit - 10)
        }
        return (data << 10 | rest) ^ 0x5412
    }

    /// The places of format bit `bit` (0 is the least significant) in its two copies, as column and row.
    func formatPlaces(_ bit: Int) -> ((u: Int, v: Int), (u: Int, v: Int)) {
        let n = dimension
        let first: (Int, Int) =
            bit < 6 ? (8, bit) : bit < 8 ? (8, bit + 1) : bit == 8 ? (7, 8) : (14 - bit, 8)
        let second: (Int, Int) = bit < 8 ? (n - 1 - bit, 8) : (8, n - 15 + bit)
        return (first, second)
    }

    /// The format that fits best what is seen in both copies, and how well: 1 perfectly, 0 as well as chance.
    ///
    /// - Parameter value: of a module, from -1 (ink) to 1 (paper).
    func bestFormat(_ value: (_ u: Int, _ v: Int) -> Float) -> (format: Int, score: Float) {
        var bits = SIMD16<Float>(repeating: 0)
        var all: Float = 0
        for bit in 0..<15 {
            let places = formatPlaces(bit)
            let (one, other) = (value(places.0.u, places.0.v), value(places.1.u, places.1.v))
            bits[bit] = one + other
            all += abs(one) + abs(other)
        }
        var best = (format: 0, score: -Float.infinity)
        for (format, word) in Self.formats.enumerated() {
            var score: Float = 0
            for bit in 0..<15 { score += word >> UInt16(bit) & 1 == 1 ? -bits[bit] : bits[bit] }
            if score > best.score { best = (format, score) }
        }
        return (best.format, all > 0 ? best.score / all : 0)
    }
}
