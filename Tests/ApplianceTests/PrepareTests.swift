import Foundation
import Stage
import Testing

/// What the image does with the file on the boot partition, tried with the real program on folders.
@Suite struct PrepareTests {
    /// A card: its boot and state partitions and the system's files.
    struct Card {
        let stage: Stage
        static let good = """
            [registration]
            url = "https://c2.example.net:8443"
            ca = "ca.crt"

            [appliance]
            hostname = "hall"
            ssh_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me"
            updates = "security"
            time_server = "ntp.example.net"

            [wifi]
            ssid = "caf\\u00e9"
            # passphrase = "the old one"
            passphrase = "quote\\" and \\\\ slash"
            country = "DE"

            [camera]
            device = "folder:/media/pictures"

            """

        func prepare(ends code: Int32, _ location: SourceLocation = #_sourceLocation) throws {
            let ended = try prepare()
            #expect(ended == code, sourceLocation: location)
        }

        func prepare() throws -> Int32 {
            try stage.run(
                "srup-observer",
                [
                    "prepare", "--boot", stage.path("boot"), "--state", stage.path("state"), "--root",
                    stage.path("root"),
                ],
                as: "prepare")
        }

        func text(_ path: String) -> String? { try? String(contentsOfFile: stage.path(path), encoding: .utf8) }
        func mode(_ path: String) -> Int? {
            (try? FileManager.default.attributesOfItem(atPath: stage.path(path))[.posixPermissions]) as? Int
        }
        var problem: String? { text("boot/srup-observer-problem.txt") }
    }

    func card(_ config: String?, _ body: (Card) throws -> Void) throws {
        let stage = try Stage()
        defer { stage.close() }
        for folder in ["boot", "state", "root"] {
            try FileManager.default.createDirectory(atPath: stage.path(folder), withIntermediateDirectories: true)
        }
        if let config { try stage.write(config, to: "boot/srup-observer.toml") }
        try body(Card(stage: stage))
    }

