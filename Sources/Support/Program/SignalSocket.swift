import CLinux
import Glibc
import Linux
import ServiceLifecycle
import Synchronization

/// Says in one word a line what a program is doing, to whoever connects: the present word at once, then each change.
///
/// Nothing secret is said, so everybody who reaches the path may listen. A listener that does not read is dropped. Nobody is
/// turned away: when there are too many, the user with the most loses the oldest, so that no user shuts out another's.
public final class SignalSocket: Service, Sendable {
    static let mostListeners = 32

    private struct Listener {
        let descriptor: Int32
        let user: uid_t
    }

    private struct State {
        var word: String
        /// The oldest first.
        var listeners: [Listener] = []
        var hasEnded = false
    }

    private let path: String
    private let descriptor: Int32
    private let state: Mutex<State>

    /// - Parameters:
    ///   - path: an abandoned socket there is replaced.
    ///   - word: the first one.
    /// - Throws: ``ControlSocket/Failure``.
    public init(path: String, word: String) throws(ControlSocket.Failure) {
        self.path = path
        state = Mutex(State(word: word))
        if let why = UnixAddress.removeAbandoned(path) {
            throw ControlSocket.Failure(description: "\(path) cannot be replaced: \(why)")
        }
        descriptor = ControlSocket.socket()
        let bound = UnixAddress.with(path) { bind(descriptor, $0, $1) }
        guard bound == 0, chmod(path, 0o666) == 0, listen(descriptor, 4) == 0 else {
            throw .init(description: "\(path) cannot be made: \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        close(descriptor)
    }

    /// Where a program with this state folder has it: in the service's own run folder when a service manager made one.
    public static func path(state folder: String) -> String {
        guard let run = getenv("RUNTIME_DIRECTORY").map({ String(cString: $0) }), run.hasPrefix("/"), !run.contains(":")
        else { return folder + "/signal.sock" }
        return run + "/signal.sock"
    }

    /// Says a word; one that is `passing` is an event, and not told to those who come later.
    public func publish(_ word: String, passing: Bool = false) {
        state.withLock { state in
            guard passing || word != state.word else { return }
            if !passing { state.word = word }
            state.listeners.removeAll { listener in
                if Self.say(word, to: listener.descriptor) { return false }
                close(listener.descriptor)
                return true
            }
        }
    }

    /// `false` when the listener has gone or does not read: its buffer is full.
    private static func say(_ word: String, to listener: Int32) -> Bool {
        let line = Array((word + "\n").utf8)
        return send(listener, line, line.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) == line.count
    }

    private func welcome(_ listener: Int32) {
        _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
        let isIn = state.withLock { state -> Bool in
            state.listeners.removeAll { old in
                guard Self.hasGone(old.descriptor) else { return false }
                close(old.descriptor)
                return true
            }
            guard !state.hasEnded, Self.say(state.word, to: listener) else { return false }
            state.listeners.append(Listener(descriptor: listener, user: srup_peer_user(listener)))
            if state.listeners.count > Self.mostListeners {
                close(state.listeners.remove(at: Self.leastMissed(state.listeners.map(\.user))).descriptor)
            }
            return true
        }
        if !isIn { close(listener) }
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
        return recv(listener, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 0
    }

    /// Welcomes listeners until the service group asks it to stop; then removes the socket and drops all listeners.
    public func run() async throws {
        // Owned by the thread, so that closing ours does not race with its accept.
        let accepting = dup(descriptor)
        DetachedThread.start(stack: 128) { [weak self] in
            while true {
                let connection = accept(accepting, nil, nil)
                if connection < 0 && errno == EINTR { continue }
                guard connection >= 0 else { break }
                guard let self else {
                    close(connection)
                    break
                }
                self.welcome(connection)
            }
            close(accepting)
        }
        // Or until it is cancelled.
        try? await gracefulShutdown()
        shutdown(descriptor, Int32(SHUT_RDWR))
        UnixAddress.removeAbandoned(path)
        state.withLock { state in
            state.hasEnded = true
            for listener in state.listeners { close(listener.descriptor) }
            state.listeners.removeAll()
        }
    }
}
