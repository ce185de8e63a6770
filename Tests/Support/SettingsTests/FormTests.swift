import Settings
import Testing

/// The forms of texts in settings, at their edges: what is taken here is used for names, addresses and paths without another
/// look.
@Suite struct FormTests {
    private static let longLabel = String(repeating: "a", count: 63)
    /// 253 bytes, the most there are.
    private static let longName = [longLabel, longLabel, longLabel, String(repeating: "b", count: 61)]
        .joined(separator: ".")

    @Test(arguments: [
        "a", "localhost", "c2.example.net", "C2-1.Example.NET", "under_score.local", "1a", "3com.com", "1.2.3.4a",
        longLabel, longName, "xn--bcher-kva.example",
    ])
    func hostNamesAreTaken(_ name: String) {
        #expect(SettingsForm.isHostName(name) && SettingsForm.isHost(name))
        #expect(!SettingsForm.isAddress(name))
    }

    @Test(arguments: [
        "", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a b", "a/b", "a:1", "a\n", "a\0", "bücher.example", "ａ",
        "1.2.3", "1.2.3.4.5", "123", "256.1.1.1", "a.1", longLabel + "a", longName + "c", "a;b", "a\"", "a%", "@",
        "user@host", "*.example.net", "a,b",
    ])
    func otherTextIsNoHost(_ text: String) {
        #expect(!SettingsForm.isHostName(text) && !SettingsForm.isHost(text))
    }

