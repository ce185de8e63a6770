import CPNG
import Glibc
import Linux

extension QRMatrix {
    /// For a terminal, black on white whatever the terminal's own colours are, with its quiet zone.
    ///
    /// Modules are cells with a background and no character where the terminal has the rows for it, because a terminal with
    /// spacing between its lines draws characters with gaps and backgrounds without. On a lower one half blocks put two modules
    /// into a cell.
    ///
    /// - Parameter rows: of the terminal; one more than there are modules on a side is enough for whole cells.
    public func terminal(rows: Int = 0) -> String {
        rows > size + 2 * Self.quietZone ? wholeCells() : halfBlocks()
    }

    private static let (dark, light, end) = ("\u{1B}[97;40m", "\u{1B}[30;107m", "\u{1B}[0m\n")

    /// Two cells beside one another are a module.
    private func wholeCells() -> String {
        let range = -Self.quietZone..<size + Self.quietZone
        return range.map { y in
            range.map { x in (isDark(x, y) ? Self.dark : Self.light) + "  " }.joined() + Self.end
        }.joined()
    }

    /// Two modules below one another are a cell. Its background is the lower one's colour: what a terminal leaves between
    /// lines is mostly below the characters, and is then as that module.
    private func halfBlocks() -> String {
        let range = -Self.quietZone..<size + Self.quietZone
        return stride(from: range.lowerBound, to: range.upperBound, by: 2).map { y in
            range.map { x in
                let (upper, lower) = (isDark(x, y), isDark(x, y + 1))
                return (lower ? Self.dark : Self.light) + (upper == lower ? " " : "▀")
            }.joined() + Self.end
        }.joined()
    }

    /// As SVG for a page, with its quiet zone.
    ///
    /// - Parameter title: what it is, for a screen reader; it is escaped.
    public func svg(title: String) -> String {
        let side = size + 2 * Self.quietZone
        var path = ""
        for y in 0..<size {
            var x = 0
            while x < size {
                let first = x
                while isDark(x, y) { x += 1 }
                if x > first {
                    path += "M\(first + Self.quietZone) \(y + Self.quietZone)h\(x - first)v1h-\(x - first)z"
                }
                x += 1
            }
        }
        return "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 \(side) \(side)\" "
            + "shape-rendering=\"crispEdges\"><title>\(title.escapedForMarkup)</title>"
            + "<rect width=\"\(side)\" height=\"\(side)\" fill=\"#ffffff\"/><path d=\"\(path)\" fill=\"#000000\"/></svg>"
    }

    /// As a grey PNG picture, with its quiet zone.
    ///
    /// - Parameter scale: pixels to a module.
    /// - Throws: ``QRError`` when there is no memory for it.
    public func png(scale: Int) throws(QRError) -> [UInt8] {
        var (side, pixels) = pixels(scale: scale)
        defer { explicit_bzero(&pixels, pixels.count) }
        var png = [UInt8](repeating: 0, count: pixels.count + 4096)
        var size = png.count
        guard srup_png_write_grey(pixels, UInt32(side), UInt32(side), &png, &size) != 0 else { throw QRError() }
        png.removeLast(png.count - size)
        return png
    }
}
