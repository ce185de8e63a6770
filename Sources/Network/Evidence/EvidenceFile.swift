import Glibc
import Linux

/// Exported logs, read and written piece by piece.
public enum EvidenceFile {
    /// Reads all records of a file.
    ///
    /// - Parameters:
    ///   - path: "-" for standard input.
    ///   - take: gets each record, and how many bytes were read so far.
    /// - Throws: ``EvidenceError`` for the first line that is none, and what `take` throws.
    public static func read(_ path: String, _ take: (EvidenceRecord, Int) throws -> Void) throws {
        let descriptor = path == "-" ? dup(0) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
        guard descriptor >= 0 else {
            throw EvidenceError.cannotRead(path: path, why: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        var lines = Lines(descriptor: descriptor, path: path)
        while let line = try lines.next() {
            let record: EvidenceRecord
            do throws(EvidenceError) {
                record = try EvidenceRecord(json: line)
            } catch {
                throw EvidenceError.at(line: lines.count, error)
            }
            try take(record, lines.bytes)
        }
    }

    /// Lines of a file, each of a bounded length. A last one without its end counts.
    private struct Lines {
        let descriptor: Int32
        let path: String
        private(set) var count = 0
        private(set) var bytes = 0
        private var buffer: [UInt8] = []
        private var start = 0
        private var hasEnded = false

        init(descriptor: Int32, path: String) {
            self.descriptor = descriptor
            self.path = path
        }

        mutating func next() throws(EvidenceError) -> [UInt8]? {
            var searched = start
            while true {
                if let end = buffer[searched...].firstIndex(of: 0x0A) {
                    defer { start = end + 1 }
                    count += 1
                    return Array(buffer[start..<end])
                }
                if hasEnded {
                    guard start < buffer.count else { return nil }
                    defer { start = buffer.count }
                    count += 1
                    return Array(buffer[start...])
                }
                guard buffer.count - start <= EvidenceRecord.maximumLine else {
                    throw .at(line: count + 1, .tooLong(limit: EvidenceRecord.maximumLine))
                }
                buffer.removeFirst(start)
                start = 0
                searched = buffer.count
                try fill()
            }
        }

        private mutating func fill() throws(EvidenceError) {
            var piece = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let got = Glibc.read(descriptor, &piece, piece.count)
                if got < 0, errno == EINTR { continue }
                guard got >= 0 else { throw .cannotRead(path: path, why: String(cString: strerror(errno))) }
                hasEnded = got == 0
                bytes += got
                buffer += piece[..<got]
                return
            }
        }
    }
}
