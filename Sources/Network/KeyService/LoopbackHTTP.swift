import Glibc
import Linux

/// Requests to a program on this machine, over plain HTTP/1.1 on loopback: a connection for each, an answer of bounded size, a
/// deadline. Blocks.
struct LoopbackHTTP: Sendable {
    let port: Int
    var deadline = Duration.seconds(5)
    /// In bytes, of the whole answer.
    var largestAnswer = 32 << 20

    struct Answer: Sendable, Hashable {
        let status: Int
        let body: [UInt8]
    }

    /// Why there is no answer.
    enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
        case unreachable(port: Int, why: String)
        case tooLarge(port: Int)
        case malformed(port: Int)

        /// What is wrong, in words for the operator.
        var description: String {
            switch self {
            case .unreachable(let port, let why): "nothing answers on this machine's port \(port): \(why)"
            case .tooLarge(let port): "the answer on this machine's port \(port) is too large"
            case .malformed(let port): "what answers on this machine's port \(port) speaks no HTTP"
            }
        }
    }

    /// - Parameters:
    ///   - path: percent-encoded.
    ///   - headers: without the host's and those that say how long it is.
    /// - Throws: ``Failure``.
    func request(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8] = []
    ) throws(Failure) -> Answer {
        let end = ContinuousClock.now + deadline
        let connection = try connected(until: end)
        defer { close(connection) }
        let lines =
            [
                "\(method) \(path) HTTP/1.1", "Host: 127.0.0.1:\(port)", "Connection: close",
                "Content-Length: \(body.count)",
            ]
            + headers.map { "\($0.0): \($0.1)" }
        try send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body, over: connection, until: end)
        return try Self.answer(try received(over: connection, until: end), port: port)
    }

    private func failure() -> Failure { .unreachable(port: port, why: String(cString: strerror(errno))) }

    private func connected(until end: ContinuousClock.Instant) throws(Failure) -> Int32 {
        let descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw failure() }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        do throws(Failure) {
            if code != 0 {
                guard errno == EINPROGRESS else { throw failure() }
                try wait(for: POLLOUT, on: descriptor, until: end)
                var problem: Int32 = 0
                var length = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &problem, &length)
                guard problem == 0 else {
                    throw .unreachable(port: port, why: String(cString: strerror(problem)))
                }
            }
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    private func wait(for event: Int32, on descriptor: Int32, until end: ContinuousClock.Instant) throws(Failure) {
        while true {
            let rest = Int32(max(0, min((end - .now) / .milliseconds(1), 60_000)).rounded(.up))
            var asked = pollfd(fd: descriptor, events: Int16(event), revents: 0)
            let count = poll(&asked, 1, rest)
            if count > 0 { return }
            guard count < 0, errno == EINTR else {
                throw count == 0 ? .unreachable(port: port, why: "no answer in \(deadline)") : failure()
            }
        }
    }

    private func send(
        _ bytes: [UInt8], over connection: Int32, until end: ContinuousClock.Instant
    ) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(connection, $0.baseAddress, $0.count, SocketFlags.noSignal) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                try wait(for: POLLOUT, on: connection, until: end)
            } else if errno != EINTR {
                throw failure()
            }
        }
    }

    private func received(over connection: Int32, until end: ContinuousClock.Instant) throws(Failure) -> [UInt8] {
        var whole: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(connection, &part, part.count, 0)
            if count == 0 { return whole }
            if count > 0 {
                whole += part.prefix(count)
                guard whole.count <= largestAnswer else { throw .tooLarge(port: port) }
            } else if errno == EAGAIN {
                try wait(for: POLLIN, on: connection, until: end)
            } else if errno != EINTR {
                throw failure()
            }
        }
    }

    /// An answer as it came until the connection was closed.
    static func answer(_ bytes: [UInt8], port: Int) throws(Failure) -> Answer {
        let gap = Array("\r\n\r\n".utf8)
        guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: gap) }) else {
            throw .malformed(port: port)
        }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        let words = (lines.first ?? "").split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]), (100...599).contains(status)
        else { throw .malformed(port: port) }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { throw .malformed(port: port) }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            headers[line[..<colon].lowercased()] = String(value).lowercased()
        }
        let body = bytes[(end + gap.count)...]
        if headers["transfer-encoding"] == "chunked" {
            guard let whole = unchunked(body) else { throw .malformed(port: port) }
            return Answer(status: status, body: whole)
        }
        // Cut off, or more than it says.
        if let length = headers["content-length"], Int(length) != body.count { throw .malformed(port: port) }
        return Answer(status: status, body: Array(body))
    }

    /// RFC 9112, 7.1; `nil` when it is cut off or none.
    private static func unchunked(_ body: ArraySlice<UInt8>) -> [UInt8]? {
        let newline = Array("\r\n".utf8)
        var (rest, whole) = (body, [UInt8]())
        while let end = rest.firstIndex(of: newline[0]), rest[end...].starts(with: newline) {
            let digits = rest[..<end].prefix { $0 != UInt8(ascii: ";") }
            guard (1...8).contains(digits.count), let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
                size >= 0
            else { return nil }
            rest = rest[(end + 2)...]
            if size == 0 { return whole }
            guard rest.count >= size + 2, rest.dropFirst(size).starts(with: newline) else { return nil }
            whole += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
        return nil
    }
}
