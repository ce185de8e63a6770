import Glibc

/// Shows the code on a terminal: two modules to a character by half blocks, black on white whatever the terminal's own
/// colours are.
public struct TerminalPresenter: NoncePresenter {
    private let descriptor: Int32

    /// - Parameter descriptor: standard error by default, so that standard output stays usable.
    public init(descriptor: Int32 = 2) {
        self.descriptor = descriptor
    }

    public func show(_ hex: UnsafeRawBufferPointer) throws {
        try write(Self.text(try QRMatrix(hex: hex)))
    }

    public func clear() throws {
        // Without a terminal there is no screen to clear.
        if isatty(descriptor) == 1 { try write("\u{1B}[2J\u{1B}[H") }
    }

    /// The code in half blocks, with its quiet zone.
    public static func text(_ matrix: QRMatrix) -> String {
        let quiet = QRMatrix.quietZone
        var text = ""
        for y in stride(from: -quiet, to: matrix.size + quiet, by: 2) {
            text += "\u{1B}[30;107m"
            for x in -quiet..<matrix.size + quiet {
                switch (matrix.isDark(x, y), matrix.isDark(x, y + 1)) {
                case (false, false): text += " "
                case (true, false): text += "▀"
                case (false, true): text += "▄"
                case (true, true): text += "█"
                }
            }
            text += "\u{1B}[0m\n"
        }
        return text
    }

    private func write(_ text: String) throws(PresentationError) {
        var bytes = Array(text.utf8)
        defer { explicit_bzero(&bytes, bytes.count) }
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + sent, $0.count - sent) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .cannotWrite("the terminal", why: String(cString: strerror(errno))) }
            sent += count
        }
    }
}
