import CodeWriter
import Glibc
import Linux

/// Shows the code on a terminal, black on white whatever the terminal's own colours are.
///
/// See ``QRMatrix/terminal(rows:)``.
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
        try write(try QRMatrix(hex: hex).terminal(rows: rows))
    }

    /// The terminal's cells, as it is now; nothing is written.
    public func pictures(_ hex: UnsafeRawBufferPointer) throws -> [ShownPicture] {
        [TerminalPicture.picture(of: try QRMatrix(hex: hex).terminal(rows: rows))]
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

    func write(_ text: String) throws(PresentationError) {
        var bytes = Array(text.utf8)
        defer { explicit_bzero(&bytes, bytes.count) }
        guard writeAll(bytes, to: descriptor) else {
            throw .cannotWrite("the terminal", why: String(cString: strerror(errno)))
        }
    }
}
