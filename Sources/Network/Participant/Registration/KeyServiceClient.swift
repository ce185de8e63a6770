import Glibc
import Linux
import SRUP

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Speaks with a key service over HTTPS: the routes of docs/protocol.md, "Key service", the reference's and ours.
public struct KeyServiceClient: Sendable {
    /// The base, as in `https://c2.example.net:8443`, without `/KeyEx`.
    public let url: String
    private var https: HTTPS

    /// - Parameter authorityFile: PEM file of the authority that signed the service's certificate; `nil`: the system's.
    /// - Throws: ``KeyServiceError/badURL(_:)``.
    public init(url: String, authorityFile: String?, timeout: Duration = .seconds(20)) throws(KeyServiceError) {
        try self.init(url: url, authority: authorityFile.map { .file($0) } ?? .system, timeout: timeout)
    }

    /// - Parameter authority: by whose signature the service's certificate is believed.
    /// - Throws: ``KeyServiceError/badURL(_:)``.
    public init(url: String, authority: TrustedAuthority, timeout: Duration = .seconds(20)) throws(KeyServiceError) {
        guard url.hasPrefix("https://"), url.utf8.count < 512, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw .badURL(url)
        }
        var base = url
        while base.hasSuffix("/") { base.removeLast() }
        if base.hasSuffix("/KeyEx") { base.removeLast("/KeyEx".count) }
        self.url = base
        https = HTTPS(authority: authority, timeout: timeout)
    }

    /// The address of this machine that requests come from; `nil`, as it is at first: the system chooses. A load bench plays
    /// many machines, each of which has an address of its own at the key service.
    public var source: String? {
        get { https.source }
        set { https.source = newValue }
    }

    /// Fetches the authority's certificate from a key service that is known by its address and that certificate's fingerprint
    /// alone. Who answers need not be believed: anything but the very certificate is refused.
    ///
    /// - Returns: PEM of one certificate.
    /// - Throws: ``KeyServiceError``.
    public static func authority(
        at url: String, fingerprint: Fingerprint, timeout: Duration = .seconds(20)
    ) async throws(KeyServiceError) -> String {
        let client = try KeyServiceClient(url: url, authority: .system, timeout: timeout)
        var https = client.https
        https.verifies = false
        let answer = try await https.request("\(client.url)/KeyEx/register/authority")
        try client.accept(answer, [200], "tell its authority")
        guard let text = String(validating: answer.body, as: UTF8.self),
            let pem = Certificate.pem(of: fingerprint, in: text)
        else { throw .otherAuthority(client.url, fingerprint.description) }
        return pem
    }

    private func get(_ route: String) async throws(KeyServiceError) -> HTTPS.Answer {
        try await https.request("\(url)/KeyEx/register/\(route)")
    }

    private func post(_ route: String, _ values: [String: String]) async throws(KeyServiceError) -> HTTPS.Answer {
        guard let json = try? JSONEncoder().encode(values) else { throw .notUnderstood(step: route) }
        return try await https.request("\(url)/KeyEx/register/\(route)", json: Array(json))
    }

    /// Objects of texts and booleans; the reference labels them text/html, so the type is not asked for.
    private func object(_ answer: HTTPS.Answer, _ step: String) throws(KeyServiceError) -> [String: String] {
        enum Scalar: Decodable {
            case text(String)
            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let value = try? container.decode(Bool.self) {
                    self = .text(String(value))
                } else if let value = try? container.decode(String.self) {
                    self = .text(value)
                } else {
                    self = .text("")
                }
            }
        }
        guard let values = try? JSONDecoder().decode([String: Scalar].self, from: Data(answer.body)) else {
            throw .notUnderstood(step: step)
        }
        return values.mapValues { if case .text(let value) = $0 { value } else { "" } }
    }

    private func accept(_ answer: HTTPS.Answer, _ statuses: Set<Int>, _ step: String) throws(KeyServiceError) {
        guard statuses.contains(answer.status) else {
            throw .refused(step: step, status: answer.status, says: String(printable: answer.body, atMost: 200))
        }
    }

    // MARK: The routes

    /// What the service tells of itself.
    struct Status: Sendable {
        /// Whether it takes registrations.
        let isActive: Bool
        /// Its own identity; at a service of release 4.0 also that of the C2 server.
        let identity: DeviceID?
    }

    /// - Throws: ``KeyServiceError``.
    func status() async throws(KeyServiceError) -> Status {
        let answer = try await get("status")
        try accept(answer, [200], "tell its status")
        let values = try object(answer, "status")
        return Status(isActive: values["active"]?.lowercased() == "true", identity: values["identity"].flatMap(Self.id))
    }

    /// Whether the service takes registrations.
    ///
    /// - Throws: ``KeyServiceError``.
    public func isActive() async throws(KeyServiceError) -> Bool { try await status().isActive }

    /// What registration answers.
    public struct Welcome: Sendable {
        /// The broker's host name or address.
        public let brokerHost: String
        /// The broker's TCP port: 8883 when none is told.
        public let brokerPort: UInt16
        /// The C2 server to join, when it is told.
        public let server: DeviceID?
        /// The key that is told with it: the C2 server's.
        public let serverKey: PublicKey?
    }

    /// - Throws: ``KeyServiceError``; status 400 for an identity that is taken.
    public func register(_ id: DeviceID, key: PublicKey, type: String) async throws(KeyServiceError) -> Welcome {
        let answer = try await post("register", ["identity": id.hex, "key": key.pemBody, "type": type])
        try accept(answer, [200, 201], "register")
        guard let welcome = Self.welcome(try object(answer, "register")) else { throw .notUnderstood(step: "register") }
        return welcome
    }

    /// In answers of release 4.0 "default_c2" is missing and "key" is the base64 between the PEM markers.
    static func welcome(_ values: [String: String]) -> Welcome? {
        guard let broker = values["broker"].flatMap(broker) else { return nil }
        return Welcome(
            brokerHost: broker.host, brokerPort: broker.port, server: values["default_c2"].flatMap(id),
            serverKey: values["key"].flatMap(publicKey))
    }

    private static func id(_ text: String) -> DeviceID? { DeviceID(participant: text.lowercased()) }

    /// Base64 of the whole PEM text; some releases send the base64 between the PEM's markers.
    private static func publicKey(_ text: String) -> PublicKey? {
        let text = text.filter { !$0.isWhitespace && $0 != "\"" }
        if let pem = base64(text), let key = try? PublicKey(pem: pem) { return key }
        return try? PublicKey(pemBody: text)
    }

    /// "mqtt://host" or "mqtt://host:port".
    static func broker(_ text: String) -> (host: String, port: UInt16)? {
        var rest = Substring(text)
        for scheme in ["mqtts://", "mqtt://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        if rest.first == "[" { return broker(bracketed: rest) }
        // It is stored, logged and shown: a host's name and nothing else.
        guard !rest.isEmpty, rest.utf8.count < 256, rest.utf8.allSatisfy(isOfHost) else { return nil }
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: return (String(parts[0]), BrokerAddress.defaultPort)
        case 2:
            guard let port = UInt16(parts[1]), port > 0, !parts[0].isEmpty else { return nil }
            return (String(parts[0]), port)
        default: return nil
        }
    }

    private static func isOfHost(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }

    /// "[2001:db8::1]" or "[2001:db8::1]:port".
    private static func broker(bracketed text: Substring) -> (host: String, port: UInt16)? {
        var address = in6_addr()
        let host = String(text.dropFirst().prefix { $0 != "]" })
        let port = text.dropFirst(host.count + 2)
        guard inet_pton(AF_INET6, host, &address) == 1, text.count >= host.count + 2 else { return nil }
        if port.isEmpty { return (host, BrokerAddress.defaultPort) }
        guard port.first == ":", let number = UInt16(port.dropFirst()), number > 0 else { return nil }
        return (host, number)
    }

    /// Proves to the service that we hold the identity's key.
    ///
    /// - Throws: ``KeyServiceError``.
    public func validate(_ id: DeviceID, key: PrivateKey) async throws(KeyServiceError) {
        let signature = try Self.signed(Array(id.hex.utf8), key)
        let answer = try await post("validate", ["identity": id.hex, "signature": signature])
        try accept(answer, [200], "validate our identity")
    }

    /// Has a client certificate for the broker made.
    ///
    /// - Returns: certificate and authority, PEM.
    /// - Throws: ``KeyServiceError``.
    public func access(
        _ id: DeviceID, key: PrivateKey, accessKey: PrivateKey
    ) async throws(KeyServiceError) -> (certificate: String, authority: String) {
        let csr = Array(try CertificateRequest.pem(id, key: accessKey).utf8)
        let answer = try await post(
            "access",
            [
                "identity": id.hex, "csr": Data(csr).base64EncodedString(), "signature": try Self.signed(csr, key),
            ])
        try accept(answer, [200, 201], "make a certificate")
        let values = try object(answer, "access")
        guard let certificate = values["certificate"].flatMap(Self.base64),
            let authority = values["CA_certificate"].flatMap(Self.base64)
        else { throw .notUnderstood(step: "access") }
        try Certificate.check(certificate, for: id, key: accessKey)
        return (certificate, authority)
    }

    /// Brings the last word of an identity whose keys are gone.
    ///
    /// - Returns: `false` when the service does not know the identity, or has no place for such a word, as a reference one.
    /// - Throws: ``KeyServiceError``.
    func release(_ receipt: ReleaseReceipt) async throws(KeyServiceError) -> Bool {
        let answer = try await post("release", ["receipt": receipt.description])
        // Gone: it has ended already.
        if answer.status == 410 { return true }
        if [404, 405].contains(answer.status) { return false }
        try accept(answer, [200], "end the identity")
        return true
    }

    /// The key of a registered identity, or `nil`.
    ///
    /// - Throws: ``KeyServiceError``.
    public func key(of id: DeviceID) async throws(KeyServiceError) -> PublicKey? {
        let answer = try await get("get_key/\(id.hex)")
        if [404, 410].contains(answer.status) { return nil }
        try accept(answer, [200], "tell the key of \(id)")
        guard let key = Self.publicKey(String(decoding: answer.body, as: UTF8.self)) else {
            throw .notUnderstood(step: "key of \(id)")
        }
        return key
    }

    /// The type of a registered identity, or `nil`.
    ///
    /// - Throws: ``KeyServiceError``.
    public func type(of id: DeviceID) async throws(KeyServiceError) -> String? {
        let answer = try await get("get_type/\(id.hex)")
        if [404, 410].contains(answer.status) { return nil }
        try accept(answer, [200], "tell the type of \(id)")
        return String(printable: answer.body, atMost: 64).trimmed
    }

    private static func signed(_ bytes: [UInt8], _ key: PrivateKey) throws(KeyServiceError) -> String {
        do {
            return Data(try key.signPSS(bytes)).base64EncodedString(options: [
                .lineLength76Characters, .endLineWithLineFeed,
            ])
        } catch {
            throw .certificateNotOurs(error.description)
        }
    }

    private static func base64(_ text: String) -> String? {
        Data(base64Encoded: text, options: .ignoreUnknownCharacters).flatMap { String(validating: $0, as: UTF8.self) }
    }
}

extension String {
    fileprivate var trimmed: String {
        String(self.drop { $0.isWhitespace || $0 == "\"" }.reversed().drop { $0.isWhitespace || $0 == "\"" }.reversed())
    }
}
