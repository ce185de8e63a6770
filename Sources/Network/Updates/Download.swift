import CCurl
import Glibc
import Linux
import Participant
import Synchronization

/// One try to fetch the rest of a file over HTTPS: what is there already is kept, and the web server asked for what is missing.
///
/// Blocks, on a thread of its caller's. Memory does not go with the file's size.
struct Download: Sendable {
    var url: String
    var authority: TrustedAuthority
    /// Where it is written; what is there counts as the beginning.
    var path: String
    /// How many bytes it has; `nil`: it is not known.
    var size: UInt64?
    /// It has no more bytes than this.
    var limit: UInt64
    /// The web server's mark of the file that the beginning is from.
    var mark: String?
    /// For this try.
    var timeout: Duration

    /// Set from another thread to end a try.
    final class Stop: Sendable {
        private let flag = Atomic(false)
        func set() { flag.store(true, ordering: .releasing) }
        var isSet: Bool { flag.load(ordering: .acquiring) }
    }

    /// How a try ended.
    enum Outcome: Sendable {
        /// All is there.
        case whole
        /// Something is missing; `progress`: bytes that came in this try. Trying again may help.
        case cut(String, progress: UInt64)
        /// The same, but it will hardly help: the certificate is not believed, or the web server is in trouble.
        case trouble(UpdateProblem)
        /// Trying again does not help.
        case failed(UpdateProblem)
        case stopped
    }

    /// What it ended with, and the mark for the next try.
    struct Result: Sendable {
        var outcome: Outcome
        var mark: String?
    }

    static let maximumRedirects: Int = 3
    /// Of what the web server says beside an error, so much is kept, in bytes.
    static let maximumBody = 1024
    /// Slower than this, in bytes a second over ``patience``, counts as cut.
    private static let (slowest, patience) = (200, 30)

    func run(_ stop: Stop) -> Result {
        if let problem = srup_curl_load() {
            return Result(outcome: .failed(.server("HTTPS needs libcurl: " + String(cString: problem))), mark: nil)
        }
        guard let curl = srup_curl_new() else {
            return Result(outcome: .failed(.server("libcurl cannot be set up")), mark: nil)
        }
        defer { srup_curl_free(curl) }
        // Not blocking where a FIFO stands; never through a link.
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        guard descriptor >= 0 else { return Result(outcome: .failed(Self.disk(path, errno)), mark: nil) }
        defer { close(descriptor) }
        let have = UInt64(max(0, lseek(descriptor, 0, SEEK_END)))
        if let size, have == size { return finished(descriptor, mark) }
        let transfer = Transfer(
            curl: curl, descriptor: descriptor, have: have <= limit ? have : 0, size: size, limit: limit, mark: mark,
            stop: stop)
        if have != transfer.have { ftruncate(descriptor, 0) }
        if let problem = prepare(curl, transfer) { return Result(outcome: .failed(problem), mark: mark) }
        let headers = ask(curl, from: transfer.have)
        defer { srup_curl_free_list(headers) }
        let code = withExtendedLifetime(transfer) { srup_curl_perform(curl) }
        return judged(code, transfer, curl, descriptor)
    }

