import ArgumentParser
import Glibc
import Program
import Settings
import Storage

/// What the image does before the network comes up: takes the configuration from the card's boot partition, which any
/// computer can write, and moves its secrets to where only this machine looks.
struct Prepare: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prepare",
        abstract: "Take over the configuration from the boot partition (the image does this at every start).",
        discussion: """
            Reads srup-observer.toml (and ca.crt) on the boot partition, checks it, keeps it on the state partition, and sets \
            host name, Wi-Fi, SSH key, time server and updates from its tables [appliance] and [wifi]. A Wi-Fi passphrase \
            is moved to the state partition and overwritten with stars. When the file is wrong or half written, what was \
            there before stays in force and srup-observer-problem.txt beside it says why.

            Exit codes: 0 done, also with the configuration of before; 1 there is none that can be used.
            """)

    @Option(help: ArgumentHelp("The boot partition.", valueName: "folder"))
    var boot = "/boot/firmware"
    @Option(help: ArgumentHelp("The state partition.", valueName: "folder"))
    var state = "/state"
    @Option(help: ArgumentHelp("Where the system's own files are.", valueName: "folder"))
    var root = "/"

    private var found: String { boot + "/srup-observer.toml" }
    private var problemFile: String { boot + "/srup-observer-problem.txt" }
    private var config: String { state + "/config" }
    private var kept: String { config + "/srup-observer.toml" }
    private var passphraseFile: String { config + "/wifi-passphrase" }

    func run() throws {
        do {
            try Self.folder(config, mode: 0o755)
            let settings = try takeOver()
            try apply(settings)
        } catch {
            throw Program.failure(error)
        }
    }

    // MARK: From the boot partition to the state partition

    /// The settings that are in force from now on.
    private func takeOver() throws -> ObserverSettings {
        let text: String
        do {
            text = try Self.text(of: found)
            var file = try SettingsFile(text: text, name: "srup-observer.toml")
            _ = try ObserverSettings(&file)
        } catch {
            return try previous(because: String(describing: error))
        }
        // First kept, then wiped: a power cut in between leaves the passphrase in both places until the next start.
        if let passphrase = try Self.settings(text).appliance?.wifi?.passphrase {
            try PrivateFile.write(passphrase, to: passphraseFile)
            do {
                try Self.wipe(passphrase, in: found)
            } catch {
                tell("the Wi-Fi passphrase could not be wiped from the boot partition: \(error)")
            }
        }
        let clean = Self.withoutSecrets(text)
        if (try? Self.text(of: kept)) != clean { try PrivateFile.write(clean, to: kept, mode: 0o644) }
        let authority = boot + "/ca.crt"
        if let certificate = try? Self.text(of: authority), (try? Self.text(of: config + "/ca.crt")) != certificate {
            try PrivateFile.write(certificate, to: config + "/ca.crt", mode: 0o644)
        }
        unlink(problemFile)
        return try Self.settings(clean)
    }

    private func previous(because problem: String) throws -> ObserverSettings {
        let isKept = access(kept, R_OK) == 0
        tell(problem + (isKept ? " The configuration of before stays in force." : ""))
        guard isKept else {
            if access(found, F_OK) != 0 { try? PrivateFile.write(Self.template, to: found, mode: 0o644) }
            throw PrepareError(description: "edit srup-observer.toml on the boot partition, then start again")
        }
        return try Self.settings(try Self.text(of: kept))
    }

    private struct PrepareError: Error, CustomStringConvertible { let description: String }

    /// For whoever puts the card into a computer, and for the log.
    private func tell(_ problem: String) {
        Program.complain(problem)
        try? PrivateFile.write(
            "srup-observer could not use what stands in this folder:\n\n\(problem)\n", to: problemFile, mode: 0o644)
    }

    private static func settings(_ text: String) throws -> ObserverSettings {
        var file = try SettingsFile(text: text, name: "srup-observer.toml")
        return try ObserverSettings(&file)
    }

    /// Overwrites the passphrase where it stands: a new file would leave the old bytes on the card.
    private static func wipe(_ passphrase: String, in path: String) throws {
        let text = Array(try Self.text(of: path).utf8)
        let clean = Array(withoutSecrets(String(decoding: text, as: UTF8.self)).utf8)
        let descriptor = open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw PrepareError(description: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        guard clean.count == text.count, pwrite(descriptor, clean, clean.count, 0) == clean.count,
            fsync(descriptor) == 0
        else { throw PrepareError(description: String(cString: strerror(errno))) }
    }

    /// The text with stars for the passphrase, as long as it was, so that nothing moves. What stands in comments is wiped,
    /// too: people keep the old one there.
    static func withoutSecrets(_ text: String) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { Array($0.utf8) }
        for index in lines.indices {
            let line = lines[index]
            guard let name = find(Array("passphrase".utf8), in: line, from: 0),
                let equals = line[name...].firstIndex(of: UInt8(ascii: "=")),
                let open = line[equals...].firstIndex(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "'") })
            else { continue }
            var next = open + 1
            while next < line.count, line[next] != line[open] {
                let isEscape = line[next] == UInt8(ascii: "\\") && line[open] == UInt8(ascii: "\"")
                for place in next..<min(next + (isEscape ? 2 : 1), line.count) {
                    lines[index][place] = UInt8(ascii: "*")
                }
                next += isEscape ? 2 : 1
            }
        }
        return lines.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
    }

    private static func find(_ word: [UInt8], in line: [UInt8], from start: Int) -> Int? {
        guard line.count >= word.count else { return nil }
        return (start...(line.count - word.count)).first { Array(line[$0..<($0 + word.count)]) == word }
    }

    // MARK: From the state partition to the system

    private func apply(_ settings: ObserverSettings) throws {
        let appliance = settings.appliance
        if let hostname = appliance?.hostname {
            try system("etc/hostname", hostname + "\n")
            try system("etc/hosts", "127.0.0.1 localhost\n127.0.1.1 \(hostname)\n::1 localhost ip6-localhost\n")
            if root == "/" { sethostname(hostname, hostname.utf8.count) }
        }
        try system("etc/srup-ssh/observer", appliance?.sshKey.map { $0 + "\n" })
        try system(
            "etc/systemd/timesyncd.conf.d/srup-observer.conf",
            appliance?.timeServer.map { "[Time]\nNTP=\($0)\n" })
        try system("etc/srup-updates", appliance?.updates == .security ? "security\n" : nil)
        try system("etc/wpa_supplicant/wpa_supplicant-wlan0.conf", try wifi(appliance?.wifi), mode: 0o600)
        // This machine does nothing else: with a reader configured, a serial chip or the header's I2C bus is the reader's
        // (udev/README.md).
        let hasReader = settings.observers.flatMap(\.eyes).contains { $0.kind == "nfc" }
        try file(config + "/udev.conf", hasReader ? "SRUP_SERIAL_READER=1\nSRUP_I2C_READER=1\n" : nil)
        // Eyes that look at files have no device whose coming would start their witness's socket.
        let looksAtFiles = settings.observers.flatMap(\.eyes).contains { $0.isFile }
        try system("run/srup-observer-file-eye", looksAtFiles ? "camera\n" : nil)
    }

    private func wifi(_ wifi: ApplianceSettings.WiFi?) throws -> String? {
        guard let wifi else { return nil }
        let passphrase =
            wifi.isOpen
            ? nil : try? PrivateFile.withContents(of: passphraseFile) { String(decoding: $0, as: UTF8.self) }
        if !wifi.isOpen && passphrase == nil {
            tell("srup-observer.toml: wifi.passphrase: the one that was moved is no longer there; write it again")
            return nil
        }
        let ssid = wifi.ssid.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let key =
            passphrase.map { "    psk=\"\($0)\"\n    key_mgmt=WPA-PSK WPA-PSK-SHA256 SAE\n    ieee80211w=1\n" }
            ?? "    key_mgmt=NONE\n"
        return """
            country=\(wifi.country)
            network={
                ssid=\(ssid)
                scan_ssid=\(wifi.isHidden ? 1 : 0)
            \(key)}

            """
    }

    /// Writes one of the system's files, or takes it away.
    private func system(_ path: String, _ text: String?, mode: mode_t = 0o644) throws {
        try file((root.hasSuffix("/") ? root : root + "/") + path, text, mode: mode)
    }

    private func file(_ whole: String, _ text: String?, mode: mode_t = 0o644) throws {
        guard let text else {
            unlink(whole)
            return
        }
        try Self.folder(String(whole[..<(whole.lastIndex(of: "/") ?? whole.startIndex)]), mode: 0o755)
        try PrivateFile.write(text, to: whole, mode: mode)
    }

    private static func folder(_ path: String, mode: mode_t) throws {
        var made = ""
        for part in path.split(separator: "/", omittingEmptySubsequences: true) {
            made += (made.isEmpty && !path.hasPrefix("/") ? "" : "/") + part
            guard mkdir(made, mode) == 0 || errno == EEXIST else {
                throw PrepareError(description: "\(made) cannot be made: \(String(cString: strerror(errno)))")
            }
        }
    }

    private static func text(of path: String) throws -> String {
        var status = stat()
        if stat(path, &status) == 0, status.st_size > SettingsFile.maximumSize {
            throw PrepareError(description: "\(path) is larger than \(SettingsFile.maximumSize) bytes")
        }
        return try PublicFile.read(path)
    }

    /// For a card whose file is missing; the same text as in the image.
    static let template = """
        # srup-observer.toml: edit this, put the card into the Pi, switch it on. If something is wrong,
        # srup-observer-problem.txt appears beside this file and says what.

        [registration]
        # url = "https://c2.example.net:8443"   # the key service; ask the operator of your C2 server
        # ca = "ca.crt"                         # its certificate authority, copied beside this file

        [appliance]
        hostname = "srup-observer"
        # ssh_key = "ssh-ed25519 AAAA… you"     # lets this key log in as user "observer"; without it there is no SSH
        # updates = "security"                  # Debian's security updates by themselves, at night
        # time_server = "ntp.example.net"

        # [wifi]                                # without it: network cable
        # ssid = "my network"
        # passphrase = "my passphrase"          # is moved to the state partition at the first start, and overwritten here
        # country = "DE"

        [camera]                                # what it looks with
        device = "auto"

        # [nfc]                                 # a PN532 reader, instead of the camera or beside it
        # device = "auto"

        """
}

extension ObserverSettings.Eye {
    /// It looks at pictures in files, not at a device.
    fileprivate var isFile: Bool {
        guard case .camera(let camera) = self else { return false }
        return ["folder:", "y4m:", "fifo:"].contains { camera.device.hasPrefix($0) }
    }
}