    @Test(arguments: ["127.0.0.1", "0.0.0.0", "::", "::1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1"])
    func addressesAreTaken(_ text: String) {
        #expect(SettingsForm.isAddress(text) && SettingsForm.isHost(text) && !SettingsForm.isHostName(text))
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4 ", " 1.2.3.4", "01.2.3.4", "1.2.3.4/8", "[::1]", ":", ":::", "1::2::3", "fe80::1%eth0",
        "12345::", "0x7f.0.0.1", "127.1", "::1\n",
    ])
    func otherTextIsNoAddress(_ text: String) {
        #expect(!SettingsForm.isAddress(text))
    }

    @Test func onlyIPv6AddressesStandInBrackets() {
        #expect(SettingsForm.isHost("[::1]") && SettingsForm.withoutBrackets("[::1]") == "::1")
        #expect(!SettingsForm.isHost("[localhost]") && SettingsForm.withoutBrackets("[localhost]") == "[localhost]")
        #expect(!SettingsForm.isHost("[127.0.0.1]") && !SettingsForm.isHost("[::1") && !SettingsForm.isHost("::1]"))
        #expect(SettingsForm.inURL("::1") == "[::1]" && SettingsForm.inURL("localhost") == "localhost")
        #expect(SettingsForm.withoutBrackets("[:") == "[:" && SettingsForm.withoutBrackets("[]") == "[]")
    }

    @Test(arguments: [
        "https://a", "https://c2.example.net:8443", "https://[::1]", "https://[::1]:8443", "https://192.0.2.7:1",
        "https://a/", "https://a:65535/path/to-it_1.2~x%20y", "https://::1",
    ])
    func keyServicesAreTaken(_ text: String) {
        // IPv6 without brackets cannot be told from a port.
        #expect(SettingsForm.isHTTPS(text) == (text != "https://::1"))
    }

    @Test(arguments: [
        "", "https://", "http://a", "HTTPS://a", "https:/a", "https://a:", "https://a:0", "https://a:65536",
        "https://a:-1", "https://a:+1", "https://a:8443x", "https://a:84 43", "https://user@a", "https://u:p@a",
        "https://a?x=1", "https://a/#x", "https://a/?x", "https://a/b c", "https://a\n", "https://[::1",
        "https://[::1]x",
        "https://[a]:1", "https://[127.0.0.1]:1", "https://[]:1", "https://a:1:2", "https:// a", "https://a\\b",
        "https://a/" + String(repeating: "x", count: 512), "https://a/\u{202E}",
    ])
    func otherAddressesAreRefused(_ text: String) {
        #expect(!SettingsForm.isHTTPS(text))
    }

    @Test(arguments: ["a", "sensor", "two words", "~!\"#$%&'", String(repeating: "x", count: 64)])
    func deviceTypesAreTaken(_ text: String) {
        #expect(SettingsForm.isDeviceType(text))
    }

    @Test(arguments: ["", " ", " a", "a ", "a\tb", "a\n", "ü", "\u{7F}", "a\0b", String(repeating: "x", count: 65)])
    func otherTypesAreRefused(_ text: String) {
        #expect(!SettingsForm.isDeviceType(text))
    }

    @Test func pathsHaveNoControlsAndAnEnd() {
        for path in ["/", "a", "~/x", "/with space/ü", String(repeating: "x", count: 4095)] {
            #expect(SettingsForm.isPath(path), "\(path.prefix(20))")
        }
        for path in ["", "/a\nb", "/a\0", "\u{1B}[2J", "/\u{7F}", String(repeating: "x", count: 4096)] {
            #expect(!SettingsForm.isPath(path), "\(path.prefix(20).debugDescription)")
        }
    }

    // MARK: As keys of a file

    private func why(_ text: String, _ read: (inout SettingsFile) throws -> Void) -> String {
        do {
            var file = try SettingsFile(text: text, name: "x.toml")
            try read(&file)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test func aWrongFormNamesLineKeyAndWhatIsMeant() {
        let cases: [(String, (inout SettingsFile) throws -> Void, String)] = [
            ("\nurl = \"http://a\"", { _ = try $0.https("url") }, "x.toml:2: url: must be https:// and a host"),
            ("\nstate = \"a\\u0007\"", { _ = try $0.path("state") }, "x.toml:2: state: must be a path"),
            ("type = \" a\"", { _ = try $0.deviceType("type") }, "x.toml:1: type: must be 1 to 64 printable"),
            ("url = 7", { _ = try $0.https("url") }, "x.toml:1: url: must be a string in quotes"),
            ("state = \"\"", { _ = try $0.path("state") }, "x.toml:1: state: must be a string in quotes, not empty"),
            ("state = [\"a\"]", { _ = try $0.path("state") }, "x.toml:1: state: must be a string in quotes"),
        ]
        for (text, read, words) in cases { #expect(why(text, read).hasPrefix(words), "\(why(text, read))") }
    }

    @Test func whatIsAbsentIsNoError() throws {
        var file = try SettingsFile(text: "", name: "x.toml")
        #expect(try file.https("url") == nil && file.path("state") == nil && file.deviceType("type") == nil)
        #expect(try file.strings("list").isEmpty && file.blocks(of: "box").isEmpty && file.keys(of: "policy").isEmpty)
        try file.finish()
    }

    @Test(arguments: [
        ("0.5", Duration.milliseconds(500)), ("3", .seconds(3)), ("\"3\"", .seconds(3)), ("\"3 s\"", .seconds(3)),
        ("\"3s\"", .seconds(3)), ("\"250 ms\"", .milliseconds(250)), ("\"1.5 min\"", .seconds(90)),
        ("\"2 m\"", .seconds(120)), ("\"0.5 h\"", .seconds(1800)), ("\"1.ms\"", .milliseconds(1)),
    ])
    func timesAreReadInEveryUnit(_ text: String, _ time: Duration) throws {
        var file = try SettingsFile(text: "t = \(text)", name: "x.toml")
        #expect(try file.duration("t", default: .zero, in: .zero...(.seconds(7200))) == time)
    }

    @Test(arguments: [
        "\"\"", "\"s\"", "\"-1 s\"", "\"1 S\"", "\"1 day\"", "\"1 s 2 ms\"", "\"1,5 s\"", "\"1e3 s\"", "\"inf\"",
        "\"nan s\"",
        "\".\"", "\"1..5 s\"", "\"٣ s\"", "\"½ s\"", "inf", "-inf", "nan", "-0.001", "7201", "9223372036854775807",
        "true",
        "[1]", "1979-05-27", "\"99999999999999999999 h\"", "\"1 s\\n\"",
    ])
    func otherTimesAreRefusedWithWhatIsMeant(_ text: String) {
        let why = why("t = \(text)") { _ = try $0.duration("t", default: .zero, in: .zero...(.seconds(7200))) }
        #expect(why.hasPrefix("x.toml:1: t: must be a time from 0 ms to 2 h"), "\(why)")
    }

    /// A policy that stands in a table's place would count for nothing.
    @Test(arguments: ["policy = \"simple\"", "policy = 1", "policy = [\"simple\"]", "[[policy]]\nlamp = \"simple\""])
    func whatIsNoTableInATablesPlaceIsNamed(_ text: String) {
        #expect(why(text) { _ = try $0.keys(of: "policy") }.hasPrefix("x.toml:1: policy: must be a table"))
    }

    @Test func aListsWrongElementIsNamedByItsPlace() {
        let why = why("list = [\"a\", \"b\", 3]") { _ = try $0.strings("list") }
        #expect(why == "x.toml:1: list[2]: must be a string in quotes, not empty")
        #expect(self.why("list = \"a\"") { _ = try $0.strings("list") }.contains("must be a list of strings"))
    }
}
