import CMicroHTTPD
import Glibc
import Synchronization

/// The page that shows what a camera sees, for people on the local network who know its token.
///
/// libmicrohttpd serves it on one thread of its own. Nothing is read from files; only GET is answered; connections, bytes
/// and idle time are bounded; who is not near is not even accepted.
public final class PageServer: Sendable {
    private struct Daemon: @unchecked Sendable {
        /// Only ``PageServer/stop()`` uses it, once: whoever takes it out of the mutex.
        let handle: OpaquePointer
        let desk: Unmanaged<PageDesk>
    }

    private let desk = PageDesk()
    private let daemon = Mutex<Daemon?>(nil)
    private let address: WebAddress
    private let port: UInt16

    /// 16 KiB are libmicrohttpd's for a request's line and headers; what does not fit is answered with 4xx.
    private static let limits = srup_mhd_limits(
        connections: 8, connections_per_address: 6, idle: 10, memory: 16 << 10, stack: 256 << 10)

    /// Serves until ``stop()``.
    ///
    /// - Throws: ``PageError``.
    public init(at address: WebAddress) throws(PageError) {
        self.address = address
        if let problem = srup_mhd_load() {
            throw .cannotListen(address.description, why: "it needs libmicrohttpd: " + String(cString: problem))
        }
        let context = Unmanaged.passRetained(desk)
        guard let (handle, port) = Self.start(address, context.toOpaque()) else {
            let why = String(cString: strerror(errno))
            context.release()
            throw .cannotListen(address.description, why: why)
        }
        self.port = port
        daemon.withLock { $0 = Daemon(handle: handle, desk: context) }
    }

    deinit {
        stop()
    }

    /// Ends all connections; returns when its thread has ended.
    public func stop() {
        let daemon = daemon.withLock { daemon -> Daemon? in
            defer { daemon = nil }
            return daemon
        }
        guard let daemon else { return }
        srup_mhd_stop(daemon.handle)
        daemon.desk.release()
    }

    /// Where it is reached, the best first.
    public var urls: [String] {
        address.reachable().map { address in
            "http://" + (address.isIPv6 ? "[\(address)]" : "\(address)") + ":\(port)/\(desk.token)/"
        }
    }

    /// Whether anybody looks: without them no picture needs to be made.
    public var hasViewers: Bool { desk.hasViewers }

    /// What viewers get from now on.
    public func show(_ view: PageView) { desk.show(view) }

    /// At all interfaces IPv6 first, which takes IPv4, too; a machine may have none.
    private static func start(_ address: WebAddress, _ context: UnsafeMutableRawPointer) -> (OpaquePointer, UInt16)? {
        for isIPv6 in address.families {
            let handle = address.withSocketAddress(isIPv6: isIPv6) {
                srup_mhd_start($0, address.isAny ? 1 : 0, acceptPeer, answerRequest, context, limits)
            }
            if let handle { return (handle, UInt16(truncatingIfNeeded: srup_mhd_port(handle))) }
        }
        return nil
    }
}

// MARK: What libmicrohttpd calls, on its thread

private let acceptPeer: MHD_AcceptPolicyCallback = { _, peer, _ in
    srup_mhd_result(InternetAddress(peer).map { LocalNetwork.holds($0) } == true ? 1 : 0)
}

private let answerRequest: MHD_AccessHandlerCallback = { context, connection, path, method, _, _, uploaded, _ in
    guard let context, let connection, let path, let method else { return srup_mhd_result(0) }
    // What somebody sends along is not read; the connection is closed after the answer.
    uploaded?.pointee = 0
    let desk = Unmanaged<PageDesk>.fromOpaque(context).takeUnretainedValue()
    let viewer = srup_mhd_argument(connection, "v").map { String(cString: $0) }
    let answer = desk.answer(method: String(cString: method), path: String(cString: path), viewer: viewer)
    return send(answer, connection)
}

private func send(_ answer: PageDesk.Answer, _ connection: OpaquePointer) -> MHD_Result {
    guard let response = srup_mhd_response(answer.body.count, answer.body) else { return srup_mhd_result(0) }
    defer { srup_mhd_release(response) }
    for (name, value) in headers { srup_mhd_header(response, name, value) }
    srup_mhd_header(response, "Content-Type", answer.type)
    if let state = answer.state { srup_mhd_header(response, "Aim-State", state) }
    if answer.status == 405 { srup_mhd_header(response, "Allow", "GET") }
    return srup_mhd_queue(connection, answer.status, response)
}

/// Nothing from elsewhere, nothing kept, nothing told to others: the address holds the token.
private let headers: [(String, String)] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob:; connect-src 'self'; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-Robots-Tag", "noindex"),
]
