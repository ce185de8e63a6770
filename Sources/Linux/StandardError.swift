import Glibc

/// Where programs say what is wrong.
public enum StandardError {
    /// Writes one line, in one call.
    public static func line(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = write(2, line, line.count)
    }
}
