import COpenSSL

/// The sealed envelope: a fresh AES-256 key under the recipient's RSA key, and the text under that AES key.
///
/// ```
/// offset  size
///  0       4   K, length of the sealed AES key      signed, least significant byte first
///  4       K   AES-256 key, RSAES-PKCS1-v1_5
///  4+K    16   initialisation vector
/// 20+K     4   C, length of the ciphertext          signed, least significant byte first
/// 24+K     4   P, length of the text                signed, least significant byte first
/// 28+K     C   AES-256-CBC, PKCS#7 padding
/// ```
/// (docs/protocol.md, "The sealed envelope".) Reading a message does not look inside: an envelope is judged only when
/// it is opened.
public struct Envelope: Hashable, Sendable {
    /// The envelope as it is on the wire.
    public let bytes: [UInt8]

    /// Takes the bytes as they are: they are judged only when the envelope is opened.
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The longest text the reference can open.
    public static let maximumText = 4095

    /// Seals `text`, at most 4095 bytes.
    ///
    /// - Throws: ``CryptoError/cannotSeal``.
    public static func sealing(_ text: UnsafeRawBufferPointer, for recipient: PublicKey) throws(CryptoError) -> Envelope
    {
        guard text.count <= maximumText else { throw .cannotSeal }
        let session = SecretBytes(capacity: keySize) { buffer in
            precondition(RAND_bytes(buffer.baseAddress, Int32(keySize)) == 1, "no random numbers from the system")
            return keySize
        }
        var vector = [UInt8](repeating: 0, count: blockSize)
        precondition(RAND_bytes(&vector, Int32(blockSize)) == 1, "no random numbers from the system")
        let sealedKey = try session.withBytes { bytes throws(CryptoError) in try recipient.encryptPKCS1(bytes) }
        let cipher = try session.withBytes { key throws(CryptoError) in try encrypt(text, key, vector) }
        var bytes = integer(sealedKey.count)
        bytes += sealedKey
        bytes += vector
        bytes += integer(cipher.count)
        bytes += integer(text.count)
        bytes += cipher
        return Envelope(bytes)
    }

    /// Seals a nonce as its 32 hexadecimal characters.
    ///
    /// - Throws: ``CryptoError/cannotSeal``.
    public static func sealing(_ nonce: Nonce, for recipient: PublicKey) throws(CryptoError) -> Envelope {
        try nonce.withHex { text throws(CryptoError) in try sealing(text, for: recipient) }
    }

