import Foundation
import Glibc
import Linux
import Synchronization
import Testing

@testable import WitnessLink

/// The witness's end of the socket.
@Suite struct WitnessServerTests {
    /// An eye that only counts what it is told.
    final class Lid: Eye {
        let kind = "camera"
        let told = Mutex<[String]>([])
        func wake() { told.withLock { $0.append("wake") } }
        func rest() { told.withLock { $0.append("rest") } }
    }

    /// What the eye was told until the keeper went away, and what the witness has said.
    private func serve(_ text: String) throws -> (told: [String], said: [String]) {
        let pair = try LineSocket.pair()
        let bytes = Array(text.utf8)
        #expect(send(pair.mine.descriptor, bytes, bytes.count, 0) == bytes.count)
        shutdown(pair.mine.descriptor, SocketFlags.endWriting)
        let lid = Lid()
        WitnessServer(descriptor: dup(pair.child.descriptor)).serve(lid)
        return (lid.told.withLock { $0 }, lines(pair.mine))
    }

    /// What has been said, without waiting for more.
    private func lines(_ socket: LineSocket) -> [String] {
        var found: [String] = []
        while let line = try? socket.line(timeout: 0) { found.append(line) }
        return found
    }

    @Test func itSaysHelloFirst() throws {
        #expect(try serve("").said == ["hello 1 camera"])
    }

    @Test(arguments: [
        ("", []), ("wake\n", ["wake", "rest"]), ("wake\nwake\nwake\n", ["wake", "rest"]),
        ("wake\nrest\n", ["wake", "rest"]), ("rest\nrest\n", []),
        ("wake\nrest\nrest\nwake\n", ["wake", "rest", "wake", "rest"]),
        // Nonsense, and what comes too late.
        ("VALID\n\u{1B}\n\nwake\nuse --device /dev/video1\n", ["wake", "rest"]),
        // Half a command is none.
        ("wak", []), ("wake\nres", ["wake", "rest"]),
    ])
    func theEyeIsOpenOnlyWhenItIsWanted(_ text: String, _ told: [String]) throws {
        #expect(try serve(text).told == told)
    }

    @Test func aKeeperThatSendsALineWithoutEndIsGone() throws {
        #expect(try serve("wake\n" + String(repeating: "x", count: 5000)).told == ["wake", "rest"])
    }

    @Test func differentValuesAreAllPassedOn() throws {
        let pair = try LineSocket.pair()
        let server = WitnessServer(descriptor: dup(pair.child.descriptor))
        for byte in 0..<20 as Range<UInt8> { server.say(.seen(Array(repeating: byte, count: 16), how: "qr")) }
        #expect(lines(pair.mine).count == 20)
    }

    @Test func aValueThatStaysInViewIsSaidNowAndThen() throws {
        let pair = try LineSocket.pair()
        let server = WitnessServer(descriptor: dup(pair.child.descriptor))
        var said = 0
        for _ in 0..<1000 {
            server.say(.seen(Array(repeating: 7, count: 16), how: "qr"))
            said += lines(pair.mine).count
        }
        // Ten times a second: more would take it ten seconds.
        #expect(said > 0 && said < 100)
    }

    @Test func aPictureFullOfCodesFloodsNobody() throws {
        let pair = try LineSocket.pair()
        let server = WitnessServer(descriptor: dup(pair.child.descriptor))
        var said = 0
        for number in 0..<2000 {
            server.say(.seen([UInt8(number & 255), UInt8(number >> 8)] + Array(repeating: 0, count: 14), how: "qr"))
            said += lines(pair.mine).count
        }
        #expect((64..<1000).contains(said))
    }

    @Test func tapsAndNewsAreAlwaysPassedOn() throws {
        let pair = try LineSocket.pair()
        let server = WitnessServer(descriptor: dup(pair.child.descriptor))
        for _ in 0..<10 { server.say(.tapped(Array(repeating: 7, count: 16), how: "SNEP")) }
        for _ in 0..<10 { server.say(.lost("gone")) }
        #expect(lines(pair.mine).count == 20)
    }

    @Test func afterARestTheSameValueIsNews() throws {
        let pair = try LineSocket.pair()
        let server = WitnessServer(descriptor: dup(pair.child.descriptor))
        let value = [UInt8](repeating: 7, count: 16)
        server.say(.seen(value, how: "qr"))
        try pair.mine.write("wake")
        try pair.mine.write("rest")
        shutdown(pair.mine.descriptor, SocketFlags.endWriting)
        server.serve(Lid())
        server.say(.seen(value, how: "qr"))
        #expect(lines(pair.mine).filter { $0.hasPrefix("seen") }.count == 2)
    }

    @Test func aKeeperThatHasGoneStopsNoEye() throws {
        let pair = try LineSocket.pair()
        let server = WitnessServer(descriptor: dup(pair.child.descriptor))
        pair.mine.shutDown()
        for frame in 0..<100 as Range<UInt64> { server.say(.alive(frames: frame)) }
    }

    // MARK: Started by a service manager

    /// A socket as the service manager makes one, and a keeper's connection to it that says `text`.
    private func accepted(_ text: String) throws -> [String]? {
        let path = NSTemporaryDirectory() + "w-\(UUID().uuidString.prefix(8))"
        let listening = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer {
            close(listening)
            unlink(path)
        }
        #expect(UnixAddress.with(path, { bind(listening, $0, $1) }) == 0 && listen(listening, 1) == 0)
        let keeper = try LineSocket.connected(to: path)
        let bytes = Array(text.utf8)
        #expect(send(keeper.descriptor, bytes, bytes.count, 0) == bytes.count)
        shutdown(keeper.descriptor, SocketFlags.endWriting)
        return WitnessServer.accepted(from: listening)?.words
    }

    @Test func theOptionsComeFirst() throws {
        #expect(
            try accepted("use --device /dev/video0 --zone a%20b\nwake\n") == [
                "--device", "/dev/video0", "--zone", "a b",
            ])
        #expect(try accepted("use\n") == [])
    }

    @Test(arguments: ["", "wake\n", "use --device", "nonsense\n", String(repeating: "u", count: 2000)])
    func whoeverSaysSomethingElseIsNoKeeper(_ text: String) throws {
        #expect(try accepted(text) == nil)
    }
}
