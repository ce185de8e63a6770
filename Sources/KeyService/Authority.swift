import COpenSSL
import CertificateRequests
import Glibc
import SRUP
import Storage

/// The key service's small certificate authority: it vouches for the broker, for the key service itself, and for every
/// participant's right to connect to the broker under its own identity.
///
/// `ca.key` (mode 0600) and `ca.crt` in a folder. Certificates follow RFC 5280; signatures are RSA with SHA-256.
public struct Authority: Sendable {
    private let key: PrivateKey
    /// The authority's own certificate.
    public let certificate: String

    /// How long client and server certificates are valid, in days.
    public static let days = 365
    private static let ownDays = 3650

    /// Makes a new authority in `folder`.
    ///
    /// - Throws: ``AuthorityError``, ``PrivateFileError``, ``CryptoError``.
    public static func create(in folder: String, name: String) throws -> Authority {
        let key = try PrivateKey.generate()
        let certificate = try issue(
            subject: [("O", "SRUP"), ("CN", name)], key: try key.publicKey, days: ownDays, by: nil, signer: key,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"), (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
            ])
        try key.pem.withBytes { try PrivateFile.write($0, to: folder + "/ca.key") }
        try PrivateFile.write(certificate, to: folder + "/ca.crt", mode: 0o644)
        return Authority(key: key, certificate: certificate)
    }

    /// Loads the authority from `folder`.
    ///
    /// - Throws: ``PrivateFileError`` when the key is open to others, ``CryptoError``.
    public init(folder: String) throws {
        key = try PrivateFile.withContents(of: folder + "/ca.key") { text in
            try PrivateKey(pem: SecretBytes(copying: text))
        }
        certificate = try PublicFile.read(folder + "/ca.crt")
        let own = try CertificateRequestReader.certificate(certificate)
        defer { X509_free(own) }
        guard key.withOpenSSL({ X509_check_private_key(own, $0) }) == 1 else {
            ERR_clear_error()
            throw AuthorityError.keyMismatch(folder)
        }
    }

    private init(key: PrivateKey, certificate: String) {
        self.key = key
        self.certificate = certificate
    }

    /// A certificate for a server under host names and addresses.
    ///
    /// - Throws: ``AuthorityError``.
    public func server(_ key: PublicKey, hosts: [String]) throws -> String {
        guard let first = hosts.first, hosts.allSatisfy(Self.isHost) else { throw AuthorityError.badHost(hosts) }
        let names = hosts.map { (Self.isAddress($0) ? "IP:" : "DNS:") + $0 }
        return try Self.issue(
            subject: [("O", "SRUP"), ("CN", String(first.prefix(64)))], key: key, days: Self.days, by: certificate,
            signer: self.key,
            extensions: [
                (NID_basic_constraints, "critical,CA:FALSE"),
                (NID_key_usage, "critical,digitalSignature,keyEncipherment"), (NID_ext_key_usage, "serverAuth"),
                (NID_subject_alt_name, names.joined(separator: ",")), (NID_subject_key_identifier, "hash"),
                (NID_authority_key_identifier, "keyid"),
            ])
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
                (NID_ext_key_usage, "clientAuth"), (NID_subject_key_identifier, "hash"),
                (NID_authority_key_identifier, "keyid"),
            ])
    }

    /// Days until a certificate ends, negative when it has; `nil` when the text is no certificate.
    static func daysLeft(_ pem: String) -> Int? {
        guard let certificate = try? CertificateRequestReader.certificate(pem) else { return nil }
        defer { X509_free(certificate) }
        var (days, seconds): (Int32, Int32) = (0, 0)
        guard ASN1_TIME_diff(&days, &seconds, nil, X509_get0_notAfter(certificate)) == 1 else { return nil }
        return seconds < 0 ? Int(days) - 1 : Int(days)
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
        extensions: [(Int32, String)]
    ) throws -> String {
        guard let certificate = X509_new(), let bio = BIO_new(BIO_s_mem()) else {
            throw AuthorityError.openSSL("memory")
        }
        defer {
            X509_free(certificate)
            BIO_free(bio)
        }
        let issuer = try issuerPEM.map { try CertificateRequestReader.certificate($0) }
        defer { X509_free(issuer) }
        srup_x509_set_version(certificate)
        // 127 random bits: a serial number must be positive.
        var serial = [UInt8](repeating: 0, count: 16)
        guard RAND_bytes(&serial, 16) == 1 else { throw AuthorityError.openSSL("random numbers") }
        serial[0] = serial[0] & 0x7F | 0x40
        guard let number = BN_bin2bn(serial, 16, nil) else { throw AuthorityError.openSSL("memory") }
        defer { BN_free(number) }
        BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate))
        // An hour back: clocks of small machines are late.
        X509_gmtime_adj(X509_getm_notBefore(certificate), -3600)
        X509_time_adj_ex(X509_getm_notAfter(certificate), Int32(days), 0, nil)
        let name = X509_get_subject_name(certificate)
        for (field, value) in subject {
            X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, value, -1, -1, 0)
        }
        X509_set_issuer_name(certificate, issuer.map { X509_get_subject_name($0) } ?? name)
        _ = key.withOpenSSL { X509_set_pubkey(certificate, $0) }
        for (kind, value) in extensions {
            guard srup_x509_extend(certificate, issuer ?? certificate, kind, value) == 1 else {
                ERR_clear_error()
                throw AuthorityError.openSSL("extension \(value)")
            }
        }
        guard signer.withOpenSSL({ X509_sign(certificate, $0, EVP_sha256()) }) > 0,
            PEM_write_bio_X509(bio, certificate) == 1
        else {
            ERR_clear_error()
            throw AuthorityError.openSSL("signature")
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

    public var description: String {
        switch self {
        case .badHost(let hosts): "\(hosts.joined(separator: ", ")): host names and addresses only, at least one"
        case .badRequest(let why): "the certificate request is refused: \(why)"
        case .keyMismatch(let folder):
            "\(folder)/ca.key is not the key of \(folder)/ca.crt: what it signs nobody would believe; restore the pair"
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
