/// A linear code: its bars from left to right.
///
/// It is made from the standards' own tables and does not share any with the reader.
public struct LinearSymbol: Sendable {
    /// The names are those of the observer's configuration.
    public enum Kind: String, Sendable, CaseIterable { case code128, code93, code39 }

    /// Dark or light, from left to right, without quiet zones.
    package let modules: [Bool]

    /// `nil` for what cannot be said: Code 128 takes 1 to 80 printable ASCII characters, the others 1 to 80 digits, capitals
    /// and the signs `-. $/+%`.
    ///
    /// - Parameter wide: width of a wide element of Code 39 in narrow ones, 2 or 3.
    package init?(_ kind: Kind, _ text: [UInt8], wide: Int = 3) {
        let values = text.compactMap { Self.alphabet.firstIndex(of: $0) }
        let isSayable = (1...80).contains(text.count) && values.count == text.count
        switch kind {
        case .code128:
            guard let code = Code128(text) else { return nil }
            modules = code.modules
        case .code93:
            guard isSayable else { return nil }
            modules = Self.code93(values)
        case .code39:
            guard isSayable else { return nil }
            modules = Self.code39(text, wide: wide)
        }
    }

    /// A row of pixels, black on white, with quiet zones of twelve modules.
    package func row(module: Int) -> [UInt8] {
        let zone = [Bool](repeating: false, count: 12)
        return (zone + modules + zone).flatMap { [UInt8](repeating: $0 ? 0 : 255, count: module) }
    }

    private static func drawn(_ widths: [Int]) -> [Bool] {
        widths.enumerated().flatMap { [Bool](repeating: $0.offset % 2 == 0, count: $0.element) }
    }

    // MARK: Code 39 (ISO/IEC 16388)

    /// Characters with one wide space and two wide bars: ten ways to choose the bars, in each row with another space.
    private static let rows = ["1234567890", "ABCDEFGHIJ", "KLMNOPQRST", "UVWXYZ-. *"].map { Array($0.utf8) }
    private static let wideSpace = [1, 2, 3, 0]
    private static let wideBars: [Set<Int>] = [
        [0, 4], [1, 4], [0, 1], [2, 4], [0, 2], [1, 2], [3, 4], [0, 3], [1, 3], [2, 3],
    ]
    /// Signs have no wide bar and all spaces wide but one, in this order from the last space on.
    private static let signs = Array("$/+%".utf8)

    private static func code39(_ text: [UInt8], wide: Int) -> [Bool] {
        let framed = [UInt8(ascii: "*")] + text + [UInt8(ascii: "*")]
        let widths = framed.flatMap { character -> [Int] in
            var (bars, spaces): (Set<Int>, Set<Int>) = ([], [])
            if let sign = signs.firstIndex(of: character) {
                spaces = Set(0..<4).subtracting([3 - sign])
            } else if let row = rows.firstIndex(where: { $0.contains(character) }),
                let column = rows[row].firstIndex(of: character)
            {
                (bars, spaces) = (wideBars[column], [wideSpace[row]])
            }
            // Five bars with four spaces between them, and a narrow space before the next character.
            return (0..<9).map { ($0 % 2 == 0 ? bars : spaces).contains($0 / 2) ? wide : 1 } + [1]
        }
        return drawn(widths.dropLast())
    }

    // MARK: Code 93 (AIM USS-93)

    /// What has values, from 0 on, in Code 93.
    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%".utf8)
    /// Of the values 0 to 46, the start character, and the stop character with its last bar.
    private static let widths: [String] =
        ("131112 111213 111312 111411 121113 121212 121311 111114 131211 141111 211113 211212 211311 221112 221211 231111 "
        + "112113 112212 112311 122112 132111 111123 111222 111321 121122 131121 212112 212211 211122 211221 221121 222111 "
        + "112122 112221 122121 123111 121131 311112 311211 321111 112131 113121 211131 121221 312111 311121 122211 "
        + "111141 1111411").split(separator: " ").map(String.init)

    private static func code93(_ values: [Int]) -> [Bool] {
        var all = values
        for most in [20, 15] {
            all.append(all.reversed().enumerated().reduce(0) { $0 + ($1.offset % most + 1) * $1.element } % 47)
        }
        return drawn(([47] + all + [48]).flatMap { widths[$0].utf8.map { Int($0) - 0x30 } })
    }
}
