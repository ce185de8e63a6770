import Testing

@testable import Console

/// JSON as programs send it.
@Suite struct APIJSONTests {
    private func read(_ text: String) -> JSON? { try? JSON(Array(text.utf8)) }

    @Test func whatIsJSONIsRead() throws {
        let cases: [(String, JSON)] = [
            ("null", nil), (" true\n", true), ("false", false), ("0", 0), ("-0", 0), ("-12", -12), ("1.0", 1),
            ("1e3", 1000), ("0.5", .number(0.5)), ("12E-1", .number(1.2)), ("9223372036854775807", .integer(.max)),
            ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("\"\"", ""),
            (#""a\"\\\/\b\f\n\r\t\u00e9""#, "a\"\\/\u{8}\u{c}\n\r\t\u{e9}"), (#""\ud83d\ude00""#, "\u{1F600}"),
            ("\"\u{1F600}\"", "\u{1F600}"), ("[]", []), ("[1, [2], {}]", [1, [2], [:]]), ("{}", [:]),
            (#"{"a":1,"b":{"c":[null]}}"#, ["a": 1, "b": ["c": [nil]]]),
        ]
        for (text, value) in cases { #expect(read(text) == value, "\(text)") }
    }

    @Test(arguments: [
        "", " ", "nul", "tru", "01", "-", "1.", ".5", "1e", "+1", "1e999", "NaN", "Infinity", "'a'", "\"", "\"a",
        "\"\\x\"",
        "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800x\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\n\"",
        "\"\u{1}\"",
        "[", "[1", "[1,", "[1,]", "[1 2]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{a:1}", "{\"a\" 1}",
        "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "1 2", "{}x", "// c\n1",
    ])
    func whatIsNoneIsRefused(_ text: String) { #expect(read(text) == nil) }

    @Test func bytesThatAreNoTextAreRefused() {
        for bytes: [UInt8] in [
            [0x22, 0xFF, 0x22], [0x22, 0xC3, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0xEF, 0xBB, 0xBF, 0x31],
        ] {
            #expect(throws: JSONError.self) { try JSON(bytes) }
        }
    }

    @Test func deepNestingIsRefusedAndNothingOverflows() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(read(nested(JSON.maximumDepth)) != nil)
        #expect(read(nested(JSON.maximumDepth + 2)) == nil)
        #expect(read(String(repeating: "[", count: 60_000)) == nil)
        #expect(read(String(repeating: "{\"a\":", count: 10_000)) == nil)
    }

    @Test func errorsSayWhere() {
        #expect(throws: JSONError(offset: 5, words: "there is something after the value")) {
            try JSON(Array("true x".utf8))
        }
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        let values: [JSON] = [
            nil, true, 7, .number(0.25), "a\"\\\n\t\u{0}\u{7f}\u{1F600}", ["x", [1, 2, nil]], ["k\n": ["": [:]]], [],
        ]
        for value in values { #expect(try JSON(value.bytes) == value) }
        // No control character is left as it is.
        #expect(!JSON.text("\u{1b}[31m\u{7f}").bytes.contains { $0 < 0x20 || $0 == 0x7F })
        #expect(JSON.number(.nan).bytes == Array("null".utf8))
    }

    @Test func cursorsAreOpaqueAndChecked() throws {
        let cursor = Cursor("devices", "d1:2.5")
        let read = try #require(Cursor(cursor.text))
        #expect(read.kind == "devices" && read.place == "d1:2.5")
        #expect(
            cursor.text.utf8.allSatisfy {
                $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "=")
            })
        for text in ["", "x", "!!!", "AAAA", String(repeating: "A", count: 300), "é"] { #expect(Cursor(text) == nil) }
    }

    @Test func answersAreKeptForOneTokenAndForADay() {
        let table = IdempotencyTable()
        func standing(_ token: Int64, _ key: String, _ print: UInt8, at now: Duration) -> String {
            switch table.begin(token, key, [print], now: now) {
            case .fresh: "fresh"
            case .answered: "answered"
            case .reused: "reused"
            case .underWay: "under way"
            }
        }
        #expect(standing(1, "a", 1, at: .zero) == "fresh")
        #expect(standing(1, "a", 1, at: .zero) == "under way")
        #expect(standing(2, "a", 1, at: .zero) == "fresh")
        table.end(1, "a", .answer(.nothing))
        #expect(standing(1, "a", 1, at: .seconds(5)) == "answered")
        #expect(standing(1, "a", 2, at: .seconds(5)) == "reused")
        #expect(standing(1, "a", 2, at: IdempotencyTable.lifetime) == "fresh")
        // What failed may be tried again.
        table.end(2, "a", nil)
        #expect(standing(2, "a", 9, at: .zero) == "fresh")
    }

    @Test func theTableOfAnswersIsBounded() {
        let table = IdempotencyTable()
        for index in 0..<IdempotencyTable.maximumOfOne + 50 {
            _ = table.begin(1, "\(index)", [1], now: .milliseconds(index))
            table.end(1, "\(index)", .answer(.nothing))
        }
        #expect(table.count == IdempotencyTable.maximumOfOne)
        // The oldest have gone, the newest are there.
        if case .fresh = table.begin(1, "0", [1], now: .seconds(1)) {} else { Issue.record("0 is kept") }
        if case .answered = table.begin(1, "305", [1], now: .seconds(1)) {} else { Issue.record("305 is not kept") }
        for index in 0..<IdempotencyTable.maximum + 100 {
            _ = table.begin(Int64(index + 10), "k", [1], now: .seconds(2))
        }
        #expect(table.count <= IdempotencyTable.maximum)
    }
}
