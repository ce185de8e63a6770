import COpenSSL
import CertificateRequests
import Glibc
import SRUP

/// The list of certificates that do not count any more (RFC 5280, section 5), which the broker looks into at each handshake.
extension Authority {
    /// A certificate that does not count any more.
    struct Revoked: Sendable, Hashable {
        /// The certificate's number, most significant byte first, without leading zeros.
        let serial: [UInt8]
        /// Since when, in seconds since 1970.
        let since: Double
    }

    /// How long a list is valid, in days: one that has ended would shut out everybody.
    static let listDays = 730

    /// Signs a list.
    ///
    /// - Parameters:
    ///   - number: above that of the list before.
    ///   - issued: seconds since 1970. OpenSSL goes by the list that was issued last, so it must be above that of the list
    ///     before, and not in the future.
    /// - Returns: PEM.
    /// - Throws: ``AuthorityError``.
    func revocationList(_ revoked: [Revoked], number: UInt64, issued: Double) throws -> String {
        let issuer = try CertificateRequestReader.certificate(certificate)
        defer { X509_free(issuer) }
        guard let list = X509_CRL_new() else { throw AuthorityError.openSSL("memory") }
        defer { X509_CRL_free(list) }
        X509_CRL_set_version(list, 1)
        X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer))
        for (seconds, set) in [
            (issued, X509_CRL_set1_lastUpdate), (issued + Double(Self.listDays) * 86400, X509_CRL_set1_nextUpdate),
        ] {
            guard let time = ASN1_TIME_set(nil, time_t(seconds)) else { throw AuthorityError.openSSL("memory") }
            defer { ASN1_TIME_free(time) }
            _ = set(list, time)
        }
        for entry in revoked { try Self.add(entry, to: list) }
        X509_CRL_sort(list)
        guard let own = ASN1_INTEGER_new() else { throw AuthorityError.openSSL("memory") }
        defer { ASN1_INTEGER_free(own) }
        guard ASN1_INTEGER_set_uint64(own, number) == 1,
            X509_CRL_add1_ext_i2d(list, NID_crl_number, UnsafeMutableRawPointer(own), 0, 0) == 1,
            signs({ X509_CRL_sign(list, $0, EVP_sha256()) })
        else {
            ERR_clear_error()
            throw AuthorityError.openSSL("the list of revoked certificates")
        }
        guard let bio = BIO_new(BIO_s_mem()) else { throw AuthorityError.openSSL("memory") }
        defer { BIO_free(bio) }
        PEM_write_bio_X509_CRL(bio, list)
        var start: UnsafePointer<UInt8>?
        let count = srup_BIO_get_mem_data(bio, &start)
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    private static func add(_ entry: Revoked, to list: OpaquePointer) throws(AuthorityError) {
        guard let revoked = X509_REVOKED_new(),
            let number = BN_bin2bn(entry.serial, Int32(entry.serial.count), nil),
            let serial = BN_to_ASN1_INTEGER(number, nil), let time = ASN1_TIME_set(nil, time_t(entry.since))
        else { throw .openSSL("memory") }
        defer {
            BN_free(number)
            ASN1_INTEGER_free(serial)
            ASN1_TIME_free(time)
        }
        X509_REVOKED_set_serialNumber(revoked, serial)
        X509_REVOKED_set_revocationDate(revoked, time)
        guard X509_CRL_add0_revoked(list, revoked) == 1 else {
            X509_REVOKED_free(revoked)
            throw .openSSL("memory")
        }
    }

    /// What a list says.
    struct ListContents: Sendable {
        let revoked: [Revoked]
        let number: UInt64
        /// Both in seconds since 1970.
        let issued: Double
        let ends: Double
    }

    /// Reads a list that this authority has signed; `nil` for anything else.
    func contents(ofList pem: String) -> ListContents? {
        guard let bio = BIO_new(BIO_s_mem()) else { return nil }
        defer {
            BIO_free(bio)
            ERR_clear_error()
        }
        BIO_write(bio, pem, Int32(pem.utf8.count))
        guard let list = PEM_read_bio_X509_CRL(bio, nil, srup_no_passphrase, nil) else { return nil }
        defer { X509_CRL_free(list) }
        guard signs({ X509_CRL_verify(list, $0) }), let issued = Self.seconds(X509_CRL_get0_lastUpdate(list)),
            let ends = Self.seconds(X509_CRL_get0_nextUpdate(list))
        else { return nil }
        var number: UInt64 = 0
        if let own = X509_CRL_get_ext_d2i(list, NID_crl_number, nil, nil) {
            let integer = own.assumingMemoryBound(to: ASN1_INTEGER.self)
            ASN1_INTEGER_get_uint64(&number, integer)
            ASN1_INTEGER_free(integer)
        }
        let revoked = (0..<srup_crl_count(list)).compactMap { index -> Revoked? in
            guard let entry = srup_crl_entry(list, index),
                let serial = Self.bytes(X509_REVOKED_get0_serialNumber(entry)),
                let since = Self.seconds(X509_REVOKED_get0_revocationDate(entry))
            else { return nil }
            return Revoked(serial: serial, since: since)
        }
        return ListContents(revoked: revoked, number: number, issued: issued, ends: ends)
    }

    /// The number of a certificate; `nil` when the text is none.
    static func serial(of pem: String) -> [UInt8]? {
        guard let certificate = try? CertificateRequestReader.certificate(pem) else { return nil }
        defer { X509_free(certificate) }
        return bytes(X509_get0_serialNumber(certificate))
    }

    /// What names the files in which OpenSSL looks for this authority's lists (`openssl rehash`).
    func listName() throws(AuthorityError) -> String {
        let issuer = try CertificateRequestReader.certificate(certificate)
        defer { X509_free(issuer) }
        let digits = String(X509_subject_name_hash(issuer), radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    private static func bytes(_ integer: UnsafePointer<ASN1_INTEGER>?) -> [UInt8]? {
        guard let integer, let number = ASN1_INTEGER_to_BN(integer, nil) else { return nil }
        defer { BN_free(number) }
        var bytes = [UInt8](repeating: 0, count: Int(BN_num_bits(number) + 7) / 8)
        BN_bn2bin(number, &bytes)
        return bytes
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Double? {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return Double(timegm(&parts))
    }
}
