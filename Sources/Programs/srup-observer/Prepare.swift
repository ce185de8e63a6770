import ArgumentParser
import Glibc
import Addresses
import Keeper
import ObservedValue
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
            Reads srup-observer.toml (and ca.crt, release.pub) on the boot partition, checks it, keeps it on the state partition, and sets \
            host name, Wi-Fi, address, proxy, SSH key, time server and updates from its tables [appliance], [wifi] and [network]; \
            copies what lies in the folder firmware to where the kernel looks for firmware. A Wi-Fi passphrase \
            is moved to the state partition and overwritten with stars; a file in which that cannot be done is refused. The \
            file may be UTF-8, or UTF-16 as Windows' Notepad saves it; Windows' code page ("ANSI") is taken only where \
            nothing but comments depends on it. srup-observer.toml.txt is taken for it when that is clear. When \
            the file is wrong or half written, what was there before stays in force and srup-observer-problem.txt beside it \
            says why. It is read in a process of its own first, with limits of time and memory.

            The report of an acceptance check (srup-observer accept) is put beside it, too, as srup-observer-acceptance.txt and \
            .html, made anew from the check's record; --report does that alone.

            Exit codes: 0 done, also with the configuration of before; 1 there is none that can be used.
            """)

    @Option(help: ArgumentHelp("The boot partition.", valueName: "folder"))
    var boot = "/boot/firmware"
    @Option(help: ArgumentHelp("The state partition.", valueName: "folder"))
    var state = "/state"
    @Option(help: ArgumentHelp("Where the system's own files are.", valueName: "folder"))
    var root = "/"
    @Flag(help: "Only put the report of the acceptance check on the boot partition.")
    var report = false
    @Flag(help: ArgumentHelp("Only say what is wrong with a file on standard input.", visibility: .hidden))
    var examine = false
    @Option(help: ArgumentHelp("The program that examines the file.", visibility: .hidden))
    var examiner: String?
    @Option(help: ArgumentHelp("How long it may take, in seconds.", visibility: .hidden))
    var patience = 30

    private var found: String { boot + "/srup-observer.toml" }
    private var problemFile: String { boot + "/srup-observer-problem.txt" }
    private var config: String { state + "/config" }
    private var kept: String { config + "/srup-observer.toml" }
    private var passphraseFile: String { config + "/wifi-passphrase" }

    func run() throws {
        if examine { throw ExitCode(Examination.answer()) }
        let acceptance = AcceptanceOnBoot(boot: boot, state: state)
        if report {
            do { try acceptance.copy() } catch { throw Program.failure(error) }
            return
        }
        // Whatever comes of the rest: it may be why somebody looks there.
        do { try acceptance.copy() } catch { Program.complain("the report of the acceptance check: \(error)") }
        do {
            try Self.folder(config, mode: 0o755)
            try apply(try takeOver())
        } catch {
            throw Program.failure(error)
        }
    }

    // MARK: From the boot partition to the state partition

    /// What is in force from now on.
    private func takeOver() throws -> SystemSettings {
        let stray = BootFolder(path: boot).settle()
        do {
            let bytes = try SettingsFile.contents(of: found, name: BootConfiguration.name)
            var examination = Examination(patience: .seconds(patience))
            if let examiner { examination.program = examiner }
            try examination.examine(found, name: BootConfiguration.name)
            let configuration = try BootConfiguration(bytes)
            try keep(configuration, beside: stray)
            return SystemSettings(configuration.settings)
        } catch {
            return try previous(
                because: ([String(describing: error)] + (stray.map { [$0] } ?? [])).joined(separator: "\n\n"))
        }
    }

    /// - Parameter stray: what is to be told of other files in the folder.
    private func keep(_ configuration: BootConfiguration, beside stray: String?) throws {
        // First kept, then wiped: a power cut in between leaves the passphrase in both places until the next start.
        if let passphrase = configuration.settings.appliance?.wifi?.passphrase {
            try PrivateFile.write(passphrase, to: passphraseFile)
        }
        var isTold = false
        if configuration.cleanBytes != configuration.bytes {
            do {
                try Self.overwrite(found, with: configuration.cleanBytes)
            } catch {
                tell("the Wi-Fi passphrase could not be wiped from the boot partition: \(error)")
                isTold = true
            }
        }
        let clean = configuration.cleanText
        if (try? PublicFile.read(kept)) != clean { try PrivateFile.write(clean, to: kept, mode: 0o644) }
        for name in ["ca.crt", "release.pub"] {
            guard let text = try? PublicFile.read(boot + "/" + name),
                (try? PublicFile.read(config + "/" + name)) != text
            else { continue }
            try PrivateFile.write(text, to: config + "/" + name, mode: 0o644)
        }
        if let stray, !isTold {
            tell(stray)
        } else if !isTold {
            unlink(problemFile)
        }
    }

    private func previous(because problem: String) throws -> SystemSettings {
        let isKept = access(kept, R_OK) == 0
        tell(problem + (isKept ? " The configuration of before stays in force." : ""))
        guard isKept else {
            if access(found, F_OK) != 0 { try? PrivateFile.write(ApplianceSettings.template, to: found, mode: 0o644) }
            throw PrepareError(description: "edit srup-observer.toml on the boot partition, then start again")
        }
        var file = try SettingsFile(text: try PublicFile.read(kept), name: kept)
        return try SystemSettings.kept(&file)
    }

    private struct PrepareError: Error, CustomStringConvertible { let description: String }

    /// For whoever puts the card into a computer, and for the log.
    private func tell(_ problem: String) {
        Program.complain(problem)
        let text = "srup-observer could not use what stands in this folder:\n\n\(problem)\n"
        // Windows' old Notepad shows UTF-8 as such only with its mark.
        try? PrivateFile.write("\u{FEFF}" + text, to: problemFile, mode: 0o644)
    }

    /// Overwrites a file where it stands: a new one would leave the old bytes on the card.
    private static func overwrite(_ path: String, with bytes: [UInt8]) throws {
        let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { throw PrepareError(description: String(cString: strerror(errno))) }
        defer { close(descriptor) }
        guard pwrite(descriptor, bytes, bytes.count, 0) == bytes.count, fsync(descriptor) == 0 else {
            throw PrepareError(description: String(cString: strerror(errno)))
        }
    }

    // MARK: From the state partition to the system

    /// One file that cannot be written keeps no other from being written: the network comes first.
    private func apply(_ settings: SystemSettings) throws {
        var failures: [String] = []
        func attempt(_ body: () throws -> Void) {
            do { try body() } catch { failures.append(String(describing: error)) }
        }
        let appliance = settings.appliance
        attempt {
            try system("etc/wpa_supplicant/wpa_supplicant-wlan0.conf", try wifi(appliance?.wifi), mode: 0o600)
        }
        if let hostname = appliance?.hostname {
            attempt { try system("etc/hostname", hostname + "\n") }
            attempt {
                try system("etc/hosts", "127.0.0.1 localhost\n127.0.1.1 \(hostname)\n::1 localhost ip6-localhost\n")
            }
            if root == "/" { sethostname(hostname, hostname.utf8.count) }
        }
        attempt { try system("etc/srup-ssh/observer", appliance?.sshKey.map { $0 + "\n" }) }
        attempt {
            try system(
                "etc/systemd/timesyncd.conf.d/srup-observer.conf",
                appliance?.timeServer.map { "[Time]\nNTP=\($0)\n" })
        }
        attempt { try system("etc/srup-updates", appliance?.updates == .security ? "security\n" : nil) }
        // This machine does nothing else: with a reader configured, a serial chip or the header's I2C bus is the reader's
        // (udev/README.md).
        attempt {
            try file(
                config + "/udev.conf",
                settings.hasReader
                    ? "SRUP_SERIAL_READER=1\nSRUP_I2C_READER=1\n"
                        + (settings.isReaderOnHeader ? "SRUP_HEADER_READER=1\n" : "") : nil)
        }
        let network = appliance?.network
        attempt {
            try system(
                "etc/systemd/network/40-srup.network", network?.unit(isWireless: appliance?.wifi != nil))
        }
        attempt { try system("etc/srup-proxy", network?.environment) }
        attempt {
            let new = try BootFirmware(boot: boot, root: root.hasSuffix("/") ? root : root + "/").copy()
            // The unit loads the Wi-Fi driver again, which did not find it.
            if !new.isEmpty { try system("run/srup-firmware", new.joined(separator: "\n") + "\n") }
        }
        // Eyes that look at files have no device whose coming would start their witness's socket.
        attempt { try system("run/srup-observer-file-eye", settings.looksAtFiles ? "camera\n" : nil) }
        guard failures.isEmpty else { throw PrepareError(description: failures.joined(separator: "; ")) }
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
        let ssid = Hex.encode(wifi.ssid.utf8)
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
}

/// What the system itself takes from a configuration.
private struct SystemSettings {
    var appliance: ApplianceSettings?
    var hasReader = false
    /// One that is addressed on the header's serial line.
    var isReaderOnHeader = false
    var looksAtFiles = false

    private init() {}

    init(_ settings: ObserverSettings) {
        appliance = settings.appliance
        let eyes = settings.observers.flatMap(\.eyes)
        hasReader = eyes.contains { $0.kind == "nfc" }
        isReaderOnHeader = eyes.contains { $0.isOnHeader }
        looksAtFiles = eyes.contains { $0.isFile }
    }

    /// Of a file that was taken over before: were something in it refused today, by a version that looks closer, the
    /// machine's own part still counts, so that the card stays on its network.
    ///
    /// - Throws: ``SettingsError``.
    static func kept(_ file: inout SettingsFile) throws(SettingsError) -> SystemSettings {
        var copy = file
        if let settings = try? ObserverSettings(&copy) { return SystemSettings(settings) }
        var own = SystemSettings()
        own.appliance = try ApplianceSettings(&file)
        own.hasReader = file.contains("nfc")
        return own
    }
}

extension ObserverSettings.Eye {
    fileprivate var isOnHeader: Bool {
        guard case .nfc(let nfc) = self, case .serial(let path, _) = nfc.device else { return false }
        return ["/dev/srup/pn532-serial", "/dev/serial0", "/dev/ttyS0", "/dev/ttyS1", "/dev/ttyAMA0"].contains(path)
    }

    /// It looks at pictures in files, not at a device.
    fileprivate var isFile: Bool {
        guard case .camera(let camera) = self else { return false }
        return camera.device.isFile
    }
}
