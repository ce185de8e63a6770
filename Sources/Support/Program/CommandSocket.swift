import Glibc
import Linux
import ServiceLifecycle

/// A Unix socket on which commands ask a running program for something: a line each way, and the connection ends.
///
/// Only its owner can connect (mode 0600).
public final class CommandSocket: Service, Sendable {
    /// Longer lines are not read, in bytes.
    public static let maximumLine = 65536
    /// So many ask at once; others wait to be accepted.
    private static let maximumConnections = 8

    private let path: String
    private let answer: @Sendable (String) async -> String
    private let descriptor: Int32

    /// - Parameters:
    ///   - path: an abandoned socket there is replaced.
    ///   - answer: called for one line after the other.
    /// - Throws: ``ControlSocket/Failure``.
    public init(
        path: String, answer: @escaping @Sendable (String) async -> String
    ) throws(ControlSocket.Failure) {
        self.path = path
        self.answer = answer
        if let why = UnixAddress.removeAbandoned(path) {
            throw ControlSocket.Failure(description: "\(path) cannot be replaced: \(why)")
        }
        descriptor = Self.socket()
        let old = umask(0o177)
        let bound = UnixAddress.with(path) { bind(descriptor, $0, $1) }
        umask(old)
        guard bound == 0, listen(descriptor, 16) == 0 else {
            throw ControlSocket.Failure(description: "\(path) cannot be made: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    private static func socket() -> Int32 {
        Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }

    /// Answers until the service group asks it to stop; then the socket is removed.
    public func run() async throws {
        let (stream, continuation) = AsyncStream<(Int32, String)>.makeStream(
            bufferingPolicy: .bufferingOldest(Self.maximumConnections))
        let listening = descriptor
        // A descriptor owned by the thread, so that closing ours does not race with its accept.
        let accepting = dup(listening)
        DetachedThread.start(stack: 256) {
            while true {
                let connection = accept(accepting, nil, nil)
                if connection < 0 && errno == EINTR { continue }
                guard connection >= 0 else { break }
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                Self.limit(connection, seconds: 2)
                guard let line = Self.line(from: connection) else {
                    close(connection)
                    continue
                }
                if case .enqueued = continuation.yield((connection, line)) { continue }
                close(connection)
            }
            close(accepting)
        }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                for await (connection, line) in stream {
                    Self.send(await answer(line) + "\n", to: connection)
                    close(connection)
                }
            } onGracefulShutdown: {
                shutdown(listening, Int32(SHUT_RDWR))
                continuation.finish()
            }
        } onCancel: {
            shutdown(listening, Int32(SHUT_RDWR))
            continuation.finish()
        }
        UnixAddress.removeAbandoned(path)
    }

    /// What the program that listens at `path` answers to a line; `nil` when none does.
    public static func ask(_ path: String, _ line: String) -> String? {
        let descriptor = socket()
        defer { close(descriptor) }
        limit(descriptor, seconds: 20)
        guard UnixAddress.with(path, { connect(descriptor, $0, $1) }) == 0 else { return nil }
        send(line + "\n", to: descriptor)
        return self.line(from: descriptor, longest: 64 << 20)
    }

    private static func limit(_ descriptor: Int32, seconds: Int) {
        var timeout = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// `nil` when none comes in time or it is too long.
    private static func line(from descriptor: Int32, longest: Int = maximumLine) -> String? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        while bytes.count <= longest {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return nil }
            if let end = buffer[..<count].firstIndex(of: 10) {
                return String(decoding: bytes + buffer[..<end], as: UTF8.self)
            }
            bytes += buffer[..<count]
        }
        return nil
    }

    private static func send(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            sent += count
        }
    }
}
