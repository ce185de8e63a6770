import COpenSSL
import Glibc
import Linux

/// Whether a broker can be reached and takes our certificate: a TLS handshake and nothing after it. No MQTT is spoken, so
/// that the session of an observer that runs with the same identity is not taken over. Other TLS servers can be asked, too.
public struct BrokerProbe: Sendable {
    /// How far it came.
    public enum Outcome: Sendable, Hashable {
        /// With the protocol's version ("TLSv1.3") and the server's certificate in PEM.
        case accepted(version: String, certificate: String)
        case nameUnknown(String)
        case unreachable(String)
        /// The broker's certificate is not believed.
        case untrusted(CertificateProblem)
        /// It does not want our certificate.
        case refused(String)
        /// A file of ours cannot be used.
        case localFile(String)
    }

    private let host: String
    private let port: UInt16
    /// PEM file; `nil`: the system's authorities.
    private let authorityFile: String?
    /// PEM files: certificate and key; `nil`: the server wants none.
    private let own: (certificate: String, key: String)?
    private let limit: Duration

    /// For a broker, with our certificate.
    ///
    /// - Parameter limit: how long connecting and the TLS handshake may take together.
    public init(_ address: BrokerAddress, limit: Duration = .seconds(8)) {
        host = address.host
        port = address.port
        authorityFile = address.caFile
        own = (address.certificateFile, address.keyFile)
        self.limit = limit
    }

    /// For a server at `https://HOST[:PORT]`; `nil` when the address is none.
    public init?(url: String, authorityFile: String?, limit: Duration = .seconds(8)) {
        guard url.hasPrefix("https://") else { return nil }
        let place = url.dropFirst("https://".count).prefix { $0 != "/" }
        guard let (host, port) = KeyServiceClient.broker(String(place)) else { return nil }
        self.host = host
        self.port = place.hasSuffix(":\(port)") ? port : 443
        self.authorityFile = authorityFile
        own = nil
        self.limit = limit
    }

    /// The same on a thread of its own.
    public func outcome() async -> Outcome {
        await DetachedThread.value { run() }
    }

    /// Blocks, as long as the limit and 0.6 s at most (but for the name's resolution, which has limits of its own).
    public func run() -> Outcome {
        let deadline = ContinuousClock.now + limit
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &found)
        guard code == 0, let found else { return .nameUnknown(String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(found) }
        var reason = "no address"
        var next: UnsafeMutablePointer<addrinfo>? = found
        while let candidate = next {
            defer { next = candidate.pointee.ai_next }
            let descriptor = socket(
                candidate.pointee.ai_family,
                Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
                    | Int32(SOCK_NONBLOCK.rawValue), 0)
            guard descriptor >= 0 else { continue }
            defer { close(descriptor) }
            if let why = Self.connected(descriptor, candidate.pointee, until: deadline) {
                reason = why
                continue
            }
            return handshake(descriptor, until: deadline)
        }
        return .unreachable(reason)
    }

    /// `nil` when connected, else why not.
    private static func connected(
        _ descriptor: Int32, _ address: addrinfo, until deadline: ContinuousClock.Instant
    ) -> String? {
        if connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 { return nil }
        guard errno == EINPROGRESS else { return String(cString: strerror(errno)) }
        guard wait(descriptor, Int16(POLLOUT), until: deadline) else { return "no answer in time" }
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
        return code == 0 ? nil : String(cString: strerror(code))
    }

    private static func wait(_ descriptor: Int32, _ events: Int16, until deadline: ContinuousClock.Instant) -> Bool {
        while true {
            var poller = pollfd(fd: descriptor, events: events, revents: 0)
            let left = Int((deadline - .now) / .milliseconds(1))
            let ready = poll(&poller, 1, Int32(clamping: max(left, 0)))
            if ready < 0 && errno == EINTR { continue }
            return ready > 0
        }
    }

