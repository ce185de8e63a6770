import Foundation
import Linux
import Synchronization

/// A PostgreSQL server of its own in a temporary folder, which nobody reaches but by its socket there. It ends with this
/// process, however that ends, and its folder goes.
public final class PostgresServer: Sendable {
    /// Why there can be none on this machine; `nil`: there can.
    public static var missing: String? {
        guard programs != nil else { return "PostgreSQL is not installed (deploy/setup --tests installs it)" }
        return geteuid() == 0 && user == nil ? "PostgreSQL refuses to run as root, and there is no user nobody" : nil
    }

    /// The newest one's folder: Debian keeps its versions side by side.
    private static let programs: String? = {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        let folders =
            versions.sorted { Int($0) ?? 0 > Int($1) ?? 0 }.map { "/usr/lib/postgresql/\($0)/bin" }
            + ["/usr/local/bin", "/usr/bin"]
        return folders.first { FileManager.default.isExecutableFile(atPath: $0 + "/postgres") }
    }()

    /// Whom it runs as, when we are root.
    private static let user: (id: uid_t, group: gid_t)? = (getpwnam("postgres") ?? getpwnam("nobody")).map {
        ($0.pointee.pw_uid, $0.pointee.pw_gid)
    }

    /// For tests that do no harm to it: one for all of them, and a database for each.
    public static let shared = Result { try PostgresServer() }

    private let folder: String
    private let process = Mutex<pid_t?>(nil)
    private let sweeper: Sweeper

    /// Makes a server and starts it.
    ///
    /// - Throws: ``ProgramRunner/Failure``, ``ChildProcess/Failure``.
    public init() throws {
        if let missing = Self.missing { throw ProgramRunner.Failure(description: missing) }
        folder = FileManager.default.temporaryDirectory.path + "/srup-pg-\(UUID().uuidString.prefix(8))"
        guard mkdir(folder, 0o700) == 0 else { throw ProgramRunner.Failure(description: "\(folder) cannot be made") }
        sweeper = try Sweeper(folder: folder)
        if geteuid() == 0, let user = Self.user { chown(folder, user.id, user.group) }
        try must("initdb", ["-D", folder + "/data", "-U", "srup", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"])
        try start()
    }

    deinit {
        crash()
        try? FileManager.default.removeItem(atPath: folder)
        sweeper.dismiss()
    }

    private func spawn(_ name: String, _ arguments: [String]) throws -> pid_t {
        let log = open(folder + "/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer {
            close(log)
            close(null)
        }
        guard let programs = Self.programs else { throw ProgramRunner.Failure(description: "there is no \(name)") }
        return try ChildProcess.start(
            programs + "/" + name, arguments, descriptors: [0: null, 1: log, 2: log],
            user: geteuid() == 0 ? Self.user : nil, lastSignal: SIGQUIT)
    }

    private func must(_ name: String, _ arguments: [String]) throws {
        let end = ChildProcess.wait(try spawn(name, arguments), until: .now + .seconds(60))
        guard end == .exited(0) else { throw ProgramRunner.Failure(description: "\(name) failed:\n\(logTail)") }
    }

    private var logTail: String {
        let text = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(12).joined(separator: "\n")
    }

    /// Starts it again, and waits until it answers.
    ///
    /// - Parameter settings: as on its command line: `name=value`.
    /// - Throws: ``ProgramRunner/Failure``, ``ChildProcess/Failure``.
    public func start(_ settings: [String] = []) throws {
        try? FileManager.default.removeItem(atPath: folder + "/data/postmaster.pid")
        let own = ["listen_addresses=", "max_connections=60", "shared_buffers=16MB"]
        let started = try spawn(
            "postgres", ["-D", folder + "/data", "-k", folder] + (own + settings).flatMap { ["-c", $0] })
        process.withLock { $0 = started }
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            let state = (try? String(contentsOfFile: folder + "/data/postmaster.pid", encoding: .utf8)) ?? ""
            if state.split(separator: "\n").last?.hasPrefix("ready") == true { return }
            usleep(20_000)
        }
        throw ProgramRunner.Failure(description: "the server does not answer:\n\(logTail)")
    }

    /// Whether it was started and has not been ended.
    public var isRunning: Bool { process.withLock { $0 != nil } }

    /// Ends it at once, and all that belongs to it, as a power cut does.
    public func crash() {
        guard let process = process.withLock({ $0.take() }) else { return }
        // First it, which would start others in their place.
        let children = Self.children(of: process)
        kill(process, SIGKILL)
        for child in children { kill(child, SIGKILL) }
        _ = ChildProcess.wait(process, until: .now + .seconds(4))
        // They share its memory: a new one refuses to start beside them.
        for child in children { while kill(child, 0) == 0, Self.parent(of: child) != nil { usleep(1000) } }
    }

    /// Stops the whole server as it is (SIGSTOP), or lets it go on.
    public func freeze(_ isFrozen: Bool) {
        guard let process = process.withLock({ $0 }) else { return }
        for one in [process] + Self.children(of: process) { kill(one, isFrozen ? SIGSTOP : SIGCONT) }
    }

    private static func children(of process: pid_t) -> [pid_t] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { pid_t($0) }
            .filter { parent(of: $0) == process }
    }

    /// `nil` when it has ended, too. proc(5): state and parent come after the name.
    private static func parent(of process: pid_t) -> pid_t? {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        return fields.count > 1 && fields[0] != "Z" && fields[0] != "X" ? pid_t(fields[1]) : nil
    }

    // MARK: Databases

    /// Makes an empty database.
    ///
    /// - Returns: its address.
    /// - Throws: ``ProgramRunner/Failure``, ``ChildProcess/Failure``.
    public func makeDatabase(encoding: String = "UTF8") throws -> String {
        let name = "t" + UUID().uuidString.lowercased().replacing("-", with: "")
        try must("createdb", ["-h", folder, "-U", "srup", "-T", "template0", "-E", encoding, name])
        return "postgresql://srup@/\(name)?host=\(folder)"
    }

    /// Runs statements as another program does.
    ///
    /// - Returns: what they give, a line for each row and `|` between columns.
    /// - Throws: ``ChildProcess/Failure``.
    @discardableResult
    public func sql(_ statements: String, at address: String) throws -> String {
        guard let programs = Self.programs else { return "" }
        let output = try ChildProcess.output(
            of: programs + "/psql", ["-X", "-At", "-c", statements, address], until: .now + .seconds(30),
            atMost: 1 << 20)
        return String(decoding: output.bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
