import COpenSSL
import ObservedValue

/// A signed statement that the keys of an identity are gone: for whoever takes a device over.
///
/// ```
/// SRUP release receipt 1
/// identity: 2a4d1c0de5b94f00
/// key: SHA-256 of the identity's public key, 64 hexadecimal digits (SubjectPublicKeyInfo in DER)
/// ended: 1795953940
/// signer: SHA-256 of the signer's public key
/// public-key: base64 of the signer's public key (SubjectPublicKeyInfo in DER)
/// signature: RSASSA-PSS with SHA-256 over all lines before, in hexadecimal
/// ```
/// Signed by the identity itself, as its last word, or by the network's authority, who says that no certificate of it counts
/// and that nobody gets its name again.
public struct ReleaseReceipt: Sendable, Hashable, CustomStringConvertible {
    /// Who has ended.
    public let identity: DeviceID
    /// SHA-256 of its public key; empty when the signer did not know the key.
    public let key: [UInt8]
    /// When it ended, in seconds since 1970.
    public let ended: UInt64
    /// The key that has signed. Whether it is to be believed is for the reader to know.
    public let signer: PublicKey
    private let signature: [UInt8]

    /// A longer text is none.
    public static let maximumSize = 8192
    private static let title = "SRUP release receipt 1"

    /// Signs.
    ///
    /// - Parameters:
    ///   - identity: who has ended.
    ///   - key: SHA-256 of the identity's public key; empty when it is not known.
    ///   - ended: seconds since 1970.
    ///   - signer: the authority, or the identity itself.
    /// - Throws: ``CryptoError``.
    public init(of identity: DeviceID, key: [UInt8], ended: UInt64, signedBy signer: PrivateKey) throws(CryptoError) {
        self.identity = identity
        self.key = key
        self.ended = ended
        self.signer = try signer.publicKey
        signature = try signer.signPSS(Array(Self.statement(identity, key, ended, self.signer).utf8))
    }

    /// Reads a receipt whose signature is its signer's; `nil` for anything else.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.maximumSize else { return nil }
        var values: [Substring] = []
        // By bytes: to Swift "\r\n" is one character, which is not "\n".
        let lines = text.utf8.split(separator: 10).map { Substring(decoding: $0, as: UTF8.self) }
        guard lines.count == 7, lines[0] == Self.title else { return nil }
        for (line, name) in zip(lines.dropFirst(), ["identity", "key", "ended", "signer", "public-key", "signature"]) {
            guard line.hasPrefix(name + ": ") else { return nil }
            values.append(line.dropFirst(name.count + 2))
        }
        guard let identity = DeviceID(participant: values[0]), let key = Hex.decode(values[1]),
            [0, 32].contains(key.count),
            let ended = UInt64(values[2]), let signer = try? PublicKey(pemBody: String(values[4])),
            let signature = Hex.decode(values[5]),
            signer.isPSSSignature(signature, over: Array(Self.statement(identity, key, ended, signer).utf8)),
            values[3] == Hex.encode(signer.digest)
        else { return nil }
        self.identity = identity
        self.key = key
        self.ended = ended
        self.signer = signer
        self.signature = signature
    }

    /// Whether it is the last word of the identity itself.
    public var isOwn: Bool { signer.digest == key }

    /// The text that ``init(_:)`` reads.
    public var description: String {
        Self.statement(identity, key, ended, signer) + "signature: \(Hex.encode(signature))\n"
    }

    private static func statement(_ identity: DeviceID, _ key: [UInt8], _ ended: UInt64, _ signer: PublicKey) -> String
    {
        """
        \(title)
        identity: \(identity.hex)
        key: \(Hex.encode(key))
        ended: \(ended)
        signer: \(Hex.encode(signer.digest))
        public-key: \(signer.pemBody)

        """
    }
}

extension PublicKey {
    /// The key in a certificate.
    ///
    /// - Throws: ``CryptoError``.
    public init(certificate pem: String) throws(CryptoError) {
        defer { ERR_clear_error() }
        guard pem.utf8.count <= 65536, let bio = BIO_new(BIO_s_mem()) else { throw .noMemory }
        defer { BIO_free(bio) }
        BIO_write(bio, pem, Int32(pem.utf8.count))
        guard let certificate = PEM_read_bio_X509(bio, nil, srup_no_passphrase, nil) else { throw .notRSA }
        defer { X509_free(certificate) }
        guard let out = BIO_new(BIO_s_mem()) else { throw .noMemory }
        defer { BIO_free(out) }
        PEM_write_bio_PUBKEY(out, X509_get0_pubkey(certificate))
        var start: UnsafePointer<UInt8>?
        let count = srup_BIO_get_mem_data(out, &start)
        try self.init(pem: String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self))
    }
}
