import Dispatch
import Glibc
import Linux
import ServiceLifecycle
import Synchronization

/// A Unix socket at which other programs stay connected: lines each way, and news to those who have asked for it.
///
/// Each connection is read by a thread of its own, one line after the other, so that who sends much waits. Who does not read
/// what it is sent is dropped, and so is who sends a line that is too long.
public final class ConversationSocket: Service, Sendable {
    /// Longer lines end the connection, in bytes.
    public static let maximumLine = 65536
    /// More than these at once are turned away.
    public static let maximumConnections = 16

    /// One program that is connected.
    public final class Peer: Sendable {
        fileprivate let connection: ListeningSocket.Connection
        fileprivate let listens = Mutex(false)

        fileprivate init(_ connection: ListeningSocket.Connection) { self.connection = connection }

        /// From now on it hears what is told to all.
        public func listen() { listens.withLock { $0 = true } }

        /// `false` when it has gone or does not read.
        fileprivate func say(_ line: String) -> Bool {
            let bytes = Array((line + "\n").utf8)
            return send(
                connection.descriptor, bytes, bytes.count, SocketFlags.noSignal | SocketFlags.dontWait) == bytes.count
        }
    }

    private let listening: ListeningSocket
    private let answer: @Sendable (String, Peer) async -> String
    private let peers = Mutex<[ObjectIdentifier: Peer]>([:])

    /// - Parameters:
    ///   - path: an abandoned socket there is replaced.
    ///   - group: may connect, beside the owner.
    ///   - answer: called for each line, for several connections at once; what it returns is the answer.
    /// - Throws: ``ControlSocket/Failure``.
    public init(
        path: String, group: gid_t? = nil, answer: @escaping @Sendable (String, Peer) async -> String
    ) throws(ControlSocket.Failure) {
        self.answer = answer
        listening = try ListeningSocket(path: path, mode: 0o600)
        guard let group else { return }
        // The group first: no other one may connect in between.
        guard chown(path, uid_t.max, group) == 0, chmod(path, 0o660) == 0 else {
            throw ControlSocket.Failure(
                description: "\(path) cannot be given to group \(group): \(String(cString: strerror(errno)))")
        }
    }

    /// Tells a line to all who listen; returns to how many.
    @discardableResult
    public func tell(_ line: String) -> Int {
        let listeners = peers.withLock { $0.values.filter { $0.listens.withLock { $0 } } }
        var count = 0
        for peer in listeners {
            if peer.say(line) {
                count += 1
            } else {
                drop(peer)
            }
        }
        return count
    }

    /// How many listen.
    public var listeners: Int { peers.withLock { $0.values.count { $0.listens.withLock { $0 } } } }

    private func drop(_ peer: Peer) {
        // Its thread ends at that.
        shutdown(peer.connection.descriptor, SocketFlags.endBoth)
    }

    /// Answers until the service group asks it to stop or it is cancelled; then removes the socket and ends all connections.
    public func run() async throws {
        await listening.accept { [weak self] connection in self?.welcome(connection) }
        for peer in peers.withLock({ Array($0.values) }) { drop(peer) }
    }

    private func welcome(_ connection: ListeningSocket.Connection) {
        let peer = Peer(connection)
        let isWelcome = peers.withLock { peers in
            guard peers.count < Self.maximumConnections else { return false }
            peers[ObjectIdentifier(peer)] = peer
            return true
        }
        guard isWelcome else { return }
        DetachedThread.start(stack: 256) {
            self.converse(peer)
            self.peers.withLock { $0[ObjectIdentifier(peer)] = nil }
        }
    }

    private func converse(_ peer: Peer) {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = read(peer.connection.descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            bytes += buffer[..<count]
            while let end = bytes.firstIndex(of: 10) {
                let line = String(decoding: bytes[..<end], as: UTF8.self)
                bytes.removeSubrange(...end)
                guard peer.say(answered(line, peer)) else { return }
            }
            guard bytes.count <= Self.maximumLine else { return }
        }
    }

    /// Waits on this thread, which is the connection's own.
    private func answered(_ line: String, _ peer: Peer) -> String {
        let done = DispatchSemaphore(value: 0)
        let answer = answer
        let box = Box()
        Task {
            box.set(await answer(line, peer))
            done.signal()
        }
        done.wait()
        return box.text
    }

    private final class Box: Sendable {
        private let held = Mutex("")
        var text: String { held.withLock { $0 } }
        func set(_ text: String) { held.withLock { $0 = text } }
    }
}