    /// Opens the envelope.
    ///
    /// - Throws: ``CryptoError/cannotOpen`` whatever is wrong with it: a wrong length, the wrong key, wrong padding.
    public func open(with key: PrivateKey) throws(CryptoError) -> SecretBytes {
        guard let parts = Parts(bytes, modulus: key.size) else { throw .cannotOpen }
        // When the RSA step fails, the AES step is done all the same, with a random key: an attacker who
        // can only see success or failure, or the time it took, learns nothing of the RSA padding.
        var hasKey = false
        let session = SecretBytes(capacity: Envelope.keySize) { buffer in
            precondition(RAND_bytes(buffer.baseAddress, Int32(Envelope.keySize)) == 1)
            withUnsafeTemporaryAllocation(byteCount: key.size, alignment: 1) { plain in
                let count = bytes[parts.sealedKey].withUnsafeBytes { key.decryptPKCS1($0, into: plain) }
                hasKey = count == Envelope.keySize
                if hasKey {
                    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: plain[..<Envelope.keySize]))
                }
                OPENSSL_cleanse(plain.baseAddress, plain.count)
            }
            return Envelope.keySize
        }
        let cipher = bytes[parts.cipher]
        let vector = Array(bytes[parts.vector])
        return try SecretBytes(capacity: cipher.count) { buffer throws(CryptoError) in
            let count = try session.withBytes { key throws(CryptoError) in
                try Envelope.decrypt(cipher, key, vector, into: buffer)
            }
            // One random key in 256 leaves padding that looks right.
            guard hasKey, parts.textLength <= count else { throw .cannotOpen }
            return parts.textLength
        }
    }

    /// Opens the envelope and reads the nonce in it.
    ///
    /// - Throws: ``CryptoError/cannotOpen``, also when the text is not 32 hexadecimal characters.
    public func openNonce(with key: PrivateKey) throws(CryptoError) -> Nonce {
        guard let nonce = try open(with: key).withBytes({ Nonce(hex: $0) }) else { throw .cannotOpen }
        return nonce
    }

    // MARK: The parts

    private static let keySize = 32
    private static let blockSize = 16
    /// Fetched once and never freed: OpenSSL otherwise looks it up for every message.
    private nonisolated(unsafe) static let cipherAlgorithm = EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)

    private struct Parts {
        let sealedKey, vector, cipher: Range<Int>
        let textLength: Int

        /// `nil` unless every length agrees with the bytes that are there.
        init?(_ bytes: [UInt8], modulus: Int) {
            func integer(at offset: Int) -> Int {
                Int(
                    Int32(
                        bitPattern: bytes[offset..<offset + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }))
            }
            guard bytes.count >= 28 + modulus, integer(at: 0) == modulus else { return nil }
            let cipherLength = integer(at: 20 + modulus)
            textLength = integer(at: 24 + modulus)
            guard cipherLength > 0, cipherLength % blockSize == 0, cipherLength <= maximumText + 1,
                bytes.count == 28 + modulus + cipherLength, (0..<cipherLength).contains(textLength)
            else { return nil }
            sealedKey = 4..<4 + modulus
            vector = 4 + modulus..<20 + modulus
            cipher = 28 + modulus..<bytes.count
        }
    }

    private static func integer(_ value: Int) -> [UInt8] {
        withUnsafeBytes(of: Int32(value).littleEndian) { Array($0) }
    }

    private static func encrypt(
        _ text: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer, _ vector: [UInt8]
    ) throws(CryptoError) -> [UInt8] {
        guard let context = EVP_CIPHER_CTX_new() else { throw .noMemory }
        defer { EVP_CIPHER_CTX_free(context) }
        var cipher = [UInt8](repeating: 0, count: text.count + blockSize)
        var count: Int32 = 0
        var last: Int32 = 0
        let done = cipher.withUnsafeMutableBufferPointer { out in
            EVP_EncryptInit_ex(context, cipherAlgorithm, nil, bytes(of: key), vector) == 1
                && EVP_EncryptUpdate(context, out.baseAddress, &count, bytes(of: text), Int32(text.count)) == 1
                && EVP_EncryptFinal_ex(context, out.baseAddress?.advanced(by: Int(count)), &last) == 1
        }
        guard done else {
            ERR_clear_error()
            throw .cannotSeal
        }
        return Array(cipher.prefix(Int(count + last)))
    }

    private static func decrypt(
        _ cipher: ArraySlice<UInt8>, _ key: UnsafeRawBufferPointer, _ vector: [UInt8],
        into plain: UnsafeMutableRawBufferPointer
    ) throws(CryptoError) -> Int {
        guard let context = EVP_CIPHER_CTX_new() else { throw .noMemory }
        defer { EVP_CIPHER_CTX_free(context) }
        var count: Int32 = 0
        var last: Int32 = 0
        let out = plain.assumingMemoryBound(to: UInt8.self).baseAddress
        // OpenSSL writes at most one block more than it was given; it holds the last block back for the padding, so
        // that `plain` (as long as the ciphertext) is never overrun.
        let done = cipher.withUnsafeBufferPointer { input in
            EVP_DecryptInit_ex(context, cipherAlgorithm, nil, bytes(of: key), vector) == 1
                && EVP_DecryptUpdate(context, out, &count, input.baseAddress, Int32(input.count)) == 1
                && EVP_DecryptFinal_ex(context, out?.advanced(by: Int(count)), &last) == 1
        }
        guard done else {
            ERR_clear_error()
            throw .cannotOpen
        }
        return Int(count + last)
    }

    private static func bytes(of buffer: UnsafeRawBufferPointer) -> UnsafePointer<UInt8>? {
        buffer.assumingMemoryBound(to: UInt8.self).baseAddress
    }
}
