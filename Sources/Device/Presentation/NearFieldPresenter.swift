import Glibc
import Linux
import Synchronization

/// Presents the value to whoever taps the reader, in a program of its own (`srup-witness nfc write`): libnfc can end or
/// hang the process that it runs in, and this one holds the device's keys.
///
/// The value goes over a socket, never on a command line. A program that dies is started again until ``clear()``.
public final class NearFieldPresenter: NoncePresenter {
    private let executable: String
    private let arguments: [String]

    private struct State {
        /// Counts what was shown: a thread of an earlier one ends.
        var turn = 0
        var value: [UInt8] = []
        var process: pid_t = 0
    }
    private let state = Mutex(State())

    /// - Parameters:
    ///   - reader: "auto", "pn532_uart:/dev/ttyUSB0", "pn532_i2c:/dev/i2c-1" or "by-id:NAME".
    ///   - asCard: emulates a Type 4 card instead of calling as a peer.
    ///   - executable: of srup-witness.
    public init(reader: String, asCard: Bool, executable: String = ChildProcess.sibling("srup-witness")) {
        self.executable = executable
        arguments = ["nfc", "write", "--keep", "--device", reader, "--as", asCard ? "card" : "peer"]
    }

    deinit {
        stop()
    }

    /// Starts presenting a value, in place of an earlier one; returns at once.
    ///
    /// - Parameter hex: 32 hexadecimal characters; a copy is kept until ``clear()``, and then wiped.
    /// - Throws: ``PresentationError/commandFailed(_:how:)`` when the program is not there.
    public func show(_ hex: UnsafeRawBufferPointer) throws {
        stop()
        guard access(executable, X_OK) == 0 else {
            throw PresentationError.commandFailed(executable, how: "is not there")
        }
        let turn = state.withLock { state in
            state.value = Array(hex)
            return state.turn
        }
        DetachedThread.start(stack: 128) { self.keepRunning(turn) }
    }

    /// Wipes the value and asks the program to end, which is killed when it has not after two seconds; does not wait.
    public func clear() throws {
        stop()
    }

    private func stop() {
        let process = state.withLock { state -> pid_t in
            state.turn += 1
            explicit_bzero(&state.value, state.value.count)
            state.value = []
            defer { state.process = 0 }
            return state.process
        }
        // It turns its field off and ends; its thread reaps it.
        if process > 0 { kill(process, SIGTERM) }
    }

    private func keepRunning(_ turn: Int) {
        while let process = start(turn) {
            // Asked to end, it has two seconds for it.
            var leftAt: ContinuousClock.Instant?
            while !hasEnded(process) {
                usleep(20_000)
                guard state.withLock({ $0.turn != turn }) else { continue }
                leftAt = leftAt ?? .now
                if let leftAt, ContinuousClock.now - leftAt > .seconds(2) { kill(process, SIGKILL) }
            }
            for _ in 0..<10 where state.withLock({ $0.turn == turn }) { usleep(20_000) }
        }
    }

    /// Reaps it when it has ended. Under the lock: from then on its number may be another's, which must not get our signal.
    private func hasEnded(_ process: pid_t) -> Bool {
        state.withLock { state in
            guard ChildProcess.reap(process) != nil else { return false }
            if state.process == process { state.process = 0 }
            return true
        }
    }

    /// Starts the program when `turn` is still the one wanted.
    private func start(_ turn: Int) -> pid_t? {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            return nil
        }
        defer { for end in ends { close(end) } }
        return state.withLock { state -> pid_t? in
            guard state.turn == turn else { return nil }
            // 33 bytes fit any socket: this does not block.
            var line = state.value + [10]
            _ = write(ends[1], line, line.count)
            explicit_bzero(&line, line.count)
            guard
                let process = try? ChildProcess.start(
                    executable, arguments, descriptors: [0: ends[0]], lastSignal: SIGKILL)
            else { return nil }
            state.process = process
            return process
        }
    }
}
