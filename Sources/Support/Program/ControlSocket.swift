import Glibc
import Linux
import ServiceLifecycle

/// A Unix socket that answers every connection with one text and closes: how `status` asks a running program.
public final class ControlSocket: Service, Sendable {
    private let listening: ListeningSocket
    private let answer: @Sendable () async -> String

    /// - Parameter path: only its owner can connect (mode 0600); an abandoned socket there is replaced.
    /// - Throws: ``Failure``.
    public init(path: String, answer: @escaping @Sendable () async -> String) throws(Failure) {
        self.answer = answer
        if Self.ask(path) != nil { throw Failure(description: "another program is running with this state (\(path))") }
        listening = try ListeningSocket(path: path)
    }

    /// Why the socket cannot be made: another program answers there, or the path cannot be had.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// The path and the reason, for people.
        public let description: String
    }

    /// Answers, one connection after the other, until the service group asks it to stop or it is cancelled; then the socket is
    /// removed.
    public func run() async throws {
        await listening.answer(waiting: 8) { connection in
            ListeningSocket.limit(connection.descriptor, seconds: 1)
        } _: { connection, _ in
            await connection.send(await answer())
        }
    }

    /// What the program that listens at `path` answers; `nil` when none does.
    public static func ask(_ path: String) -> String? {
        ListeningSocket.connected(to: path, seconds: 3) { descriptor in
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
    }
}
