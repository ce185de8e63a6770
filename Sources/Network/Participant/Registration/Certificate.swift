import COpenSSL
import SRUP

/// Makes requests for broker certificates (docs/protocol.md, "Key service").
enum CertificateRequest {
    /// A PKCS#10 request in PEM: subject C=UK, ST=UNK, L=UNK, O=SRUP_DEVICE, CN=<identity>, signed with SHA-256.
    ///
    /// The country has two letters by X.520; the reference's "UK" is one of the few texts OpenSSL takes as they are.
    ///
    /// - Throws: ``KeyServiceError/certificateNotOurs(_:)``.
    static func pem(_ id: DeviceID, key: PrivateKey) throws(KeyServiceError) -> String {
        guard let request = X509_REQ_new(), let bio = BIO_new(BIO_s_mem()) else {
            throw .certificateNotOurs("no memory")
        }
        defer {
            X509_REQ_free(request)
            BIO_free(bio)
        }
        srup_csr_set_version(request)
        let name = X509_REQ_get_subject_name(request)
        for (field, value) in [("C", "UK"), ("ST", "UNK"), ("L", "UNK"), ("O", "SRUP_DEVICE"), ("CN", id.hex)] {
            X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, value, -1, -1, 0)
        }
        let done = key.withOpenSSL { key in
            X509_REQ_set_pubkey(request, key) == 1 && X509_REQ_sign(request, key, EVP_sha256()) > 0
        }
        guard done, PEM_write_bio_X509_REQ(bio, request) == 1 else {
            throw .certificateNotOurs("the request could not be made")
        }
        var start: UnsafePointer<UInt8>?
        let count = srup_BIO_get_mem_data(bio, &start)
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }
}

/// What we need to know of certificates.
public enum Certificate {
    /// Refuses a certificate that is not for this identity and key: a mix-up would otherwise show only at the broker.
    ///
    /// - Throws: ``KeyServiceError/certificateNotOurs(_:)``.
    static func check(_ pem: String, for id: DeviceID, key: PrivateKey) throws(KeyServiceError) {
        guard let certificate = parse(pem) else { throw .certificateNotOurs("it is no PEM certificate") }
        defer { X509_free(certificate) }
        guard key.withOpenSSL({ X509_check_private_key(certificate, $0) }) == 1 else {
            ERR_clear_error()
            throw .certificateNotOurs("it is for another key")
        }
        var text = [CChar](repeating: 0, count: 128)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, &text, Int32(text.count))
        guard String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) == id.hex else {
            throw .certificateNotOurs("it is for another identity")
        }
    }

    /// The MQTT client id that a certificate of this project's authority names, which RabbitMQ wants from its holder; `nil`: it
    /// names none.
    public static func session(of pem: String) -> String? {
        guard let certificate = parse(pem) else { return nil }
        defer {
            X509_free(certificate)
            ERR_clear_error()
        }
        var text = [CChar](repeating: 0, count: 128)
        let count = srup_x509_principal(certificate, &text, Int32(text.count))
        guard count > 0 else { return nil }
        return String(validating: text.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func parse(_ pem: String) -> OpaquePointer? {
        guard pem.utf8.count <= 65536, let bio = BIO_new(BIO_s_mem()) else { return nil }
        defer { BIO_free(bio) }
        BIO_write(bio, pem, Int32(pem.utf8.count))
        defer { ERR_clear_error() }
        return PEM_read_bio_X509(bio, nil, srup_no_passphrase, nil)
    }
}
