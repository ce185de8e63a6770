import CCurl
import Glibc
import Linux

/// What comes in one try of a ``Download``: used by libcurl's callbacks on the thread that runs the try, and then by it.
final class Transfer {
    private let curl: UnsafeMutableRawPointer
    private let descriptor: Int32
    /// What was there before, in bytes.
    let have: UInt64
    private let size: UInt64?
    private let limit: UInt64
    let stop: Download.Stop
    /// The web server's mark of the file.
    private(set) var mark: String?
    /// The size of the file so far.
    private(set) var written: UInt64
    /// What came in this try, in bytes.
    private(set) var came: UInt64 = 0
    private(set) var redirects = 0
    private(set) var problem: UpdateProblem?
    private(set) var mustBeginAnew = false
    private(set) var status = 0
    /// What the web server says beside an error.
    private(set) var said: [UInt8] = []
    private var fields: [String: String] = [:]
    private(set) var hasBegun = false

    init(
        curl: UnsafeMutableRawPointer, descriptor: Int32, have: UInt64, size: UInt64?, limit: UInt64, mark: String?,
        stop: Download.Stop
    ) {
        self.curl = curl
        self.descriptor = descriptor
        self.have = have
        self.size = size
        self.limit = limit
        self.mark = mark
        self.stop = stop
        written = have
    }

    static func of(_ context: UnsafeMutableRawPointer?) -> Transfer {
        // Always the one that `Download.prepare` has given libcurl.
        guard let context else { preconditionFailure("libcurl has lost its context") }
        return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    }

    /// Whether the web server has refused.
    var isRefusal: Bool { status >= 400 && status != 416 }

    /// A line of the head.
    func head(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        let line = String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            fields = [:]
            status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            if (300..<400).contains(status) { redirects += 1 }
            if status == 416 { mustBeginAnew = true }
        } else if let colon = line.firstIndex(of: ":") {
            let name = line[..<colon].lowercased()
            guard ["etag", "last-modified", "content-range", "content-length"].contains(name) else { return count }
            let value = line[line.index(after: colon)...].filter { $0 != "\r\n" && !$0.isNewline }
            fields[name] = String(value.drop { $0 == " " }.prefix(256))
        }
        return count
    }

    /// A piece of the body; anything but its length ends the try.
    func body(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> Int {
        let piece = UnsafeRawBufferPointer(start: bytes, count: count)
        if status >= 400 {
            said.append(contentsOf: piece.prefix(Download.maximumBody - said.count))
            return said.count < Download.maximumBody && !mustBeginAnew ? count : 0
        }
        // Of an answer that only sends us on.
        if (300..<400).contains(status) { return count }
        guard hasBegun || begin() else { return 0 }
        guard written + UInt64(count) <= limit else {
            problem = .file(
                size == nil ? "it is larger than the \(limit) bytes that are taken here" : "it is larger than its manifest says")
            return 0
        }
        guard writeAll(piece, to: descriptor) else {
            problem = Download.disk("the update's file", errno)
            return 0
        }
        written += UInt64(count)
        came += UInt64(count)
        return count
    }

    /// Whether the body that begins is one that we can use.
    private func begin() -> Bool {
        hasBegun = true
        if status == 206 {
            guard have > 0, let range = fields["content-range"], Self.begins(range, at: have, total: size) else {
                mustBeginAnew = true
                return false
            }
        } else if have > 0 || status != 200 {
            guard status == 200 else {
                problem = .server("the web server answers with HTTP status \(status)")
                return false
            }
            // It sends all of it, since it has another file or knows no ranges.
            guard ftruncate(descriptor, 0) == 0, lseek(descriptor, 0, SEEK_SET) == 0 else {
                problem = Download.disk("the update's file", errno)
                return false
            }
            written = 0
        }
        if status == 200, let size, let length = fields["content-length"].flatMap({ UInt64($0) }), length != size {
            problem = .file("it has \(length) bytes, and its manifest says \(size)")
            return false
        }
        mark = Self.mark(fields) ?? (status == 206 ? mark : nil)
        return true
    }

    /// `bytes 1000-1999/2000`: RFC 9110, 14.4.
    static func begins(_ range: String, at offset: UInt64, total: UInt64?) -> Bool {
        let parts = range.split(whereSeparator: { " -/".contains($0) })
        guard parts.count == 4, parts[0] == "bytes", UInt64(parts[1]) == offset else { return false }
        guard let total, parts[3] != "*" else { return true }
        return UInt64(parts[3]) == total
    }

    /// Only a strong mark says that a file is the same byte for byte (RFC 9110, 13.1.5).
    static func mark(_ fields: [String: String]) -> String? {
        guard let mark = fields["etag"], mark.count >= 2, mark.hasPrefix("\""), mark.hasSuffix("\""),
            mark.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else { return nil }
        return mark
    }
}
