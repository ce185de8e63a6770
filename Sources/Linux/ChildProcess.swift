import CLinux
import Glibc

/// Starts programs with nothing of ours that they did not ask for: only the descriptors named, default signal handling
/// and no blocked signals (threads of the cooperative pool block SIGTERM, and a child would inherit that).
public enum ChildProcess {
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public let description: String
    }

    /// The path of this program's own file.
    public static var executable: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return "/proc/self/exe" }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The path of another of our programs: beside this one.
    public static func sibling(_ name: String) -> String {
        let own = executable
        return (own.lastIndex(of: "/").map { String(own[...$0]) } ?? "") + name
    }

    /// Starts a program; the caller reaps it (``reap(_:)``).
    ///
    /// - Parameters:
    ///   - executable: its path.
    ///   - arguments: without the program's name.
    ///   - environment: name to value; `nil`: ours.
    ///   - descriptors: descriptor there to descriptor here; what is not named among 0, 1 and 2 is inherited, all others
    ///     are closed.
    ///   - ownGroup: in a process group of its own, so that Ctrl-C in our terminal does not reach it.
    ///   - leash: the signal that the kernel sends it when the calling thread has ended, also when we were killed; `nil`:
    ///     none. The thread has to live as long as the child. By setpriv of util-linux, which every Debian has; without it
    ///     there is no leash.
    /// - Throws: ``Failure``.
    public static func start(
        _ executable: String, _ arguments: [String], environment: [String: String]? = nil,
        descriptors: [Int32: Int32] = [:], ownGroup: Bool = true, leash: Leash? = nil
    ) throws(Failure) -> pid_t {
        if let leash, access(leashProgram, X_OK) == 0 {
            // Its own complaint would be that there is no such program.
            guard access(executable, X_OK) == 0 else {
                throw Failure(description: "\(executable) cannot be started: \(String(cString: strerror(errno)))")
            }
            return try start(
                leashProgram, ["--pdeathsig", leash.rawValue, executable] + arguments, environment: environment,
                descriptors: descriptors, ownGroup: ownGroup)
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (there, here) in descriptors.sorted(by: { $0.key < $1.key }) {
            posix_spawn_file_actions_adddup2(&actions, here, there)
        }
        srup_spawn_close_from(&actions, max(descriptors.keys.max() ?? 0, 2) + 1)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags =
            Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF) | (ownGroup ? Int32(POSIX_SPAWN_SETPGROUP) : 0)
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var argv: [UnsafeMutablePointer<CChar>?] = [strdup(executable)] + arguments.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] =
            (environment?.map { strdup("\($0.key)=\($0.value)") } ?? ours()) + [nil]
        defer { for pointer in argv + variables { free(pointer) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, executable, &actions, &attributes, &argv, &variables)
        guard code == 0 else {
            throw Failure(description: "\(executable) cannot be started: \(String(cString: strerror(code)))")
        }
        return process
    }

    /// How a child learns that we are no more.
    public enum Leash: String, Sendable {
        /// It has something to put back before it ends.
        case ask = "TERM"
        case kill = "KILL"
    }
    private static let leashProgram = "/usr/bin/setpriv"

    /// Kills a process that we have started in a group of its own, and whatever it has started in that group; reaps it.
    public static func end(_ process: pid_t) {
        // Before it is reaped: until then the number of the group is nobody else's.
        kill(-process, SIGKILL)
        while reap(process) == nil { usleep(1000) }
    }

    private static func ours() -> [UnsafeMutablePointer<CChar>?] {
        var copies: [UnsafeMutablePointer<CChar>?] = []
        var next = environ
        while let variable = next.pointee {
            copies.append(strdup(variable))
            next += 1
        }
        return copies
    }

    /// How a process has ended.
    public enum End: Sendable, Hashable, CustomStringConvertible {
        case exited(Int32)
        case killed(signal: Int32)

        public var description: String {
            switch self {
            case .exited(let code): "it exited with code \(code)"
            case .killed(let signal): "it was ended by signal \(signal) (\(String(cString: strsignal(signal))))"
            }
        }
    }

    /// Reaps a process that has ended; `nil` while it runs. Not to be called again after it has told the end.
    public static func reap(_ process: pid_t) -> End? {
        var status: Int32 = 0
        let code = waitpid(process, &status, Int32(WNOHANG))
        // Reaped by somebody else counts as ended.
        if code < 0 { return errno == EINTR ? nil : .exited(0) }
        guard code == process else { return nil }
        return status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: status & 0x7F)
    }

    /// How a process has ended, which stays to be reaped; `nil` while it runs.
    public static func ended(_ process: pid_t) -> End? {
        var information = siginfo_t()
        let code = waitid(P_PID, id_t(process), &information, Int32(WEXITED | WNOHANG | WNOWAIT))
        guard code == 0, information.si_signo == SIGCHLD else { return nil }
        let status = information._sifields._sigchld.si_status
        return information.si_code == CLD_EXITED ? .exited(status) : .killed(signal: status)
    }

    /// Waits for the end, at most until `deadline`; then kills the process (and its group) and returns `nil`.
    public static func wait(_ process: pid_t, until deadline: ContinuousClock.Instant, killsGroup: Bool = false) -> End?
    {
        while true {
            if let end = reap(process) { return end }
            if ContinuousClock.now >= deadline {
                kill(killsGroup ? -process : process, SIGKILL)
                while reap(process) == nil { usleep(1000) }
                return nil
            }
            usleep(2000)
        }
    }
}
