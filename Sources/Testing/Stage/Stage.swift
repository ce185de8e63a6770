import Foundation
import Linux

/// Everything the demo starts, in one temporary folder; ``close()`` leaves nothing running and nothing behind.
public final class Stage {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String

        public init(description: String) {
            self.description = description
        }
    }

    /// Where the running program lies: what `swift build` made, tests included, lies together.
    public static let ownFolder = URL(
        fileURLWithPath: (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    ).deletingLastPathComponent().path

    public let folder: String
    public let binaries: String
    private var processes: [(name: String, process: pid_t)] = []
    private let keeps: Bool

    /// - Parameters:
    ///   - folder: where everything lies, kept at the end; `nil`: a temporary one, removed at the end.
    ///   - binaries: the folder with our programs.
    public init(keeping folder: String? = nil, binaries: String = Stage.ownFolder) throws {
        keeps = folder != nil
        self.binaries = binaries
        self.folder = folder ?? FileManager.default.temporaryDirectory.path + "/srup-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(
            atPath: self.folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    public func path(_ name: String) -> String { folder + "/" + name }

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
        processes.append((role, try spawn(name, arguments, log: role)))
    }

    /// Runs something to its end, a minute at most if nothing else is said; returns its exit code, -1 when it was killed.
    @discardableResult
    public func run(_ name: String, _ arguments: [String], as role: String, within seconds: Int = 60) throws -> Int32 {
        let process = try spawn(name, arguments, log: role)
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
        guard let process = processes.first(where: { $0.name == role })?.process else { return nil }
        processes.removeAll { $0.name == role }
        kill(process, signal)
        if case .exited(let code) = ChildProcess.wait(process, until: .now + .seconds(seconds)) { return code }
        return nil
    }

    public func processIdentifier(_ role: String) -> Int32? {
        processes.removeAll { ChildProcess.reap($0.process) != nil }
        return processes.first { $0.name == role }?.process
    }

    private func end(_ role: String, _ signal: Int32) {
        for (_, process) in processes.filter({ $0.name == role }) {
            kill(process, signal)
            _ = ChildProcess.wait(process, until: .now + .seconds(4))
        }
        processes.removeAll { $0.name == role }
    }

    /// The end of a program's log, for error messages.
    public func tail(of role: String) -> String {
        let text = (try? String(contentsOfFile: path("log/\(role).log"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(12).map { "    \($0)" }.joined(separator: "\n")
    }

    public func close() {
        for (_, process) in processes.reversed() { kill(process, SIGTERM) }
        for (_, process) in processes.reversed() { _ = ChildProcess.wait(process, until: .now + .seconds(4)) }
        processes.removeAll()
        if !keeps { try? FileManager.default.removeItem(atPath: folder) }
    }

    /// A TCP port on loopback that is free now.
    public static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 ? getsockname(descriptor, address, &length) : -1
            }
        }
        guard code == 0 else { throw Failure(description: "no free port on loopback") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    public static func accepts(port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { Glibc.close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
