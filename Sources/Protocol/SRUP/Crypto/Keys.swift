import COpenSSL
import ObservedValue
import Synchronization

/// An OpenSSL key with contexts that are set up once: setting them up costs as much as a tenth of a verification.
///
/// The `EVP_PKEY` is never changed after the initialiser; the contexts, which OpenSSL does not allow two threads to
/// use, are reached only under the lock.
private final class KeyBox: @unchecked Sendable {
    let key: OpaquePointer
    private let digestAlgorithm: OpaquePointer
    private let contexts: Mutex<Void> = Mutex(())
    private let digest: OpaquePointer
    private let operation: OpaquePointer
    private var encryption: OpaquePointer?
    private var known: [UInt8]?

    /// Takes over `key`'s reference, also when it throws.
    init(_ key: OpaquePointer, initialise: (OpaquePointer) -> Int32) throws(CryptoError) {
        guard EVP_PKEY_is_a(key, "RSA") == 1 else {
            EVP_PKEY_free(key)
            throw .notRSA
        }
        let bits = Int(EVP_PKEY_get_bits(key))
        guard (KeyRules.minimumBits...KeyRules.maximumBits).contains(bits) else {
            EVP_PKEY_free(key)
            throw .weakKey(bits: bits)
        }
        var exponent: OpaquePointer?
        let hasExponent = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1
        defer { BN_free(exponent) }
        guard hasExponent, BN_is_word(exponent, KeyRules.exponent) == 1 else {
            EVP_PKEY_free(key)
            throw .unusualExponent
        }
        guard Self.hasNoSmallFactor(key) else {
            EVP_PKEY_free(key)
            throw .unsoundModulus
        }
        guard let algorithm = EVP_MD_fetch(nil, "SHA256", nil), let digest = EVP_MD_CTX_new(),
            let operation = EVP_PKEY_CTX_new(key, nil),
            initialise(operation) == 1, EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PADDING) == 1,
            EVP_PKEY_CTX_set_signature_md(operation, algorithm) == 1
        else {
            EVP_PKEY_free(key)
            throw .noMemory
        }
        self.key = key
        self.digestAlgorithm = algorithm
        self.digest = digest
        self.operation = operation
    }

    /// Takes some microseconds: done for every key, wherever it comes from.
    private static func hasNoSmallFactor(_ key: OpaquePointer) -> Bool {
        var modulus: OpaquePointer?
        guard EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) == 1 else { return false }
        defer { BN_free(modulus) }
        return KeyRules.smallPrimes.allSatisfy { BN_mod_word(modulus, UInt($0)) != 0 }
    }

    deinit {
        EVP_PKEY_CTX_free(operation)
        EVP_PKEY_CTX_free(encryption)
        EVP_MD_CTX_free(digest)
        EVP_MD_free(digestAlgorithm)
        EVP_PKEY_free(key)
    }

    /// SHA-256 of the public half's SubjectPublicKeyInfo (DER). OpenSSL writes that anew each time, which takes as long as checking
    /// a signature.
    func keyDigest() -> [UInt8] {
        contexts.withLock { _ in
            if let known { return known }
            var der: UnsafeMutablePointer<UInt8>?
            let count = i2d_PUBKEY(key, &der)
            guard count > 0, let der else { return [] }
            defer { srup_free(der) }
            var digest = [UInt8](repeating: 0, count: 32)
            _ = SHA256(der, Int(count), &digest)
            known = digest
            return digest
        }
    }

    /// Lends a context for RSAES-PKCS1-v1_5 encryption, made at the first use.
    func withEncryption(_ body: (OpaquePointer) -> Bool) -> Bool {
        contexts.withLock { _ in
            if encryption == nil, let context = EVP_PKEY_CTX_new(key, nil) {
                if EVP_PKEY_encrypt_init(context) == 1, EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 {
                    encryption = context
                } else {
                    EVP_PKEY_CTX_free(context)
                }
            }
            return encryption.map(body) ?? false
        }
    }

    /// Hashes the parts one after the other and lends the operation context with the hash.
    func withDigest<Result: Sendable>(
        of parts: [ArraySlice<UInt8>], _ body: (OpaquePointer, UnsafeBufferPointer<UInt8>) -> Result
    ) -> Result? {
        contexts.withLock { _ in
            guard EVP_DigestInit_ex2(digest, digestAlgorithm, nil) == 1 else { return nil }
            for part in parts {
                guard part.withUnsafeBytes({ EVP_DigestUpdate(digest, $0.baseAddress, $0.count) }) == 1 else {
                    return nil
                }
            }
            return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { hash in
                guard EVP_DigestFinal_ex(digest, hash.baseAddress, nil) == 1 else { return nil }
                return body(operation, UnsafeBufferPointer(hash))
            }
        }
    }
}