    @Test func everythingInTheFileReachesTheSystem() throws {
        try card(Card.good) { card in
            try card.stage.write("PEM\n", to: "boot/ca.crt")
            try card.prepare(ends: 0)
            #expect(card.problem == nil)
            #expect(card.text("root/etc/hostname") == "hall\n")
            #expect(card.text("root/etc/hosts")?.contains("127.0.1.1 hall") == true)
            #expect(card.text("root/etc/srup-ssh/observer")?.hasPrefix("ssh-ed25519 AAAA") == true)
            #expect(card.text("root/etc/srup-updates") == "security\n")
            #expect(
                card.text("root/etc/systemd/timesyncd.conf.d/srup-observer.conf")?.contains("ntp.example.net") == true)
            #expect(card.text("state/config/ca.crt") == "PEM\n")
            #expect(card.text("root/run/srup-observer-file-eye") != nil)
            let wifi = try #require(card.text("root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"))
            #expect(wifi.contains("ssid=636166c3a9\n"))
            #expect(wifi.contains("psk=\"quote\" and \\ slash\"\n"))
            #expect(card.mode("root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf") == 0o600)
        }
    }

    @Test func thePassphraseIsMovedAndWipedInPlace() throws {
        try card(Card.good) { card in
            try card.prepare(ends: 0)
            let boot = try #require(card.text("boot/srup-observer.toml"))
            #expect(boot.utf8.count == Card.good.utf8.count)
            for secret in ["quote", "slash", "the old one"] {
                #expect(!boot.contains(secret))
                #expect(card.text("state/config/srup-observer.toml")?.contains(secret) == false)
            }
            #expect(boot.contains("hostname = \"hall\""))
            #expect(card.mode("state/config/wifi-passphrase") == 0o600)
            // The next start finds stars and takes what was moved.
            try FileManager.default.removeItem(atPath: card.stage.path("root"))
            try card.prepare(ends: 0)
            #expect(
                card.text("root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf")?.contains("psk=\"quote\" and \\ slash\"")
                    == true)
            #expect(card.problem == nil)
        }
    }

    @Test func whatWasTakenOutOfTheFileIsTakenOutOfTheSystem() throws {
        try card(Card.good) { card in
            try card.prepare(ends: 0)
            try card.stage.write("[camera]\ndevice = \"auto\"\n", to: "boot/srup-observer.toml")
            try card.prepare(ends: 0)
            for path in ["etc/srup-ssh/observer", "etc/srup-updates", "run/srup-observer-file-eye"] {
                #expect(card.text("root/" + path) == nil)
            }
            #expect(card.text("root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf") == nil)
        }
    }

    @Test func aReaderInTheConfigurationMakesItsPortOurs() throws {
        try card("[nfc]\ndevice = \"auto\"\n") { card in
            try card.prepare(ends: 0)
            #expect(card.text("state/config/udev.conf") == "SRUP_SERIAL_READER=1\nSRUP_I2C_READER=1\n")
            try card.stage.write("[camera]\ndevice = \"auto\"\n", to: "boot/srup-observer.toml")
            try card.prepare(ends: 0)
            #expect(card.text("state/config/udev.conf") == nil)
        }
    }

    @Test func aHalfWrittenFileLeavesWhatWasBefore() throws {
        try card(Card.good) { card in
            try card.prepare(ends: 0)
            // Cut in the middle of a line, at each place of the first tables.
            for length in [5, 20, 39, 60, 90, 120] {
                try card.stage.write(String(Card.good.prefix(length)), to: "boot/srup-observer.toml")
                let wasTaken = (try? card.prepare()) == 0 && card.problem == nil
                // Some cuts leave valid TOML: then that is what counts. The others must be told and change nothing.
                if !wasTaken {
                    #expect(card.problem?.contains("srup-observer.toml") == true)
                    #expect(card.text("state/config/srup-observer.toml")?.isEmpty == false)
                }
            }
            try card.stage.write("[registration\nurl=", to: "boot/srup-observer.toml")
            try card.prepare(ends: 0)
            #expect(card.problem?.contains("srup-observer.toml:1") == true)
            #expect(card.problem?.contains("of before stays in force") == true)
        }
    }

    @Test(arguments: [
        ("colour = 1", "no such key"),
        ("[appliance]\nhostname = \"-a\"", "hostname"),
        ("[appliance]\nhostname = \"a b\"", "hostname"),
        ("[appliance]\nssh_key = \"hello\"", "public key"),
        ("[appliance]\nupdates = \"all\"", "\"security\""),
        ("[appliance]\ntime_server = \"a\\nb\"", "host name"),
        ("[wifi]\nssid = \"a\"\npassphrase = \"short\"\ncountry = \"DE\"", "8 to 63"),
        ("[wifi]\nssid = \"a\"\npassphrase = \"newline\\nnewline\"\ncountry = \"DE\"", "printable"),
        ("[wifi]\nssid = \"a\"\npassphrase = \"12345678\"", "country"),
        ("[wifi]\npassphrase = \"12345678\"\ncountry = \"DE\"", "wifi.ssid"),
        ("[wifi]\nssid = \"123456789012345678901234567890123\"\ncountry = \"DE\"", "32 bytes"),
    ])
    func wrongSettingsAreTold(_ config: String, _ words: String) throws {
        try card(config) { card in
            try card.prepare(ends: 1)
            #expect(card.problem?.contains(words) == true, "\(card.problem ?? "none")")
            #expect(card.text("state/config/srup-observer.toml") == nil)
        }
    }

    @Test func aCardWithoutTheFileGetsOneToEdit() throws {
        try card(nil) { card in
            try card.prepare(ends: 1)
            #expect(card.text("boot/srup-observer.toml")?.contains("[appliance]") == true)
            #expect(card.problem != nil)
            // And that one is right as it is.
            try card.prepare(ends: 0)
            #expect(card.problem == nil)
        }
    }

    @Test func aHugeFileIsNotRead() throws {
        try card(String(repeating: "# long\n", count: 100_000)) { card in
            try card.prepare(ends: 1)
            #expect(card.problem?.contains("larger than") == true)
        }
    }

    @Test func aPassphraseThatIsLostIsAskedForAgain() throws {
        try card(Card.good) { card in
            try card.prepare(ends: 0)
            try FileManager.default.removeItem(atPath: card.stage.path("state/config/wifi-passphrase"))
            try card.prepare(ends: 0)
            #expect(card.problem?.contains("write it again") == true)
            #expect(card.text("root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf") == nil)
        }
    }
}
