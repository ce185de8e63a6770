import Glibc
import Linux
import Synchronization

/// Lines of bounded length over a stream socket; blocking, for a thread of its own.
///
/// Lines hold values that were seen, the nonce among them: what was handed on is overwritten here, the caller drops its line
/// soon, and the programs wipe what they free (`CWiping`).
public final class LineSocket: Sendable {
    /// Why no line can be read or written.
    public enum Failure: Error, Sendable, CustomStringConvertible {
        case closed
        case lineTooLong
        case system(String)

        /// The reason in words, for people.
        public var description: String {
            switch self {
            case .closed: "the other side has gone"
            case .lineTooLong: "a line is longer than \(WitnessLine.maximumLength) bytes"
            case .system(let why): why
            }
        }
    }

    /// Owned by this object.
    public let descriptor: Int32
    private let buffer = Mutex(LineBuffer())

    /// Takes over a connected stream socket, which is closed with this object.
    public init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// A connected pair; the second is for the child process and is not close-on-exec there.
    ///
    /// - Throws: ``Failure/system(_:)``.
    public static func pair() throws(Failure) -> (mine: LineSocket, child: LineSocket) {
        var descriptors: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &descriptors) == 0
        else { throw .system(String(cString: strerror(errno))) }
        return (LineSocket(descriptor: descriptors[0]), LineSocket(descriptor: descriptors[1]))
    }

    /// Connects to a Unix socket.
    ///
    /// - Throws: ``Failure/system(_:)``.
    public static func connected(to path: String) throws(Failure) -> LineSocket {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .system(String(cString: strerror(errno))) }
        let line = LineSocket(descriptor: descriptor)
        guard UnixAddress.with(path, { connect(descriptor, $0, $1) }) == 0 else {
            throw .system("\(path): \(String(cString: strerror(errno)))")
        }
        return line
    }

    /// The next line, or `nil` after `timeout` milliseconds (-1: no limit) or when `interrupt` becomes readable.
    ///
    /// - Throws: ``Failure``.
    public func line(timeout: Int32, interrupt: Int32 = -1) throws(Failure) -> String? {
        while true {
            if let line = try buffered() { return line }
            var pollers = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&pollers, 2, timeout)
            if ready < 0 && errno == EINTR { continue }
            guard ready > 0, pollers[0].revents != 0 else { return nil }
            let count = buffer.withLock { $0.fill(from: descriptor) }
            if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
            guard count > 0 else { throw .closed }
        }
    }

    private func buffered() throws(Failure) -> String? {
        let outcome = buffer.withLock { buffer -> Result<String?, Failure> in
            if let line = buffer.line() { return .success(line) }
            return buffer.isFull ? .failure(.lineTooLong) : .success(nil)
        }
        return try outcome.get()
    }

    /// Writes a line; a receiver that does not read for a second counts as gone.
    ///
    /// - Throws: ``Failure``.
    public func write(_ line: String) throws(Failure) {
        var bytes = Array((line + "\n").utf8)
        defer { explicit_bzero(&bytes, bytes.count) }
        var done = 0
        while done < bytes.count {
            let sent = bytes.withUnsafeBytes { bytes in
                let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                return send(descriptor, rest.baseAddress, rest.count, SocketFlags.noSignal | SocketFlags.dontWait)
            }
            if sent > 0 {
                done += sent
                continue
            }
            if errno == EINTR { continue }
            guard errno == EAGAIN else { throw .closed }
            var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&poller, 1, 1000) > 0 else { throw .closed }
        }
    }

    /// Makes reads on both sides end.
    public func shutDown() {
        shutdown(descriptor, SocketFlags.endBoth)
    }
}
