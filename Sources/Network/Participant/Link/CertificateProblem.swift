import COpenSSL

/// Why a server's certificate is not believed: one sentence each, the same in all programs.
public enum CertificateProblem: Sendable, Hashable {
    case expired
    case notYetValid
    case otherHost
    case otherAuthority
    /// In OpenSSL's words.
    case other(String)

    /// From OpenSSL's result of a verification, X509_verify_cert_error_string(3). `X509_V_OK` and "unspecified" stand for another
    /// host: libcurl compares the name by itself, and then tells one of these.
    init(verified: Int) {
        switch Int32(truncatingIfNeeded: verified) {
        case X509_V_OK, X509_V_ERR_UNSPECIFIED, X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            self = .otherHost
        case X509_V_ERR_CERT_HAS_EXPIRED: self = .expired
        case X509_V_ERR_CERT_NOT_YET_VALID: self = .notYetValid
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_CERT_SIGNATURE_FAILURE, X509_V_ERR_CERT_UNTRUSTED:
            self = .otherAuthority
        default: self = .other(String(cString: X509_verify_cert_error_string(verified)))
        }
    }

    /// - Parameters:
    ///   - server: "the broker at c2.example.net:8883".
    ///   - authority: the file with the authority that is believed; `nil`: the system's.
    public func sentence(_ server: String, authority: String?) -> String {
        let certificate = "the certificate of \(server)"
        return switch self {
        case .expired: "\(certificate) has expired, or its authority's has (is this machine's clock right?)"
        case .notYetValid: "\(certificate) is not valid yet (is this machine's clock right?)"
        case .otherHost: "\(certificate) is for another host name"
        case .otherAuthority:
            authority.map { "\(certificate) is not signed by the authority in \($0)" }
                ?? "\(certificate) is not signed by an authority that this machine knows; give its authority with --ca FILE"
        case .other(let why): "\(certificate) cannot be verified: \(why)"
        }
    }
}
