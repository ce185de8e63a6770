import Linux
import CLinux
import Glibc
import ServiceLifecycle
import Synchronization

/// Says in one word a line what a program is doing, to whoever connects: the present word at once, then each change.
///
/// By default everybody who reaches the path may listen, since nothing secret is said. A listener that does not read is dropped. Nobody is
/// turned away: when there are too many, the user with the most loses the oldest, so that no user shuts out another's.
public final class SignalSocket: Service, Sendable {
    static let maximumListeners = 32

    private struct Listener {
        let connection: ListeningSocket.Connection
        let user: uid_t
    }

    private struct State {
        var word: String
        /// The oldest first.
        var listeners: [Listener] = []
        var hasEnded = false
    }

    private let listening: ListeningSocket
    private let state: Mutex<State>

    /// - Parameters:
    ///   - path: an abandoned socket there is replaced.
    ///   - word: the first one.
    ///   - mode: who may listen.
    /// - Throws: ``ControlSocket/Failure``.
    public init(path: String, word: String, mode: mode_t = 0o666) throws(ControlSocket.Failure) {
        state = Mutex(State(word: word))
        listening = try ListeningSocket(path: path, mode: mode)
    }

    /// Where a program with this state folder has it: in the service's own run folder when a service manager made one.
    ///
    /// - Parameter name: of the socket.
    public static func path(state folder: String, name: String = "signal.sock") -> String {
        guard let run = getenv("RUNTIME_DIRECTORY").map({ String(cString: $0) }), run.hasPrefix("/"), !run.contains(":")
        else { return folder + "/" + name }
        return run + "/" + name
    }

    /// What who comes now is told.
    public var word: String { state.withLock { $0.word } }

    /// Says a word; one that is `passing` is an event, and not told to those who come later.
    public func publish(_ word: String, passing: Bool = false) {
        state.withLock { state in
            guard passing || word != state.word else { return }
            if !passing { state.word = word }
            state.listeners.removeAll { !Self.say(word, to: $0.connection.descriptor) }
        }
    }

    /// `false` when the listener has gone or does not read: its buffer is full.
    private static func say(_ word: String, to listener: Int32) -> Bool {
        let line = Array((word + "\n").utf8)
        return send(listener, line, line.count, SocketFlags.noSignal | SocketFlags.dontWait) == line.count
    }

    private func welcome(_ connection: ListeningSocket.Connection) {
        state.withLock { state in
            state.listeners.removeAll { Self.hasGone($0.connection.descriptor) }
            guard !state.hasEnded, Self.say(state.word, to: connection.descriptor) else { return }
            state.listeners.append(Listener(connection: connection, user: srup_peer_user(connection.descriptor)))
            if state.listeners.count > Self.maximumListeners {
                state.listeners.remove(at: Self.leastMissed(state.listeners.map(\.user)))
            }
        }
    }

    /// Which one has to go: the oldest of the user who has the most; of users with as many, the one who came first.
    ///
    /// - Parameter users: of the listeners, the oldest first; not empty.
    static func leastMissed(_ users: [uid_t]) -> Int {
        let counts = Dictionary(users.map { ($0, 1) }, uniquingKeysWith: +)
        let most = counts.values.max() ?? 0
        return users.firstIndex { counts[$0] == most } ?? 0
    }

    private static func hasGone(_ listener: Int32) -> Bool {
        var byte: UInt8 = 0
        return recv(listener, &byte, 1, SocketFlags.peek | SocketFlags.dontWait) == 0
    }

    /// Welcomes listeners until the service group asks it to stop or it is cancelled; then removes the socket and drops all
    /// listeners.
    public func run() async throws {
        await listening.accept { [weak self] connection in self?.welcome(connection) }
        state.withLock { state in
            state.hasEnded = true
            state.listeners.removeAll()
        }
    }
}
