import Linux

/// A value in a form, or a few lines of text, drawn once for displays of any size.
///
/// Cells get a frame, so that those of the ground's colour have an edge, too, and those of a colour a dot, by which displays
/// without colours tell them apart: orange is light with a dark dot, blue and red are dark with a light one.
public struct ValueDrawing: Sendable {
    private struct Line: Sendable {
        var number: Int?
        var text: String
    }

    private enum Content: Sendable {
        case cells(CellPicture)
        /// The same text, broken into lines in several ways: the one with the largest letters is taken.
        case text([[Line]])
    }

    private let content: Content

    /// A value in a form.
    ///
    /// - Parameter value: 16 bytes, borrowed.
    public init(_ value: UnsafeRawBufferPointer, as form: ValueForm) {
        if let picture = form.picture(of: value) {
            content = .cells(picture)
        } else if form == .words {
            let words = ValueWords.words(of: value)
            content = .text([words.enumerated().map { Line(number: $0 + 1, text: $1) }])
        } else {
            let groups = ValueHex.text(of: value).split(separator: "-").map(String.init)
            let lines = [groups[0] + "-", groups[1...3].joined(separator: "-") + "-", groups[4]]
            content = .text([[lines.joined()], lines].map { $0.map { Line(text: $0) } })
        }
    }

    /// Lines of text that are no value: what a display says otherwise.
    public init(lines: [String]) {
        content = .text([lines.map { Line(text: $0) }])
    }

    /// How a display shows what it gets.
    public enum Ground: Sendable, Hashable {
        /// Black on white: paper, screens.
        case light
        /// What is drawn is lit.
        case dark
    }

    /// Cells of less are not told apart, in pixels.
    static let smallestCell = 3
    /// Text may be on so many pages, shown one after the other.
    public static let maximumPages = 3

    /// The drawing for a display of so many pixels, as large as fits; pages to show in turn when letters would not fit
    /// otherwise. None when the display is too small.
    ///
    /// - Parameter margin: pixels that stay empty on each side.
    public func pages(
        width: Int, height: Int, margin: Int = 0, ground: Ground, maximumPages: Int = ValueDrawing.maximumPages
    ) -> [Raster] {
        let room = (width: width - 2 * margin, height: height - 2 * margin)
        switch content {
        case .cells(let picture):
            guard let raster = Self.raster(picture, width, height, room, ground) else { return [] }
            return [raster]
        case .text(let ways):
            for pages in 1...max(1, maximumPages) {
                let layouts = ways.flatMap { Layout.all($0, pages: pages) }
                guard let best = layouts.max(by: { $0.scale(room) < $1.scale(room) }), best.scale(room) >= 1 else {
                    continue
                }
                return best.rasters(width, height, scale: best.scale(room), ground)
            }
            return []
        }
    }

    /// The drawing for a picture file.
    public func picture() -> Raster? {
        switch content {
        case .cells(let picture):
            let side = (picture.side + 2) * 32
            return pages(width: side, height: side, margin: 16, ground: .light).first
        case .text: return pages(width: 960, height: 480, margin: 24, ground: .light, maximumPages: 1).first
        }
    }

    // MARK: Cells

    private static func raster(
        _ picture: CellPicture, _ width: Int, _ height: Int, _ room: (width: Int, height: Int), _ ground: Ground
    ) -> Raster? {
        let space = min(room.width, room.height)
        // The frame's line and the gap inside of it.
        func line(_ cell: Int) -> Int { max(1, cell / 8) }
        guard
            let cell = (smallestCell...max(smallestCell, space)).last(where: {
                picture.side * $0 + 4 * line($0) <= space
            })
        else { return nil }
        let (paper, ink): (CellColour, CellColour) = ground == .light ? (.white, .black) : (.black, .white)
        let palette = [paper, ink] + picture.palette.filter { $0 != paper && $0 != ink }
        var raster = Raster(width: width, height: height, palette: palette)
        let side = picture.side * cell
        let (left, top) = ((width - side) / 2, (height - side) / 2)
        let frame = 2 * line(cell)
        raster.fill(left - frame, top - frame, side + 2 * frame, side + 2 * frame, 1)
        raster.fill(left - frame / 2, top - frame / 2, side + frame, side + frame, 0)
        let indices = picture.palette.map { colour in UInt8(palette.firstIndex(of: colour) ?? 0) }
        for y in 0..<picture.side {
            for x in 0..<picture.side {
                let kind = Int(picture.cells[y * picture.side + x])
                let place = (x: left + x * cell, y: top + y * cell)
                raster.fill(place.x, place.y, cell, cell, indices[kind])
                let colour = picture.palette[kind]
                guard colour != .black, colour != .white else { continue }
                let dot = cell / 3 + (cell / 3 % 2 == cell % 2 ? 0 : 1)
                let inset = (cell - dot) / 2
                raster.disc(place.x + inset, place.y + inset, dot, colour.contrast == paper ? 0 : 1)
            }
        }
        return raster
    }

