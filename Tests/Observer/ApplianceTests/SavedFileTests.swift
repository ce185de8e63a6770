import Foundation
import TestProcesses
import Testing

/// The boot partition's file as people's programs save it, taken over by the real program.
@Suite struct SavedFileTests {
    private let cards = PrepareTests()

    private static let network = "root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"

    private func write(_ text: String, _ encoding: String.Encoding, to name: String, on card: PrepareTests.Card) throws
    {
        let bytes = try #require(text.data(using: encoding))
        try bytes.write(to: URL(fileURLWithPath: card.runner.path("boot/" + name)))
    }

    private func bytes(_ name: String, on card: PrepareTests.Card) -> Data? {
        FileManager.default.contents(atPath: card.runner.path("boot/" + name))
    }

    private static let german =
        "# Büro, 1. Stock – „hinten“\r\n[wifi]\r\nssid = \"hall # 2\" # Flur\r\npassphrase = \"correct horse\" # für alle\r\n"
        + "country = \"DE\""

    /// "ANSI": where comments alone are concerned, no guess can harm; where a value is, it can.
    @Test func aWindowsCodePageCountsInCommentsAlone() throws {
        try cards.card(nil) { card in
            try write(Self.german, .windowsCP1252, to: "srup-observer.toml", on: card)
            let before = try #require(bytes("srup-observer.toml", on: card))
            try card.prepare(ends: 0)
            #expect(card.problem == nil)
            #expect(card.text(Self.network)?.contains("psk=\"correct horse\"") == true)
            #expect(!card.isAnywhere("correct horse"))
            let after = try #require(bytes("srup-observer.toml", on: card))
            #expect(after.count == before.count && after.prefix(40) == before.prefix(40))
            #expect(card.text("state/config/srup-observer.toml")?.hasPrefix("# Büro, 1. Stock – „hinten“") == true)
            // Stars are no passphrase: the next start takes what was moved.
            try card.prepare(ends: 0)
            #expect(card.text(Self.network)?.contains("psk=\"correct horse\"") == true)
        }
    }

    @Test(arguments: [
        "# ok\n[wifi]\nssid = \"Café\" # x\n", "[wifi]\nssid = \"a \\\" # é\"\n", "[wifi]\nssid = 'a\\' # é\nb = 'é'\n",
        "[wifi]\nssid = \"\"\"\n# é\"\"\"\n", "é = 1\n",
    ])
    func aWindowsCodePageInAValueIsTold(_ text: String) throws {
        try cards.card(nil) { card in
            try write(text + "country = \"DE\"\n", .windowsCP1252, to: "srup-observer.toml", on: card)
            try card.prepare(ends: 1)
            let isTold = card.problem?.contains("is not UTF-8; save the file as UTF-8") == true
            #expect(isTold || text.contains("'a\\'"), "\(card.problem ?? "none")")
            #expect(card.text("state/config/srup-observer.toml") == nil)
        }
    }

    @Test(arguments: [
        ("{\\rtf1\\ansi\\deff0 hostname}", "rich text"),
        ("PK\u{03}\u{04}word/document.xml", "word processor's document"),
        ("[appliance]\rhostname = \"hall\"\r", "old Macs"),
    ])
    func whatIsNoPlainTextIsTold(_ text: String, _ words: String) throws {
        try cards.card(text) { card in
            try card.prepare(ends: 1)
            #expect(card.problem?.contains(words) == true, "\(card.problem ?? "none")")
        }
    }

    /// Each place where a word processor changes quotes and spaces.
    @Test(arguments: [
        "hostname = “hall”", "hostname = ‘hall’", "hostname = „hall“", "hostname = «hall»", "hostname\u{A0}= \"hall\"",
    ])
    func typographyIsToldWithItsRemedy(_ line: String) throws {
        for encoding in [String.Encoding.utf8, .utf16LittleEndian] {
            try cards.card(nil) { card in
                let mark = encoding == .utf8 ? "" : "\u{FEFF}"
                try write("\(mark)[appliance]\n\(line)", encoding, to: "srup-observer.toml", on: card)
                try card.prepare(ends: 1)
                #expect(card.problem?.contains("type it again") == true, "\(card.problem ?? "none")")
                #expect(card.problem?.contains("srup-observer.toml:2:") == true)
            }
        }
    }

    @Test(arguments: [String.Encoding.utf8, .utf16LittleEndian, .utf16BigEndian])
    func aFileWithoutALastNewlineIsRead(_ encoding: String.Encoding) throws {
        try cards.card(nil) { card in
            let mark = encoding == .utf8 ? "" : "\u{FEFF}"
            try write(
                mark
                    + "[appliance]\nhostname = \"hall\"\n[wifi]\ncountry = \"DE\"\nssid = \"a\"\npassphrase = \"12345678\"",
                encoding, to: "srup-observer.toml", on: card)
            try card.prepare(ends: 0)
            #expect(card.problem == nil)
            #expect(card.text("root/etc/hostname") == "hall\n")
            #expect(!card.isAnywhere("12345678"))
        }
    }

    /// Beside the file that the card came with, or without it.
    @Test(arguments: ["srup-observer.toml.txt", "srup-observer.txt", "SRUP-Observer.toml.TXT"], [true, false])
    func aFileThatGotTxtBehindItsNameIsTaken(_ name: String, _ hasTemplate: Bool) throws {
        try cards.card(nil) { card in
            if hasTemplate {
                try card.prepare(ends: 1)
                let template = try #require(bytes("srup-observer.toml", on: card))
                let lines = String(decoding: template, as: UTF8.self).replacingOccurrences(of: "\n", with: "\r\n")
                try write(lines, .utf8, to: "srup-observer.toml", on: card)
            }
            try write(PrepareTests.Card.good, .utf8, to: name, on: card)
            try card.prepare(ends: 0)
            #expect(card.problem == nil)
            #expect(card.text("root/etc/hostname") == "hall\n")
            #expect(bytes(name, on: card) == nil && !card.isAnywhere("and \\\\ slash"))
            #expect(card.text("boot/srup-observer.toml")?.contains("hostname = \"hall\"") == true)
        }
    }

    /// Of two files that both say something, the one with the right name counts, and the other is told.
    @Test(arguments: ["srup-observer.toml.txt", "srup-observer (1).toml", "srup-observer.toml.rtf"])
    func aSecondFileIsTold(_ name: String) throws {
        try cards.card(PrepareTests.Card.good) { card in
            try write("[appliance]\nhostname = \"other\"\n", .utf8, to: name, on: card)
            try card.prepare(ends: 0)
            #expect(card.text("root/etc/hostname") == "hall\n")
            #expect(card.problem?.contains("\(name): not read") == true, "\(card.problem ?? "none")")
            try FileManager.default.removeItem(atPath: card.runner.path("boot/" + name))
            try card.prepare(ends: 0)
            #expect(card.problem == nil)
        }
    }

    @Test func ofTwoFilesWithTxtNoneIsGuessed() throws {
        try cards.card(nil) { card in
            for name in ["srup-observer.toml.txt", "srup-observer.txt"] {
                try write(PrepareTests.Card.good, .utf8, to: name, on: card)
            }
            try card.prepare(ends: 1)
            #expect(card.problem?.contains("srup-observer.toml.txt, srup-observer.txt: not read") == true)
            #expect(card.text("root/etc/hostname") == nil)
        }
    }
}
