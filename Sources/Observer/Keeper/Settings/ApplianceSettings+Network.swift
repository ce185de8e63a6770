import Settings

extension ApplianceSettings {
    /// `[network]`: what no DHCP server tells.
    package struct Network: Hashable {
        /// With its prefix, "192.168.1.20/24"; `nil`: by DHCP.
        package var address: String?
        package var gateway: String?
        /// Addresses, at most 3.
        package var nameServers: [String] = []
        /// "http://proxy.example.net:3128", for registration and updates; the broker is reached directly.
        package var proxy: String?
    }

    /// - Throws: ``SettingsError``.
    static func network(_ file: inout SettingsFile) throws(SettingsError) -> Network? {
        let network = Network(
            address: try file.string("network.address", allowed: "an address and its prefix: \"192.168.1.20/24\"") {
                isPrefixed($0)
            },
            gateway: try file.string("network.gateway", allowed: "an address, an IPv6 address without brackets") {
                SettingsForm.isAddress($0)
            },
            nameServers: try file.strings("network.dns"),
            proxy: try file.string("network.proxy", allowed: "http:// with a host and a port: \"http://10.0.0.1:3128\"")
            {
                $0.hasPrefix("http://") && !$0.dropFirst(7).contains("/")
                    && SettingsForm.isHTTPS("https" + $0.dropFirst(4))
            })
        guard file.contains("network") else { return nil }
        guard network.nameServers.count <= 3, network.nameServers.allSatisfy({ SettingsForm.isAddress($0) }) else {
            throw file.problem("network.dns", "must be at most three addresses: [\"192.168.1.1\"]")
        }
        guard network.address != nil || network.gateway == nil && network.nameServers.isEmpty else {
            throw file.problem("network.address", "is needed beside gateway and dns: \"192.168.1.20/24\"")
        }
        return network
    }

    private static func isPrefixed(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, SettingsForm.isAddress(String(parts[0])), parts[1].utf8.count <= 3,
            parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let bits = Int(parts[1])
        else { return false }
        return (1...(parts[0].contains(":") ? 128 : 32)).contains(bits)
    }
}

extension ApplianceSettings.Network {
    /// For systemd-networkd; `nil` where DHCP answers.
    ///
    /// - Parameter isWireless: for the Wi-Fi adapter and not for cables.
    package func unit(isWireless: Bool) -> String? {
        guard let address else { return nil }
        var lines = ["[Match]", "Type=\(isWireless ? "wlan" : "ether")", "", "[Network]", "Address=\(address)"]
        if let gateway { lines.append("Gateway=\(gateway)") }
        lines += nameServers.map { "DNS=\($0)" } + ["MulticastDNS=yes"]
        return lines.joined(separator: "\n") + "\n"
    }

    /// Lines of an environment file, as libcurl and apt know them.
    package var environment: String? { proxy.map { "http_proxy=\($0)\nhttps_proxy=\($0)\n" } }
}
