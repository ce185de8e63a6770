import COpenSSL
import Glibc
import SRUP

extension Certificate {
    /// When a certificate is valid, seen from a moment.
    public enum Validity: Sendable, Hashable {
        /// Days left.
        case valid(days: Int)
        /// It begins only in so many days: the clock is wrong, here or where it was made.
        case future(days: Int)
        /// It ended so many days ago.
        case ended(days: Int)
    }

    /// `nil` when the text is no certificate.
    ///
    /// - Parameter now: seconds since 1970.
    public static func validity(_ pem: String, now: Double = Participant.systemTime()) -> Validity? {
        guard let certificate = parse(pem) else { return nil }
        defer { X509_free(certificate) }
        guard let begin = seconds(X509_get0_notBefore(certificate)), let end = seconds(X509_get0_notAfter(certificate))
        else { return nil }
        func days(_ seconds: Double) -> Int { Int(max(-1e6, min(1e6, seconds / 86400))) }
        if now < begin { return .future(days: days(begin - now)) }
        return now > end ? .ended(days: days(now - end)) : .valid(days: days(end - now))
    }

    /// When a certificate ends, in seconds since 1970; `nil` when the text is none.
    public static func end(_ pem: String) -> Double? {
        guard let certificate = parse(pem) else { return nil }
        defer { X509_free(certificate) }
        return seconds(X509_get0_notAfter(certificate))
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Double? {
        var fields = tm()
        guard ASN1_TIME_to_tm(time, &fields) == 1 else { return nil }
        return Double(timegm(&fields))
    }

    /// Whether a certificate has to be made anew now: it is in its last ``Registrar/renewalDays``, has ended, or was made by
    /// a clock that was wrong.
    ///
    /// - Parameter now: seconds since 1970.
    public static func isDue(_ pem: String, now: Double) -> Bool {
        switch validity(pem, now: now) {
        case nil, .ended: true
        case .future(let days): days >= 1
        case .valid(let days): days < Registrar.renewalDays
        }
    }

    /// Whether `new` is the certificate of the same authority as `old`, with the same name and key, and ends later.
    static func isSuccessor(_ new: String, of old: String) -> Bool {
        guard let new = parse(new), let old = parse(old) else { return false }
        defer {
            X509_free(new)
            X509_free(old)
            ERR_clear_error()
        }
        guard X509_NAME_cmp(X509_get_subject_name(new), X509_get_subject_name(old)) == 0,
            EVP_PKEY_eq(X509_get0_pubkey(new), X509_get0_pubkey(old)) == 1,
            let later = seconds(X509_get0_notAfter(new)), let earlier = seconds(X509_get0_notAfter(old))
        else { return false }
        return later > earlier
    }

    /// Whether a private key is the one that the certificate is for; `nil` when the text is no certificate.
    public static func fits(_ pem: String, key: PrivateKey) -> Bool? {
        guard let certificate = parse(pem) else { return nil }
        defer {
            X509_free(certificate)
            ERR_clear_error()
        }
        return key.withOpenSSL { X509_check_private_key(certificate, $0) } == 1
    }
}
