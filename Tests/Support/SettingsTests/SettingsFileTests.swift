import Glibc
import Settings
import Testing

@Suite struct SettingsFileTests {
    enum Colour: String, CaseIterable { case red, green }

    func problem(_ text: String, _ read: (inout SettingsFile) throws -> Void) -> String? {
        do {
            var file = try SettingsFile(text: text, name: "x.toml")
            try read(&file)
            try file.finish()
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func valuesAreReadWithTheirDefaults() throws {
        var file = try SettingsFile(
            text: "[a]\nb = \"c\"\nn = 3\nt = \"5 min\"\nl = [\"x\", \"y\"]\nc = \"green\"\nf = true", name: "x")
        #expect(try file.string("a.b") == "c")
        #expect(try file.string("a.none") == nil)
        #expect(try file.integer("a.n", default: 1, in: 0...9) == 3)
        #expect(try file.integer("a.m", default: 1, in: 0...9) == 1)
        #expect(try file.duration("a.t", default: .zero, in: .zero...(.seconds(1000))) == .seconds(300))
        #expect(try file.strings("a.l") == ["x", "y"])
        #expect(try file.choice("a.c", default: Colour.red) == .green)
        #expect(try file.boolean("a.f", default: false))
        try file.finish()
    }

    @Test func blocksAreReadInTheirOrder() throws {
        let text =
            "[[observer]]\nname = \"a\"\n[observer.nfc]\ndevice = \"x\"\n[[observer]]\nname = \"b\"\n[observer.camera]\n"
        var file = try SettingsFile(text: text, name: "x")
        let blocks = try file.blocks(of: "observer")
        #expect(blocks == ["observer[0].", "observer[1]."])
        #expect(try file.string(blocks[0] + "name") == "a" && file.string(blocks[1] + "name") == "b")
        #expect(file.contains("observer[0].nfc") && !file.contains("observer[0].camera"))
        #expect(try file.string("observer[0].nfc.device") == "x")
        #expect(try file.string("observer[1].camera.device") == nil)
        try file.finish()
        #expect(problem("observer = 3") { _ = try $0.blocks(of: "observer") }?.contains("[[observer]]") == true)
        #expect(problem("observer = [1]") { _ = try $0.blocks(of: "observer") }?.contains("[[observer]]") == true)
        #expect(
            problem("[[observer]]\nnmae = \"a\"") { file in
                for block in try file.blocks(of: "observer") { _ = try file.string(block + "name") }
            }?.contains("did you mean \"observer[0].name\"?") == true)
    }

    @Test func namesOfTheUsersOwnMayHoldSpacesAndDots() throws {
        let text = """
            [policy]
            otherwise = "red"
            lamp = "green"
            "door lock, outside" = "green"
            "a.b [c]" = "red"
            "a.b" = "green"
            "x[0]" = "red"
            """
        var file = try SettingsFile(text: text, name: "x")
        let keys = try file.keys(of: "policy")
        #expect(Set(keys) == ["otherwise", "lamp", "door lock, outside", "a.b [c]", "a.b", "x[0]"])
        #expect(
            try keys.filter { try file.choice(SettingsFile.path("policy", $0), default: Colour.red) == .green }.count
                == 3)
        try file.finish()
        // A table in the table is none of its values, and is not overlooked.
        #expect(
            problem("[policy.a]\nb = \"green\"") { file in
                for key in try file.keys(of: "policy") {
                    _ = try file.choice(SettingsFile.path("policy", key), default: Colour.red)
                }
            }?.contains("policy.a: must be one of") == true)
    }

    @Test func anUnknownKeyNamesItsLineAndTheNearestKey() {
        let text = problem("[observe]\n\ntimeuot = 3") {
            _ = try $0.duration("observe.timeout", default: .zero, in: .zero...(.seconds(9)))
        }
        #expect(text == "x.toml:3: observe.timeuot: there is no such key; did you mean \"observe.timeout\"?")
    }

    @Test func aWrongValueNamesWhatIsAllowed() {
        #expect(
            problem("a = 12") { _ = try $0.integer("a", default: 1, in: 0...9) }
                == "x.toml:1: a: must be a whole number from 0 to 9")
        #expect(
            problem("\na = \"blue\"") { _ = try $0.choice("a", default: Colour.red) }
                == "x.toml:2: a: must be one of \"red\", \"green\"")
        #expect(
            problem("a = \"soon\"") { _ = try $0.duration("a", default: .zero, in: .seconds(1)...(.seconds(60))) }?
                .hasPrefix("x.toml:1: a: must be a time from 1 s to 60 s") == true)
        #expect(
            problem("a = [1]") { _ = try $0.strings("a") } == "x.toml:1: a[0]: must be a string in quotes, not empty")
        #expect(problem("a = 1") { _ = try $0.boolean("a", default: false) } == "x.toml:1: a: must be true or false")
    }

    @Test func whatIsNotTOMLNamesItsLine() {
        #expect(problem("a = 1\nb = = 2") { _ in }?.hasPrefix("x.toml:2: not TOML at column") == true)
    }

    /// toml++ asserts that a key begins there; the assertion ended the program.
    @Test(arguments: ["[(d]", "[", "[\n", "[é]", "[<nfc>]", "[ ", "[[", "[[(", "[\u{1}"])
    func aBracketWithoutANameIsAnError(_ text: String) {
        let found = problem("a = 1\n\n" + text) { _ in }
        #expect(found?.hasPrefix("x.toml:3: not TOML at column") == true || text == "[\n", "\(found ?? "none")")
        #expect(found?.hasPrefix("x.toml:") == true, "\(found ?? "none")")
    }

    @Test func aTableThatNobodyKnowsIsRefused() {
        let read: (inout SettingsFile) throws -> Void = { _ = try $0.string("camera.device") }
        #expect(problem("[camera]", read) == nil)
        #expect(problem("[nonsense]", read) == "x.toml:1: nonsense: there is no such table; these are known: camera")
        #expect(problem("[camra]", read)?.contains("did you mean \"camera\"?") == true)
        #expect(problem("[camera.more]", read)?.contains("camera.more: there is no such table") == true)
        #expect(problem("[[nonsense]]", read)?.contains("no such key") == true)
    }

    @Test func aDotInQuotesIsNoTable() throws {
        let text = "\"camera.device\" = \"a\"\n[camera]\ndevice = \"b\""
        var file = try SettingsFile(text: text, name: "x")
        #expect(try file.string("camera.device") == "b")
        #expect(
            problem(text) { _ = try $0.string("camera.device") }?.hasPrefix("x.toml:1: \"camera.device\": there")
                == true)
        #expect(problem("\"observer[0]\" = 1") { _ = try $0.blocks(of: "observer") }?.contains("no such key") == true)
    }

    @Test func namesOfTheUsersOwnMayHoldAnything() throws {
        var file = try SettingsFile(
            text: "[policy]\nplain = 1\n\"v1.2 \\\"x\\\" \\\\\" = 2\n'a[0]' = 3\na.b = 4", name: "x")
        let names = try file.keys(of: "policy")
        #expect(Set(names) == ["plain", "v1.2 \"x\" \\", "a[0]", "a"])
        for (name, value) in [("plain", 1), ("v1.2 \"x\" \\", 2), ("a[0]", 3)] {
            #expect(try file.integer(SettingsFile.path("policy", name), default: 0, in: 0...9) == value)
        }
    }

    /// A C text ends at a NUL: what a path is checked for and what is opened would not be the same.
    @Test func aNULIsRefused() {
        #expect(
            problem("\na = \"x\\u0000y\"") { _ = try $0.string("a") } == "x.toml:2: a: the text holds a NUL character")
        #expect(problem("\n\"a\\u0000\" = 1") { _ in } == "x.toml:2: a key holds a NUL character")
        #expect(throws: SettingsError.self) { try SettingsText(Array("a = \"x\0y\"".utf8), name: "x") }
    }

    @Test func controlCharactersReachNoTerminal() {
        let found = problem("\"\\u001b[2Jx\" = 1\n") { _ in }
        #expect(found?.contains("[2Jx") == true && found?.unicodeScalars.contains { $0.value < 0x20 } == false)
    }

    @Test(arguments: [
        "-9223372036854775808", "9223372036854775807", "-1", "1e300", "nan", "-inf", "\"1e9 s\"", "\"999999999999 h\"",
    ])
    func aTimeOutsideItsLimitsIsAnError(_ value: String) {
        let found = problem("a = \(value)") { _ = try $0.duration("a", default: .zero, in: .zero...(.seconds(60))) }
        #expect(found?.contains("must be a time from 0 ms to 60 s") == true)
    }

    @Test func aNumberOutsideItsLimitsIsAnError() {
        for value in ["-9223372036854775808", "9223372036854775807"] {
            #expect(
                problem("a = \(value)") { _ = try $0.integer("a", default: 1, in: 0...9) }?.contains("0 to 9") == true)
        }
    }

    /// Keys and tables that would take memory by the square, time by the square, or the stack.
    static let heavy: [(String, String)] = {
        let parts = [String](repeating: "a", count: 60).joined(separator: ".")
        return [
            ("a key of 30,000 parts", [String](repeating: "a", count: 30000).joined(separator: ".") + " = 1"),
            ("the same with spaces", [String](repeating: "a", count: 20000).joined(separator: ". ") + " = 1"),
            ("a table of 30,000 parts", "[" + [String](repeating: "a", count: 30000).joined(separator: ".") + "]"),
            ("brackets", "a = " + String(repeating: "[", count: 60000)),
            ("braces", String(repeating: "{a=", count: 20000)),
            ("brackets of dots", String(repeating: "\(parts) = [\n{", count: 500)),
            ("many keys", (0..<8000).map { "k\($0)=1\n" }.joined()),
            ("many tables", (0..<500).map { "[t\($0).\(parts)]\n" }.joined()),
            ("many blocks", String(repeating: "[[a]]\n", count: 10000)),
            ("many elements", "a = [" + String(repeating: "1,", count: 30000) + "]"),
            ("long paths", "\(parts) = [\n" + String(repeating: "{\(parts) = 1},\n", count: 500) + "]"),
            ("a late bracket", String(repeating: "\n", count: 60000) + "[("),
        ]
    }()

    @Test(arguments: heavy.map(\.0))
    func workAndMemoryAreBounded(_ name: String) throws {
        let text = try #require(Self.heavy.first { $0.0 == name }?.1)
        let start = ContinuousClock.now
        #expect(throws: SettingsError.self) { try SettingsFile(text: text, name: "x") }
        // It takes milliseconds; what is bounded by nothing takes minutes or the memory of the machine.
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    @Test func aFileThatIsTooLargeIsNotRead() {
        let text = String(repeating: "#", count: 2 * SettingsFile.maximumSize + 1)
        #expect(problem(text) { _ in }?.contains("is larger than") == true)
    }

    @Test func aFIFOHoldsNothingUp() throws {
        let path = "/tmp/srup-settings-\(getpid()).fifo"
        #expect(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        _ = try SettingsFile(path: path)
    }

    @Test func textIsReadWithItsMark() throws {
        let text = "ssid = \"Café €\"\n"
        let little = text.utf16.flatMap { unit -> [UInt8] in [UInt8(unit & 0xFF), UInt8(unit >> 8)] }
        let big = text.utf16.flatMap { unit -> [UInt8] in [UInt8(unit >> 8), UInt8(unit & 0xFF)] }
        let plain = Array(text.utf8)
        for bytes in [plain, [0xEF, 0xBB, 0xBF] + plain, [0xFF, 0xFE] + little, [0xFE, 0xFF] + big] {
            let read = try SettingsText(bytes, name: "x")
            #expect(read.text == text && read.bytes(of: read.text) == bytes)
        }
    }

    @Test(
        arguments: [
            ([0x61, 0x0A, 0x62, 0xE9, 0x63], "x:2: the byte E9 (\"é\" in Windows' own code page) is not UTF-8"),
            ([0x93], "x:1: the byte 93 (\"“\" in Windows' own code page) is not UTF-8"),
            ([0x61, 0xC3], "x:1: the byte C3"), ([0xFF, 0xFE, 0x61], "begins like UTF-16"),
            ([0xFF, 0xFE, 0x00, 0xD8], "begins like UTF-16"), ([0x61, 0x00, 0x62, 0x00], "UTF-16 without its mark"),
        ] as [([UInt8], String)])
    func textThatIsNoUTF8IsNamed(_ bytes: [UInt8], _ words: String) {
        do throws(SettingsError) {
            _ = try SettingsText(bytes, name: "x")
            Issue.record("it was read")
        } catch {
            #expect(error.description.contains(words), "\(error)")
            #expect(error.description.contains("save the file as UTF-8"))
        }
    }

    @Test func typographyIsNamed() {
        #expect(problem("a = “b”") { _ in }?.contains("typographic quote (“)") == true)
        #expect(problem("# one\r\n\r\na = “b”\r\n") { _ in }?.contains("typographic quote (“)") == true)
        #expect(problem("a =\u{A0}\"b\"") { _ in }?.contains("special space") == true)
        #expect(problem("a = \"Anna’s\u{A0}\"") { _ = try $0.string("a") } == nil)
        #expect(problem("a = = 1") { _ in }?.contains("typographic") == false)
    }

    @Test func aMissingFileIsNamed() {
        #expect(throws: SettingsError.self) {
            try SettingsFile(path: "/tmp/absent-\(UInt64.random(in: 0...UInt64.max)).toml")
        }
    }
}
