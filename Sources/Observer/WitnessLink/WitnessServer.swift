import Glibc
import Linux
import Synchronization

/// What a witness process looks with.
public protocol Eye: Sendable {
    /// "camera" or "nfc".
    var kind: String { get }
    /// Starts looking; returns at once. Called only after ``rest()`` or at first.
    func wake()
    /// Lets go of the device; returns within a second.
    func rest()
}

/// The witness's end of the socket: obeys the keeper, passes on what the eye sees, and ends with the keeper.
public final class WitnessServer: Sendable {
    private let socket: LineSocket
    /// When each value was last passed on; at most 64 are remembered.
    private let recent = Mutex<[(value: [UInt8], at: ContinuousClock.Instant)]>([])
    private let lastWord = Mutex(ContinuousClock.now)

    /// An eye that is awake says something every second; after this long without a word it hangs, and the service
    /// manager is no longer told that we are well.
    private static let silence = Duration.seconds(8)

    /// Takes over a socket that is connected to the keeper, and closes it in the end.
    public init(descriptor: Int32) {
        socket = LineSocket(descriptor: descriptor)
    }

    /// Takes the keeper's connection to a socket that the service manager listens at, and the options that come first.
    ///
    /// - Parameter listening: from ``ServiceManager/listeningSocket``.
    /// - Returns: the server and the words of the keeper's `use`; `nil` when the keeper went away at once.
    public static func accepted(from listening: Int32) -> (server: WitnessServer, words: [String])? {
        while true {
            let connection = accept(listening, nil, nil)
            if connection < 0 && (errno == EINTR || errno == ECONNABORTED) { continue }
            guard connection >= 0 else { return nil }
            _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
            let server = WitnessServer(descriptor: connection)
            guard let line = try? server.socket.line(timeout: 5000), case .use(let words) = WitnessCommand(line) else {
                return nil
            }
            return (server, words)
        }
    }

    /// Passes something on to the keeper; from any thread. A value that stays in view is passed on ten times a second.
    public func say(_ line: WitnessLine) {
        lastWord.withLock { $0 = .now }
        if case .event(.seen(let value, _)) = line {
            let isRepeated = recent.withLock { recent -> Bool in
                let now = ContinuousClock.now
                recent.removeAll { now - $0.at > .milliseconds(100) }
                guard !recent.contains(where: { $0.value == value }), recent.count < 64 else { return true }
                recent.append((value, now))
                return false
            }
            if isRepeated { return }
        }
        // A keeper that is gone is noticed by the reading side.
        try? socket.write(line.description)
    }

    /// Passes on what the eye sees, as ``say(_:)-(WitnessLine)`` does.
    public func say(_ event: WitnessEvent) { say(.event(event)) }

    /// Obeys until the keeper goes away. Blocks the calling thread.
    public func serve(_ eye: some Eye) {
        say(.hello(kind: eye.kind))
        let heartbeat = ServiceManager.heartbeat.map { Int32(clamping: Int64($0 / .milliseconds(1))) } ?? -1
        var isAwake = false
        while true {
            let line: String?
            do {
                line = try socket.line(timeout: heartbeat)
            } catch {
                break
            }
            if !isAwake || ContinuousClock.now - lastWord.withLock({ $0 }) < Self.silence { ServiceManager.alive() }
            switch line.flatMap({ WitnessCommand($0) }) {
            case .wake where !isAwake:
                isAwake = true
                lastWord.withLock { $0 = .now }
                eye.wake()
            case .rest where isAwake:
                isAwake = false
                eye.rest()
                recent.withLock { $0.removeAll() }
            default: break
            }
        }
        if isAwake { eye.rest() }
    }
}