    // MARK: Text

    /// Lines in columns, from top to bottom and then from left to right.
    private struct Layout {
        let pages: [[Line]]
        let columns: Int
        let rows: Int
        /// Of the numbers and of the text beside them.
        let numbers, texts: Int

        static let pitch = Typeface.height + 1
        /// Between columns, and between a number and its word.
        static let (alley, gap) = (6, 3)

        static func all(_ lines: [Line], pages count: Int) -> [Layout] {
            let each = (lines.count + count - 1) / count
            let pages = stride(from: 0, to: lines.count, by: max(1, each)).map {
                Array(lines[$0..<min($0 + each, lines.count)])
            }
            let isNumbered = lines.contains { $0.number != nil }
            return (1...(isNumbered ? 3 : 1)).map { columns in
                Layout(
                    pages: pages, columns: columns, rows: (each + columns - 1) / columns,
                    numbers: lines.compactMap { $0.number.map { Typeface.width(of: String($0)) + gap } }.max() ?? 0,
                    texts: lines.map { Typeface.width(of: $0.text) }.max() ?? 0)
            }
        }

        var width: Int { columns * (numbers + texts) + (columns - 1) * Self.alley }
        var height: Int { rows * Self.pitch - 1 }

        func scale(_ room: (width: Int, height: Int)) -> Int {
            width > 0 && height > 0 ? max(0, min(room.width / width, room.height / height)) : 0
        }

        func rasters(_ width: Int, _ height: Int, scale: Int, _ ground: Ground) -> [Raster] {
            let (left, top) = ((width - self.width * scale) / 2, (height - self.height * scale) / 2)
            return pages.map { lines in
                var raster = Raster(
                    width: width, height: height, palette: ground == .light ? [.white, .black] : [.black, .white])
                for (index, line) in lines.enumerated() {
                    let x = index / rows * (numbers + texts + Self.alley)
                    let y = index % rows * Self.pitch
                    func draw(_ text: String, at x: Int) {
                        Typeface.draw(text) { column, row in
                            raster.fill(left + (x + column) * scale, top + (y + row) * scale, scale, scale, 1)
                        }
                    }
                    if let number = line.number.map({ String($0) }) {
                        draw(number, at: x + numbers - Self.gap - Typeface.width(of: number))
                    }
                    draw(line.text, at: x + numbers)
                }
                return raster
            }
        }
    }

    // MARK: Vectors

    /// As SVG: cells as ``CellPicture/svg(pixels:title:)`` has them, text in the reader's own letters.
    ///
    /// - Parameter title: what it shows, for a screen reader; it is escaped.
    public func svg(title: String) -> String {
        switch content {
        case .cells(let picture): return picture.svg(title: title)
        case .text(let ways):
            let lines = ways.max { $0.count < $1.count } ?? []
            let rows = lines.count > 4 ? (lines.count + 1) / 2 : lines.count
            let columns = rows == 0 ? 1 : (lines.count + rows - 1) / rows
            let width = columns * 200
            let height = rows * 32 + 16
            let texts = lines.enumerated().map { index, line in
                let (x, y) = (index / rows * 200 + 20, index % rows * 32 + 32)
                let words = (line.number.map { "\($0) " } ?? "") + line.text
                return "<text x=\"\(x)\" y=\"\(y)\">\(words.escapedForMarkup)</text>"
            }
            return "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"\(width)\" height=\"\(height)\" "
                + "viewBox=\"0 0 \(width) \(height)\" font-family=\"monospace\" font-size=\"20\">"
                + "<title>\(title.escapedForMarkup)</title>"
                + "<rect width=\"\(width)\" height=\"\(height)\" fill=\"#ffffff\"/>" + texts.joined() + "</svg>"
        }
    }
}
