import CLinux
import Glibc
import Limits
import Linux
import Logging
import ServiceLifecycle
import Synchronization

/// A witness in a process of its own, as the keeper sees it: started, woken, watched, and started again when it dies,
/// hangs or talks nonsense.
///
/// A process that we start gets one end of a Unix socket as descriptor 3 and nothing else of ours: no key, no state, no
/// other descriptor. It ends by itself when that socket closes, and takes with it what it has started, so that a killed keeper
/// leaves none behind; one that has ended, or does not end, is killed with its whole group. Under a service
/// manager we start none: we connect to the witness's socket, which starts it, as a user and in a sandbox of its own.
public final class WitnessProcess: Service, Sendable {
    /// "camera" or "nfc", as in the log and in verdicts.
    public let name: String
    private let origin: Origin
    private let arguments: [String]
    private let causedLog: BoundedLog
    private let longestPause: Duration
    private let onEvent: @Sendable (WitnessEvent) -> Void

    /// Where the witness comes from.
    public enum Origin: Sendable, Hashable {
        /// We start this program.
        case program(String)
        /// The service manager starts it when we connect to this Unix socket.
        case socket(String)
    }

    private struct State {
        var isAwake = false
        var isStopping = false
        var hasEnded = false
        var socket: LineSocket?
        var process: pid_t = 0
    }
    private let state = Mutex(State())
    /// Becomes readable when the thread has to look at `state` again.
    private let interrupt: Int32

    /// An awake witness says something every second; after this long without a word it is started again.
    private static let silence: Int32 = 8000
    /// More lines than this in a second are nonsense.
    private static let maximumLines = 400

    /// - Parameters:
    ///   - arguments: on its command line, or in the first line to it.
    ///   - longestPause: how long to wait at most before a witness that has died is started again.
    ///   - onEvent: called on the witness's thread.
    public init(
        name: String, origin: Origin, arguments: [String], logger: Logger, longestPause: Duration = .seconds(10),
        onEvent: @escaping @Sendable (WitnessEvent) -> Void
    ) {
        self.name = name
        self.origin = origin
        self.arguments = arguments
        causedLog = BoundedLog(logger)
        self.longestPause = longestPause
        self.onEvent = onEvent
        interrupt = srup_eventfd()
    }

    deinit {
        close(interrupt)
    }

    /// The process number, 0 when it is not running.
    public var process: pid_t { state.withLock { $0.process } }

    /// Looks from now on; without effect when it does already.
    public func wake() { command(.wake) }

    /// Lets go of its device.
    public func rest() { command(.rest) }

    /// Ends the process, or the connection to it; it is started again at once, and looks if it did.
    public func restart() { state.withLock { $0.socket }?.shutDown() }

    private func command(_ command: WitnessCommand) {
        let socket = state.withLock { state -> LineSocket? in
            guard state.isAwake != (command == .wake) else { return nil }
            state.isAwake = command == .wake
            return state.socket
        }
        try? socket?.write(command.description)
        poke()
    }

    private func poke() {
        srup_eventfd_write(interrupt)
    }

    /// Keeps the witness running until the service group shuts down.
    public func run() async throws {
        DetachedThread.start(stack: 256) { self.supervise() }
        // Or until it is cancelled.
        try? await gracefulShutdown()
        let socket = state.withLock { state -> LineSocket? in
            state.isStopping = true
            return state.socket
        }
        socket?.shutDown()
        poke()
        await waitEvenIfCancelled(atMost: .milliseconds(1500)) { self.state.withLock { $0.hasEnded } }
    }

    // MARK: On the supervising thread

