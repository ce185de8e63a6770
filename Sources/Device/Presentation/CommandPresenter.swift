import CodeWriter
import Glibc
import Linux
import Synchronization

/// Gives the code as a PNG to a command's standard input, each time it changes; nothing at all to clear the display.
public struct CommandPresenter: NoncePresenter {
    private let command: String
    private let scale: Int
    private let limit: Duration
    private let panel = Panel()

    /// What was done last.
    private final class Panel: Sendable {
        let isBlank = Mutex(false)
    }

    /// - Parameters:
    ///   - command: run by `/bin/sh -c`; the environment variable `SRUP_DISPLAY` says `show` or `clear`, and
    ///     `SRUP_DISPLAY_REFRESH` what an e-ink panel needs: `partial` where it is blank, so that nothing of an earlier code
    ///     shines through, else `full`.
    ///   - scale: pixels to a module.
    ///   - limit: after which the command is killed.
    public init(_ command: String, scale: Int = 8, limit: Duration = .seconds(10)) {
        self.command = command
        self.scale = scale
        self.limit = limit
    }

    /// Runs the command with the code as a PNG on its standard input, and waits for its end.
    ///
    /// - Parameter hex: 32 hexadecimal characters, borrowed.
    /// - Throws: ``PresentationError`` when it cannot be started, fails, or does not end in time.
    public func show(_ hex: UnsafeRawBufferPointer) throws {
        var png = try QRMatrix(hex: hex).png(scale: scale)
        defer { explicit_bzero(&png, png.count) }
        try run(png, mode: "show")
    }

    /// The picture that the command would get; it is not run.
    public func pictures(_ hex: UnsafeRawBufferPointer) throws -> [ShownPicture] {
        [ShownPicture("the picture for \"\(command)\"", png: try QRMatrix(hex: hex).png(scale: scale))]
    }

    /// The same with a text in place of the code.
    func show(text: String) throws { try show(bytes: Array(text.utf8)) }

    /// The same with any bytes.
    func show(bytes: [UInt8]) throws {
        var bytes = bytes
        defer { explicit_bzero(&bytes, bytes.count) }
        try run(bytes, mode: "show")
    }

    /// Runs the command with nothing on its standard input, and waits for its end.
    ///
    /// - Throws: ``PresentationError`` when it cannot be started, fails, or does not end in time.
    public func clear() throws {
        try run([], mode: "clear")
        panel.isBlank.withLock { $0 = true }
    }

    private func run(_ input: [UInt8], mode: String) throws(PresentationError) {
        var ends: [Int32] = [0, 0]
        // A socket and not a pipe: it can be written to without SIGPIPE.
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw .commandFailed(command, how: "could not be started: \(String(cString: strerror(errno)))")
        }
        let writing = ends[0]
        defer { close(writing) }
        let process: pid_t
        do throws(PresentationError) {
            process = try spawn(input: ends[1], mode)
        } catch {
            close(ends[1])
            throw error
        }
        close(ends[1])
        let deadline = ContinuousClock.now + limit
        feed(input, to: writing, until: deadline)
        shutdown(writing, SocketFlags.endWriting)
        try wait(for: process, until: deadline)
    }

    private func spawn(input: Int32, _ mode: String) throws(PresentationError) -> pid_t {
        // When we are killed the shell is told, and takes with it what it has started: all of its group. It hears that at once
        // since it waits for a command in the background, which would have an empty input without the detour.
        let isBlank = panel.isBlank.withLock { isBlank in
            defer { isBlank = false }
            return isBlank
        }
        let refresh = isBlank && mode == "show" ? "partial" : "full"
        let script = """
            export SRUP_DISPLAY=\(mode) SRUP_DISPLAY_REFRESH=\(refresh); trap 'kill -9 0' TERM; exec 3<&0
            /bin/sh -c "$1" <&3 3<&- & wait $!
            """
        do throws(ChildProcess.Failure) {
            return try ChildProcess.start(
                "/bin/sh", ["-c", script, "display", command], descriptors: [0: input])
        } catch {
            throw .commandFailed(command, how: "could not be started: \(error)")
        }
    }

    private func feed(_ input: [UInt8], to descriptor: Int32, until deadline: ContinuousClock.Instant) {
        var sent = 0
        while sent < input.count {
            var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            let left = Int32(max(0, (deadline - .now) / .milliseconds(1)))
            guard poll(&poller, 1, left) > 0 else { return }
            let count = input[sent...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, SocketFlags.noSignal | SocketFlags.dontWait)
            }
            if count < 0 && (errno == EINTR || errno == EAGAIN) { continue }
            // A command that does not want its input is judged by its exit code.
            guard count > 0 else { return }
            sent += count
        }
    }

    private func wait(for process: pid_t, until deadline: ContinuousClock.Instant) throws(PresentationError) {
        switch ChildProcess.wait(process, until: deadline, killsGroup: true) {
        case .exited(0): return
        case .exited(let code): throw .commandFailed(command, how: "ended with code \(code)")
        case .killed(let signal): throw .commandFailed(command, how: "was ended by signal \(signal)")
        case nil: throw .commandFailed(command, how: "did not end in \(limit)")
        }
    }
}
