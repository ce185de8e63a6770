import CodeWriter

/// What an eye gets to see of a display, as a picture file.
public struct ShownPicture: Sendable {
    /// Of the display, for messages.
    public let display: String
    /// A file's bytes: PNG, or PGM.
    public internal(set) var file: [UInt8]
    /// Of the file's name, with its dot.
    public let suffix: String

    /// A file as it is.
    init(_ display: String, png: [UInt8]) {
        (self.display, file, suffix) = (display, png, ".png")
    }

    /// Grey pixels, row by row, without padding.
    init(_ display: String, width: Int, height: Int, pixels: [UInt8]) {
        (self.display, suffix) = (display, ".pgm")
        file = Array("P5\n\(width) \(height)\n255\n".utf8) + pixels
    }
}

/// A terminal as far as ``QRMatrix/terminal(rows:)`` needs one: colours, spaces and upper half blocks, in cells of 8 by 16 pixels
/// with a pixel of the cell's background between lines, as most have it.
enum TerminalPicture {
    private static let (cellWidth, cellHeight, spacing) = (8, 16, 1)
    /// Of the terminal around the text, in pixels.
    private static let margin = 16
    private static let ground: UInt8 = 60

    private struct Cell {
        var ink, paper: UInt8
        var isHalf: Bool
    }

    /// - Parameter isReversed: the terminal shows light as dark and dark as light.
    static func picture(of text: String, isReversed: Bool = false) -> ShownPicture {
        let lines = text.split(separator: "\n").map(cells)
        let columns = lines.map(\.count).max() ?? 0
        let width = columns * cellWidth + 2 * margin
        let height = lines.count * (cellHeight + spacing) + 2 * margin
        var pixels = [UInt8](repeating: ground, count: width * height)
        for (row, line) in lines.enumerated() {
            for y in 0..<cellHeight + spacing {
                var at = (margin + row * (cellHeight + spacing) + y) * width + margin
                for cell in line {
                    let level = cell.isHalf && y < cellHeight / 2 ? cell.ink : cell.paper
                    for _ in 0..<cellWidth {
                        pixels[at] = isReversed ? ~level : level
                        at += 1
                    }
                }
            }
        }
        return ShownPicture("the terminal", width: width, height: height, pixels: pixels)
    }

    private static func cells(_ line: Substring) -> [Cell] {
        var (ink, paper): (UInt8, UInt8) = (200, ground)
        var cells: [Cell] = []
        // Each part begins with the numbers of an escape sequence, up to its "m".
        for part in line.split(separator: "\u{1B}[") {
            guard let end = part.firstIndex(of: "m") else { continue }
            for number in part[..<end].split(separator: ";") {
                switch number {
                case "0": (ink, paper) = (200, ground)
                case "30": ink = 0
                case "97": ink = 255
                case "40": paper = 0
                case "107": paper = 255
                default: break
                }
            }
            for character in part[part.index(after: end)...] {
                cells.append(Cell(ink: ink, paper: paper, isHalf: character == "▀"))
            }
        }
        return cells
    }
}
