import Foundation
import Glibc
import Participant
import Testing

/// What programs say to those that follow along.
@Suite struct EventLogTests {
    let scratch: Scratch
    var path: String { scratch.path + "/events" }

    init() throws { scratch = try Scratch() }

    private func why(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    private func lines(_ path: String) throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n").dropLast()
    }

    private func objects() throws -> [[String: String]] {
        try lines(path).map { try JSONDecoder().decode([String: String].self, from: Data($0.utf8)) }
    }

    @Test func eachEventIsOneObjectInOneLine() throws {
        let log = try EventLog(path: path, common: ["device": "d1"])
        log.record("asked", ["kind": "simple"])
        log.record("joined")
        let found = try objects()
        #expect(found.map { $0["event"] } == ["asked", "joined"])
        #expect(found.map { $0["device"] } == ["d1", "d1"])
        #expect(found[0]["kind"] == "simple")
        let times = try found.map { try #require($0["t"].flatMap { Double($0) }) }
        #expect(times[0] <= times[1])
        for object in found { #expect(try #require(object["t"]).split(separator: ".").last?.count == 6) }
    }

    @Test func detailsComeBeforeWhatIsCommonAndTheEventsNameBeforeBoth() throws {
        let log = try EventLog(path: path, common: ["a": "common", "event": "no"])
        log.record("yes", ["a": "own", "t": "never"])
        let found = try #require(try objects().first)
        #expect(found["a"] == "own" && found["event"] == "yes" && found["t"] != "never")
    }

    @Test(arguments: ["a\nb", "\"}\r\n{\"event\":\"joined\"", "\u{1B}[2J", "\u{202E}x", "\u{2028}", "\0", "ü日本", "/"])
    func textFromElsewhereStaysInItsLine(_ text: String) throws {
        let log = try EventLog(path: path)
        log.record("left", ["why": text])
        log.record("end")
        #expect(try objects().map { $0["event"] } == ["left", "end"])
        #expect(try objects()[0]["why"] == text, "it means the same")
        #expect(try !lines(path)[0].unicodeScalars.contains { $0.value < 0x20 || $0 == "\u{202E}" || $0 == "\u{2028}" })
    }

    @Test func aFileIsAppendedTo() throws {
        try EventLog(path: path).record("first")
        try EventLog(path: path).record("second")
        #expect(try objects().map { $0["event"] } == ["first", "second"])
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test func withoutAPathNothingIsWritten() throws {
        try EventLog(path: nil).record("x")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).isEmpty)
    }

    @Test func aLogThatHasGrownLargeIsPutAside() throws {
        FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
        #expect(truncate(path, (64 << 20) + 1) == 0)
        let log = try EventLog(path: path)
        log.record("fresh")
        log.record("more")
        #expect(try objects().map { $0["event"] } == ["fresh", "more"])
        var status = stat()
        #expect(stat(path + ".old", &status) == 0 && status.st_size == (64 << 20) + 1)
    }

    @Test func atItsLimitItGoesOn() throws {
        FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
        #expect(truncate(path, 64 << 20) == 0)
        try EventLog(path: path).record("last")
        #expect(access(path + ".old", F_OK) != 0)
    }

    /// Somebody has put something in the old one's place.
    @Test func whatMustNotBeReplacedIsNot() throws {
        let dear = scratch.path + "/dear"
        try Data("dear".utf8).write(to: URL(fileURLWithPath: dear))
        #expect(symlink(dear, path + ".old") == 0)
        FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
        #expect(truncate(path, (64 << 20) + 1) == 0)
        let log = try EventLog(path: path)
        log.record("lost")
        log.record("lost, too")
        #expect(try String(contentsOfFile: dear, encoding: .utf8) == "dear")
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_size == (64 << 20) + 1, "it is full, and says no more")
    }

    @Test func eventsGoThroughNoLinkAndWaitForNoReader() throws {
        try "dear".write(toFile: scratch.path + "/dear", atomically: false, encoding: .utf8)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: scratch.path + "/dear")
        #expect(why { try EventLog(path: path).record("x") }.contains("symbolic link"))
        #expect(try String(contentsOfFile: scratch.path + "/dear", encoding: .utf8) == "dear")
        #expect(mkfifo(scratch.path + "/pipe", 0o600) == 0)
        #expect(why { try EventLog(path: scratch.path + "/pipe").record("x") }.contains("nobody reads"))
    }

    @Test func aPipeThatIsFullDropsEventsAndHoldsNobodyUp() throws {
        let pipe = scratch.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let reader = open(pipe, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let log = try EventLog(path: pipe)
        let detail = String(repeating: "x", count: 1000)
        for _ in 0..<500 { log.record("much", ["detail": detail]) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(reader, &bytes, bytes.count)
        #expect(count > 0 && count < 500 * 1000)
        // Whole lines only.
        #expect(bytes[count - 1] == 10)
    }

    @Test func severalWritersDoNotMixTheirLines() async throws {
        let path = path
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    let log = try EventLog(path: path)
                    for number in 0..<50 { log.record("e", ["who": "\(writer)", "n": "\(number)"]) }
                }
            }
            try await group.waitForAll()
        }
        let found = try objects()
        #expect(found.count == 200)
        for writer in 0..<4 {
            let numbers = found.filter { $0["who"] == "\(writer)" }.compactMap { $0["n"].flatMap { Int($0) } }
            #expect(numbers == Array(0..<50))
        }
    }
}
