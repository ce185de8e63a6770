import Glibc
import Linux
import Testing

@Suite struct WriteAllTests {
    @Test func moreThanAPipeHoldsIsWrittenInParts() async throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let (reader, writer) = (ends[0], ends[1])
        defer { close(reader) }
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        async let isWritten = DetachedThread.value {
            defer { close(writer) }
            return writeAll(bytes, to: writer)
        }
        let read = await DetachedThread.value { () -> [UInt8] in
            var all: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 7777)
            while case let count = Glibc.read(reader, &chunk, chunk.count), count > 0 { all += chunk.prefix(count) }
            return all
        }
        #expect(await isWritten && read == bytes)
    }

    @Test func aReaderThatHasGoneIsTold() throws {
        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
        close(ends[1])
        defer { close(ends[0]) }
        #expect(!sendAll([1, 2, 3], to: ends[0]) && errno == EPIPE)
    }

    @Test func nothingIsWrittenAtOnce() {
        #expect(writeAll([], to: -1) && !writeAll([1], to: -1) && errno == EBADF)
    }

    @Test func whatIsReadEndsWithTheBufferOrTheFile() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let (reader, writer) = (ends[0], ends[1])
        #expect(writeAll([1, 2, 3, 4, 5], to: writer))
        close(writer)
        defer { close(reader) }
        var bytes = [UInt8](repeating: 0, count: 3)
        #expect(bytes.withUnsafeMutableBytes { readAll(into: $0, from: reader) } == 3 && bytes == [1, 2, 3])
        #expect(bytes.withUnsafeMutableBytes { readAll(into: $0, from: reader) } == 2 && bytes == [4, 5, 3])
        #expect(bytes.withUnsafeMutableBytes { readAll(into: $0, from: -1) } == -1 && errno == EBADF)
        bytes.withUnsafeMutableBytes { $0.wipe() }
        #expect(bytes == [0, 0, 0])
    }
}