/// Somebody's RSA public key: checks signatures, seals envelopes. Safe to use from several threads.
public struct PublicKey: Sendable, Hashable {
    private let box: KeyBox

    /// Reads `-----BEGIN PUBLIC KEY-----` (SubjectPublicKeyInfo).
    ///
    /// - Throws: ``CryptoError`` unless it is an RSA key of at least 2048 bits with exponent 65 537 whose modulus has no tiny
    ///   factor.
    public init(pem: String) throws(CryptoError) {
        guard pem.utf8.count <= 16384, let bio = BIO_new(BIO_s_mem()) else { throw .notAKey("PEM public key") }
        defer { BIO_free(bio) }
        BIO_write(bio, pem, Int32(pem.utf8.count))
        guard let key = PEM_read_bio_PUBKEY(bio, nil, givePassphrase, nil) else {
            ERR_clear_error()
            throw .notAKey("PEM public key (\"BEGIN PUBLIC KEY\")")
        }
        try self.init(taking: key)
    }

    /// Reads the base64 between the PEM markers, with or without line ends (what a reference client registers).
    ///
    /// - Throws: ``CryptoError``.
    public init(pemBody: String) throws(CryptoError) {
        let characters = pemBody.filter { !$0.isWhitespace }
        var lines = ""
        for (index, character) in characters.enumerated() {
            if index > 0 && index % 64 == 0 { lines.append("\n") }
            lines.append(character)
        }
        try self.init(pem: "-----BEGIN PUBLIC KEY-----\n\(lines)\n-----END PUBLIC KEY-----\n")
    }

    /// Checks more than reading does, in a few milliseconds: that the modulus is neither a prime nor a power of one
    /// (SP 800-56B, 6.4.2.2). For keys that are new to us.
    ///
    /// - Returns: the same key.
    /// - Throws: ``CryptoError/unsoundModulus``.
    public func checked() throws(CryptoError) -> PublicKey {
        guard let context = EVP_PKEY_CTX_new(box.key, nil) else { throw .noMemory }
        defer {
            EVP_PKEY_CTX_free(context)
            ERR_clear_error()
        }
        guard EVP_PKEY_public_check(context) == 1 else { throw .unsoundModulus }
        return self
    }

    init(taking key: OpaquePointer) throws(CryptoError) {
        box = try KeyBox(key, initialise: EVP_PKEY_verify_init)
    }

    /// The size of the modulus in bytes, which is also that of a signature and of a sealed key.
    public var size: Int { Int(EVP_PKEY_get_size(box.key)) }

    /// `-----BEGIN PUBLIC KEY-----` and so on.
    public var pem: String {
        guard let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(bio) }
        PEM_write_bio_PUBKEY(bio, box.key)
        return text(of: bio)
    }

    /// The base64 between the PEM markers, joined to one line: what the key service is sent.
    public var pemBody: String {
        pem.split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
    }

    /// SHA-256 of the key's SubjectPublicKeyInfo (DER), 64 hexadecimal digits: by it people and programs tell keys apart.
    public var fingerprint: String { Hex.encode(digest) }

    /// Whether `signature` is this key's RSASSA-PKCS1-v1_5 SHA-256 signature over the parts one after the other.
    public func isSignature(_ signature: ArraySlice<UInt8>, over parts: ArraySlice<UInt8>...) -> Bool {
        guard signature.count == size else { return false }
        let verified = box.withDigest(of: parts) { context, hash in
            signature.withUnsafeBufferPointer {
                EVP_PKEY_verify(context, $0.baseAddress, $0.count, hash.baseAddress, hash.count) == 1
            }
        }
        if verified != true { ERR_clear_error() }
        return verified == true
    }

    /// Whether `signature` is this key's RSASSA-PSS signature (SHA-256, MGF1 SHA-256) over `bytes`: the key service
    /// uses this padding (docs/protocol.md, "Key service").
    public func isPSSSignature(_ signature: [UInt8], over bytes: [UInt8]) -> Bool {
        guard signature.count == size, let context = EVP_MD_CTX_new() else { return false }
        defer {
            EVP_MD_CTX_free(context)
            ERR_clear_error()
        }
        var operation: OpaquePointer?
        return EVP_DigestVerifyInit(context, &operation, EVP_sha256(), nil, box.key) == 1
            && EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PSS_PADDING) == 1
            && EVP_PKEY_CTX_set_rsa_pss_saltlen(operation, RSA_PSS_SALTLEN_AUTO) == 1
            && EVP_DigestVerify(context, signature, signature.count, bytes, bytes.count) == 1
    }

    /// The same, 32 bytes.
    public var digest: [UInt8] { box.keyDigest() }

    /// Lends the OpenSSL key, for certificates.
    public func withOpenSSL<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result { try body(box.key) }

    func encryptPKCS1(_ plain: UnsafeRawBufferPointer) throws(CryptoError) -> [UInt8] {
        var cipher = [UInt8](repeating: 0, count: size)
        var count = cipher.count
        let done = box.withEncryption { context in
            EVP_PKEY_encrypt(context, &cipher, &count, plain.baseAddress, plain.count) == 1
        }
        guard done, count == cipher.count else {
            ERR_clear_error()
            throw .cannotSeal
        }
        return cipher
    }

    /// Whether both are the same key by their numbers, wherever they were read.
    public static func == (left: PublicKey, right: PublicKey) -> Bool {
        left.box === right.box || EVP_PKEY_eq(left.box.key, right.box.key) == 1
    }

    /// Hashes the PEM text, which is the same for equal keys.
    public func hash(into hasher: inout Hasher) { hasher.combine(pem) }
}

