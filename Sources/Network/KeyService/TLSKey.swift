import COpenSSL
import SRUP

/// A server's key for TLS: ECDSA with P-256. A signature with it costs a tenth of one with RSA-2048, and a broker makes one
/// for each device that connects. SRUP's own keys are RSA, as the protocol says.
public struct TLSKey: ~Copyable, Sendable {
    // Belongs to this value alone; OpenSSL wipes it at the end.
    nonisolated(unsafe) let pointer: OpaquePointer

    /// A fresh key.
    ///
    /// - Throws: ``AuthorityError``.
    public init() throws(AuthorityError) {
        var key: OpaquePointer?
        let context = EVP_PKEY_CTX_new_from_name(nil, "EC", nil)
        defer { EVP_PKEY_CTX_free(context) }
        guard let context, EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_CTX_set_group_name(context, "P-256") == 1,
            EVP_PKEY_generate(context, &key) == 1, let key
        else {
            ERR_clear_error()
            throw .openSSL("a key of ECDSA")
        }
        pointer = key
    }

    deinit { EVP_PKEY_free(pointer) }

    /// The private key as PEM text (PKCS#8), in memory that is wiped.
    ///
    /// - Throws: ``AuthorityError``.
    public func pem() throws(AuthorityError) -> SecretBytes {
        guard let bio = BIO_new(BIO_s_secmem()) else { throw .openSSL("memory") }
        defer { BIO_free(bio) }
        guard PEM_write_bio_PrivateKey(bio, pointer, nil, nil, 0, nil, nil) == 1 else {
            ERR_clear_error()
            throw .openSSL("memory")
        }
        var start: UnsafePointer<UInt8>?
        let count = srup_BIO_get_mem_data(bio, &start)
        return SecretBytes(copying: UnsafeRawBufferPointer(start: start, count: count))
    }
}
