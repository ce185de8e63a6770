import COpenSSL
import SRUP

/// Why a certificate request is refused.
package struct CertificateRequestError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
}

/// Reads PKCS#10 requests from strangers (RFC 2986). A room of its own, so that it can be fuzzed without a server.
package enum CertificateRequestKey {
    /// The key of a request whose only common name is `id` and which is signed with that key.
    ///
    /// - Throws: ``CertificateRequestError``.
    package static func read(_ pem: String, for id: DeviceID) throws(CertificateRequestError) -> PublicKey {
        guard pem.utf8.count <= 16384, let bio = BIO_new(BIO_s_mem()) else {
            throw CertificateRequestError(description: "too long")
        }
        defer {
            BIO_free(bio)
            ERR_clear_error()
        }
        BIO_write(bio, pem, Int32(pem.utf8.count))
        guard let request = PEM_read_bio_X509_REQ(bio, nil, srup_no_passphrase, nil) else {
            throw CertificateRequestError(description: "no PEM request")
        }
        defer { X509_REQ_free(request) }
        guard let key = X509_REQ_get0_pubkey(request), X509_REQ_verify(request, key) == 1 else {
            throw CertificateRequestError(description: "it is not signed with its own key")
        }
        let name = X509_REQ_get_subject_name(request)
        let position = X509_NAME_get_index_by_NID(name, NID_commonName, -1)
        guard position >= 0, X509_NAME_get_index_by_NID(name, NID_commonName, position) < 0 else {
            throw CertificateRequestError(description: "it must have one common name")
        }
        let value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, position))
        let text = UnsafeBufferPointer(start: ASN1_STRING_get0_data(value), count: Int(ASN1_STRING_length(value)))
        guard Array(text) == Array(id.hex.utf8) else {
            throw CertificateRequestError(description: "its common name is not the proven identity")
        }
        guard let out = BIO_new(BIO_s_mem()) else { throw CertificateRequestError(description: "there is no memory") }
        defer { BIO_free(out) }
        PEM_write_bio_PUBKEY(out, key)
        var start: UnsafePointer<UInt8>?
        let count = srup_BIO_get_mem_data(out, &start)
        do throws(CryptoError) {
            let pem = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
            return try PublicKey(pem: pem).checked()
        } catch {
            throw CertificateRequestError(description: error.description)
        }
    }
}