    private func prepare(_ curl: UnsafeMutableRawPointer, _ transfer: Transfer) -> UpdateProblem? {
        srup_curl_text(curl, CURLOPT_URL, url)
        srup_curl_text(curl, CURLOPT_PROTOCOLS_STR, "https")
        srup_curl_text(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https")
        srup_curl_number(curl, CURLOPT_FOLLOWLOCATION, 1)
        srup_curl_number(curl, CURLOPT_MAXREDIRS, Self.maximumRedirects)
        srup_curl_number(curl, CURLOPT_NOSIGNAL, 1)
        srup_curl_number(curl, CURLOPT_TIMEOUT_MS, max(1, Int(timeout / .milliseconds(1))))
        srup_curl_number(curl, CURLOPT_CONNECTTIMEOUT_MS, Int(min(timeout, .seconds(20)) / .milliseconds(1)))
        srup_curl_number(curl, CURLOPT_LOW_SPEED_LIMIT, Self.slowest)
        srup_curl_number(curl, CURLOPT_LOW_SPEED_TIME, Self.patience)
        srup_curl_number(curl, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        srup_curl_text(curl, CURLOPT_USERAGENT, "srup-observer")
        switch authority {
        case .system: break
        case .file(let path):
            guard access(path, R_OK) == 0 else {
                return .server("\(path) cannot be read: \(String(cString: strerror(errno)))")
            }
            srup_curl_text(curl, CURLOPT_CAINFO, path)
            srup_curl_text(curl, CURLOPT_CAPATH, nil)
        case .certificate(let pem):
            let code = Array(pem.utf8).withUnsafeBytes {
                srup_curl_bytes(curl, CURLOPT_CAINFO_BLOB, $0.baseAddress, $0.count)
            }
            guard code == CURLE_OK else { return .server("libcurl is too old for the network's authority") }
            srup_curl_text(curl, CURLOPT_CAPATH, nil)
        }
        // The transfer outlives the call that uses it: see `run`.
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        srup_curl_head(curl, { Transfer.of($3).head($0, $1 * $2) }, context)
        srup_curl_writer(curl, { Transfer.of($3).body($0, $1 * $2) }, context)
        srup_curl_watch(curl, { context, _, _, _, _ in Transfer.of(context).stop.isSet ? 1 : 0 }, context)
        return nil
    }

    /// The rest only, and only if it is the rest of the same file; without a mark the digest decides in the end.
    private func ask(_ curl: UnsafeMutableRawPointer, from offset: UInt64) -> UnsafeMutablePointer<curl_slist>? {
        guard offset > 0 else { return nil }
        srup_curl_text(curl, CURLOPT_RANGE, "\(offset)-")
        guard let mark else { return nil }
        let headers = srup_curl_append(nil, "If-Range: \(mark)")
        srup_curl_headers(curl, headers)
        return headers
    }

    private func judged(
        _ code: CURLcode, _ transfer: Transfer, _ curl: UnsafeMutableRawPointer, _ descriptor: Int32
    ) -> Result {
        let mark = transfer.mark
        func result(_ outcome: Outcome) -> Result { Result(outcome: outcome, mark: mark) }
        if transfer.stop.isSet { return result(.stopped) }
        if let problem = transfer.problem { return result(.failed(problem)) }
        if transfer.isRefusal {
            let problem = UpdateProblem.http(transfer.status, transfer.said)
            // The web server's own trouble may pass.
            return result(transfer.status >= 500 || [408, 429].contains(transfer.status) ? .trouble(problem) : .failed(problem))
        }
        if transfer.mustBeginAnew {
            ftruncate(descriptor, 0)
            return Result(outcome: .cut("what the web server has is no continuation", progress: 0), mark: nil)
        }
        if code == CURLE_OK {
            guard transfer.hasBegun else {
                let what = transfer.status == 200 ? "an empty file" : "HTTP status \(transfer.status) and no file"
                return result(.failed(.file("the web server answers with \(what)")))
            }
            if let size, transfer.written < size {
                return result(.cut("\(transfer.written) bytes of \(size) came", progress: transfer.came))
            }
            return finished(descriptor, mark)
        }
        let why = String(cString: srup_curl_problem(code))
        switch code {
        case CURLE_UNSUPPORTED_PROTOCOL where transfer.redirects > 0:
            return result(.failed(.server("the web server sends us to an address that is not https")))
        case CURLE_TOO_MANY_REDIRECTS:
            return result(.failed(.server("the web server sends us on more than \(Self.maximumRedirects) times")))
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: return result(.failed(.file("its address: \(why)")))
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_CACERT_BADFILE:
            return result(.trouble(.server("the web server's certificate is not believed: \(why)")))
        default: return result(.cut(why, progress: transfer.came))
        }
    }

    private func finished(_ descriptor: Int32, _ mark: String?) -> Result {
        guard fsync(descriptor) == 0 else { return Result(outcome: .failed(Self.disk(path, errno)), mark: mark) }
        return Result(outcome: .whole, mark: mark)
    }

    static func disk(_ path: String, _ code: Int32) -> UpdateProblem {
        code == ENOSPC || code == EDQUOT || code == EFBIG
            ? .file("there is no room for it on the disk") : .file("\(path): \(String(cString: strerror(code)))")
    }
}
