import Glibc

/// What was read of a socket and is no whole line yet; whatever has gone from it is overwritten.
struct LineBuffer {
    private var bytes = [UInt8](repeating: 0, count: 2 * WitnessLine.maximumLength)
    private var count = 0

    /// A line that is longer than any has begun.
    var isFull: Bool { count >= WitnessLine.maximumLength }

    /// Reads once; what `read` gives.
    mutating func fill(from descriptor: Int32) -> Int {
        let (used, room) = (count, bytes.count - count)
        let got = bytes.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { read(descriptor, $0 + used, room) } ?? 0
        }
        count += max(0, got)
        return got
    }

    /// The next whole line without its end.
    mutating func line() -> String? {
        guard let end = bytes[..<count].firstIndex(of: 10) else { return nil }
        let line = String(decoding: bytes[..<end], as: UTF8.self)
        let left = count - end - 1
        bytes.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            memmove(base, base + end + 1, left)
            explicit_bzero(base + left, bytes.count - left)
        }
        count = left
        return line
    }
}
