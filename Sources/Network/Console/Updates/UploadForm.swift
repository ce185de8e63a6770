/// A form of ours with a token and then one file, whose size is known: it is read as it comes, and nothing but its head is
/// kept. Whatever is not just so is refused.
struct UploadForm {
    private let type: String
    private var missing: Int64
    private var head: [UInt8] = []
    private var tail: [UInt8] = []
    private var boundary: [UInt8] = []
    private var isInFile = false
    /// The form's token, once the file has begun.
    private(set) var token: String?

    /// The head of our own forms is much shorter, in bytes.
    static let maximumHead = 8192

    /// - Parameters:
    ///   - type: the request's Content-Type.
    ///   - size: of the file, in bytes.
    init(type: String, size: Int64) {
        self.type = type
        missing = size
    }

    /// Whether the file has come, as large as it should be, and the form has ended behind it.
    var isWhole: Bool { isInFile && missing == 0 && tail.starts(with: [0x0D, 0x0A] + boundary) }

    /// Takes what has come.
    ///
    /// - Returns: what of it belongs to the file.
    /// - Throws: ``MultipartError``.
    mutating func take(_ bytes: [UInt8]) throws(MultipartError) -> ArraySlice<UInt8> {
        guard isInFile else { return try begin(bytes) }
        return file(bytes[...])
    }

    private mutating func file(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let mine = bytes.prefix(Int(min(missing, Int64(bytes.count))))
        missing -= Int64(mine.count)
        // Behind it there is the last boundary, and nothing that has to be kept.
        tail += bytes.dropFirst(mine.count).prefix(max(0, 256 - tail.count))
        return mine
    }

    private mutating func begin(_ bytes: [UInt8]) throws(MultipartError) -> ArraySlice<UInt8> {
        head += bytes
        guard let start = Self.startOfFile(head) else {
            guard head.count <= Self.maximumHead else { throw .headerTooLarge }
            return []
        }
        guard start <= Self.maximumHead else { throw .headerTooLarge }
        // What stands before the file is a form by itself, once it is closed behind an empty file.
        guard let end = Self.find([0x0D, 0x0A], in: head, from: 0), end > 2, head.starts(with: Array("--".utf8)) else {
            throw .malformed
        }
        boundary = Array(head[..<end])
        let form = try MultipartForm(
            Array(head[..<start]) + [0x0D, 0x0A] + boundary + Array("--\r\n".utf8), type: type)
        token = form["token"]
        isInFile = true
        let rest = head[start...]
        head = []
        return file(rest)
    }

    /// Behind the head of the part that has a file's name.
    private static func startOfFile(_ bytes: [UInt8]) -> Int? {
        guard let name = find(Array("filename".utf8), in: bytes, from: 0),
            let end = find([0x0D, 0x0A, 0x0D, 0x0A], in: bytes, from: name)
        else { return nil }
        return end + 4
    }

    private static func find(_ pattern: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard bytes.count >= pattern.count + start else { return nil }
        return (start...bytes.count - pattern.count).first { bytes[$0..<$0 + pattern.count].elementsEqual(pattern) }
    }
}
