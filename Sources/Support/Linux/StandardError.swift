import Glibc

/// Where programs say what is wrong.
public enum StandardError {
    /// The longest line, in bytes of the text.
    static let maximumLine = 8192

    /// Writes one line, in one call; text from elsewhere in it does no harm.
    public static func line(_ text: String) {
        let line = Array((text.withoutControls(atMost: maximumLine) + "\n").utf8)
        _ = write(2, line, line.count)
    }
}