/// Our own RSA private key: signs and opens envelopes. Safe to use from several threads; OpenSSL wipes it when the
/// last copy goes.
public struct PrivateKey: Sendable, CustomStringConvertible, CustomReflectable {
    private let box: KeyBox

    /// A fresh RSA-2048 key (takes a tenth of a second here, some seconds on a small Pi).
    ///
    /// - Throws: ``CryptoError/noMemory``.
    public static func generate(bits: Int = 2048) throws(CryptoError) -> PrivateKey {
        guard let key = srup_rsa_generate(bits) else { throw .noMemory }
        return try PrivateKey(taking: key)
    }

    /// Reads `-----BEGIN PRIVATE KEY-----` (PKCS#8) or `-----BEGIN RSA PRIVATE KEY-----` (PKCS#1), unencrypted.
    ///
    /// - Throws: ``CryptoError``.
    public init(pem: String) throws(CryptoError) {
        var pem = pem
        let secret = pem.withUTF8 { SecretBytes(copying: UnsafeRawBufferPointer($0)) }
        try self.init(pem: secret)
    }

    /// Reads PEM text held in memory that is wiped.
    ///
    /// - Parameters:
    ///   - pem: the text, at most 64 KiB.
    ///   - passphrase: for `-----BEGIN ENCRYPTED PRIVATE KEY-----`; without one such a key is refused.
    /// - Throws: ``CryptoError``.
    public init(pem: SecretBytes, passphrase: SecretBytes? = nil) throws(CryptoError) {
        var given = passphrase
        let key = pem.withBytes { text -> OpaquePointer? in
            guard text.count <= 65536, let bio = BIO_new_mem_buf(text.baseAddress, Int32(text.count)) else {
                return nil
            }
            defer { BIO_free(bio) }
            return withUnsafeMutablePointer(to: &given) { PEM_read_bio_PrivateKey(bio, nil, givePassphrase, $0) }
        }
        guard let key else {
            ERR_clear_error()
            let isEncrypted = Self.isEncrypted(pem: pem)
            throw isEncrypted && passphrase != nil
                ? .wrongPassphrase : .notAKey("unencrypted PEM private key (\"BEGIN PRIVATE KEY\")")
        }
        try self.init(taking: key)
    }

    /// Whether the PEM text holds an encrypted key.
    public static func isEncrypted(pem: SecretBytes) -> Bool {
        pem.withBytes { text in
            let marker = Array("-----BEGIN ENCRYPTED PRIVATE KEY-----".utf8)
            return text.count >= marker.count && text.prefix(marker.count).elementsEqual(marker)
        }
    }

    private init(taking key: OpaquePointer) throws(CryptoError) {
        box = try KeyBox(key, initialise: EVP_PKEY_sign_init)
    }

    /// The same key for another thread: one signs at a time with each, since OpenSSL's contexts are one thread's.
    ///
    /// - Throws: ``CryptoError/noMemory``.
    public func twin() throws(CryptoError) -> PrivateKey {
        guard EVP_PKEY_up_ref(box.key) == 1 else { throw .noMemory }
        return try PrivateKey(taking: box.key)
    }

