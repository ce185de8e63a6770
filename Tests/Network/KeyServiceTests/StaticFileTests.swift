import Foundation
import HTTPTypes
import Hummingbird
import Limits
import NIOCore
import Testing

@testable import HTTPServing

/// Files for strangers: whole, in part, and no others.
@Suite struct StaticFileTests {
    private final class Collector: ResponseBodyWriter, @unchecked Sendable {
        // Written by one request.
        var bytes: [UInt8] = []
        func write(_ buffer: ByteBuffer) async throws { bytes += Array(buffer.readableBytesView) }
        func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }

    private struct Folder {
        let path = NSTemporaryDirectory() + "srup-static-\(UUID().uuidString)"
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

        init() throws {
            try FileManager.default.createDirectory(atPath: path + "/inner", withIntermediateDirectories: true)
            FileManager.default.createFile(atPath: path + "/payload.bin", contents: Data(bytes))
            FileManager.default.createFile(atPath: path + "/empty", contents: Data())
            FileManager.default.createFile(atPath: path + "/.upload-1", contents: Data([1]))
            try FileManager.default.createSymbolicLink(atPath: path + "/link", withDestinationPath: "/etc/passwd")
        }

        func remove() { try? FileManager.default.removeItem(atPath: path) }
    }

    private func ask(
        _ files: StaticFiles, _ name: String, _ headers: HTTPFields = [:], method: HTTPRequest.Method = .get
    ) async throws -> (response: Response, bytes: [UInt8]) {
        let head = HTTPRequest(
            method: method, scheme: "https", authority: "c2", path: "/releases/x", headerFields: headers)
        let response = files.response(
            name, Request(head: head, body: .init(buffer: ByteBuffer())), from: AddressGroup("192.0.2.1"))
        let collector = Collector()
        try await response.body.write(collector)
        return (response, collector.bytes)
    }

    @Test func aFileComesWholeAndAsManyPartsMakeTheSame() async throws {
        let folder = try Folder()
        defer { folder.remove() }
        let files = StaticFiles(folder: folder.path)
        let whole = try await ask(files, "payload.bin")
        #expect(whole.response.status == .ok && whole.bytes == folder.bytes)
        #expect(whole.response.headers[.acceptRanges] == "bytes")
        let tag = try #require(whole.response.headers[.eTag])
        var found: [UInt8] = []
        while found.count < folder.bytes.count {
            let last = min(found.count + 30_000, folder.bytes.count) - 1
            let part = try await ask(files, "payload.bin", [.range: "bytes=\(found.count)-\(last)", .ifRange: tag])
            #expect(part.response.status == .partialContent)
            #expect(part.response.headers[.contentRange] == "bytes \(found.count)-\(last)/200000")
            found += part.bytes
        }
        #expect(found == folder.bytes)
        let rest = try await ask(files, "payload.bin", [.range: "bytes=199990-"])
        #expect(rest.bytes == Array(folder.bytes.suffix(10)))
        #expect(try await ask(files, "payload.bin", [.range: "bytes=-10"]).bytes == Array(folder.bytes.suffix(10)))
        let long = try await ask(files, "payload.bin", [.range: "bytes=199999-999999999"])
        #expect(long.bytes == Array(folder.bytes.suffix(1)) && long.response.status == .partialContent)
    }

    @Test(arguments: ["bytes=200000-", "bytes=200001-200005", "bytes=-0"])
    func aRangeBehindTheEndIsToldTheSize(_ range: String) async throws {
        let folder = try Folder()
        defer { folder.remove() }
        let answer = try await ask(StaticFiles(folder: folder.path), "payload.bin", [.range: range])
        #expect(answer.response.status == .rangeNotSatisfiable && answer.bytes.isEmpty)
        #expect(answer.response.headers[.contentRange] == "bytes */200000")
    }

    @Test(arguments: [
        "bytes=5-1", "bytes=0-1,5-6", "chunks=0-1", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "bytes=0x1-5",
        "bytes=-99999999999999999999", "bytes=+1-5",
    ])
    func whatIsNoSingleRangeGetsTheWholeFile(_ range: String) async throws {
        let folder = try Folder()
        defer { folder.remove() }
        let answer = try await ask(StaticFiles(folder: folder.path), "payload.bin", [.range: range])
        #expect(answer.response.status == .ok && answer.bytes == folder.bytes)
    }

    @Test func anotherFileUnderTheNameIsSentFromItsBeginning() async throws {
        let folder = try Folder()
        defer { folder.remove() }
        let files = StaticFiles(folder: folder.path)
        let tag = try #require(try await ask(files, "payload.bin").response.headers[.eTag])
        #expect(try await ask(files, "payload.bin", [.ifNoneMatch: tag]).response.status == .notModified)
        let temporary = folder.path + "/.new"
        FileManager.default.createFile(atPath: temporary, contents: Data(folder.bytes.reversed()))
        #expect(rename(temporary, folder.path + "/payload.bin") == 0)
        let answer = try await ask(files, "payload.bin", [.range: "bytes=100-", .ifRange: tag])
        #expect(answer.response.status == .ok && answer.bytes == folder.bytes.reversed())
        #expect(try await ask(files, "payload.bin", [.ifNoneMatch: tag]).response.status == .ok)
        let date = try await ask(
            files, "payload.bin", [.range: "bytes=100-", .ifRange: "Sun, 29 Nov 2026 19:00:00 GMT"])
        #expect(date.response.status == .ok, "a date is no strong validator here")
    }

    @Test(arguments: [
        "", ".", "..", "../payload.bin", "inner", "inner/x", "/etc/passwd", ".upload-1", "link", "nothing", "a\0b",
        "payload.bin/", "%2e%2e", String(repeating: "a", count: 101), "päyload",
    ])
    func nothingElseIsServed(_ name: String) async throws {
        let folder = try Folder()
        defer { folder.remove() }
        let answer = try await ask(StaticFiles(folder: folder.path), name)
        #expect(answer.response.status == .notFound && answer.bytes.isEmpty)
    }

    @Test func headAndEmptyFiles() async throws {
        let folder = try Folder()
        defer { folder.remove() }
        let files = StaticFiles(folder: folder.path)
        let head = try await ask(files, "payload.bin", method: .head)
        #expect(head.bytes.isEmpty && head.response.headers[.contentLength] == "200000")
        #expect(try await ask(files, "empty").response.status == .ok)
        #expect(try await ask(files, "empty", [.range: "bytes=0-"]).response.status == .rangeNotSatisfiable)
    }

    @Test func oneAddressHasOnlySoManyDownloads() async throws {
        let folder = try Folder()
        defer { folder.remove() }
        let files = StaticFiles(folder: folder.path, perAddress: 2, inAll: 3)
        func open(_ address: String) -> Response {
            let head = HTTPRequest(method: .get, scheme: "https", authority: "c2", path: "/releases/x")
            return files.response(
                "payload.bin", Request(head: head, body: .init(buffer: ByteBuffer())), from: AddressGroup(address))
        }
        var kept = [open("192.0.2.1"), open("192.0.2.1")]
        let third = open("192.0.2.1")
        #expect(third.status == .tooManyRequests && third.headers[.retryAfter] == "15")
        kept.append(open("192.0.2.2"))
        #expect(kept.allSatisfy { $0.status == .ok } && files.count == 3)
        #expect(open("192.0.2.3").status == .tooManyRequests)
        kept.removeAll()
        #expect(files.count == 0 && open("192.0.2.3").status == .ok)
    }
}
