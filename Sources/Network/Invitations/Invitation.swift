import Participant
import Settings

/// Where to register, as a QR code or a tag says it: the key service's address, and by which authority it is believed.
///
/// ```
/// https://c2.example.net:8443/#ca=sha256:0f1e…   64 hexadecimal digits: the SHA-256 of the authority's certificate
/// https://c2.example.net/                        believed by the authorities that the system knows
/// ```
///
/// The fragment stays with who reads the code (RFC 3986, 3.5): it is never sent.
public struct Invitation: Sendable, Hashable, CustomStringConvertible {
    /// The key service's address, without the fragment and without a slash at its end.
    public let url: String
    /// The host's name or address, without brackets.
    public let host: String
    /// 443 when none is told.
    public let port: Int
    /// Of the certificate of the authority that signed the key service's; `nil`: one that the system knows.
    public let fingerprint: Fingerprint?

    /// Longer ones are refused, in bytes.
    public static let longest = 512

    /// Reads what a code or a tag says.
    ///
    /// - Throws: ``InvitationError``.
    public init(_ text: String) throws(InvitationError) {
        guard text.utf8.count <= Self.longest else { throw .tooLong(text.utf8.count) }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw .badCharacter }
        guard text.hasPrefix("https://") else { throw .notHTTPS }
        let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        guard SettingsForm.isHTTPS(String(parts[0])), !parts[0].contains("%"), !parts[0].contains("/..") else {
            throw .badAddress
        }
        var base = parts[0]
        while base.hasSuffix("/") { base = base.dropLast() }
        let place = base.dropFirst("https://".count).prefix { $0 != "/" }
        if place.hasPrefix("["), let end = place.firstIndex(of: "]") {
            host = String(place[place.index(after: place.startIndex)..<end])
            port = Int(place[end...].dropFirst(2)) ?? 443
        } else {
            host = place.prefix { $0 != ":" }.lowercased()
            port = Int(place.drop { $0 != ":" }.dropFirst()) ?? 443
        }
        url = String(base)
        guard parts.count == 2 else {
            fingerprint = nil
            return
        }
        guard parts[1].hasPrefix(Self.mark), let found = Fingerprint(hex: parts[1].dropFirst(Self.mark.count)) else {
            throw .badFingerprint
        }
        fingerprint = found
    }

    private static let mark = "ca=sha256:"

    /// An invitation of one's own network.
    ///
    /// - Parameters:
    ///   - host: a name or an address, as devices reach the key service.
    ///   - port: of the key service.
    ///   - zone: whose observers look at who registers by it; `nil`: none.
    ///   - authority: PEM of the certificate of the authority that signed the key service's: `ca.crt` of the server's folder.
    /// - Throws: ``InvitationError`` when there is no certificate or the host is none.
    public init(host: String, port: Int, zone: String? = nil, authority: String) throws(InvitationError) {
        guard let fingerprint = Fingerprint(of: authority) else { throw .badFingerprint }
        let place = SettingsForm.inURL(SettingsForm.withoutBrackets(host))
        try self.init("https://\(place):\(port)/\(zone.map { "zone/\($0)/" } ?? "")#\(Self.mark)\(fingerprint.hex)")
    }

    /// As ``init(_:)`` reads it.
    public var text: String { url + "/" + (fingerprint.map { "#\(Self.mark)\($0.hex)" } ?? "") }

    /// Host and fingerprint, in two lines for people.
    public var description: String {
        "key service  \(url)\nauthority    \(fingerprint.map { "SHA-256 \($0)" } ?? "one that this machine knows")"
    }

    /// Whether a text means to say where to register: only such a one is worth a word when it is wrong.
    static func isMeant(_ text: String) -> Bool {
        text.utf8.count <= 1 << 16
            && ["http://", "https://"].contains { text.prefix($0.count).lowercased() == $0 }
    }

    /// By whose signature the key service is believed: the authority's certificate is fetched from it, and must have the
    /// fingerprint.
    ///
    /// - Throws: ``KeyServiceError``.
    public func authority() async throws(KeyServiceError) -> TrustedAuthority {
        guard let fingerprint else { return .system }
        return .certificate(try await KeyServiceClient.authority(at: url, fingerprint: fingerprint))
    }
}

/// Why a code or a tag is no invitation.
public enum InvitationError: Error, Sendable, Hashable, CustomStringConvertible {
    case tooLong(Int)
    case badCharacter
    case notHTTPS
    case badAddress
    case badFingerprint

    /// What is wrong, for people; nothing of the text itself.
    public var description: String {
        switch self {
        case .tooLong(let count): "it has \(count) bytes, more than the \(Invitation.longest) of any invitation"
        case .badCharacter: "it has spaces, control characters or letters that no address has"
        case .notHTTPS: "it does not begin with https://"
        case .badAddress: "what stands behind https:// is no host with a port and a plain path"
        case .badFingerprint: "what stands behind # is not ca=sha256: and the 64 digits of an authority's fingerprint"
        }
    }
}
