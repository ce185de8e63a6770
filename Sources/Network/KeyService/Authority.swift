import COpenSSL
import CertificateRequests
import Glibc
import SRUP
import Storage
import Synchronization

/// The key service's small certificate authority: it vouches for the broker, for the key service itself, and for every
/// participant's right to connect to the broker under its own identity.
///
/// `ca.key` (mode 0600) and `ca.crt` in a folder. Certificates follow RFC 5280; signatures are RSA with SHA-256.
public struct Authority: Sendable {
    private let key: PrivateKey
    /// One for all copies, so that those who sign with it see its renewal.
    private final class Own: Sendable {
        let certificate: Mutex<String>

        init(_ certificate: String) {
            self.certificate = Mutex(certificate)
        }
    }
    private let own: Own
    /// Seconds since 1970, for the dates of certificates.
    var clock: @Sendable () -> Double = Self.systemTime

    /// The system's wall clock in seconds since 1970.
    public static let systemTime: @Sendable () -> Double = {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }

    /// The authority's own certificate.
    public var certificate: String { own.certificate.withLock { $0 } }

    /// How long client and server certificates are valid, in days.
    public static let days = 365
    private static let ownDays = 3650

    /// Makes a new authority in `folder`.
    ///
    /// - Throws: ``AuthorityError``, ``PrivateFileError``, ``CryptoError``.
    public static func create(in folder: String, name: String) throws -> Authority {
        try create(in: folder, name: name, clock: systemTime)
    }

