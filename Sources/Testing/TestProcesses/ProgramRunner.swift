import Foundation
import Linux
import Synchronization

/// Starts programs, all in one temporary folder; ``close()`` leaves nothing running and nothing behind. Nor does a
/// process that is killed: its children end with it, and a sweeper, which outlives it, removes the folder.
///
/// May be closed on another thread than the one that works with it: what that one starts afterwards fails.
public final class ProgramRunner: Sendable {
    /// Why something did not work.
    public struct Failure: Error, CustomStringConvertible {
        /// The reason for people, often with the end of the program's log.
        public let description: String

        /// A reason in words.
        public init(description: String) {
            self.description = description
        }
    }

    /// Where the running program lies: what `swift build` made, tests included, lies together.
    public static let ownFolder = URL(
        fileURLWithPath: (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    ).deletingLastPathComponent().path

    /// Path of the folder in which everything lies; logs are in its folder `log`.
    public let folder: String
    /// Path of the folder with our programs; what is not there is looked for on the machine.
    public let binaries: String
    private struct State {
        var processes: [(name: String, process: pid_t)] = []
        /// Those that ``run(_:_:as:within:)`` waits for, and reaps.
        var awaited: Set<pid_t> = []
        var isClosed = false
    }
    private let state = Mutex(State())
    private let keeps: Bool
    private let sweeper: Sweeper?

    /// - Parameters:
    ///   - folder: where everything lies, kept at the end; `nil`: a temporary one, removed at the end.
    ///   - binaries: the folder with our programs.
    public init(keeping folder: String? = nil, binaries: String = ProgramRunner.ownFolder) throws {
        keeps = folder != nil
        self.binaries = binaries
        self.folder = folder ?? FileManager.default.temporaryDirectory.path + "/srup-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: self.folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        sweeper = keeps ? nil : try Sweeper(folder: self.folder)
    }

    /// The path of something in the runner's folder.
    public func path(_ name: String) -> String { folder + "/" + name }

    /// Writes a string to a file in the runner's folder, in UTF-8, in place of what is there.
    ///
    /// - Throws: Foundation's error when it cannot be written.
    public func write(_ text: String, to name: String) throws {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
    }

    /// A program of ours beside this one, or one on the machine.
    private func executable(_ name: String) throws -> String {
        if name.hasPrefix("/") { return name }
        let ours = binaries + "/" + name
        if FileManager.default.isExecutableFile(atPath: ours) { return ours }
        for folder in ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin"] {
            let path = folder + "/" + name
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw Failure(description: "\(name) is not installed (deploy/demo installs what is missing)")
    }

    private func spawn(_ name: String, _ arguments: [String], log: String) throws -> pid_t {
        let logPath = path("log/\(log).log")
        try FileManager.default.createDirectory(atPath: path("log"), withIntermediateDirectories: true)
        let output = open(logPath, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer {
            Glibc.close(output)
            Glibc.close(null)
        }
        guard output >= 0 else { throw Failure(description: "\(logPath) cannot be written") }
        return try ChildProcess.start(try executable(name), arguments, descriptors: [0: null, 1: output, 2: output])
    }

    /// Starts something that goes on until ``stop(_:)`` or ``close()``.
    public func start(_ name: String, _ arguments: [String], as role: String) throws {
        try state.withLock { state in
            guard !state.isClosed else { throw Self.closed }
            state.processes.append((role, try spawn(name, arguments, log: role)))
        }
    }

    private static let closed = Failure(description: "the runner is closed")

    /// Runs something to its end, a minute at most if nothing else is said; returns its exit code, -1 when it was killed.
    @discardableResult
    public func run(_ name: String, _ arguments: [String], as role: String, within seconds: Int = 60) throws -> Int32 {
        let process = try state.withLock { state in
            guard !state.isClosed else { throw Self.closed }
            let process = try spawn(name, arguments, log: role)
            state.awaited.insert(process)
            return process
        }
        defer { _ = state.withLock { $0.awaited.remove(process) } }
        if case .exited(let code) = ChildProcess.wait(process, until: .now + .seconds(seconds)) { return code }
        return -1
    }

    /// Runs something that must succeed.
    public func must(_ name: String, _ arguments: [String], as role: String) throws {
        let code = try run(name, arguments, as: role)
        guard code == 0 else {
            throw Failure(
                description:
                    "\(name) \(arguments.prefix(2).joined(separator: " ")) failed with code \(code):\n\(tail(of: role))"
            )
        }
    }

    /// Whether the program in this role runs now.
    public func isRunning(_ role: String) -> Bool { processIdentifier(role) != nil }

    /// Ends a program as a service manager does: SIGTERM, and SIGKILL after four seconds.
    public func stop(_ role: String) {
        end(role, SIGTERM)
    }

    /// As a crash: no signal handler runs.
    public func kill9(_ role: String) {
        end(role, SIGKILL)
    }

    /// Sends a signal and waits for the end; the exit code, `nil` when it had to be killed or was not running.
    public func end(_ role: String, _ signal: Int32, within seconds: Int = 20) -> Int32? {
        guard let process = take(role).first else { return nil }
        kill(process, signal)
        if case .exited(let code) = ChildProcess.wait(process, until: .now + .seconds(seconds)) { return code }
        return nil
    }

    /// The process of the program in this role; `nil` when none runs.
    public func processIdentifier(_ role: String) -> Int32? {
        state.withLock { state in
            state.processes.removeAll { ChildProcess.reap($0.process) != nil }
            return state.processes.first { $0.name == role }?.process
        }
    }

    private func end(_ role: String, _ signal: Int32) {
        for process in take(role) {
            kill(process, signal)
            _ = ChildProcess.wait(process, until: .now + .seconds(4))
        }
    }

    /// Who ends a process reaps it: from here on it is not listed any more.
    private func take(_ role: String) -> [pid_t] {
        state.withLock { state in
            defer { state.processes.removeAll { $0.name == role } }
            return state.processes.filter { $0.name == role }.map(\.process)
        }
    }

    /// The end of a program's log, for error messages.
    public func tail(of role: String) -> String {
        let text = (try? String(contentsOfFile: path("log/\(role).log"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(12).map { "    \($0)" }.joined(separator: "\n")
    }

    /// Ends all that runs and removes the folder; without effect the second time.
    public func close() {
        let processes = state.withLock { state -> [pid_t] in
            defer { state.processes.removeAll() }
            state.isClosed = true
            for process in state.awaited { kill(process, SIGKILL) }
            return state.processes.reversed().map(\.process)
        }
        for process in processes { kill(process, SIGTERM) }
        for process in processes { _ = ChildProcess.wait(process, until: .now + .seconds(4)) }
        if !keeps { try? FileManager.default.removeItem(atPath: folder) }
        if !FileManager.default.fileExists(atPath: folder) { sweeper?.dismiss() }
    }

    private static let givenPorts = Mutex<Set<Int>>([])

    /// A TCP port on loopback that is free now, and that this process has not been given before. It is below those that the
    /// kernel takes for outgoing connections (32768 and up, ip(7)): one of them could have it before the server that wants it.
    public static func freePort() throws -> Int {
        for _ in 0..<1000 {
            let port = Int.random(in: 10_000..<30_000)
            guard isFree(port), givenPorts.withLock({ $0.insert(port).inserted }) else { continue }
            return port
        }
        throw Failure(description: "no free port on loopback")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(descriptor) }
        return withLoopback(port) { bind(descriptor, $0, $1) } == 0
    }

    private static func withLoopback(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// Whether somebody accepts TCP connections at a port on loopback (127.0.0.1).
    public static func accepts(port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(descriptor) }
        return withLoopback(port) { connect(descriptor, $0, $1) } == 0
    }
}
