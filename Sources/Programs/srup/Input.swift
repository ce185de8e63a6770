import ArgumentParser
import Glibc
import Linux

/// Reads descriptors in chunks and yields lines of bounded length; memory does not grow with the input.
struct LineReader {
    enum Item {
        case line([UInt8])
        /// A line above the limit; its rest was skipped.
        case tooLong(Int)
    }

    private let descriptor: Int32
    private let limit: Int
    private var chunk = [UInt8](repeating: 0, count: 64 << 10)
    private var filled = 0
    private var position = 0
    private var isAtEnd = false

    init(_ descriptor: Int32, limit: Int) {
        self.descriptor = descriptor
        self.limit = limit
    }

    /// The next byte, which is not taken; nil at the end.
    mutating func peek() -> UInt8? {
        fill()
        return position < filled ? chunk[position] : nil
    }

    /// All that is left, at most `limit` + 1 bytes.
    mutating func rest(limit: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count <= limit {
            fill()
            guard position < filled else { break }
            let end = min(filled, position + limit + 1 - bytes.count)
            bytes.append(contentsOf: chunk[position..<end])
            position = end
        }
        return bytes
    }

    /// Reads when all has been used.
    private mutating func fill() {
        while position == filled, !isAtEnd {
            position = 0
            filled = 0
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            if count > 0 { filled = count } else { isAtEnd = true }
        }
    }

    mutating func next() -> Item? {
        var line: [UInt8] = []
        var length = 0
        while true {
            while position < filled {
                let end = chunk[position..<filled].firstIndex(of: 10) ?? filled
                length += end - position
                if length <= limit { line.append(contentsOf: chunk[position..<end]) }
                position = end
                if position < filled {
                    position += 1
                    return length > limit ? .tooLong(length) : .line(line)
                }
            }
            fill()
            if position < filled { continue }
            if length == 0 { return nil }
            return length > limit ? .tooLong(length) : .line(line)
        }
    }
}

/// Files or standard input, opened one after the other.
enum Inputs {
    static func each(_ paths: [String], _ body: (Int32, String) throws -> Void) throws {
        if paths.isEmpty { return try body(0, "standard input") }
        for path in paths {
            let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw ValidationError("\(path) cannot be read: \(String(cString: strerror(errno)))")
            }
            defer { if descriptor != 0 { close(descriptor) } }
            try body(descriptor, path)
        }
    }
}

/// Standard output through a buffer; a reader that goes away ends the program quietly.
struct Output {
    private var buffer: [UInt8] = []

    mutating func write(_ bytes: some Sequence<UInt8>) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= 64 << 10 { flush() }
    }

    mutating func line(_ text: String) {
        write(text.utf8)
        write([10])
    }

    mutating func flush() {
        guard writeAll(buffer, to: 1) else { exit(errno == EPIPE ? 0 : 1) }
        buffer.removeAll(keepingCapacity: true)
    }
}