    static func create(in folder: String, name: String, clock: @escaping @Sendable () -> Double) throws -> Authority {
        let key = try PrivateKey.generate()
        let certificate = try issue(
            subject: [("O", "SRUP"), ("CN", name)], key: try key.publicKey, days: ownDays, by: nil, signer: key,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"), (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
            ], now: clock())
        try key.pem.withBytes { try PrivateFile.write($0, to: folder + "/ca.key") }
        try PrivateFile.write(certificate, to: folder + "/ca.crt", mode: 0o644)
        return Authority(key: key, certificate: certificate, clock: clock)
    }

    /// Loads the authority from `folder`.
    ///
    /// - Throws: ``PrivateFileError`` when the key is open to others, ``CryptoError``.
    public init(folder: String) throws {
        key = try PrivateFile.withContents(of: folder + "/ca.key") { text in
            try PrivateKey(pem: SecretBytes(copying: text))
        }
        own = Own(try PublicFile.read(folder + "/ca.crt"))
        let parsed = try CertificateRequestReader.certificate(certificate)
        defer { X509_free(parsed) }
        guard key.withOpenSSL({ X509_check_private_key(parsed, $0) }) == 1 else {
            ERR_clear_error()
            throw AuthorityError.keyMismatch(folder)
        }
    }

    private init(key: PrivateKey, certificate: String, clock: @escaping @Sendable () -> Double) {
        self.key = key
        own = Own(certificate)
        self.clock = clock
    }

    /// Whether OpenSSL does something with the key.
    func signs(_ body: (OpaquePointer) -> Int32) -> Bool { key.withOpenSSL(body) > 0 }

    func withKey<Result>(_ body: (PrivateKey) throws -> Result) rethrows -> Result { try body(key) }

    // MARK: Renewals

    /// Whether this authority has signed a certificate; `false` when the text is none.
    func hasSigned(_ pem: String) -> Bool {
        guard let certificate = try? CertificateRequestReader.certificate(pem) else { return false }
        defer {
            X509_free(certificate)
            ERR_clear_error()
        }
        return key.withOpenSSL { X509_verify(certificate, $0) } == 1
    }

    /// The same certificate once more, for the same key, names and uses, with dates from now on.
    ///
    /// - Throws: ``AuthorityError``.
    func renewed(_ pem: String) throws(AuthorityError) -> String { try renewed(pem, days: Self.days) }

    /// Renews the authority's own certificate, with the same key and name: what it has signed before is believed by those
    /// who have the new certificate, and what it signs from now on by those who have the old one.
    ///
    /// - Throws: ``AuthorityError``, ``PrivateFileError``.
    func renewOwn(in folder: String) throws {
        let new = try renewed(certificate, days: Self.ownDays)
        try PrivateFile.write(new, to: folder + "/ca.crt", mode: 0o644)
        own.certificate.withLock { $0 = new }
    }

    private func renewed(_ pem: String, days: Int) throws(AuthorityError) -> String {
        let old = try CertificateRequestReader.certificate(pem)
        defer { X509_free(old) }
        guard let certificate = X509_dup(old) else { throw AuthorityError.openSSL("memory") }
        defer { X509_free(certificate) }
        try Self.setTerms(certificate, days: days, now: clock())
        return try Self.signed(certificate, by: key)
    }

    /// A certificate for a server under host names and addresses.
    ///
    /// - Throws: ``AuthorityError``.
    public func server(_ key: PublicKey, hosts: [String]) throws -> String {
        try key.withOpenSSL { try server($0, "digitalSignature,keyEncipherment", hosts) }
    }

    /// The same for a key of ECDSA.
    ///
    /// - Throws: ``AuthorityError``.
    public func server(_ key: borrowing TLSKey, hosts: [String]) throws -> String {
        try server(key.pointer, "digitalSignature", hosts)
    }

    private func server(_ key: OpaquePointer, _ usage: String, _ hosts: [String]) throws -> String {
        guard let first = hosts.first, hosts.allSatisfy(Self.isHost) else { throw AuthorityError.badHost(hosts) }
        let names = hosts.map { (Self.isAddress($0) ? "IP:" : "DNS:") + $0 }
        return try Self.issue(
            subject: [("O", "SRUP"), ("CN", String(first.prefix(64)))], openSSLKey: key, days: Self.days,
            by: certificate, signer: self.key,
            extensions: [
                (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,\(usage)"),
                (NID_ext_key_usage, "serverAuth"), (NID_subject_alt_name, names.joined(separator: ",")),
                (NID_subject_key_identifier, "hash"), (NID_authority_key_identifier, "keyid"),
            ], now: clock())
    }

    /// A certificate with which a participant connects to the broker: its common name is the identity.
    ///
    /// - Throws: ``AuthorityError``.
    public func client(_ id: DeviceID, key: PublicKey) throws -> String { try client(named: id.hex, key: key) }

    /// The same under a name that is no identity of the protocol.
    func client(named name: String, key: PublicKey) throws -> String {
        try Self.issue(
            subject: [("O", "SRUP_DEVICE"), ("CN", name)], key: key, days: Self.days, by: certificate,
            signer: self.key,
            extensions: [
                (NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature"),
                (NID_ext_key_usage, "clientAuth"),
                (NID_subject_alt_name, "otherName:msUPN;UTF8:\(Self.session(of: name))"),
                (NID_subject_key_identifier, "hash"), (NID_authority_key_identifier, "keyid"),
            ], now: clock())
    }

    /// The MQTT client id of whoever has this name, reference clients' too. RabbitMQ compares it with the one in the certificate
    /// (docs/protocol.md, "MQTT topics").
    static func session(of name: String) -> String { "SRUP Client: " + name }

    /// When a certificate begins and ends, in seconds since 1970; `nil` when the text is no certificate.
    static func dates(_ pem: String) -> (begin: Double, end: Double)? {
        guard let certificate = try? CertificateRequestReader.certificate(pem) else { return nil }
        defer { X509_free(certificate) }
        var (begin, end) = (tm(), tm())
        guard ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &begin) == 1,
            ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1
        else { return nil }
        return (Double(timegm(&begin)), Double(timegm(&end)))
    }

    /// Whether the holder of the first certificate has signed the second.
    static func isIssuer(_ authority: String, of pem: String) -> Bool {
        guard let authority = try? CertificateRequestReader.certificate(authority) else { return false }
        defer { X509_free(authority) }
        guard let certificate = try? CertificateRequestReader.certificate(pem) else { return false }
        defer {
            X509_free(certificate)
            ERR_clear_error()
        }
        return X509_verify(certificate, X509_get0_pubkey(authority)) == 1
    }

    /// Whether two certificates are of one name and key, as an authority's renewed one is.
    static func areOfOneKey(_ one: String, _ other: String) -> Bool {
        guard let one = try? CertificateRequestReader.certificate(one) else { return false }
        defer { X509_free(one) }
        guard let other = try? CertificateRequestReader.certificate(other) else { return false }
        defer {
            X509_free(other)
            ERR_clear_error()
        }
        return X509_NAME_cmp(X509_get_subject_name(one), X509_get_subject_name(other)) == 0
            && EVP_PKEY_eq(X509_get0_pubkey(one), X509_get0_pubkey(other)) == 1
    }

    private static func isHost(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                    || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":")].contains($0)
            }
    }

    private static func isAddress(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1
    }

    private static func issue(
        subject: [(String, String)], key: PublicKey, days: Int, by issuerPEM: String?, signer: PrivateKey,
        extensions: [(Int32, String)], now: Double
    ) throws -> String {
        try key.withOpenSSL { key in
            try issue(
                subject: subject, openSSLKey: key, days: days, by: issuerPEM, signer: signer, extensions: extensions,
                now: now)
        }
    }

    private static func issue(
        subject: [(String, String)], openSSLKey key: OpaquePointer, days: Int, by issuerPEM: String?,
        signer: PrivateKey, extensions: [(Int32, String)], now: Double
    ) throws -> String {
        guard let certificate = X509_new() else { throw AuthorityError.openSSL("memory") }
        defer { X509_free(certificate) }
        let issuer = try issuerPEM.map { try CertificateRequestReader.certificate($0) }
        defer { X509_free(issuer) }
        srup_x509_set_version(certificate)
        try setTerms(certificate, days: days, now: now)
        let name = X509_get_subject_name(certificate)
        for (field, value) in subject {
            X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, value, -1, -1, 0)
        }
        X509_set_issuer_name(certificate, issuer.map { X509_get_subject_name($0) } ?? name)
        X509_set_pubkey(certificate, key)
        for (kind, value) in extensions {
            guard srup_x509_extend(certificate, issuer ?? certificate, kind, value) == 1 else {
                ERR_clear_error()
                throw AuthorityError.openSSL("extension \(value)")
            }
        }
        return try signed(certificate, by: signer)
    }

    /// A serial number of its own, and its dates.
    private static func setTerms(_ certificate: OpaquePointer, days: Int, now: Double) throws(AuthorityError) {
        // 127 random bits: a serial number must be positive.
        var serial = [UInt8](repeating: 0, count: 16)
        guard RAND_bytes(&serial, 16) == 1 else { throw .openSSL("random numbers") }
        serial[0] = serial[0] & 0x7F | 0x40
        guard let number = BN_bin2bn(serial, 16, nil) else { throw .openSSL("memory") }
        defer { BN_free(number) }
        BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate))
        // An hour back: clocks of small machines are late.
        ASN1_TIME_set(X509_getm_notBefore(certificate), time_t(now) - 3600)
        ASN1_TIME_set(X509_getm_notAfter(certificate), time_t(now) + days * 86400)
    }

    /// - Returns: PEM.
    private static func signed(_ certificate: OpaquePointer, by signer: PrivateKey) throws(AuthorityError) -> String {
        guard let bio = BIO_new(BIO_s_mem()) else { throw .openSSL("memory") }
        defer { BIO_free(bio) }
        guard signer.withOpenSSL({ X509_sign(certificate, $0, EVP_sha256()) }) > 0,
            PEM_write_bio_X509(bio, certificate) == 1
        else {
            ERR_clear_error()
            throw .openSSL("signature")
        }
        var start: UnsafePointer<UInt8>?
        let count = srup_BIO_get_mem_data(bio, &start)
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }
}

