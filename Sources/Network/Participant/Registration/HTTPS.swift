import CCurl
import Glibc
import Linux

/// By whose signature a key service's certificate is believed.
public enum TrustedAuthority: Sendable, Hashable {
    /// One of those that the system knows.
    case system
    /// The one in a PEM file.
    case file(String)
    /// The one of this PEM text, and nobody else.
    case certificate(String)

    /// How it is called in messages; `nil` for the system's.
    var name: String? {
        switch self {
        case .system: nil
        case .file(let path): path
        case .certificate: "the invitation"
        }
    }
}

/// A small HTTPS client over libcurl: one request, one bounded answer.
///
/// libcurl and not NIO, since the appliance links neither NIO nor full Foundation.
struct HTTPS: Sendable {
    /// Who is believed.
    var authority = TrustedAuthority.system
    var timeout: Duration = .seconds(20)
    /// `false` only for what is known by its own fingerprint.
    var verifies = true
    /// The address of this machine that requests come from; `nil`: the system chooses.
    var source: String?

    static let maximumBody = 64 << 10

    struct Answer: Sendable {
        let status: Int
        let body: [UInt8]
    }

    /// GET, or POST of JSON when there is a body. Runs on a thread of its own.
    ///
    /// - Throws: ``KeyServiceError``.
    func request(_ url: String, json: [UInt8]? = nil) async throws(KeyServiceError) -> Answer {
        try await DetachedThread.value(stack: 1024) {
            Result { () throws(KeyServiceError) in try self.perform(url, json) }
        }.get()
    }

    private final class Body {
        var bytes: [UInt8] = []
        var isTooLarge = false
    }

    private func perform(_ url: String, _ json: [UInt8]?) throws(KeyServiceError) -> Answer {
        if let problem = srup_curl_load() {
            throw .unreachable(url, "HTTPS needs libcurl: " + String(cString: problem))
        }
        guard let curl = srup_curl_new() else { throw .unreachable(url, "libcurl cannot be set up") }
        defer { srup_curl_free(curl) }
        let body = Body()
        srup_curl_text(curl, CURLOPT_URL, url)
        srup_curl_text(curl, CURLOPT_PROTOCOLS_STR, "https")
        srup_curl_number(curl, CURLOPT_FOLLOWLOCATION, 0)
        srup_curl_number(curl, CURLOPT_NOSIGNAL, 1)
        srup_curl_number(curl, CURLOPT_TIMEOUT_MS, Int(timeout / .milliseconds(1)))
        srup_curl_number(curl, CURLOPT_CONNECTTIMEOUT_MS, Int(min(timeout, .seconds(10)) / .milliseconds(1)))
        srup_curl_number(curl, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        srup_curl_number(curl, CURLOPT_SSL_VERIFYPEER, verifies ? 1 : 0)
        srup_curl_number(curl, CURLOPT_SSL_VERIFYHOST, verifies ? 2 : 0)
        srup_curl_text(curl, CURLOPT_USERAGENT, "srup-observer")
        if let source { srup_curl_text(curl, CURLOPT_INTERFACE, "host!" + source) }
        try believe(authority, curl)
        var headers: UnsafeMutablePointer<curl_slist>?
        defer { srup_curl_free_list(headers) }
        if let json {
            headers = srup_curl_append(headers, "Content-Type: application/json")
            headers = srup_curl_append(headers, "Expect:")
            srup_curl_headers(curl, headers)
            json.withUnsafeBytes { _ = srup_curl_body(curl, $0.baseAddress, $0.count) }
        }
        // `body` outlives the transfer: it is used below.
        srup_curl_writer(
            curl,
            { bytes, size, count, context in
                guard let context else { return 0 }
                let body = Unmanaged<Body>.fromOpaque(context).takeUnretainedValue()
                let length = size * count
                guard body.bytes.count + length <= HTTPS.maximumBody else {
                    body.isTooLarge = true
                    return 0
                }
                body.bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: length))
                return length
            }, Unmanaged.passUnretained(body).toOpaque())
        let code = srup_curl_perform(curl)
        if body.isTooLarge { throw .tooLarge(url) }
        guard code == CURLE_OK else { throw failure(url, code, verified: srup_curl_verified(curl)) }
        return Answer(status: srup_curl_status(curl), body: body.bytes)
    }

    private func believe(_ authority: TrustedAuthority, _ curl: UnsafeMutableRawPointer) throws(KeyServiceError) {
        switch authority {
        case .system: return
        case .file(let path):
            guard access(path, R_OK) == 0 else { throw .authority(path, String(cString: strerror(errno))) }
            srup_curl_text(curl, CURLOPT_CAINFO, path)
        case .certificate(let pem):
            let code = Array(pem.utf8).withUnsafeBytes {
                srup_curl_bytes(curl, CURLOPT_CAINFO_BLOB, $0.baseAddress, $0.count)
            }
            // Never the system's in its place.
            guard code == CURLE_OK else { throw .authority(authority.name ?? "?", "libcurl is too old for it") }
        }
        // The system's authorities stand in a folder, beside which this one would only be one more.
        srup_curl_text(curl, CURLOPT_CAPATH, nil)
    }

    private func failure(_ url: String, _ code: CURLcode, verified: Int) -> KeyServiceError {
        switch code {
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR:
            return .untrusted(url, CertificateProblem(verified: verified), authority: authority.name)
        case CURLE_SSL_CACERT_BADFILE: return .authority(authority.name ?? "?", "it is no PEM certificate")
        case CURLE_URL_MALFORMAT: return .badURL(url)
        // The scheme is right here: this is an answer that is no HTTP.
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY:
            return .unreachable(url, "what answers there speaks no HTTP; is it the key service's port?")
        default: return .unreachable(url, String(cString: srup_curl_problem(code)))
        }
    }
}
