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

    private let listening: ListeningSocket
    private let answer: @Sendable (String) async -> String

    /// - Parameters:
    ///   - path: an abandoned socket there is replaced.
    ///   - answer: called for one line after the other.
    /// - Throws: ``ControlSocket/Failure``.
    public init(
        path: String, answer: @escaping @Sendable (String) async -> String
    ) throws(ControlSocket.Failure) {
        self.answer = answer
        listening = try ListeningSocket(path: path)
    }

    /// Answers until the service group asks it to stop or it is cancelled; then the socket is removed.
    public func run() async throws {
        await listening.answer(waiting: Self.maximumConnections) { connection in
            ListeningSocket.limit(connection.descriptor, seconds: 2)
            return Self.line(from: connection.descriptor)
        } _: { connection, line in
            await connection.send(await answer(line) + "\n")
        }
    }

    /// What the program that listens at `path` answers to a line; `nil` when none does.
    public static func ask(_ path: String, _ line: String) -> String? {
        ListeningSocket.connected(to: path, seconds: 20) { descriptor in
            guard sendAll(Array((line + "\n").utf8), to: descriptor) else { return nil }
            return self.line(from: descriptor, longest: 64 << 20)
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
}
