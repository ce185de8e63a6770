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
        let keys = file.keys(of: "policy")
        #expect(Set(keys) == ["otherwise", "lamp", "door lock, outside", "a.b [c]", "a.b", "x[0]"])
        #expect(try keys.filter { try file.choice("policy.\($0)", default: Colour.red) == .green }.count == 3)
        try file.finish()
        // A table in the table is none of its values, and is not overlooked.
        #expect(
            problem("[policy.a]\nb = \"green\"") { file in
                for key in file.keys(of: "policy") { _ = try file.choice("policy.\(key)", default: Colour.red) }
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
        #expect(problem("a = [1]") { _ = try $0.strings("a") } == "x.toml:1: a[0]: must be a text in quotes, not empty")
        #expect(problem("a = 1") { _ = try $0.boolean("a", default: false) } == "x.toml:1: a: must be true or false")
    }

    @Test func whatIsNotTOMLNamesItsLine() {
        #expect(problem("a = 1\nb = = 2") { _ in }?.hasPrefix("x.toml:2: not TOML at column") == true)
    }

    @Test func aMissingFileIsNamed() {
        #expect(throws: SettingsError.self) { try SettingsFile(path: "/nonexistent.toml") }
    }
}
