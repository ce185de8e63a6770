import Glibc

/// A command that is run once: without a shell, bounded in time and output, with nothing of ours but what it is given.
///
/// Blocks, on a thread of its caller's.
public struct CommandRun: Sendable {
    /// A program that is run, without a shell.
    public struct Command: Sendable, Equatable {
        /// The program's path.
        public var program: String
        /// Its arguments, without its name.
        public var arguments: [String]
        /// It is killed after this time.
        public var timeout: Duration

        /// A program with its arguments, killed after `timeout`.
        public init(program: String, arguments: [String], timeout: Duration) {
            self.program = program
            self.arguments = arguments
            self.timeout = timeout
        }
    }

    /// A user of this machine.
    public struct User: Sendable, Equatable {
        /// The number.
        public var id: uid_t
        /// The number of its group.
        public var group: gid_t

        /// A user by its number and its group's.
        public init(id: uid_t, group: gid_t) {
            self.id = id
            self.group = group
        }
    }

    private let command: Command
    private let user: User?
    private let environment: [String: String]
    private let input: [UInt8]
    private let maximumOutput: Int

    /// Whatever is sent must fit into one value.
    public static let maximumOutput = 8192

    /// A run that has not begun.
    ///
    /// - Parameters:
    ///   - command: what is run.
    ///   - user: as whom; `nil`: as we are.
    ///   - environment: beside PATH and LANG.
    ///   - input: on its standard input.
    ///   - maximumOutput: more output than this ends it, in bytes.
    public init(
        command: Command, user: User? = nil, environment: [String: String] = [:], input: [UInt8] = [],
        maximumOutput: Int = CommandRun.maximumOutput
    ) {
        self.command = command
        self.user = user
        self.environment = environment
        self.input = input
        self.maximumOutput = maximumOutput
    }

    /// The program that is run.
    public var program: String { command.program }

    /// What it says on its standard error is kept up to this, for the log.
    private static let maximumComplaint = 512

    /// Why it is no success.
    public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
        case cannotStart(String)
        case tooSlow(Duration)
        case tooMuch(Int)
        case ended(String, said: String)

        /// The reason, in words that follow the program's name.
        public var description: String {
            switch self {
            case .cannotStart(let why): why
            case .tooSlow(let limit): "it did not end in \(limit) and was killed"
            case .tooMuch(let bytes): "it wrote more than \(bytes) bytes and was killed"
            case .ended(let how, let said): said.isEmpty ? how : "\(how): \(said.debugDescription)"
            }
        }
    }

    /// Runs it to its end.
    ///
    /// - Returns: what it has written to its standard output.
    /// - Throws: ``Failure``.
    public func run() throws(Failure) -> [UInt8] {
        var pipes = Pipes()
        defer { pipes.close() }
        guard pipes.open() else { throw .cannotStart("no pipe can be made: \(String(cString: strerror(errno)))") }
        let process: pid_t
        do throws(ChildProcess.Failure) {
            process = try ChildProcess.start(
                command.program, command.arguments, environment: variables,
                descriptors: [0: pipes.input.theirs, 1: pipes.output.theirs, 2: pipes.complaint.theirs],
                user: user.map { ($0.id, $0.group) }, isConfined: true, lastSignal: SIGKILL)
        } catch {
            throw .cannotStart(error.description)
        }
        pipes.closeTheirs()
        // With all that it has started, also when it has ended itself; before it is reaped, while the group is its own.
        defer { ChildProcess.end(process) }
        let deadline = ContinuousClock.now + command.timeout
        let (output, said) = try exchange(&pipes, until: deadline)
        while true {
            if let end = ChildProcess.ended(process) {
                guard end == .exited(0) else { throw .ended(end.description, said: said) }
                return output
            }
            guard ContinuousClock.now < deadline else { throw .tooSlow(command.timeout) }
            usleep(2000)
        }
    }

    private var variables: [String: String] {
        var variables = environment
        variables["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        variables["LANG"] = "C.UTF-8"
        return variables
    }

    /// Gives it its input and takes its output, until it has closed both ends of that.
    private func exchange(
        _ pipes: inout Pipes, until deadline: ContinuousClock.Instant
    ) throws(Failure) -> ([UInt8], String) {
        var (output, complaint): ([UInt8], [UInt8]) = ([], [])
        var sent = 0
        if input.isEmpty { pipes.input.closeOurs() }
        while pipes.output.ours >= 0 || pipes.complaint.ours >= 0 {
            var polled = [
                pollfd(fd: pipes.output.ours, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pipes.complaint.ours, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pipes.input.ours, events: Int16(POLLOUT), revents: 0),
            ]
            let left = deadline - ContinuousClock.now
            guard left > .zero else { throw .tooSlow(command.timeout) }
            poll(&polled, 3, Int32(clamping: Int(left / .milliseconds(1)) + 1))
            if polled[0].revents != 0, let got = pipes.output.read() {
                output += got
                guard output.count <= maximumOutput else { throw .tooMuch(maximumOutput) }
            }
            if polled[1].revents != 0, let got = pipes.complaint.read() {
                complaint += got.prefix(Self.maximumComplaint - min(complaint.count, Self.maximumComplaint))
            }
            if polled[2].revents != 0 {
                let rest = Array(input[sent...])
                let count = send(pipes.input.ours, rest, rest.count, SocketFlags.noSignal | SocketFlags.dontWait)
                // One that does not want its input is judged by its exit code.
                if count > 0 { sent += count }
                if (count < 0 && errno != EAGAIN && errno != EINTR) || sent == input.count { pipes.input.closeOurs() }
            }
        }
        while complaint.last == 10 { complaint.removeLast() }
        return (output, String(decoding: complaint, as: UTF8.self).withoutControls)
    }
}

/// Ours and theirs, of input, output and errors: sockets, which can be written to without SIGPIPE.
private struct Pipes {
    struct End {
        var ours: Int32 = -1
        var theirs: Int32 = -1

        mutating func open() -> Bool {
            var ends: [Int32] = [0, 0]
            guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
                return false
            }
            (ours, theirs) = (ends[0], ends[1])
            return true
        }

        mutating func closeOurs() {
            if ours >= 0 { Glibc.close(ours) }
            ours = -1
        }

        mutating func closeTheirs() {
            if theirs >= 0 { Glibc.close(theirs) }
            theirs = -1
        }

        /// What is there; `nil`, and closed, at the end.
        mutating func read() -> [UInt8]? {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(ours, &buffer, buffer.count, SocketFlags.dontWait)
            if count < 0 && (errno == EAGAIN || errno == EINTR) { return nil }
            guard count > 0 else {
                closeOurs()
                return nil
            }
            return Array(buffer[..<count])
        }
    }

    var input = End()
    var output = End()
    var complaint = End()

    mutating func open() -> Bool { input.open() && output.open() && complaint.open() }

    mutating func closeTheirs() {
        input.closeTheirs()
        output.closeTheirs()
        complaint.closeTheirs()
    }

    mutating func close() {
        closeTheirs()
        input.closeOurs()
        output.closeOurs()
        complaint.closeOurs()
    }
}
