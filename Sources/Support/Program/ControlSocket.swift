import Glibc
import Linux
import ServiceLifecycle
import Synchronization

/// A Unix socket that answers every connection with one text and closes: how `status` asks a running program.
public final class ControlSocket: Service, Sendable {
    private let path: String
    private let answer: @Sendable () async -> String
    private let descriptor: Int32

    /// - Parameter path: only its owner can connect (mode 0600); an abandoned socket there is replaced.
    /// - Throws: ``Failure``.
    public init(path: String, answer: @escaping @Sendable () async -> String) throws(Failure) {
        self.path = path
        self.answer = answer
        if Self.ask(path) != nil { throw Failure(description: "another program is running with this state (\(path))") }
        // Else "in use" would be said of a socket that lies on a file system that is read-only.
        if let why = UnixAddress.removeAbandoned(path) {
            throw Failure(description: "\(path) cannot be replaced: \(why)")
        }
        descriptor = Self.socket()
        let old = umask(0o177)
        let bound = UnixAddress.with(path) { bind(descriptor, $0, $1) }
        umask(old)
        guard bound == 0, listen(descriptor, 4) == 0 else {
            throw Failure(description: "\(path) cannot be made: \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        close(descriptor)
    }

    /// Why the socket cannot be made: another program answers there, or the path cannot be had.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// The path and the reason, for people.
        public let description: String
    }

    /// Answers, one connection after the other, until the service group asks it to stop; then the socket is removed.
    public func run() async throws {
        let (stream, continuation) = AsyncStream<Int32>.makeStream(bufferingPolicy: .bufferingOldest(8))
        let listening = descriptor
        // A descriptor owned by the thread, so that closing ours does not race with its accept.
        let accepting = dup(listening)
        DetachedThread.start(stack: 128) {
            while true {
                let connection = accept(accepting, nil, nil)
                if connection < 0 && errno == EINTR { continue }
                guard connection >= 0 else { break }
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                if case .enqueued = continuation.yield(connection) { continue }
                close(connection)
            }
            close(accepting)
        }
        await withGracefulShutdownHandler {
            for await connection in stream {
                let text = Array(await answer().utf8)
                var timeout = timeval(tv_sec: 1, tv_usec: 0)
                setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
                _ = send(connection, text, text.count, Int32(MSG_NOSIGNAL))
                close(connection)
            }
        } onGracefulShutdown: {
            shutdown(listening, Int32(SHUT_RDWR))
            continuation.finish()
        }
        UnixAddress.removeAbandoned(path)
    }

    /// What the program that listens at `path` answers; `nil` when none does.
    public static func ask(_ path: String) -> String? {
        let descriptor = socket()
        defer { close(descriptor) }
        var timeout = timeval(tv_sec: 3, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        guard UnixAddress.with(path, { connect(descriptor, $0, $1) }) == 0 else { return nil }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while text.count < 1 << 20 {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            text.append(contentsOf: chunk.prefix(count))
        }
        return String(decoding: text, as: UTF8.self)
    }

    static func socket() -> Int32 {
        Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }
}