/// Why the authority does not sign.
public enum AuthorityError: Error, Sendable, Hashable, CustomStringConvertible {
    case badHost([String])
    case badRequest(String)
    case openSSL(String)
    /// `ca.key` is not the key of `ca.crt`.
    case keyMismatch(String)
    /// A certificate's file and another one's key.
    case notOfOnePair(String, String)

    /// What is wrong, in words for the operator.
    public var description: String {
        switch self {
        case .badHost(let hosts): "\(hosts.joined(separator: ", ")): host names and addresses only, at least one"
        case .badRequest(let why): "the certificate request is refused: \(why)"
        case .keyMismatch(let folder):
            "\(folder)/ca.key is not the key of \(folder)/ca.crt: what it signs nobody would believe; restore the pair"
        case .notOfOnePair(let certificate, let key): "\(key) is not the key of \(certificate)"
        case .openSSL(let what): "OpenSSL failed (\(what))"
        }
    }
}

/// Reads PKCS#10 requests from strangers.
enum CertificateRequestReader {
    /// The key of a request whose only common name is `id` and which is signed with that key.
    ///
    /// - Throws: ``AuthorityError/badRequest(_:)``.
    static func key(of pem: String, for id: DeviceID) throws(AuthorityError) -> PublicKey {
        do throws(CertificateRequestError) {
            return try CertificateRequestKey.read(pem, for: id)
        } catch {
            throw .badRequest(error.description)
        }
    }

    /// - Throws: ``AuthorityError``.
    static func certificate(_ pem: String) throws(AuthorityError) -> OpaquePointer {
        guard let bio = BIO_new(BIO_s_mem()) else { throw .openSSL("memory") }
        defer { BIO_free(bio) }
        BIO_write(bio, pem, Int32(pem.utf8.count))
        guard let certificate = PEM_read_bio_X509(bio, nil, srup_no_passphrase, nil) else {
            throw .openSSL("the authority's certificate")
        }
        return certificate
    }
}
