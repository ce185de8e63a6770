import Glibc
import Linux
import ObservedValue

/// A folder with what has left the log: a file for each segment, in the form of an export.
public struct EvidenceArchive: Sendable {
    private let folder: String
    private let size: Int

    /// - Parameter size: of all files together, in bytes; the oldest make room.
    public init(folder: String, size: Int) {
        self.folder = folder
        self.size = size
    }

    /// Why a segment could not be kept.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// What is wrong.
        public let description: String

        /// What is wrong, in words for the operator.
        public init(description: String) { self.description = description }
    }

    /// Writes a segment; it is on disk when this returns. One that was cut off before is written anew.
    ///
    /// - Parameters:
    ///   - first: the number of its first line.
    ///   - last: the number of its last line.
    ///   - records: gives all records to the function that it gets.
    /// - Throws: ``Failure``, and what `records` throws.
    public func add(
        first: UInt64, last: UInt64, _ records: (_ take: (EvidenceRecord) throws -> Void) throws -> Void
    ) throws {
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw failure(folder) }
        let path = "\(folder)/\(Self.name(first, last))"
        try EvidenceWriter.write(to: path + ".part") { writer in try records { try writer.add($0) } }
        guard rename(path + ".part", path) == 0 else { throw failure(path) }
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor >= 0 {
            fsync(descriptor)
            close(descriptor)
        }
        makeRoom()
    }

    private func failure(_ path: String) -> Failure {
        Failure(description: "\(path) cannot be made: \(String(cString: strerror(errno)))")
    }

    /// Names sort as their lines do.
    private static func name(_ first: UInt64, _ last: UInt64) -> String {
        let digits = String(first)
        return "audit-\(String(repeating: "0", count: max(0, 12 - digits.count)))\(digits)-\(last).jsonl"
    }

    private func makeRoom() {
        var files = segments().map { path -> (path: String, size: Int) in
            var status = stat()
            return (path, stat(path, &status) == 0 ? Int(status.st_size) : 0)
        }
        var total = files.reduce(0) { $0 + $1.size }
        while total > size, files.count > 1 {
            let oldest = files.removeFirst()
            unlink(oldest.path)
            total -= oldest.size
        }
    }

    /// The paths of all segments, the oldest first.
    public func segments() -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix("audit-"), name.hasSuffix(".jsonl") { names.append(name) }
        }
        return names.sorted().map { "\(folder)/\($0)" }
    }
}

/// Writes records to a file, a piece at a time.
public struct EvidenceWriter: ~Copyable {
    private let descriptor: Int32
    private let path: String
    private var buffer: [UInt8] = []

    private init(_ descriptor: Int32, _ path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    /// Makes or replaces a file of one's own, mode 0600, and has it on disk at the end.
    ///
    /// - Parameters:
    ///   - path: "-" for standard output.
    ///   - body: writes the records.
    /// - Throws: ``EvidenceArchive/Failure``, `OutputFile.Failure`, and what `body` throws.
    public static func write(to path: String, _ body: (inout EvidenceWriter) throws -> Void) throws {
        let descriptor = path == "-" ? dup(1) : try OutputFile.open(path, O_TRUNC).descriptor
        defer { close(descriptor) }
        var writer = EvidenceWriter(descriptor, path)
        try body(&writer)
        try writer.flush()
        guard fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS else { throw writer.failure }
    }

    /// Writes one record.
    ///
    /// - Throws: ``EvidenceArchive/Failure``.
    public mutating func add(_ record: EvidenceRecord) throws {
        buffer += record.json.utf8
        buffer.append(0x0A)
        if buffer.count >= 1 << 16 { try flush() }
    }

    private mutating func flush() throws {
        guard writeAll(buffer, to: descriptor) else { throw failure }
        buffer.removeAll(keepingCapacity: true)
    }

    private var failure: EvidenceArchive.Failure {
        .init(description: "\(path) cannot be written: \(String(cString: strerror(errno)))")
    }
}

extension [UInt8] {
    /// In lower-case hexadecimal.
    public var hexadecimal: String { Hex.encode(self) }
}