    private func handshake(_ descriptor: Int32, until deadline: ContinuousClock.Instant) -> Outcome {
        ERR_clear_error()
        defer { ERR_clear_error() }
        guard let context = SSL_CTX_new(TLS_client_method()) else { return .localFile("no memory") }
        defer { SSL_CTX_free(context) }
        _ = srup_ssl_least_version(context)
        if let authorityFile {
            guard SSL_CTX_load_verify_locations(context, authorityFile, nil) == 1 else {
                return .localFile("\(authorityFile) cannot be used")
            }
        } else {
            SSL_CTX_set_default_verify_paths(context)
        }
        SSL_CTX_set_default_passwd_cb(context, MachineKey.callback)
        if let own {
            guard SSL_CTX_use_certificate_chain_file(context, own.certificate) == 1,
                SSL_CTX_use_PrivateKey_file(context, own.key, SSL_FILETYPE_PEM) == 1,
                SSL_CTX_check_private_key(context) == 1
            else { return .localFile("\(own.certificate) and \(own.key) cannot be used together") }
        }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        guard let ssl = SSL_new(context) else { return .localFile("no memory") }
        defer { SSL_free(ssl) }
        // An address in numbers is looked for among the certificate's addresses, a name among its names.
        let parameters = SSL_get0_param(ssl)
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, host) != 1 {
            _ = srup_ssl_server_name(ssl, host)
            X509_VERIFY_PARAM_set1_host(parameters, host, 0)
        }
        ERR_clear_error()
        SSL_set_fd(ssl, descriptor)
        while case let code = SSL_connect(ssl), code != 1 {
            guard wait(ssl, code, descriptor, until: deadline) else { return failure(ssl, deadline) }
        }
        return farewell(ssl, descriptor)
    }

    /// Waits for what the handshake needs; `false` when it has failed or time is over.
    private func wait(
        _ ssl: OpaquePointer, _ code: Int32, _ descriptor: Int32, until deadline: ContinuousClock.Instant
    ) -> Bool {
        switch SSL_get_error(ssl, code) {
        case SSL_ERROR_WANT_READ: Self.wait(descriptor, Int16(POLLIN), until: deadline)
        case SSL_ERROR_WANT_WRITE: Self.wait(descriptor, Int16(POLLOUT), until: deadline)
        default: false
        }
    }

    private func failure(_ ssl: OpaquePointer, _ deadline: ContinuousClock.Instant) -> Outcome {
        let verified = SSL_get_verify_result(ssl)
        if verified != Int(X509_V_OK) {
            return .untrusted(CertificateProblem(verified: verified))
        }
        if ContinuousClock.now >= deadline { return .unreachable("it does not speak TLS, or not in time") }
        return .refused(Self.lastError())
    }

    /// TLS 1.3 tells only after the handshake that our certificate is not wanted; a broker that is content says nothing.
    private func farewell(_ ssl: OpaquePointer, _ descriptor: Int32) -> Outcome {
        let version = String(cString: SSL_get_version(ssl))
        let certificate = Self.certificate(ssl)
        let deadline = ContinuousClock.now + .milliseconds(600)
        var byte: UInt8 = 0
        while true {
            let code = SSL_read(ssl, &byte, 1)
            guard code <= 0 else { break }
            guard SSL_get_error(ssl, code) == SSL_ERROR_WANT_READ else { return .refused(Self.lastError()) }
            guard Self.wait(descriptor, Int16(POLLIN), until: deadline) else { break }
        }
        SSL_shutdown(ssl)
        return .accepted(version: version, certificate: certificate)
    }

    private static func certificate(_ ssl: OpaquePointer) -> String {
        guard let certificate = SSL_get1_peer_certificate(ssl), let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer {
            X509_free(certificate)
            BIO_free(bio)
        }
        PEM_write_bio_X509(bio, certificate)
        var start: UnsafePointer<UInt8>?
        let count = srup_BIO_get_mem_data(bio, &start)
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    private static func lastError() -> String {
        let code = ERR_peek_last_error()
        guard code != 0, let reason = ERR_reason_error_string(code) else { return "it closed the connection" }
        return String(cString: reason)
    }
}
