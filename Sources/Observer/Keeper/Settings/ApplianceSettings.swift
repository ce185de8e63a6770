import Settings

/// What the image takes from the file on its boot partition besides the observer's own configuration.
package struct ApplianceSettings {
    package struct WiFi: Hashable {
        package var ssid: String
        /// `nil` for an open network, and when it has been moved to the state partition.
        package var passphrase: String?
        package var isOpen: Bool
        /// Two letters: which channels are allowed.
        package var country: String
        package var isHidden: Bool
    }

    package enum Updates: String, CaseIterable { case none, security }

    package var hostname: String?
    /// A public key that may log in as user "observer"; without one there is no SSH.
    package var sshKey: String?
    package var updates = Updates.none
    package var timeServer: String?
    /// How many minutes after each start the eyes look and the lamp says whether a code is read, 0 to 240.
    package var aimMinutes = 0
    /// Codes that are held up, or tags, drive the acceptance check.
    package var acceptance = false
    package var wifi: WiFi?
    package var network: Network?

    /// What stands in the file after a passphrase was moved: stars, as many as it had characters.
    package static func isMoved(_ passphrase: String) -> Bool { passphrase.allSatisfy { $0 == "*" } }

    /// Reads `[appliance]`, `[wifi]` and `[network]`.
    ///
    /// - Throws: ``SettingsError``.
    package init(_ file: inout SettingsFile) throws(SettingsError) {
        hostname = try file.string("appliance.hostname")
        if let hostname, !Self.isHostname(hostname) {
            throw file.problem(
                "appliance.hostname", "must be 1 to 63 letters, digits and hyphens, and not begin or end with a hyphen")
        }
        sshKey = try file.string("appliance.ssh_key")
        if let sshKey, !Self.isPublicKey(sshKey) {
            throw file.problem(
                "appliance.ssh_key", "must be the one line of a public key file: \"ssh-ed25519 AAAA… name\"")
        }
        updates = try file.choice("appliance.updates", default: .none)
        timeServer = try file.string(
            "appliance.time_server", allowed: "a host name or an address, an IPv6 address without brackets"
        ) { SettingsForm.isHostName($0) || SettingsForm.isAddress($0) }
        aimMinutes = try file.integer("appliance.aim_minutes", default: 0, in: 0...240)
        acceptance = try file.boolean("appliance.acceptance", default: false)
        wifi = try Self.wifi(&file)
        network = try Self.network(&file)
    }

    private static func wifi(_ file: inout SettingsFile) throws(SettingsError) -> WiFi? {
        let ssid = try file.string("wifi.ssid")
        let passphrase = try file.string("wifi.passphrase")
        let country = try file.string("wifi.country")
        let isHidden = try file.boolean("wifi.hidden", default: false)
        guard file.contains("wifi") else { return nil }
        guard let ssid, (1...32).contains(ssid.utf8.count) else {
            throw file.problem("wifi.ssid", "must be the network's name, 1 to 32 bytes")
        }
        if let passphrase, !isMoved(passphrase) {
            guard (8...63).contains(passphrase.utf8.count), passphrase.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
            else { throw file.problem("wifi.passphrase", "must be 8 to 63 printable ASCII characters") }
        }
        guard let country, country.utf8.count == 2, country.utf8.allSatisfy({ (0x41...0x5A).contains($0) }) else {
            throw file.problem("wifi.country", "must be two capital letters, such as \"DE\": it decides the channels")
        }
        return WiFi(
            ssid: ssid, passphrase: passphrase.flatMap { isMoved($0) ? nil : $0 }, isOpen: passphrase == nil,
            country: country, isHidden: isHidden)
    }

    private static func isHostname(_ name: String) -> Bool {
        (1...63).contains(name.utf8.count) && name.first != "-" && name.last != "-"
            && name.utf8.allSatisfy { isHostCharacter($0) && $0 != UInt8(ascii: ".") && $0 != UInt8(ascii: ":") }
    }

    private static func isHostCharacter(_ character: UInt8) -> Bool {
        (0x30...0x3A).contains(character) || (0x41...0x5A).contains(character) || (0x61...0x7A).contains(character)
            || character == UInt8(ascii: "-") || character == UInt8(ascii: ".")
    }

    private static func isPublicKey(_ key: String) -> Bool {
        let words = key.split(separator: " ")
        guard words.count >= 2, key.utf8.count < 4096, key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            return false
        }
        return ["ssh-", "ecdsa-", "sk-"].contains { words[0].hasPrefix($0) } && words[1].hasPrefix("AAAA")
    }
}
