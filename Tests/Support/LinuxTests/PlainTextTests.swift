import Foundation
import Linux
import Logging
import Program
import Testing

@Suite struct PlainTextTests {
    @Test(arguments: [
        ("", ""), ("plain text, ü and 日本", "plain text, ü and 日本"), ("a\nb\r\nc\td", "a b  c d"), ("\0", " "),
        ("\u{1B}[31mred\u{7F}", " [31mred "), ("\u{9B}31m, \u{80}\u{9F}\u{A0}", " 31m,   \u{A0}"),
    ])
    func textHasNoControls(_ text: String, _ plain: String) {
        #expect(text.withoutControls == plain)
    }

    /// Direction marks, zero width, separators, byte order mark, tags, variation selectors, fillers, what is not assigned and
    /// what everybody may use for anything.
    static let unseen: [Unicode.Scalar] = [
        "\u{AD}", "\u{34F}", "\u{61C}", "\u{115F}", "\u{180E}", "\u{200B}", "\u{200D}", "\u{200E}", "\u{2028}",
        "\u{2029}", "\u{202A}", "\u{202E}", "\u{2060}", "\u{2066}", "\u{2069}", "\u{206F}", "\u{2800}", "\u{3164}",
        "\u{E000}", "\u{FE0F}", "\u{FEFF}", "\u{FFA0}", "\u{FFF9}", "\u{FFFF}", "\u{E0001}", "\u{E0041}", "\u{E0100}",
        "\u{F0000}", "\u{10FFFF}",
    ]

    @Test(arguments: unseen) func whatIsNotSeenIsShownAsAnEscape(_ scalar: Unicode.Scalar) throws {
        let text = "a\(scalar)b"
        #expect(text.withoutControls == "a\\u{\(String(scalar.value, radix: 16, uppercase: true))}b")
        // In JSON the escapes mean the same.
        let json = #"{"text":"\#(text)"}"#.withEscapesInJSON
        #expect(json.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        let read = try JSONDecoder().decode([String: String].self, from: Data(json.utf8))["text"]
        #expect(read.map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
    }

    @Test func whatComesBackIsBounded() {
        for scalar in Self.unseen {
            let text = String(repeating: String(scalar), count: 100)
            #expect(text.withoutControls.utf8.count <= 4 * text.utf8.count)
            #expect(text.withEscapesInJSON.utf8.count <= 3 * text.utf8.count)
        }
        // One character to Swift, a megabyte to a log.
        let stack = "e" + String(repeating: "\u{301}", count: 500_000)
        #expect(stack.withoutControls(atMost: 80).utf8.count <= 4 * 80 + 3)
        #expect("short".withoutControls(atMost: 5) == "short" && "longer".withoutControls(atMost: 5) == "longe...")
    }

    @Test func whatIsLoggedIsOneHarmlessLine() {
        let store = Store()
        var logger = Logger(label: "test") { _ in PlainLogHandler(store) }
        logger.logLevel = .debug
        logger.notice("from \u{1B}[2Ja peer\nerror: all is lost\u{202E}", metadata: ["who": "\u{202E}\n"])
        #expect(store.lines == ["from  [2Ja peer error: all is lost\\u{202E} \\u{202E} "])
        logger.notice("\(String(repeating: "x", count: 1 << 20))")
        #expect((store.lines.last?.utf8.count ?? 0) < 2 * PlainLogHandler.maximumMessage)
    }

    private final class Store: LogHandler, @unchecked Sendable {
        // Used by one thread.
        var lines: [String] = []
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            lines.append(
                ([event.message.description] + (event.metadata ?? [:]).values.map(\.description)).joined(separator: " ")
            )
        }
    }

    @Test(
        arguments: [
            ([], ""), (Array("ok\r\n".utf8), "ok  "), ([0x00, 0x1B, 0x41, 0x7F, 0x80, 0xFF], "??A???"),
            (Array("ü".utf8), "??"), ([UInt8](repeating: 0x41, count: 30), "AAAAAAAAAAAAAAAAAAAA"),
        ] as [([UInt8], String)])
    func bytesAreMadePrintable(_ bytes: [UInt8], _ text: String) {
        #expect(String(printable: bytes, atMost: 20) == text)
    }
}
