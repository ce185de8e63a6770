/// The bars and spaces of Code 128 (ISO/IEC 15417), Code 93 (AIM USS-93) and Code 39 (ISO/IEC 16388).
enum BarPatterns {
    /// Widths in modules, a digit each, beginning with a bar: characters 0 to 102, then start A to C.
    static let code128: [[Float]] = [
        212222, 222122, 222221, 121223, 121322, 131222, 122213, 122312, 132212, 221213, 221312, 231212,
        112232, 122132, 122231, 113222, 123122, 123221, 223211, 221132, 221231, 213212, 223112, 312131,
        311222, 321122, 321221, 312212, 322112, 322211, 212123, 212321, 232121, 111323, 131123, 131321,
        112313, 132113, 132311, 211313, 231113, 231311, 112133, 112331, 132131, 113123, 113321, 133121,
        313121, 211331, 231131, 213113, 213311, 213131, 311123, 311321, 331121, 312113, 312311, 332111,
        314111, 221411, 431111, 111224, 111422, 121124, 121421, 141122, 141221, 112214, 112412, 122114,
        122411, 142112, 142211, 241211, 221114, 413111, 241112, 134111, 111242, 121142, 121241, 114212,
        124112, 124211, 411212, 421112, 421211, 212141, 214121, 412121, 111143, 111341, 131141, 114113,
        114311, 411113, 411311, 113141, 114131, 311141, 411131, 211412, 211214, 211232,
    ].map(digits)
    static let code128Stop: [Float] = digits(2_331_112)
    /// Of these values the last three begin a symbol.
    static let code128Starts = 103..<106

    /// Likewise, values 0 to 46; the last four are shifts.
    static let code93: [[Float]] = [
        131112, 111213, 111312, 111411, 121113, 121212, 121311, 111114, 131211, 141111, 211113, 211212,
        211311, 221112, 221211, 231111, 112113, 112212, 112311, 122112, 132111, 111123, 111222, 111321,
        121122, 131121, 212112, 212211, 211122, 211221, 221121, 222111, 112122, 112221, 122121, 123111,
        121131, 311112, 311211, 321111, 112131, 113121, 211131, 121221, 312111, 311121, 122211,
    ].map(digits)
    static let code93Start: [Float] = digits(111_141)
    /// With the bar that ends the symbol.
    static let code93Stop: [Float] = digits(1_111_411)

    /// What the values of Code 39 and Code 93 stand for, in order.
    static let letters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%".utf8)

    /// Elements of Code 39 from the first bar, the highest bit, to the last, a bit each: wide or narrow. In the order of
    /// ``letters``.
    private static let wides: [UInt16] = [
        52, 289, 97, 352, 49, 304, 112, 37, 292, 100, 265, 73, 328, 25,
        280, 88, 13, 268, 76, 28, 259, 67, 322, 19, 274, 82, 7, 262,
        70, 22, 385, 193, 448, 145, 400, 208, 133, 388, 196, 168, 162, 138,
        42,
    ]
    /// Of the character that begins and ends a symbol.
    private static let code39Stop: UInt16 = 148

    /// Widths of Code 39's characters in narrow elements, in the order of ``letters``.
    static func code39(ratio: Float) -> [[Float]] { wides.map { elements($0, ratio) } }
    static func code39Stop(ratio: Float) -> [Float] { elements(code39Stop, ratio) }

    private static func elements(_ wide: UInt16, _ ratio: Float) -> [Float] {
        (0..<9).map { wide >> (8 - $0) & 1 == 1 ? ratio : 1 }
    }

    private static func digits(_ number: Int) -> [Float] { String(number).utf8.map { Float($0) - 48 } }
}
