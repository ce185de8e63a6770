import Glibc
import Linux
import ServiceLifecycle

/// A Unix socket on which a program of ours listens: made at a path, accepted from by a thread of its own, and removed when its
/// service ends, whether it is asked to or cancelled.
final class ListeningSocket: Sendable {
    private let path: String
    private let descriptor: Int32

    /// A connection that was accepted; closed when nobody has it any more.
    final class Connection: Sendable {
        let descriptor: Int32

        fileprivate init(_ descriptor: Int32) { self.descriptor = descriptor }

        deinit { close(descriptor) }

        /// Sends a text, waiting for the reader on a thread of its own; one who has gone gets none.
        func send(_ text: String) async {
            _ = await DetachedThread.value(stack: 128) { sendAll(Array(text.utf8), to: self.descriptor) }
        }
    }

    /// - Parameters:
    ///   - path: an abandoned socket there is replaced.
    ///   - mode: who may connect.
    /// - Throws: ``ControlSocket/Failure``.
    init(path: String, mode: mode_t = 0o600) throws(ControlSocket.Failure) {
        self.path = path
        // Else "in use" would be said of a socket that lies on a file system that is read-only.
        if let why = UnixAddress.removeAbandoned(path) {
            throw ControlSocket.Failure(description: "\(path) cannot be replaced: \(why)")
        }
        descriptor = Self.socket()
        let old = umask(0o177)
        let bound = UnixAddress.with(path) { bind(descriptor, $0, $1) }
        umask(old)
        guard bound == 0, mode == 0o600 || chmod(path, mode) == 0, listen(descriptor, 16) == 0 else {
            throw ControlSocket.Failure(description: "\(path) cannot be made: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// Hands each connection to `accepted`, on the accepting thread, until the service group stops this task or it is cancelled;
    /// then the socket is removed.
    func accept(_ accepted: @escaping @Sendable (Connection) -> Void) async {
        startAccepting(accepted)
        // Or until it is cancelled.
        try? await gracefulShutdown()
        end()
    }

    /// Prepares each connection on the accepting thread and answers it here, one after the other, until the service group stops
    /// this task or it is cancelled; then the socket is removed.
    ///
    /// - Parameters:
    ///   - waiting: so many connections may wait to be answered; more are closed.
    ///   - prepare: `nil` when the connection is not to be answered. May block.
    func answer<Question: Sendable>(
        waiting: Int, prepare: @escaping @Sendable (Connection) -> Question?,
        _ answer: (Connection, Question) async -> Void
    ) async {
        let (stream, continuation) = AsyncStream<(Connection, Question)>.makeStream(
            bufferingPolicy: .bufferingOldest(waiting))
        startAccepting { connection in
            if let question = prepare(connection) { continuation.yield((connection, question)) }
        }
        // A task that is cancelled gets no more of the stream by itself.
        await withGracefulShutdownHandler {
            for await (connection, question) in stream { await answer(connection, question) }
        } onGracefulShutdown: {
            continuation.finish()
        }
        end()
    }

    private func startAccepting(_ accepted: @escaping @Sendable (Connection) -> Void) {
        // A descriptor owned by the thread, so that closing ours does not race with its accept.
        let accepting = dup(descriptor)
        DetachedThread.start(stack: 256) {
            while true {
                let connection = Glibc.accept(accepting, nil, nil)
                if connection < 0 && (errno == EINTR || errno == ECONNABORTED) { continue }
                guard connection >= 0 else { break }
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                accepted(Connection(connection))
            }
            close(accepting)
        }
    }

    /// Ends the accepting thread and removes the path.
    private func end() {
        shutdown(descriptor, SocketFlags.endBoth)
        UnixAddress.removeAbandoned(path)
    }

    // MARK: The other end

    /// Connects to a path and does something with the connection, whose reads and writes wait `seconds` at most; `nil` when
    /// nobody listens there.
    static func connected<Answer>(to path: String, seconds: Int, _ body: (Int32) -> Answer?) -> Answer? {
        let descriptor = socket()
        defer { close(descriptor) }
        limit(descriptor, seconds: seconds)
        guard UnixAddress.with(path, { connect(descriptor, $0, $1) }) == 0 else { return nil }
        return body(descriptor)
    }

    static func socket() -> Int32 {
        Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    }

    /// No read and no write waits for longer.
    static func limit(_ descriptor: Int32, seconds: Int) {
        var timeout = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }
    }
}