    /// PKCS#8 PEM text, in memory that is wiped.
    public var pem: SecretBytes { pem(passphrase: nil) }

    /// PKCS#8 PEM text, encrypted (AES-256-CBC, PBKDF2) when there is a passphrase, in memory that is wiped.
    public func pem(passphrase: SecretBytes?) -> SecretBytes {
        let bio = BIO_new(BIO_s_secmem())
        defer { BIO_free(bio) }
        var given = passphrase
        withUnsafeMutablePointer(to: &given) {
            _ = PEM_write_bio_PKCS8PrivateKey(
                bio, box.key, passphrase == nil ? nil : EVP_aes_256_cbc(), nil, 0, givePassphrase, $0)
        }
        var start: UnsafePointer<UInt8>?
        let count = srup_BIO_get_mem_data(bio, &start)
        return SecretBytes(copying: UnsafeRawBufferPointer(start: start, count: count))
    }

    /// The public half.
    public var publicKey: PublicKey {
        get throws(CryptoError) {
            guard let bio = BIO_new(BIO_s_mem()) else { throw .noMemory }
            defer { BIO_free(bio) }
            PEM_write_bio_PUBKEY(bio, box.key)
            return try PublicKey(pem: text(of: bio))
        }
    }

    /// The size of the modulus in bytes.
    public var size: Int { Int(EVP_PKEY_get_size(box.key)) }

    func sign(_ parts: [UInt8]...) throws(CryptoError) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: size)
        var count = signature.count
        let done = box.withDigest(of: parts.map { $0[...] }) { context, hash in
            EVP_PKEY_sign(context, &signature, &count, hash.baseAddress, hash.count) == 1
        }
        guard done == true, count == signature.count else {
            ERR_clear_error()
            throw .cannotSign
        }
        return signature
    }

    /// RSASSA-PSS with SHA-256, MGF1 SHA-256 and the longest salt, as the key service wants it (docs/protocol.md,
    /// "Key service").
    ///
    /// - Throws: ``CryptoError/cannotSign``.
    public func signPSS(_ bytes: [UInt8]) throws(CryptoError) -> [UInt8] {
        guard let context = EVP_MD_CTX_new() else { throw .noMemory }
        defer { EVP_MD_CTX_free(context) }
        var operation: OpaquePointer?
        var signature = [UInt8](repeating: 0, count: size)
        var count = signature.count
        guard EVP_DigestSignInit(context, &operation, EVP_sha256(), nil, box.key) == 1,
            EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PSS_PADDING) == 1,
            EVP_PKEY_CTX_set_rsa_pss_saltlen(operation, RSA_PSS_SALTLEN_MAX) == 1,
            EVP_DigestSign(context, &signature, &count, bytes, bytes.count) == 1, count == signature.count
        else {
            ERR_clear_error()
            throw .cannotSign
        }
        return signature
    }

    /// Lends the OpenSSL key, for certificates.
    public func withOpenSSL<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result { try body(box.key) }

    /// RSAES-PKCS1-v1_5 into `plain`; the number of bytes, or `nil`.
    func decryptPKCS1(_ cipher: UnsafeRawBufferPointer, into plain: UnsafeMutableRawBufferPointer) -> Int? {
        guard let context = EVP_PKEY_CTX_new(box.key, nil) else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        var count = plain.count
        guard EVP_PKEY_decrypt_init(context) == 1, EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1,
            EVP_PKEY_decrypt(context, plain.baseAddress, &count, cipher.baseAddress, cipher.count) == 1
        else {
            ERR_clear_error()
            return nil
        }
        return count
    }

    /// The same text for every key, so that none gets into a log.
    public var description: String { "<private key>" }
    /// Without children, so that `dump` shows nothing of the key.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Hands OpenSSL the passphrase that the context points at (a `SecretBytes?`); without one encrypted keys are refused.
/// Nobody is asked on the terminal.
private func givePassphrase(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int32, _ writing: Int32, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    context?.assumingMemoryBound(to: SecretBytes?.self).pointee?.copy(to: buffer, size) ?? -1
}

private func text(of bio: OpaquePointer) -> String {
    var start: UnsafePointer<UInt8>?
    let count = srup_BIO_get_mem_data(bio, &start)
    return String(decoding: UnsafeBufferPointer(start: start, count: max(count, 0)), as: UTF8.self)
}