    private func supervise() {
        var delay = 0.1
        var lastReason = ""
        while !state.withLock({ $0.isStopping }) {
            let start = ContinuousClock.now
            let reason = runOnce()
            if state.withLock({ $0.isStopping }) { break }
            if ContinuousClock.now - start > .seconds(30) { delay = 0.1 }
            // Announced once per reason; a camera that is broken for a week fills no log.
            // A witness that is taken over may give another reason each time.
            if reason != lastReason {
                causedLog.log(.warning, about: name, "the \(name) witness is started again: \(reason)")
            }
            lastReason = reason
            onEvent(.lost("the witness process ended: \(reason)"))
            var poller = pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0)
            poll(&poller, 1, Int32(delay * 1000))
            delay = min(delay * 2, longestPause / .seconds(1))
        }
        state.withLock { $0.hasEnded = true }
    }

    /// Starts the process and listens to it until it fails; returns why.
    private func runOnce() -> String {
        let socket: LineSocket
        let process: pid_t
        do {
            switch origin {
            case .program(let executable):
                let pair = try LineSocket.pair()
                socket = pair.mine
                process = try spawn(executable, pair.child.descriptor)
            case .socket(let path):
                socket = try LineSocket.connected(to: path)
                process = 0
                try socket.write(WitnessCommand.use(arguments).description)
            }
        } catch {
            return String(describing: error)
        }
        let isAwake = state.withLock { state -> Bool in
            state.socket = socket
            state.process = process
            return state.isAwake
        }
        defer {
            state.withLock { state in
                state.socket = nil
                state.process = 0
            }
            // With all that it has started.
            if process > 0 { ChildProcess.end(process) }
        }
        if isAwake { try? socket.write(WitnessCommand.wake.description) }
        return listen(to: socket, process)
    }

    private func listen(to socket: LineSocket, _ process: pid_t) -> String {
        var lines = 0
        var second = ContinuousClock.now
        var lastWord = ContinuousClock.now
        while true {
            let isAwake = state.withLock { $0.isAwake }
            let line: String?
            do {
                line = try socket.line(timeout: isAwake ? Self.silence : -1, interrupt: interrupt)
            } catch .closed {
                return exitReason(process)
            } catch {
                return String(describing: error)
            }
            let now = ContinuousClock.now
            guard let line else {
                let poked = srup_eventfd_drain(interrupt) != 0
                if state.withLock({ $0.isStopping }) { return "stopping" }
                if poked {
                    lastWord = now
                } else if now - lastWord >= .milliseconds(Int(Self.silence)) {
                    return "it did not say a word for \(Self.silence / 1000) s"
                }
                continue
            }
            lastWord = now
            if now - second > .seconds(1) {
                second = now
                lines = 0
            }
            lines += 1
            guard lines <= Self.maximumLines else { return "it talks too much" }
            guard let said = WitnessLine(line) else { return "it said something that is not in the protocol" }
            defer { if said.hasValue { srup_wipe_stack() } }
            switch said {
            case .hello(let kind):
                guard kind == name else { return "it is a \(kind) witness, not a \(name) witness" }
            case .event(let event): onEvent(event)
            case .alive: break
            }
        }
    }

    private func exitReason(_ process: pid_t) -> String {
        guard process > 0 else { return "it closed its socket (see journalctl -u 'srup-witness@*')" }
        // The socket closes a moment before the process has ended.
        for _ in 0..<20 {
            if let end = ChildProcess.ended(process) { return end.description }
            usleep(10_000)
        }
        return "it closed its socket"
    }

    private func spawn(_ executable: String, _ descriptor: Int32) throws(ChildProcess.Failure) -> pid_t {
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer { close(null) }
        var environment: [String: String] = [:]
        for name in Self.passedOn { environment[name] = getenv(name).map { String(cString: $0) } }
        // Taking a backtrace of a process that has died costs half a second in which nobody looks.
        environment["SWIFT_BACKTRACE"] = "enable=no"
        return try ChildProcess.start(
            executable, arguments, environment: environment, descriptors: [0: null, 3: descriptor])
    }

    /// What of our environment a witness needs; the rest (credentials, say) is none of its business.
    private static let passedOn = [
        "PATH", "LANG", "TZ", "LD_LIBRARY_PATH", "LD_PRELOAD", "LIBCAMERA_LOG_LEVELS", "LIBCAMERA_IPA_MODULE_PATH",
        "LIBV4LCONTROL_FLAGS", "LIBNFC_LOG_LEVEL", "ASAN_OPTIONS", "SRUP_I2C_SOCKET", "SRUP_I2C_DEVICE",
    ]
}
