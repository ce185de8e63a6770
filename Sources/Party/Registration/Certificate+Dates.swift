import COpenSSL
import SRUP

extension Certificate {
    /// When a certificate is valid, seen from now.
    public enum Validity: Sendable, Hashable {
        /// Days left.
        case valid(days: Int)
        /// It begins only in so many days: the clock is wrong, here or where it was made.
        case future(days: Int)
        /// It ended so many days ago.
        case ended(days: Int)
    }

    /// `nil` when the text is no certificate.
    public static func validity(_ pem: String) -> Validity? {
        guard let certificate = parse(pem) else { return nil }
        defer { X509_free(certificate) }
        var (days, seconds): (Int32, Int32) = (0, 0)
        guard ASN1_TIME_diff(&days, &seconds, nil, X509_get0_notBefore(certificate)) == 1 else { return nil }
        if days > 0 || seconds > 0 { return .future(days: Int(days)) }
        guard ASN1_TIME_diff(&days, &seconds, nil, X509_get0_notAfter(certificate)) == 1 else { return nil }
        return days < 0 || seconds < 0 ? .ended(days: -Int(days)) : .valid(days: Int(days))
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
