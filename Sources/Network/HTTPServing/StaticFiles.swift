import Glibc
import Hummingbird
import Limits

/// Files of one folder for strangers: whole or in part (RFC 9110, 13 and 14), so that a download that was cut goes on where it
/// was. Nothing but the files right in it, and no more downloads at once than are allowed.
public struct StaticFiles: Sendable {
    private let folder: String
    private let table: DownloadTable

    /// Read and sent at once, in bytes.
    private static let part = 64 << 10
    /// After how many seconds a download that was refused may be asked for again.
    static let pause = 15

    /// - Parameters:
    ///   - folder: whose files are served; it need not be there yet.
    ///   - perAddress: how many downloads one address may have at once.
    ///   - inAll: how many all of them may have.
    public init(folder: String, perAddress: Int = 8, inAll: Int = 128) {
        self.folder = folder
        table = DownloadTable(perAddress: perAddress, inAll: inAll)
    }

    /// How many downloads there are now.
    public var count: Int { table.count }

    /// Whether a file may have this name: no path, and none of the hidden ones.
    static func isName(_ text: String) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        guard (1...100).contains(text.utf8.count), let first = text.utf8.first, isPlain(first) else { return false }
        return text.utf8.allSatisfy { isPlain($0) || ".-_".utf8.contains($0) }
    }

    /// What is answered to a GET or HEAD.
    ///
    /// - Parameters:
    ///   - name: as it stands in the path, decoded.
    ///   - address: who asks.
    public func response(_ name: String, _ request: Request, from address: AddressGroup) -> Response {
        guard Self.isName(name), let file = OpenFile(folder + "/" + name) else { return Response(status: .notFound) }
        var headers: HTTPFields = [
            .eTag: file.tag, .acceptRanges: "bytes",
            .contentType: name.hasSuffix(".manifest") ? "text/plain; charset=utf-8" : "application/octet-stream",
            // A file is never another one under its name.
            .cacheControl: "public, max-age=86400",
        ]
        if let known = request.headers[.ifNoneMatch], Self.lists(known, file.tag) {
            return Response(status: .notModified, headers: headers)
        }
        let wanted: Range<Int64>
        switch Self.range(request, file) {
        case .whole: wanted = 0..<file.size
        case .part(let range):
            wanted = range
            headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)"
        case .none:
            headers[.contentRange] = "bytes */\(file.size)"
            return Response(status: .rangeNotSatisfiable, headers: headers)
        }
        let status: HTTPResponse.Status = headers[.contentRange] == nil ? .ok : .partialContent
        guard request.method != .head else {
            headers[.contentLength] = String(wanted.count)
            return Response(status: status, headers: headers)
        }
        guard let place = table.take(address) else {
            return Response(status: .tooManyRequests, headers: [.retryAfter: String(Self.pause)])
        }
        let body = ResponseBody(contentLength: wanted.count) { writer in
            defer { withExtendedLifetime(place) {} }
            var at = wanted.lowerBound
            while at < wanted.upperBound {
                let bytes = file.read(at, Int(min(Int64(Self.part), wanted.upperBound - at)))
                // It has become shorter: what was promised cannot be kept, and the connection is closed.
                guard !bytes.isEmpty else { throw HTTPError(.internalServerError) }
                try await writer.write(ByteBuffer(bytes: bytes))
                at += Int64(bytes.count)
            }
            try await writer.finish(nil)
        }
        return Response(status: status, headers: headers, body: body)
    }

    private enum Wanted { case whole, part(Range<Int64>), none }

    /// The one range that is asked for; several, and what is no range, are answered with the whole file (RFC 9110, 14.2).
    private static func range(_ request: Request, _ file: OpenFile) -> Wanted {
        let headers = request.headers[values: .range]
        guard headers.count == 1, request.method == .get else { return .whole }
        // Only when it is still the same file (RFC 9110, 13.1.5); a date is no strong validator of ours.
        if let condition = request.headers[.ifRange], condition != file.tag { return .whole }
        let parts = headers[0].split(separator: "=", maxSplits: 1)
        guard parts.count == 2, parts[0] == "bytes" else { return .whole }
        let ends = parts[1].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard ends.count == 2 else { return .whole }
        switch (number(ends[0]), number(ends[1])) {
        case (let first?, let last?):
            guard last >= first else { return .whole }
            return first < file.size ? .part(first..<min(last, file.size - 1) + 1) : .none
        case (let first?, nil) where ends[1].isEmpty: return first < file.size ? .part(first..<file.size) : .none
        case (nil, let last?) where ends[0].isEmpty:
            return last > 0 && file.size > 0 ? .part(max(0, file.size - last)..<file.size) : .none
        default: return .whole
        }
    }

    private static func number(_ text: Substring) -> Int64? {
        guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(text)
    }

    private static func lists(_ header: String, _ tag: String) -> Bool {
        header == "*"
            || header.split(separator: ",").contains { part in
                let one = part.drop { $0 == " " }
                return one == tag || one == "W/" + tag
            }
    }
}

/// A file that is being read. Its descriptor is closed with the last reference.
private final class OpenFile: Sendable {
    private let descriptor: Int32
    let size: Int64
    /// Another one when the file was replaced or written to (a strong validator).
    let tag: String

    /// `nil` when there is no such file, or something else has its name.
    init?(_ path: String) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            if descriptor >= 0 { close(descriptor) }
            return nil
        }
        size = Int64(status.st_size)
        tag = "\"\(status.st_ino)-\(size)-\(status.st_mtim.tv_sec)-\(status.st_mtim.tv_nsec)\""
    }

    deinit { close(descriptor) }

    /// Empty at the end, and when it cannot be read.
    func read(_ offset: Int64, _ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
            let found = pread(descriptor, buffer.baseAddress, count, Int(offset))
            used = max(0, found)
        }
    }
}
