import Glibc
import Linux

/// Shows the code on a terminal, black on white whatever the terminal's own colours are.
///
/// Modules are cells with a background and no character where the terminal has the rows for it, because a terminal with
/// spacing between its lines draws characters with gaps and backgrounds without. On a lower one half blocks put two modules
/// into a cell.
public struct TerminalPresenter: NoncePresenter {
    private let descriptor: Int32

    /// - Parameter descriptor: standard error by default, so that standard output stays usable.
    public init(descriptor: Int32 = 2) {
        self.descriptor = descriptor
    }

    /// Writes the code to the terminal.
    ///
    /// - Parameter hex: 32 hexadecimal characters, borrowed.
    /// - Throws: ``PresentationError`` when no code can be made or the terminal cannot be written to.
    public func show(_ hex: UnsafeRawBufferPointer) throws {
        try write(Self.text(try QRMatrix(hex: hex), rows: rows))
    }

    /// Clears the whole screen; does nothing where the descriptor is no terminal.
    ///
    /// - Throws: ``PresentationError/cannotWrite(_:why:)``.
    public func clear() throws {
        // Without a terminal there is no screen to clear.
        if isatty(descriptor) == 1 { try write("\u{1B}[2J\u{1B}[H") }
    }

    /// Of the terminal; 0 when it does not say.
    private var rows: Int {
        var size = winsize()
        return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 ? Int(size.ws_row) : 0
    }

    /// The code with its quiet zone.
    ///
    /// - Parameter rows: of the terminal; one more than there are modules on a side is enough for whole cells.
    public static func text(_ matrix: QRMatrix, rows: Int = 0) -> String {
        rows > matrix.size + 2 * QRMatrix.quietZone ? wholeCells(matrix) : halfBlocks(matrix)
    }

    private static let (dark, light, end) = ("\u{1B}[97;40m", "\u{1B}[30;107m", "\u{1B}[0m\n")

    /// Two cells beside one another are a module.
    private static func wholeCells(_ matrix: QRMatrix) -> String {
        let range = -QRMatrix.quietZone..<matrix.size + QRMatrix.quietZone
        return range.map { y in
            range.map { x in (matrix.isDark(x, y) ? dark : light) + "  " }.joined() + end
        }.joined()
    }

    /// Two modules below one another are a cell. Its background is the lower one's colour: what a terminal leaves between
    /// lines is mostly below the characters, and is then as that module.
    private static func halfBlocks(_ matrix: QRMatrix) -> String {
        let range = -QRMatrix.quietZone..<matrix.size + QRMatrix.quietZone
        return stride(from: range.lowerBound, to: range.upperBound, by: 2).map { y in
            range.map { x in
                let (upper, lower) = (matrix.isDark(x, y), matrix.isDark(x, y + 1))
                return (lower ? dark : light) + (upper == lower ? " " : "▀")
            }.joined() + end
        }.joined()
    }

    func write(_ text: String) throws(PresentationError) {
        var bytes = Array(text.utf8)
        defer { explicit_bzero(&bytes, bytes.count) }
        guard writeAll(bytes, to: descriptor) else {
            throw .cannotWrite("the terminal", why: String(cString: strerror(errno)))
        }
    }
}
