import Foundation
import TestProcesses
import Testing

/// What the image does with the file on the boot partition, tried with the real program on folders.
@Suite struct PrepareTests {
    /// A card: its boot and state partitions and the system's files.
    struct Card {
        let runner: ProgramRunner
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

        func prepare(_ more: [String] = []) throws -> Int32 {
            try runner.run(
                "srup-observer",
                [
                    "prepare", "--boot", runner.path("boot"), "--state", runner.path("state"), "--root",
                    runner.path("root"),
                ] + more,
                as: "prepare")
        }

        func write(_ bytes: some Sequence<UInt8>) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: runner.path("boot/srup-observer.toml")))
        }

        /// Whether it is in anything that prepare has left, but for the passphrase's own file and the network's.
        func isAnywhere(_ secret: String) -> Bool {
            guard let files = FileManager.default.enumerator(atPath: runner.path("")) else { return true }
            return files.contains { file in
                guard let path = file as? String, !path.hasSuffix("wifi-passphrase"), !path.contains("wpa_supplicant"),
                    let data = FileManager.default.contents(atPath: runner.path(path))
                else { return false }
                return [String.Encoding.utf8, .utf16LittleEndian].contains { encoding in
                    secret.data(using: encoding).map { data.range(of: $0) != nil } ?? false
                }
            }
        }

        func text(_ path: String) -> String? { try? String(contentsOfFile: runner.path(path), encoding: .utf8) }
        func mode(_ path: String) -> Int? {
            (try? FileManager.default.attributesOfItem(atPath: runner.path(path))[.posixPermissions]) as? Int
        }
        var problem: String? { text("boot/srup-observer-problem.txt") }
    }

    func card(_ config: String?, _ body: (Card) throws -> Void) throws {
        let runner = try ProgramRunner()
        defer { runner.close() }
        for folder in ["boot", "state", "root"] {
            try FileManager.default.createDirectory(atPath: runner.path(folder), withIntermediateDirectories: true)
        }
        if let config { try runner.write(config, to: "boot/srup-observer.toml") }
        try body(Card(runner: runner))
    }

    @Test func everythingInTheFileReachesTheSystem() throws {
        try card(Card.good) { card in
            try card.runner.write("PEM\n", to: "boot/ca.crt")
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
            try FileManager.default.removeItem(atPath: card.runner.path("root"))
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
            try card.runner.write("[camera]\ndevice = \"auto\"\n", to: "boot/srup-observer.toml")
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
            try card.runner.write("[camera]\ndevice = \"auto\"\n", to: "boot/srup-observer.toml")
            try card.prepare(ends: 0)
            #expect(card.text("state/config/udev.conf") == nil)
        }
    }

    @Test(arguments: ["/dev/srup/pn532-serial", "/dev/ttyS1", "/dev/serial0", "/dev/ttyUSB0"])
    func aReaderOnTheHeadersLineIsSaidToUdev(_ path: String) throws {
        try card("[nfc]\ndevice = \"pn532_uart:\(path)\"\n") { card in
            try card.prepare(ends: 0)
            let isOnHeader = card.text("state/config/udev.conf")?.contains("SRUP_HEADER_READER=1\n") == true
            #expect(isOnHeader == (path != "/dev/ttyUSB0"))
        }
    }

    @Test(arguments: [true, false]) func anAddressAndAProxyAreTakenOver(_ isWireless: Bool) throws {
        let network =
            "[network]\naddress = \"10.1.2.3/24\"\ngateway = \"10.1.2.1\"\ndns = [\"10.1.2.1\", \"fd00::1\"]\n"
            + "proxy = \"http://10.1.2.9:3128\"\n"
        let wifi = "[wifi]\nssid = \"a\"\npassphrase = \"12345678\"\ncountry = \"DE\"\n"
        try card(network + (isWireless ? wifi : "")) { card in
            try card.prepare(ends: 0)
            let unit = "root/etc/systemd/network/40-srup.network"
            #expect(
                card.text(unit) == "[Match]\nType=\(isWireless ? "wlan" : "ether")\n\n[Network]\nAddress=10.1.2.3/24\n"
                    + "Gateway=10.1.2.1\nDNS=10.1.2.1\nDNS=fd00::1\nMulticastDNS=yes\n")
            #expect(
                card.text("root/etc/srup-proxy")
                    == "http_proxy=http://10.1.2.9:3128\nhttps_proxy=http://10.1.2.9:3128\n")
            try card.runner.write("[appliance]\nhostname = \"a\"\n", to: "boot/srup-observer.toml")
            try card.prepare(ends: 0)
            #expect(card.text(unit) == nil && card.text("root/etc/srup-proxy") == nil)
        }
    }

    @Test func firmwareOnTheCardGoesToTheKernelsFolder() throws {
        try card(Card.good) { card in
            for folder in ["boot/firmware/brcm", "boot/firmware/.Trash"] {
                try FileManager.default.createDirectory(
                    atPath: card.runner.path(folder), withIntermediateDirectories: true)
            }
            let chip = "brcm/brcmfmac43430b0-sdio.bin"
            for name in [chip, "brcm/._brcmfmac43430b0-sdio.bin", "README.txt", ".Trash/x", "empty.bin"] {
                try card.runner.write(name == "empty.bin" ? "" : name, to: "boot/firmware/" + name)
            }
            try card.prepare(ends: 0)
            #expect(card.text("root/usr/lib/firmware/" + chip) == chip)
            #expect(card.text("root/run/srup-firmware") == chip + "\n")
            let all = FileManager.default.enumerator(atPath: card.runner.path("root/usr/lib/firmware"))
            #expect(all?.compactMap { $0 as? String }.sorted() == ["brcm", chip])
            // What is there already is not said to be new: the driver found it.
            try FileManager.default.removeItem(atPath: card.runner.path("root/run/srup-firmware"))
            try card.prepare(ends: 0)
            #expect(card.text("root/run/srup-firmware") == nil)
        }
    }

    @Test func aHalfWrittenFileLeavesWhatWasBefore() throws {
        try card(Card.good) { card in
            try card.prepare(ends: 0)
            // Cut in the middle of a line, at each place of the first tables.
            for length in [5, 20, 39, 60, 90, 120] {
                try card.runner.write(String(Card.good.prefix(length)), to: "boot/srup-observer.toml")
                let wasTaken = (try? card.prepare()) == 0 && card.problem == nil
                // Some cuts leave valid TOML: then that is what counts. The others must be told and change nothing.
                if !wasTaken {
                    #expect(card.problem?.contains("srup-observer.toml") == true)
                    #expect(card.text("state/config/srup-observer.toml")?.isEmpty == false)
                }
            }
            try card.runner.write("[registration\nurl=", to: "boot/srup-observer.toml")
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
        ("[network]\naddress = \"10.0.0.1\"", "prefix"), ("[network]\naddress = \"10.0.0.1/33\"", "prefix"),
        ("[network]\ngateway = \"10.0.0.1\"", "needed beside"),
        ("[network]\naddress = \"10.0.0.2/8\"\ndns = [\"a\"]", "three addresses"),
        ("[network]\nproxy = \"http://a:1\\nX=1\"", "a host and a port"),
        ("[network]\nproxy = \"http://user@a:1\"", "a host and a port"),
        ("[appliance]\naim_minutes = 241", "from 0 to 240"),
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

    /// What toml++ asserts instead of looking: the program used to end there, without a word.
    @Test(arguments: ["[(d]", "[", "[\n", "[é]", "[<nfc>]", "[[", "[ = ]"])
    func aBracketWithoutANameIsTold(_ table: String) throws {
        try card(Card.good) { card in
            try card.prepare(ends: 0)
            try FileManager.default.removeItem(atPath: card.runner.path("root"))
            try card.runner.write(Card.good + table, to: "boot/srup-observer.toml")
            try card.prepare(ends: 0)
            let lines = Card.good.split(separator: "\n", omittingEmptySubsequences: false).count
            #expect(card.problem?.contains("srup-observer.toml:\(lines)") == true, "\(card.problem ?? "none")")
            #expect(card.problem?.contains("of before stays in force") == true)
            #expect(card.text("root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf")?.contains("psk=") == true)
        }
    }

    /// Were the reader of the file to end or to turn round for ever, the card would still be on its network.
    @Test(arguments: ["kill -ABRT $$", "kill -SEGV $$", "while true; do :; done", "exit 3"])
    func aReaderThatEndsTakesNoCardOffTheNetwork(_ fault: String) throws {
        try card(Card.good) { card in
            try card.prepare(ends: 0)
            try FileManager.default.removeItem(atPath: card.runner.path("root"))
            try card.runner.write("#!/bin/sh\n\(fault)\n", to: "examiner")
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: card.runner.path("examiner"))
            let ended = try card.prepare(["--examiner", card.runner.path("examiner"), "--patience", "1"])
            #expect(ended == 0)
            #expect(card.problem?.contains("stops the program that reads it") == true, "\(card.problem ?? "none")")
            #expect(card.text("root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf")?.contains("psk=") == true)
            #expect(card.text("root/etc/hostname") == "hall\n")
        }
    }

    /// A file of the system's that cannot be written keeps no other from being written.
    @Test func oneFileThatCannotBeWrittenKeepsTheNetwork() throws {
        try card(Card.good) { card in
            // A folder in a file's place.
            try FileManager.default.createDirectory(
                atPath: card.runner.path("root/etc/hostname/x"), withIntermediateDirectories: true)
            try card.prepare(ends: 1)
            #expect(card.text("root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf")?.contains("psk=") == true)
            #expect(card.text("root/etc/srup-updates") == "security\n")
        }
    }

    /// However the key and its quotes are written, and in comments.
    @Test(arguments: [
        "passphrase=\"\"\"verysecret1\"\"\"", "passphrase='''verysecret1'''", "passphrase = 'verysecret1'",
        "\"pass\\u0070hrase\" = \"verysecret1\"", "'passphrase'='verysecret1'", "passphrase = \"\\u0076erysecret1\"",
        "passphrase = \"\"\"\\\n  verysecret1\"\"\"", "passphrase = '''\nverysecret1'''",
        "passphrase = \"verysecret1\" # was \"verysecret0\", \"verysecret1\"",
        "# passphrase = '''verysecret1'''\n# Password: x = verysecret1\npassphrase='verysecret1'",
    ])
    func aPassphraseIsWipedHoweverItIsWritten(_ line: String) throws {
        let text =
            "[registration]\nurl=\"https://c2.example.net:8443\"\n[wifi]\nssid=\"#home\"\n\(line)\ncountry=\"DE\"\n"
        for encoding in [String.Encoding.utf8, .utf16LittleEndian] {
            try card(nil) { card in
                let mark = encoding == .utf8 ? "" : "\u{FEFF}"
                let bytes = try #require((mark + text).data(using: encoding))
                try card.write(bytes)
                try card.prepare(ends: 0)
                #expect(card.problem == nil)
                for secret in ["erysecret1", "verysecret0"] { #expect(!card.isAnywhere(secret)) }
                let after = FileManager.default.contents(atPath: card.runner.path("boot/srup-observer.toml"))
                #expect(after?.count == bytes.count)
                let network = "root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"
                #expect(card.text(network)?.contains("psk=\"verysecret1\"") == true)
                // Stars are no passphrase: the next start takes what was moved.
                try card.prepare(ends: 0)
                #expect(card.problem == nil)
                #expect(card.text(network)?.contains("psk=\"verysecret1\"") == true)
            }
        }
    }

    static let hall = """
        [registration]\r
        url = "https://c2.example.net:8443"\r
        \r
        [wifi]\r
        ssid = "Café"\r
        passphrase = "correct horse"\r
        country = "DE"\r

        """

    /// As Notepad saves "Unicode" and "UTF-8" on older Windows.
    @Test(arguments: [String.Encoding.utf16LittleEndian, .utf16BigEndian, .utf8])
    func aFileWithAMarkIsRead(_ encoding: String.Encoding) throws {
        try card(nil) { card in
            let bytes = try #require(("\u{FEFF}" + Self.hall).data(using: encoding))
            try card.write(bytes)
            try card.prepare(ends: 0)
            #expect(card.problem == nil)
            let network = try #require(card.text("root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"))
            #expect(network.contains("ssid=436166c3a9\n") && network.contains("psk=\"correct horse\""))
            #expect(!card.isAnywhere("correct horse"))
            let after = FileManager.default.contents(atPath: card.runner.path("boot/srup-observer.toml"))
            #expect(after?.prefix(2) == bytes.prefix(2) && after?.count == bytes.count)
        }
    }

    /// A network's name with a wrong letter would be a network that is never found.
    @Test func aFileInAWindowsCodePageIsTold() throws {
        try card(nil) { card in
            try card.write(try #require(Self.hall.data(using: .windowsCP1252)))
            try card.prepare(ends: 1)
            let problem = try #require(card.problem)
            #expect(
                problem.contains("srup-observer.toml:5: the byte E9 (\"é\" in Windows' own code page) is not UTF-8"))
            #expect(problem.contains("Encoding: UTF-8"))
        }
    }

    @Test func aWordProcessorsQuotesAreTold() throws {
        try card("[wifi]\nssid = \"Anna’s\"\npassphrase = “correct horse”\ncountry = \"DE\"\n") { card in
            try card.prepare(ends: 1)
            let problem = try #require(card.problem)
            #expect(problem.contains("srup-observer.toml:3:") && problem.contains("typographic quote (“)"))
            #expect(!problem.contains("correct horse"))
        }
    }

    /// An update that looks closer must not take a card off its network.
    @Test func aKeptFileThatIsRefusedTodayStillMakesTheNetwork() throws {
        try card("[") { card in
            try FileManager.default.createDirectory(
                atPath: card.runner.path("state/config"), withIntermediateDirectories: true)
            try card.runner.write(
                "[wifi]\nssid = \"a\"\ncountry = \"DE\"\n[camera]\ndevice = \"nonsense\"\n",
                to: "state/config/srup-observer.toml")
            try card.prepare(ends: 0)
            #expect(card.text("root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf")?.contains("ssid=61\n") == true)
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
            try FileManager.default.removeItem(atPath: card.runner.path("state/config/wifi-passphrase"))
            try card.prepare(ends: 0)
            #expect(card.problem?.contains("write it again") == true)
            #expect(card.text("root/etc/wpa_supplicant/wpa_supplicant-wlan0.conf") == nil)
        }
    }

    /// The report of an acceptance check is where a computer finds it: made by whoever is root here, of a record that is not trusted.
    @Test func theAcceptanceChecksReportComesToTheBootPartition() throws {
        try card(nil) { card in
            try card.write(Card.good.utf8)
            try card.prepare(ends: 0)
            #expect(card.text("boot/srup-observer-acceptance.txt") == nil, "nothing was checked")
            #expect(try card.prepare(["--report"]) == 0)
            let folder = card.runner.path("state/srup-observer/acceptance")
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try card.runner.write("doctor: skip <b>nobody</b> here\n", to: "answers")
            try card.runner.write("state = \"\(card.runner.path("own"))\"\n", to: "own.toml")
            let arguments = [
                "accept", "--config", card.runner.path("own.toml"), "--answers", card.runner.path("answers"),
            ]
            #expect(try card.runner.run("srup-observer", arguments + ["--folder", folder], as: "accept") == 2)
            // Whatever else lies beside the record is not what is taken.
            try card.runner.write("<script>", to: "state/srup-observer/acceptance/report.html")
            #expect(try card.prepare(["--report"]) == 0)
            let text = try #require(card.text("boot/srup-observer-acceptance.txt"))
            #expect(text.contains("ACCEPTANCE OF AN OBSERVER") && text.contains("NOT COMPLETE"))
            #expect(
                FileManager.default.contents(atPath: card.runner.path("boot/srup-observer-acceptance.txt"))?.prefix(3)
                    == Data([0xEF, 0xBB, 0xBF]))
            let page = try #require(card.text("boot/srup-observer-acceptance.html"))
            #expect(page.contains("&lt;b&gt;nobody") && !page.contains("<script>") && !page.contains("<b>nobody"))
            // At a start, too, whatever becomes of the configuration; and what is there is not written again.
            let file = card.runner.path("boot/srup-observer-acceptance.html")
            let before = try FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date
            try card.write("[camera]\ndevice = 1\n".utf8)
            _ = try card.prepare()
            #expect(try FileManager.default.attributesOfItem(atPath: file)[.modificationDate] as? Date == before)
            unlink(file)
            _ = try card.prepare()
            #expect(card.text("boot/srup-observer-acceptance.html") == page)
            // A record that leads elsewhere, or is none, brings nothing, and keeps nothing else from being done.
            unlink(file)
            unlink(folder + "/record.json")
            symlink("/etc/passwd", folder + "/record.json")
            #expect(try card.prepare(["--report"]) == 1)
            try card.write(Card.good.utf8)
            try card.prepare(ends: 0)
            #expect(card.text("boot/srup-observer-acceptance.html") == nil)
        }
    }
}
