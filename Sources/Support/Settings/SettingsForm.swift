import Glibc

/// Forms that texts in settings have: judged by what is written, before anything is looked for or connected to.
public enum SettingsForm {
    /// An IPv4 address, or an IPv6 address without brackets.
    public static func isAddress(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1
    }

    /// A name of RFC 1123 (with underscores, which local networks have), of at most 253 bytes; no address.
    public static func isHostName(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        // Numbers only would be an address, and were refused as one.
        guard labels.last?.utf8.allSatisfy({ (0x30...0x39).contains($0) }) == false else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
        }
    }

    /// A host name or an address; an IPv6 address with brackets or without.
    public static func isHost(_ text: String) -> Bool { isHostName(text) || isAddress(withoutBrackets(text)) }

    /// "[::1]" as "::1"; anything else as it is.
    public static func withoutBrackets(_ text: String) -> String {
        text.hasPrefix("[") && text.hasSuffix("]") && text.contains(":") ? String(text.dropFirst().dropLast()) : text
    }

    /// As a host stands in an address with a port behind it: "::1" as "[::1]".
    public static func inURL(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }

    /// `https://host`, `https://host:8443`, `https://[::1]:8443/path`; without user, query and fragment.
    public static func isHTTPS(_ text: String) -> Bool {
        guard text.hasPrefix("https://"), text.utf8.count < 512 else { return false }
        let rest = text.dropFirst("https://".count)
        let authority = rest.prefix { $0 != "/" }
        let path = rest.dropFirst(authority.count)
        return isHostWithPort(authority)
            && path.utf8.allSatisfy { isAlphanumeric($0) || "/-._~%".utf8.contains($0) }
    }

    private static func isHostWithPort(_ text: Substring) -> Bool {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return false }
            let host = text[text.index(after: text.startIndex)..<end]
            return host.contains(":") && isAddress(String(host)) && isPort(text[text.index(after: end)...])
        }
        let host = text.prefix { $0 != ":" }
        return isHost(String(host)) && isPort(text.dropFirst(host.count))
    }

    /// Nothing, or a colon and a number.
    private static func isPort(_ text: Substring) -> Bool {
        guard let colon = text.first else { return true }
        let digits = text.dropFirst()
        return colon == ":" && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
            && UInt16(digits).map { $0 > 0 } == true
    }

    /// A type of device, as the key service takes it: 1 to 64 printable ASCII characters, spaces inside only.
    public static func isDeviceType(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && text.first != " "
            && text.last != " "
    }

    /// A path, of at most 4095 bytes.
    public static func isPath(_ text: String) -> Bool { (1..<4096).contains(text.utf8.count) && hasNoControls(text) }

    private static func hasNoControls(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}

extension SettingsFile {
    /// The address of a key service.
    ///
    /// - Throws: ``SettingsError``.
    public mutating func https(_ key: String) throws(SettingsError) -> String? {
        try string(
            key, allowed: "https:// and a host, with its port if it is not 443: \"https://c2.example.net:8443\"",
            SettingsForm.isHTTPS)
    }

    /// The path of a file or a folder.
    ///
    /// - Throws: ``SettingsError``.
    public mutating func path(_ key: String) throws(SettingsError) -> String? {
        try string(key, allowed: "a path, without control characters", SettingsForm.isPath)
    }

    /// The type of a device.
    ///
    /// - Throws: ``SettingsError``.
    public mutating func deviceType(_ key: String) throws(SettingsError) -> String? {
        try string(
            key, allowed: "1 to 64 printable ASCII characters, with spaces inside only", SettingsForm.isDeviceType)
    }
}
