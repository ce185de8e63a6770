import Linux

/// A colour of a picture: red, green, blue.
public struct CellColour: Sendable, Hashable {
    /// 0 to 255.
    public let red, green, blue: UInt8
    /// The letter by which it is told where there are no colours.
    public let letter: Character

    init(_ red: UInt8, _ green: UInt8, _ blue: UInt8, _ letter: Character) {
        self.red = red
        self.green = green
        self.blue = blue
        self.letter = letter
    }

    /// Black.
    public static let black = CellColour(0, 0, 0, "K")
    /// White.
    public static let white = CellColour(255, 255, 255, "W")
    /// Of the palette of Okabe and Ito, which people who do not see all colours tell apart, too.
    static let orange = CellColour(0xE6, 0x9F, 0x00, "O")
    static let blue = CellColour(0x00, 0x72, 0xB2, "B")
    static let red = CellColour(0xC8, 0x00, 0x00, "R")

    /// `#rrggbb`, as in SVG.
    public var hex: String {
        "#" + [red, green, blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

/// A value as a square of cells, the most significant bits at the top left.
public struct CellPicture: Sendable, Hashable {
    /// How many cells a side has.
    public let side: Int
    /// Which colours there are.
    public let palette: [CellColour]
    /// Row by row from the top left, each an index into ``palette``. It tells the value: not to be kept.
    public let cells: [UInt8]

    /// The cell in a column and a row, from 0.
    public func colour(_ x: Int, _ y: Int) -> CellColour { palette[Int(cells[y * side + x])] }

    /// 8 x 8, two bits to a cell: black, white, orange, blue.
    static func colours(_ value: UnsafeRawBufferPointer) -> CellPicture {
        CellPicture(
            side: 8, palette: [.black, .white, .orange, .blue],
            cells: (0..<64).map { UInt8(ValueWords.bits(value, from: 2 * $0, count: 2)) })
    }

    /// 12 x 12, a bit to a cell. The corners are 2 x 2 marks: three black, the lower right one white, so that it is seen which
    /// way is up.
    static func mono(_ value: UnsafeRawBufferPointer) -> CellPicture {
        var cells: [UInt8] = []
        var next = 0
        for y in 0..<12 {
            for x in 0..<12 {
                if (x < 2 || x > 9) && (y < 2 || y > 9) {
                    cells.append(x > 9 && y > 9 ? 0 : 1)
                } else {
                    cells.append(UInt8(ValueWords.bits(value, from: next, count: 1)))
                    next += 1
                }
            }
        }
        return CellPicture(side: 12, palette: [.white, .black], cells: cells)
    }

    /// 9 x 9, the number to the base of three, the highest digit first: 3^81 is just above 2^128.
    static func eink(_ value: UnsafeRawBufferPointer) -> CellPicture {
        var number = Array(value)
        var digits = [UInt8](repeating: 0, count: 81)
        for place in (0..<81).reversed() {
            var rest = 0
            for index in number.indices {
                let part = rest << 8 | Int(number[index])
                number[index] = UInt8(part / 3)
                rest = part % 3
            }
            digits[place] = UInt8(rest)
        }
        return CellPicture(side: 9, palette: [.white, .black, .red], cells: digits)
    }

    /// As SVG for a page, with a border of one cell; a dot marks every cell of a colour, for those who do not see it.
    ///
    /// - Parameters:
    ///   - pixels: of one cell.
    ///   - title: what it shows, for a screen reader; it is escaped.
    public func svg(pixels: Int = 24, title: String) -> String {
        let size = (side + 2) * pixels
        var parts = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"\(size)\" height=\"\(size)\" "
                + "viewBox=\"0 0 \(size) \(size)\"><title>\(title.escapedForMarkup)</title>",
            "<rect width=\"\(size)\" height=\"\(size)\" fill=\"#808080\"/>",
        ]
        for y in 0..<side {
            for x in 0..<side {
                let colour = colour(x, y)
                let (left, top) = ((x + 1) * pixels, (y + 1) * pixels)
                parts.append(
                    "<rect x=\"\(left)\" y=\"\(top)\" width=\"\(pixels)\" height=\"\(pixels)\" fill=\"\(colour.hex)\"/>"
                )
                guard colour != .black, colour != .white else { continue }
                parts.append(
                    "<circle cx=\"\(left + pixels / 2)\" cy=\"\(top + pixels / 2)\" r=\"\(max(1, pixels / 6))\" "
                        + "fill=\"\(colour == .orange ? "#000000" : "#ffffff")\"/>")
            }
        }
        return parts.joined() + "</svg>"
    }

    /// For a terminal, two columns a cell; colours by 24-bit escapes, or letters where there are none.
    public func terminal(hasColour: Bool) -> String {
        (0..<side).map { y in
            (0..<side).map { x in
                let colour = colour(x, y)
                guard hasColour else { return "\(colour.letter) " }
                let mark = colour == .black || colour == .white ? "  " : "• "
                let ink = colour == .orange ? "30" : "97"
                return "\u{1B}[\(ink);48;2;\(colour.red);\(colour.green);\(colour.blue)m\(mark)"
            }.joined() + (hasColour ? "\u{1B}[0m\n" : "\n")
        }.joined()
    }
}
