import Linux
import Testing

@Suite struct PlainTextTests {
    @Test(arguments: [
        ("", ""), ("plain text, ü and 日本", "plain text, ü and 日本"), ("a\nb\r\nc\td", "a b  c d"), ("\0", " "),
        ("\u{1B}[31mred\u{7F}", " [31mred "), ("\u{9B}31m, \u{80}\u{9F}\u{A0}", " 31m,   \u{A0}"),
    ])
    func textHasNoControls(_ text: String, _ plain: String) {
        #expect(text.withoutControls == plain)
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
