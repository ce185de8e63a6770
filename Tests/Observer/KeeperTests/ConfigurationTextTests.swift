import Foundation
import Keeper
import Settings
import Testing

/// The configuration's text stands once, in docs/configure.md; what the package installs and what a card gets are shorter. All
/// three are read here as an observer reads them.
@Suite struct ConfigurationTextTests {
    private static func text(_ path: String) throws -> String {
        let top = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/../../../"
        return try String(contentsOfFile: top + path, encoding: .utf8)
    }

    private static func isOfTheImage(_ key: String) -> Bool {
        ["appliance.", "network.", "wifi."].contains { key.hasPrefix($0) }
    }

    /// The first block of docs/configure.md: "every key with its default".
    private static func documented() throws -> String {
        let parts = try text("docs/configure.md").components(separatedBy: "```")
        let block = try #require(parts.first { $0.hasPrefix("toml\n# srup-observer.toml: every key") })
        return String(block.dropFirst("toml\n".count))
    }

    /// With the keys and tables that stand behind a "#" for whoever wants them.
    private static func uncommented(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let rest = line.drop { $0 == "#" || $0 == " " }
            let isSetting =
                rest.hasPrefix("[")
                || rest.prefix { $0 != " " }.allSatisfy { $0.isLowercase || $0 == "_" }
                    && rest.drop { $0 != " " }.hasPrefix(" = ")
            return line.hasPrefix("# ") && isSetting ? rest : line
        }.joined(separator: "\n")
    }

    /// Before the blocks of several observers, and they alone.
    private static func halves(_ text: String) throws -> (one: String, several: String) {
        let start = try #require(text.range(of: "# Several logical observers"))
        return (String(text[..<start.lowerBound]), String(text[start.lowerBound...]))
    }

    private static func read(_ text: String) throws -> (ObserverSettings, SettingsFile) {
        var file = try SettingsFile(text: text, name: "srup-observer.toml")
        let settings = try ObserverSettings(&file)
        return (settings, file)
    }

    private static func read(_ text: String) throws -> ObserverSettings { try read(text).0 }

    /// Everything but what has no default.
    private static func values(_ settings: ObserverSettings) -> String {
        var settings = settings
        for index in settings.observers.indices {
            settings.observers[index].keyServiceURL = nil
            settings.observers[index].authorityFile = nil
            settings.observers[index].server = nil
        }
        return String(describing: settings)
    }

    @Test func theDocumentSaysTheDefaults() throws {
        #expect(Self.values(try Self.read(Self.documented())) == Self.values(try Self.read("")))
    }

    @Test func theDocumentHasEveryKey() throws {
        let (one, several) = try Self.halves(Self.documented())
        let (settings, file) = try Self.read(Self.uncommented(one))
        #expect(settings.observers.first?.eyes.map(\.kind) == ["camera", "nfc"])
        // The image's own tables are documented by themselves; a list's elements are no keys.
        let documented = Set(file.keys).union(["observer"])
        let missing = file.knownKeys.filter { key in
            !documented.contains(key) && !Self.isOfTheImage(key) && !key.hasSuffix("]")
        }
        #expect(missing.isEmpty, "docs/configure.md does not have \(missing.sorted())")
        let names = try Self.read(Self.uncommented(several)).observers.map { "\($0.name): \($0.eyes.map(\.kind))" }
        #expect(names == ["door: [\"camera\"]", "desk: [\"nfc\"]"])
    }

    @Test func theImagesTablesAreDocumented() throws {
        let (_, file) = try Self.read("")
        let document = try Self.text("docs/configure.md")
        for key in file.knownKeys where Self.isOfTheImage(key) {
            #expect(document.contains("`\(key)`"), "\(key)")
        }
    }

    @Test(arguments: ["deploy/packages/srup-observer/srup-observer.toml", nil])
    func whatIsInstalledSaysTheDefaults(_ path: String?) throws {
        let text = try path.map(Self.text) ?? ApplianceSettings.template
        var settings: ObserverSettings = try Self.read(text)
        if path == nil {
            #expect(settings.appliance?.hostname == "srup-observer")
            settings.appliance?.hostname = nil
        }
        #expect(Self.values(settings) == Self.values(try Self.read("")))
        // A key is too long to stand there in full.
        let (all, file) = try Self.read(Self.uncommented(text).replacingOccurrences(of: "AAAA…", with: "AAAA"))
        #expect(all.observers.first?.eyes.map(\.kind) == ["camera", "nfc"])
        #expect(file.keys.contains("registration.url") && file.keys.contains("nfc.device"))
        #expect((all.appliance?.wifi?.country == "DE") == (path == nil))
    }
}
