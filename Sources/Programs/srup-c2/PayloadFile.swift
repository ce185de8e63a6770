import C2
import Foundation

/// A payload on this machine, read in parts.
struct PayloadFile {
    struct Failure: Error, CustomStringConvertible { let description: String }

    let path: String

    init(_ path: String) { self.path = path }

    /// All of it, in parts of a megabyte.
    func read(_ body: (ArraySlice<UInt8>) throws -> Void) throws {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw Failure(description: "\(path) cannot be read")
        }
        defer { try? file.close() }
        while let part = try file.read(upToCount: 1 << 20), !part.isEmpty { try body(Array(part)[...]) }
    }

    /// Its size in bytes and its SHA-256 in 64 hexadecimal digits.
    func measured() throws -> (size: Int64, digest: String) {
        var hash = PayloadHash()
        try read { hash.add($0) }
        return hash.result
    }
}

/// A small text.
enum PublicText {
    static func read(_ path: String, atMost limit: Int) throws -> String {
        guard let file = FileHandle(forReadingAtPath: path), let data = try file.read(upToCount: limit + 1),
            data.count <= limit, let text = String(validating: data, as: UTF8.self)
        else { throw PayloadFile.Failure(description: "\(path) cannot be read, or is no manifest") }
        return text
    }
}
