/// Why the key service did not do what it was asked to, and what to do about it.
public enum KeyServiceError: Error, Sendable, Hashable, CustomStringConvertible {
    case badURL(String)
    case unreachable(String, String)
    /// Its certificate is not believed.
    case untrusted(String, CertificateProblem, authority: String?)
    case authority(String, String)
    /// Its authority has not the fingerprint that was told.
    case otherAuthority(String, String)
    case tooLarge(String)
    case inactive(String)
    case refused(step: String, status: Int, says: String)
    case notUnderstood(step: String)
    /// It does not know the C2 server that was asked for.
    case serverUnknown(String, String)
    case certificateNotOurs(String)

    /// Whether trying again later may help: nobody answers, or the service has no room or has had too many requests.
    public var isPassing: Bool {
        switch self {
        case .unreachable: true
        case .refused(_, let status, _): status == 429 || status == 503
        default: false
        }
    }

    /// What is wrong, in words for the operator.
    public var description: String {
        switch self {
        case .badURL(let url): "\(url) is no address of a key service: it must begin with https://"
        case .unreachable(let url, let why): "the key service at \(url) cannot be reached: \(why)"
        case .untrusted(let url, let problem, let authority):
            problem.sentence("the key service at \(url)", authority: authority)
        case .authority(let path, let why): "the authority's file \(path) cannot be used: \(why)"
        case .otherAuthority(let url, let fingerprint):
            "the authority of the key service at \(url) is not the one with the fingerprint \(fingerprint): the invitation is "
                + "old or false"
        case .tooLarge(let url): "\(url) answers with more than \(HTTPS.maximumBody) bytes; is it a key service?"
        case .inactive(let url): "the key service at \(url) takes no registrations now"
        case .refused(let step, let status, let says):
            "the key service refuses to \(step) (HTTP \(status))\(says.isEmpty ? "" : ": \(says)")"
        case .notUnderstood(let step): "the key service's answer (\(step)) is not understood; is it a key service?"
        case .serverUnknown(let server, let url): "the key service at \(url) does not know the C2 server \(server)"
        case .certificateNotOurs(let why): "the certificate from the key service cannot be used: \(why)"
        }
    }
}
