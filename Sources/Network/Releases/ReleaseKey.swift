import COpenSSL
import ObservedValue
import SRUP
import Storage

/// The public half of a release key: what devices are given, once, to know by it what may run on them.
public struct ReleasePublicKey: Sendable, Hashable, CustomStringConvertible {
    private let bytes: [UInt8]

    /// Of an Ed25519 public key, in bytes.
    static let size = 32
    /// Of an Ed25519 signature, in bytes.
    public static let signatureSize = 64

    /// Reads 64 hexadecimal digits in lower case; `nil` for anything else.
    public init?(_ text: some StringProtocol) {
        guard let bytes = Hex.decode(text), bytes.count == Self.size, Hex.encode(bytes) == text else { return nil }
        self.bytes = bytes
    }

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// 64 hexadecimal digits, in lower case.
    public var description: String { Hex.encode(bytes) }

    /// Whether `signature` is this key's Ed25519 signature (RFC 8032) over `message`.
    public func isSignature(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        defer { ERR_clear_error() }
        guard signature.count == Self.signatureSize,
            let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count)
        else { return false }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        return EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }
}

/// A release key: an Ed25519 key pair that lies where releases are made, and on no server. Safe to use from several threads;
/// OpenSSL wipes it when the last copy goes.
public struct ReleaseKey: Sendable, CustomStringConvertible, CustomReflectable {
    /// Never changed after it is made; each signature has a context of its own.
    private final class Box: @unchecked Sendable {
        let key: OpaquePointer
        init(_ key: OpaquePointer) { self.key = key }
        deinit { EVP_PKEY_free(key) }
    }

    private let box: Box

    /// A fresh one.
    ///
    /// - Throws: ``ReleaseError/cannotSign`` when OpenSSL cannot make one.
    public static func generate() throws(ReleaseError) -> ReleaseKey {
        guard let key = srup_ed25519_generate() else {
            ERR_clear_error()
            throw .cannotSign
        }
        return ReleaseKey(box: Box(key))
    }

    private init(box: Box) { self.box = box }

    /// Reads `-----BEGIN PRIVATE KEY-----` (PKCS#8), unencrypted.
    ///
    /// - Throws: ``ReleaseError/notAKey``.
    public init(pem: UnsafeRawBufferPointer) throws(ReleaseError) {
        defer { ERR_clear_error() }
        guard pem.count <= 16384, let bio = BIO_new_mem_buf(pem.baseAddress, Int32(pem.count)) else { throw .notAKey }
        defer { BIO_free(bio) }
        guard let key = PEM_read_bio_PrivateKey(bio, nil, srup_no_passphrase, nil) else { throw .notAKey }
        guard EVP_PKEY_is_a(key, "ED25519") == 1 else {
            EVP_PKEY_free(key)
            throw .notAKey
        }
        box = Box(key)
    }

    /// Reads the key in a file of mode 0600.
    ///
    /// - Throws: ``PrivateFileError``, ``ReleaseError/notAKey``.
    public init(file path: String) throws {
        self = try PrivateFile.withContents(of: path) { bytes in try ReleaseKey(pem: bytes) }
    }

    /// Writes the key into a file of mode 0600.
    ///
    /// - Throws: ``PrivateFileError``.
    public func write(to path: String) throws(PrivateFileError) {
        try pem.withBytes { bytes throws(PrivateFileError) in try PrivateFile.write(bytes, to: path) }
    }

    /// PKCS#8 PEM text, in memory that is wiped.
    public var pem: SecretBytes {
        let bio = BIO_new(BIO_s_secmem())
        defer { BIO_free(bio) }
        PEM_write_bio_PKCS8PrivateKey(bio, box.key, nil, nil, 0, nil, nil)
        var start: UnsafePointer<UInt8>?
        let count = srup_BIO_get_mem_data(bio, &start)
        return SecretBytes(copying: UnsafeRawBufferPointer(start: start, count: max(count, 0)))
    }

    /// The public half.
    public var publicKey: ReleasePublicKey {
        get throws(ReleaseError) {
            var bytes = [UInt8](repeating: 0, count: ReleasePublicKey.size)
            var count = bytes.count
            guard EVP_PKEY_get_raw_public_key(box.key, &bytes, &count) == 1, count == bytes.count else {
                ERR_clear_error()
                throw .notAKey
            }
            return ReleasePublicKey(bytes: bytes)
        }
    }

    func sign(_ message: [UInt8]) throws(ReleaseError) -> [UInt8] {
        defer { ERR_clear_error() }
        guard let context = EVP_MD_CTX_new() else { throw .cannotSign }
        defer { EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: ReleasePublicKey.signatureSize)
        var count = signature.count
        guard EVP_DigestSignInit(context, nil, nil, nil, box.key) == 1,
            EVP_DigestSign(context, &signature, &count, message, message.count) == 1, count == signature.count
        else { throw .cannotSign }
        return signature
    }

    /// The same text for every key, so that none gets into a log.
    public var description: String { "<release key>" }
    /// Without children, so that `dump` shows nothing of the key.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
