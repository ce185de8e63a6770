import Foundation
import Glibc
import Linux
import Testing

@testable import WitnessLink

@Suite struct LineSocketTests {
    /// The product's end, and a plain descriptor for what the other side may write.
    final class Pair {
        let socket: LineSocket
        private(set) var other: Int32

        init() throws {
            let pair = try LineSocket.pair()
            socket = pair.mine
            other = dup(pair.child.descriptor)
        }
        deinit { close() }

        func write(_ bytes: [UInt8]) { #expect(send(other, bytes, bytes.count, SocketFlags.noSignal) == bytes.count) }
        func write(_ text: String) { write(Array(text.utf8)) }
        func close() {
            if other >= 0 { _ = Glibc.close(other) }
            other = -1
        }
    }

    private func why(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func linesAreReadOneByOneHoweverTheyCome() throws {
        let pair = try Pair()
        pair.write("wake\nre")
        #expect(try pair.socket.line(timeout: 0) == "wake")
        #expect(try pair.socket.line(timeout: 0) == nil, "half a line is none")
        for byte in "st\n\n".utf8 { pair.write([byte]) }
        #expect(try pair.socket.line(timeout: 0) == "rest")
        #expect(try pair.socket.line(timeout: 0) == "")
        #expect(try pair.socket.line(timeout: 0) == nil)
    }

    @Test func manyLinesKeepTheirOrder() throws {
        let pair = try Pair()
        // In one write: each takes a piece of the socket's buffer that is much larger than a line.
        pair.write((0..<1000).map { "alive \($0)\n" }.joined())
        for number in 0..<1000 { #expect(try pair.socket.line(timeout: 0) == "alive \(number)") }
        #expect(try pair.socket.line(timeout: 0) == nil)
    }

    @Test func theLongestLineIsTakenAndALongerOneEndsIt() throws {
        let pair = try Pair()
        let longest = String(repeating: "x", count: WitnessLine.maximumLength - 1)
        pair.write(longest + "\n")
        #expect(try pair.socket.line(timeout: 0) == longest)
        pair.write(longest + "x")
        #expect(why { _ = try pair.socket.line(timeout: 0) } == "a line is longer than 512 bytes")
        // And it stays so: what comes next is the rest of that line.
        pair.write("\nwake\n")
        #expect(why { _ = try pair.socket.line(timeout: 0) } == "a line is longer than 512 bytes")
    }

    @Test func aLineThatIsTooLongButWholeIsNone() throws {
        let pair = try Pair()
        pair.write("ready " + String(repeating: "x", count: 600) + "\nwake\n")
        let line = try #require(try pair.socket.line(timeout: 0))
        #expect(WitnessLine(line) == nil && WitnessCommand(line) == nil)
        #expect(try pair.socket.line(timeout: 0) == "wake")
    }

    @Test func bytesThatAreNoTextDoNotEndIt() throws {
        let pair = try Pair()
        pair.write([0x72, 0xFF, 0xC3, 0x00, 0x1B, 10] + Array("wake\n".utf8))
        let line = try #require(try pair.socket.line(timeout: 0))
        #expect(WitnessLine(line) == nil)
        #expect(try pair.socket.line(timeout: 0) == "wake")
    }

    @Test func whatWasSaidBeforeTheEndIsHeard() throws {
        let pair = try Pair()
        pair.write("wake\nhalf")
        pair.close()
        #expect(try pair.socket.line(timeout: 0) == "wake")
        #expect(why { _ = try pair.socket.line(timeout: -1) } == "the other side has gone")
    }

    @Test func anInterruptionEndsTheWait() throws {
        let pair = try Pair()
        let interrupt = try Pair()
        interrupt.write("x")
        #expect(try pair.socket.line(timeout: -1, interrupt: interrupt.socket.descriptor) == nil)
        // What has come counts all the same.
        pair.write("wake\n")
        #expect(try pair.socket.line(timeout: -1, interrupt: interrupt.socket.descriptor) == "wake")
    }

    @Test func shuttingDownEndsBothSides() throws {
        let pair = try Pair()
        pair.socket.shutDown()
        #expect(why { _ = try pair.socket.line(timeout: -1) } == "the other side has gone")
        var byte: UInt8 = 0
        #expect(read(pair.other, &byte, 1) == 0)
    }

    @Test func writingToWhoHasGoneIsAnErrorAndNoSignal() throws {
        let pair = try Pair()
        try pair.socket.write("wake")
        pair.close()
        #expect(why { try pair.socket.write("rest") } == "the other side has gone")
    }

    @Test func whoDoesNotReadCountsAsGone() throws {
        let pair = try Pair()
        let line = String(repeating: "x", count: 500)
        var lines = 0
        let found = why { while lines < 100_000 { (try pair.socket.write(line), lines += 1).1 } }
        #expect(found == "the other side has gone")
        #expect(lines > 0 && lines < 100_000)
    }

    @Test func whereNobodyListensThePathIsNamed() {
        let path = NSTemporaryDirectory() + "no-\(UUID().uuidString)"
        #expect(why { _ = try LineSocket.connected(to: path) } == "\(path): No such file or directory")
        let long = "/" + String(repeating: "x", count: 200)
        #expect(why { _ = try LineSocket.connected(to: long) } == "\(long): File name too long")
    }

    @Test func whatWasHandedOnIsOverwritten() {
        var pipes: [Int32] = [0, 0]
        #expect(pipe(&pipes) == 0)
        defer { for descriptor in pipes { close(descriptor) } }
        var buffer = LineBuffer()
        let text = Array("seen 00112233445566778899aabbccddeeff qr\nrest\n".utf8)
        #expect(write(pipes[1], text, text.count) == text.count)
        #expect(buffer.fill(from: pipes[0]) == text.count)
        #expect(buffer.line()?.hasPrefix("seen 0011") == true)
        let mirrored = Mirror(reflecting: buffer).children.first { $0.label == "bytes" }?.value as? [UInt8]
        #expect(mirrored?.prefix(5) == Array("rest\n".utf8)[...])
        #expect(mirrored?.dropFirst(5).allSatisfy { $0 == 0 } == true)
    }
}

@Suite struct WitnessCommandTests {
    @Test(arguments: [
        [], ["--device", "auto"], ["a b", "c\td\n"], ["100%", "%41", "%"], ["ü日本"], ["--pass=a%20b"], ["\u{0}\u{1F}"],
        ["\u{7F}"],
    ])
    func everyWordIsReadAsItWasWritten(_ words: [String]) {
        let command = WitnessCommand.use(words)
        #expect(!command.description.contains("\n"))
        #expect(WitnessCommand(command.description) == command)
    }

    @Test func wordsAreWrittenPercentEncoded() {
        #expect(WitnessCommand.use(["a b", "%"]).description == "use a%20b %25")
        #expect(WitnessCommand.wake.description == "wake" && WitnessCommand.rest.description == "rest")
    }

    @Test(arguments: ["%", "%4", "%zz", "a%", "%%%"])
    func whatIsNotEncodedIsTakenAsItIs(_ word: String) {
        #expect(WitnessCommand("use \(word)") == .use([word]))
    }

    @Test(arguments: [
        "", "Wake", "wake ", " wake", "used", "use" + String(repeating: " a", count: 300), "seen", "hello 1 camera",
    ])
    func nonsenseIsNoCommand(_ text: String) {
        #expect(WitnessCommand(text) == nil)
    }
}
