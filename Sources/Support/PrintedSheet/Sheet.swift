/// A page of lines, rectangles and words with exact sizes, to be printed: as SVG and as PDF.
///
/// Lengths are in millimetres, from the page's upper left corner to the right and down.
public struct Sheet: Sendable, Hashable {
    /// Sizes of paper.
    public enum Paper: String, Sendable, CaseIterable {
        case a4, letter

        /// In millimetres.
        public var size: (width: Double, height: Double) {
            switch self {
            case .a4: (210, 297)
            case .letter: (215.9, 279.4)
            }
        }
    }

    /// What is drawn, in black.
    public enum Item: Sendable, Hashable {
        /// A filled rectangle.
        case box(x: Double, y: Double, width: Double, height: Double)
        /// Words in Helvetica; the place is the left end of their base line, the size that of the letters' bodies.
        case text(x: Double, y: Double, size: Double, isBold: Bool, String)
    }

    /// The page's size.
    public let paper: Paper
    /// For the page's properties.
    public let title: String
    /// In the order in which they are drawn.
    public private(set) var items: [Item] = []

    /// An empty page.
    public init(_ paper: Paper, title: String) {
        self.paper = paper
        self.title = title
    }

    /// A filled rectangle.
    public mutating func box(_ x: Double, _ y: Double, _ width: Double, _ height: Double) {
        items.append(.box(x: x, y: y, width: width, height: height))
    }

    /// Words, on one line.
    public mutating func text(_ x: Double, _ y: Double, size: Double = 3.2, bold: Bool = false, _ words: String) {
        items.append(.text(x: x, y: y, size: size, isBold: bold, words))
    }

    /// A ruler that lies from left to right.
    ///
    /// - Parameter length: in millimetres, 1 to 1000.
    public mutating func ruler(_ x: Double, _ y: Double, length: Int) {
        box(x, y, Double(length), 0.2)
        for mark in 0...min(max(length, 1), 1000) {
            let height = mark % 10 == 0 ? 5.0 : mark % 5 == 0 ? 3.5 : 2
            // Its left edge is the mark, but for the last one, whose right edge is the end.
            box(x + Double(mark) - (mark == length ? 0.2 : 0), y, 0.2, height)
            if mark % 10 == 0 { text(x + Double(mark) - 1, y + 8.5, size: 2.8, "\(mark)") }
        }
        text(x + Double(length) + 5, y + 8.5, size: 2.8, "mm")
    }

    /// A grid of modules, such as a code: neighbours in a row become one rectangle, so that nothing shines between them.
    ///
    /// - Parameters:
    ///   - edge: of the whole, in millimetres.
    ///   - size: modules on a side.
    public mutating func modules(
        _ x: Double, _ y: Double, edge: Double, size: Int, isDark: (_ column: Int, _ row: Int) -> Bool
    ) {
        let module = edge / Double(max(size, 1))
        for row in 0..<size {
            var column = 0
            while column < size {
                let first = column
                while column < size, isDark(column, row) { column += 1 }
                if column > first {
                    box(x + Double(first) * module, y + Double(row) * module, Double(column - first) * module, module)
                }
                column += 1
            }
        }
    }
}

/// Thousandths, without an exponent: both formats want plain numbers.
func plain(_ number: Double) -> String {
    guard number.isFinite, abs(number) < 1e9 else { return "0" }
    let thousandths = Int((number * 1000).rounded())
    let (whole, part) = (abs(thousandths) / 1000, abs(thousandths) % 1000)
    let digits = String(part + 1000).dropFirst()
    return (thousandths < 0 ? "-" : "") + "\(whole)" + (part == 0 ? "" : ".\(digits)")
}
