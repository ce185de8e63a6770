import CCurl
import COpenSSL
import Glibc
import Linux
import Storage

/// How the webhook is set up, from `[webhook]` in `c2.toml`.
public struct WebhookSettings: Sendable, Hashable {
    /// Where occurrences are posted to; https only.
    public var url: String
    /// PEM of the authority to believe; `nil`: the system's.
    public var authorityFile: String?
    /// How long one call may take.
    public var timeout = Duration.seconds(10)

    /// - Parameters:
    ///   - url: https only.
    ///   - authorityFile: PEM; `nil`: the system's.
    public init(url: String, authorityFile: String? = nil) {
        self.url = url
        self.authorityFile = authorityFile
    }

    /// Whether this can be one: `https://`, a host, no user, no fragment, nothing that is not visible ASCII.
    public static func isURL(_ text: String) -> Bool {
        guard text.hasPrefix("https://"), text.utf8.count <= 2000, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            !text.contains("#")
        else { return false }
        let authority = text.dropFirst(8).prefix { $0 != "/" && $0 != "?" }
        return !authority.isEmpty && !authority.contains("@")
    }
}

/// What the webhook signs with: at least 16 bytes, in a file that is its owner's alone.
public struct WebhookSecret: Sendable, CustomStringConvertible, CustomReflectable {
    private let bytes: [UInt8]

    /// Why the file cannot be used.
    public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
        case unreadable(String)
        case tooShort(String)

        /// What is wrong, and what to do.
        public var description: String {
            switch self {
            case .unreadable(let why): why
            case .tooShort(let path):
                "\(path) holds fewer than \(WebhookSecret.least) bytes: openssl rand -hex 32 >\(path)"
            }
        }
    }

    /// In bytes.
    public static let least = 16

    /// Reads it; white space around it is no part of it.
    ///
    /// - Throws: ``Failure``.
    public init(file path: String) throws(Failure) {
        let read: [UInt8]
        do {
            read = try PrivateFile.withContents(of: path) { Array($0) }
        } catch {
            throw .unreadable("\(error)")
        }
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        let front = read.drop(while: isSpace)
        bytes = Array(front.prefix((front.lastIndex { !isSpace($0) } ?? front.startIndex - 1) - front.startIndex + 1))
        guard bytes.count >= Self.least else { throw .tooShort(path) }
    }

    /// HMAC with SHA-256 over `timestamp`, a full stop and the body, in hexadecimal.
    func signature(_ timestamp: Int64, _ body: [UInt8]) -> String {
        var (digest, length) = ([UInt8](repeating: 0, count: 32), 0)
        let signed = Array("\(timestamp).".utf8) + body
        let done = EVP_Q_mac(
            nil, "HMAC", nil, "SHA256", nil, bytes, bytes.count, signed, signed.count, &digest, digest.count, &length)
        precondition(done != nil && length == digest.count, "OpenSSL has no HMAC with SHA-256")
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Nothing of it.
    public var description: String { "<secret>" }
    /// Without children, so that `dump` shows nothing of it.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// One call of the webhook.
struct WebhookCall: Sendable {
    let settings: WebhookSettings
    let secret: WebhookSecret

    /// How it ended.
    enum Outcome: Sendable, Hashable {
        case taken
        /// Not taken, or nobody there; in words.
        case failed(String)
    }

    /// Posts a body. Runs on a thread of its own.
    ///
    /// - Parameter now: seconds since 1970.
    func post(_ body: [UInt8], kind: String, now: Double) async -> Outcome {
        await DetachedThread.value(stack: 1024) { perform(body, kind, Int64(now)) }
    }

    private func perform(_ body: [UInt8], _ kind: String, _ timestamp: Int64) -> Outcome {
        if let problem = srup_curl_load() { return .failed("it needs libcurl: " + String(cString: problem)) }
        guard let curl = srup_curl_new() else { return .failed("libcurl cannot be set up") }
        defer { srup_curl_free(curl) }
        srup_curl_text(curl, CURLOPT_URL, settings.url)
        srup_curl_text(curl, CURLOPT_PROTOCOLS_STR, "https")
        srup_curl_number(curl, CURLOPT_FOLLOWLOCATION, 0)
        srup_curl_number(curl, CURLOPT_NOSIGNAL, 1)
        srup_curl_number(curl, CURLOPT_TIMEOUT_MS, Int(settings.timeout / .milliseconds(1)))
        srup_curl_number(curl, CURLOPT_CONNECTTIMEOUT_MS, Int(min(settings.timeout, .seconds(5)) / .milliseconds(1)))
        srup_curl_number(curl, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        srup_curl_number(curl, CURLOPT_SSL_VERIFYPEER, 1)
        srup_curl_number(curl, CURLOPT_SSL_VERIFYHOST, 2)
        srup_curl_text(curl, CURLOPT_USERAGENT, "srup-c2")
        if let file = settings.authorityFile {
            guard access(file, R_OK) == 0 else { return .failed("\(file): \(String(cString: strerror(errno)))") }
            srup_curl_text(curl, CURLOPT_CAINFO, file)
        }
        var headers: UnsafeMutablePointer<curl_slist>?
        defer { srup_curl_free_list(headers) }
        for header in [
            "Content-Type: application/json", "Expect:", "SRUP-Kind: \(kind)", "SRUP-Timestamp: \(timestamp)",
            "SRUP-Signature: sha256=\(secret.signature(timestamp, body))",
        ] {
            headers = srup_curl_append(headers, header)
        }
        srup_curl_headers(curl, headers)
        body.withUnsafeBytes { _ = srup_curl_body(curl, $0.baseAddress, $0.count) }
        // What is answered does not matter, and endless answers end by the time limit.
        srup_curl_writer(curl, { _, size, count, _ in size * count }, nil)
        let code = srup_curl_perform(curl)
        guard code == CURLE_OK else { return .failed(String(cString: srup_curl_problem(code))) }
        let status = srup_curl_status(curl)
        switch status {
        case 200..<300: return .taken
        case 300..<400: return .failed("it answers \(status): redirects are not followed")
        default: return .failed("it answers \(status)")
        }
    }
}
