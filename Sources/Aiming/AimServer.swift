import CMicroHTTPD
import Glibc
import Synchronization

/// Serves the page, one state and one picture, and nothing else: no file is opened, nothing is taken but GET.
///
/// HTTP is libmicrohttpd's, on one thread of its own; at most 16 connections from at most 4 viewers.
public final class AimServer: Sendable {
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// What viewers get; replaced as a whole.
    fileprivate struct Content {
        var state: [UInt8] = []
        var picture: [UInt8] = []
        /// Viewers by address, and when they last asked.
        var viewers: [[UInt8]: ContinuousClock.Instant] = [:]
    }

    static let mostViewers = 4
    private static let mostConnections: UInt32 = 16
    /// A viewer that has not asked for so long has gone.
    private static let patience = Duration.seconds(4)

    private struct Daemon: @unchecked Sendable {
        // libmicrohttpd locks its own structures; stopped once, in deinit.
        let pointer: OpaquePointer
    }

    /// What libmicrohttpd's thread reaches; it outlives that thread, which `deinit` waits for.
    fileprivate final class Desk: Sendable {
        let path: [UInt8]
        let content = Mutex(Content())

        init(_ path: [UInt8]) {
            self.path = path
        }
    }

    private let desk: Desk
    private let daemon: Daemon
    /// "/3f…/": who does not know it gets nothing.
    public let path: String
    public let port: UInt16

    /// Listens from now on.
    ///
    /// - Parameters:
    ///   - address: in numbers; `nil`: all of this machine's.
    ///   - port: 0 for any.
    /// - Throws: ``Failure``.
    public init(address: String?, port: UInt16) throws(Failure) {
        var generator = SystemRandomNumberGenerator()
        let token = (0..<2).map { _ in String(String(generator.next(), radix: 16).reversed()).padded(16) }.joined()
        path = "/\(token)/"
        desk = Desk(Array(path.utf8))
        let context = Unmanaged.passUnretained(desk).toOpaque()
        let started = try Self.withAddress(address, port) { pointer in
            srup_mhd_start(
                pointer,
                { context, connection, url, method, _, _, _, _ in
                    guard let context, let url, let method, let connection else { return srup_mhd_no() }
                    return Unmanaged<Desk>.fromOpaque(context).takeUnretainedValue().answer(
                        connection, String(cString: method), UnsafeRawBufferPointer(start: url, count: strlen(url)))
                }, context, Self.mostConnections)
        }
        guard let started else {
            let where_ = "\(address ?? "all addresses"), port \(port)"
            throw Failure(description: "no page on \(where_): \(String(cString: strerror(errno)))")
        }
        daemon = Daemon(pointer: started)
        self.port = UInt16(truncatingIfNeeded: srup_mhd_port(started))
    }

    deinit {
        MHD_stop_daemon(daemon.pointer)
    }

    /// Whether anybody has asked lately: else no picture need be made.
    public var isWatched: Bool {
        desk.content.withLock { content in content.viewers.values.contains { ContinuousClock.now - $0 < Self.patience }
        }
    }

    /// What is served from now on.
    public func show(state: [UInt8], picture: [UInt8]) {
        desk.content.withLock { content in
            content.state = state
            content.picture = picture
        }
    }

    private static func withAddress(
        _ text: String?, _ port: UInt16, _ body: (UnsafePointer<sockaddr>) -> OpaquePointer?
    ) throws(Failure) -> OpaquePointer? {
        var four = sockaddr_in()
        four.sin_family = sa_family_t(AF_INET)
        four.sin_port = port.bigEndian
        if text == nil || inet_pton(AF_INET, text, &four.sin_addr) == 1 {
            return withUnsafePointer(to: &four) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
        }
        var six = sockaddr_in6()
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        guard inet_pton(AF_INET6, text, &six.sin6_addr) == 1 else {
            throw Failure(description: "\"\(text ?? "")\" is no address: it must be in numbers")
        }
        return withUnsafePointer(to: &six) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
    }

    /// This machine's addresses, for people to type.
    public static func ownAddresses() -> [String] {
        var text = [CChar](repeating: 0, count: 256)
        srup_own_addresses(&text, text.count)
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            .split(separator: " ").map(String.init)
    }
}

extension AimServer.Desk {
    fileprivate func answer(
        _ connection: OpaquePointer, _ method: String, _ url: UnsafeRawBufferPointer
    ) -> MHD_Result {
        guard method == "GET" else { return say(connection, 405, "only GET\n") }
        guard isOurs(url) else { return say(connection, 404, "nothing here\n") }
        var client = [UInt8](repeating: 0, count: 16)
        srup_mhd_client(connection, &client)
        guard admit(client) else { return say(connection, 503, "too many are looking\n") }
        switch String(decoding: url.dropFirst(path.count), as: UTF8.self) {
        case "": return send(connection, Array(AimPage.html.utf8), "text/html; charset=utf-8")
        case "state.json": return send(connection, content.withLock { $0.state }, "application/json")
        case "picture.jpg": return send(connection, content.withLock { $0.picture }, "image/jpeg")
        default: return say(connection, 404, "nothing here\n")
        }
    }

    /// Compares all of the token, so that the time tells nothing about where it differs.
    private func isOurs(_ url: UnsafeRawBufferPointer) -> Bool {
        guard url.count >= path.count else { return false }
        var difference: UInt8 = 0
        for (index, byte) in path.enumerated() { difference |= byte ^ url[index] }
        return difference == 0
    }

    private func admit(_ client: [UInt8]) -> Bool {
        content.withLock { content in
            let now = ContinuousClock.now
            content.viewers = content.viewers.filter { now - $0.value < .seconds(4) }
            guard content.viewers[client] != nil || content.viewers.count < AimServer.mostViewers else { return false }
            content.viewers[client] = now
            return true
        }
    }

    private func send(_ connection: OpaquePointer, _ body: [UInt8], _ type: String) -> MHD_Result {
        guard !body.isEmpty else { return say(connection, 404, "not yet\n") }
        return srup_mhd_answer(connection, 200, body, body.count, type)
    }

    private func say(_ connection: OpaquePointer, _ status: UInt32, _ text: String) -> MHD_Result {
        let body = Array(text.utf8)
        return srup_mhd_answer(connection, status, body, body.count, "text/plain; charset=utf-8")
    }
}

extension String {
    /// With noughts behind it.
    fileprivate func padded(_ width: Int) -> String { self + String(repeating: "0", count: max(0, width - count)) }
}
