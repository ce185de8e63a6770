/// Code 128 (ISO/IEC 15417): start, characters, a check character, stop.
package struct Code128 {
    /// Dark or light, from left to right, without quiet zones.
    package let modules: [Bool]

    /// In code set B; `nil` for other than 1 to 80 printable ASCII characters.
    init?(_ text: [UInt8]) {
        guard (1...80).contains(text.count), text.allSatisfy({ (0x20...0x7E).contains($0) }) else { return nil }
        self.init(start: 104, values: text.map { Int($0) - 0x20 })
    }

    /// - Parameters:
    ///   - start: 103 to 105, for the code sets A to C.
    ///   - values: 0 to 105.
    package init(start: Int, values: [Int]) {
        let check = values.enumerated().reduce(start) { $0 + ($1.offset + 1) * $1.element } % 103
        var modules: [Bool] = []
        for value in [start] + values + [check, 106] {
            for (index, width) in Self.widths[value].utf8.enumerated() {
                modules += [Bool](repeating: index % 2 == 0, count: Int(width - 0x30))
            }
        }
        self.modules = modules
    }

    /// A row of pixels, black on white, with quiet zones of twelve modules.
    package func row(module: Int) -> [UInt8] {
        let zone = [Bool](repeating: false, count: 12)
        return (zone + modules + zone).flatMap { [UInt8](repeating: $0 ? 0 : 255, count: module) }
    }

    /// Widths of bars and spaces of the characters 0 to 105, and of the stop character, by table 1 of the standard.
    private static let widths: [String] =
        ("212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 "
        + "113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 "
        + "212123 212321 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 "
        + "113123 113321 133121 313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 "
        + "314111 221411 431111 111224 111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 "
        + "241211 221114 413111 241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 "
        + "214121 412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 211214 "
        + "211232 2331112").split(separator: " ").map(String.init)
}
