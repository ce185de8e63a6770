import Glibc

/// Why a form with a file in it cannot be read.
enum MultipartError: Error, Sendable, Hashable {
    /// Its type names no boundary, or one that cannot be.
    case noBoundary
    /// It does not begin, go on or end as its type says.
    case malformed
    /// It ends before its last boundary.
    case cut
    /// More parts than a page of ours has.
    case tooManyParts
    /// A part has more headers than a browser writes.
    case headerTooLarge
    /// A part that has parts itself (RFC 7578, 4.3: not any more).
    case nested
}

/// A form with a file in it (multipart/form-data, RFC 7578), as a page of ours sends it: a few parts, each with a short
/// header. Anything else is refused, and nothing is copied but what is asked for.
struct MultipartForm {
    /// A part, and where its content is.
    private struct Part {
        let name: String
        let isFile: Bool
        let content: Range<Int>
    }

    private let bytes: [UInt8]
    private let parts: [Part]

    /// More parts are refused.
    static let maximumParts = 8
    /// A larger header of a part is refused, in bytes.
    static let maximumHeader = 2048
    /// A longer text is not a field's of ours.
    static let maximumField = 4096

    /// - Parameters:
    ///   - bytes: the whole body.
    ///   - type: the request's Content-Type.
    init(_ bytes: [UInt8], type: String) throws(MultipartError) {
        let delimiter = Array("--".utf8) + (try Self.boundary(type))
        var parts: [Part] = []
        guard bytes.starts(with: delimiter) else { throw bytes.count < delimiter.count ? .cut : .malformed }
        var place = delimiter.count
        while true {
            // After a boundary: the end, or white space, a line end and a part.
            if bytes.count >= place + 2, bytes[place] == 0x2D, bytes[place + 1] == 0x2D { break }
            while place < bytes.count, bytes[place] == 0x20 || bytes[place] == 0x09 { place += 1 }
            guard place + 2 <= bytes.count else { throw .cut }
            guard bytes[place] == 0x0D, bytes[place + 1] == 0x0A else { throw .malformed }
            place += 2
            guard parts.count < Self.maximumParts else { throw .tooManyParts }
            let (name, isFile) = try Self.header(bytes, &place)
            guard let end = Self.find([0x0D, 0x0A] + delimiter, in: bytes, from: place) else { throw .cut }
            parts.append(Part(name: name, isFile: isFile, content: place..<end))
            place = end + 2 + delimiter.count
        }
        self.bytes = bytes
        self.parts = parts
    }

    /// The text of a field; `nil` when there is none, it is a file, or is longer than any of ours.
    subscript(_ name: String) -> String? {
        parts.first { $0.name == name && !$0.isFile && $0.content.count <= Self.maximumField }.flatMap {
            String(validating: bytes[$0.content], as: UTF8.self)
        }
    }

    /// The content of a file; `nil` when there is none. A browser sends an empty one when none was chosen.
    func file(_ name: String) -> [UInt8]? {
        parts.first { $0.name == name && $0.isFile && !$0.content.isEmpty }.map { Array(bytes[$0.content]) }
    }

    // MARK: Reading

    /// RFC 2046, 5.1.1: 1 to 70 of some characters, quoted or not.
    private static func boundary(_ type: String) throws(MultipartError) -> [UInt8] {
        guard type.utf8.count <= 512, type.lowercased().hasPrefix("multipart/form-data") else { throw .noBoundary }
        let found = parameters(type).filter { $0.name == "boundary" }
        guard found.count == 1, let value = found.first?.value else { throw .noBoundary }
        let bytes = Array(value.utf8)
        let others = Array("'()+_,-./:=? ".utf8)
        guard (1...70).contains(bytes.count), bytes.last != 0x20,
            bytes.allSatisfy({ byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || others.contains(byte)
            })
        else { throw .noBoundary }
        return bytes
    }

    /// The header lines of a part; leaves `place` at its content.
    private static func header(
        _ bytes: [UInt8], _ place: inout Int
    ) throws(MultipartError) -> (name: String, isFile: Bool) {
        let limit = min(bytes.count, place + maximumHeader)
        var disposition: String?
        while true {
            guard let end = find([0x0D, 0x0A], in: bytes, from: place, before: limit) else {
                throw limit == bytes.count ? .cut : .headerTooLarge
            }
            let text = String(decoding: bytes[place..<end], as: UTF8.self)
            place = end + 2
            if text.isEmpty { break }
            let pair = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { throw .malformed }
            let value = pair[1].drop { $0 == " " || $0 == "\t" }
            switch pair[0].lowercased() {
            case "content-disposition":
                guard disposition == nil else { throw .malformed }
                disposition = String(value)
            case "content-type" where value.lowercased().hasPrefix("multipart/"): throw .nested
            default: break
            }
        }
        guard let disposition, disposition.lowercased().hasPrefix("form-data") else { throw .malformed }
        let all = parameters(disposition)
        guard let name = all.first(where: { $0.name == "name" })?.value, (1...64).contains(name.utf8.count) else {
            throw .malformed
        }
        return (name, all.contains { $0.name == "filename" || $0.name == "filename*" })
    }

    /// What stands after the first semicolon of a header: `; name=value; name="value"`.
    private static func parameters(_ header: String) -> [(name: String, value: String)] {
        var found: [(String, String)] = []
        let bytes = Array(header.utf8)
        guard var place = bytes.firstIndex(of: UInt8(ascii: ";")) else { return [] }
        while place < bytes.count, bytes[place] == UInt8(ascii: ";") {
            place += 1
            while place < bytes.count, bytes[place] == 0x20 || bytes[place] == 0x09 { place += 1 }
            guard let equals = bytes[place...].firstIndex(of: UInt8(ascii: "=")) else { return found }
            let name = String(decoding: bytes[place..<equals], as: UTF8.self).lowercased()
            place = equals + 1
            var value: [UInt8] = []
            if place < bytes.count, bytes[place] == UInt8(ascii: "\"") {
                place += 1
                while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
                    if bytes[place] == UInt8(ascii: "\\"), place + 1 < bytes.count { place += 1 }
                    value.append(bytes[place])
                    place += 1
                }
                place += 1
            } else {
                while place < bytes.count, bytes[place] != UInt8(ascii: ";") {
                    value.append(bytes[place])
                    place += 1
                }
                while value.last == 0x20 || value.last == 0x09 { value.removeLast() }
            }
            found.append((name, String(decoding: value, as: UTF8.self)))
            while place < bytes.count, bytes[place] == 0x20 || bytes[place] == 0x09 { place += 1 }
        }
        return found
    }

    /// Where `pattern`, which begins with a carriage return, stands first; it ends before `limit`.
    private static func find(_ pattern: [UInt8], in bytes: [UInt8], from: Int, before limit: Int? = nil) -> Int? {
        let limit = limit ?? bytes.count
        return bytes.withUnsafeBytes { all -> Int? in
            pattern.withUnsafeBytes { pattern -> Int? in
                guard let base = all.baseAddress, let wanted = pattern.baseAddress else { return nil }
                var place = from
                while place + pattern.count <= limit {
                    guard let next = memchr(base + place, 0x0D, limit - place - pattern.count + 1) else { return nil }
                    place = next - UnsafeMutableRawPointer(mutating: base)
                    if memcmp(base + place, wanted, pattern.count) == 0 { return place }
                    place += 1
                }
                return nil
            }
        }
    }
}
