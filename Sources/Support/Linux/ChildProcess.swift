import CLinux
import Glibc

/// Starts programs with nothing of ours that they did not ask for: only the descriptors named, default signal handling
/// and no blocked signals (threads of the cooperative pool block SIGTERM, and a child would inherit that).
public enum ChildProcess {
    /// Why a program could not be started.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// The program's path and the system's reason, for people.
        public let description: String

        init(description: String) {
            self.description = description
        }

        /// What cannot be started, and an errno.
        public init(_ what: String, _ code: Int32) {
            description = "\(what) cannot be started: \(String(cString: strerror(code)))"
        }
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

    /// Starts a program; the caller reaps it (``reap(_:)``). It ends with us, however we end.
    ///
    /// - Parameters:
    ///   - executable: its path.
    ///   - arguments: without the program's name.
    ///   - environment: name to value; `nil`: ours.
    ///   - descriptors: descriptor there to descriptor here; what is not named among 0, 1 and 2 is inherited, all others
    ///     are closed.
    ///   - ownGroup: in a process group of its own, so that Ctrl-C in our terminal does not reach it.
    ///   - user: who it becomes, with no other groups than this; only root can say so. `nil`: stays who we are.
    ///   - isConfined: whether it can never gain rights, whatever it starts.
    ///   - lastSignal: what the kernel sends it when we have ended; `nil`: nothing, it outlives us.
    /// - Throws: ``Failure``.
    public static func start(
        _ executable: String, _ arguments: [String], environment: [String: String]? = nil,
        descriptors: [Int32: Int32] = [:], ownGroup: Bool = true, user: (id: uid_t, group: gid_t)? = nil,
        isConfined: Bool = false, lastSignal: Int32? = SIGTERM
    ) throws(Failure) -> pid_t {
        let argv: [UnsafeMutablePointer<CChar>?] = [strdup(executable)] + arguments.map { strdup($0) } + [nil]
        let variables: [UnsafeMutablePointer<CChar>?] =
            (environment?.map { strdup("\($0.key)=\($0.value)") } ?? ours()) + [nil]
        defer { for pointer in argv + variables { free(pointer) } }
        let pairs = descriptors.sorted { $0.key < $1.key }
        let process = executable.withCString { path in
            argv.withUnsafeBufferPointer { argv in
                variables.withUnsafeBufferPointer { variables in
                    pairs.map(\.key).withUnsafeBufferPointer { there in
                        pairs.map(\.value).withUnsafeBufferPointer { here in
                            nonisolated(unsafe) var child = srup_child()
                            child.path = path
                            child.arguments = argv.baseAddress
                            child.environment = variables.baseAddress
                            child.there = there.baseAddress
                            child.here = here.baseAddress
                            child.descriptors = Int32(pairs.count)
                            child.first_closed = max(pairs.last?.key ?? 0, 2) + 1
                            child.has_own_group = ownGroup ? 1 : 0
                            child.death_signal = lastSignal ?? 0
                            child.is_confined = isConfined ? 1 : 0
                            if let user {
                                child.has_user = 1
                                (child.user, child.group) = (user.id, user.group)
                            }
                            return Nursery.shared.run { srup_start_child(&child) }
                        }
                    }
                }
            }
        }
        guard process > 0 else {
            throw Failure(description: "\(executable) cannot be started: \(String(cString: strerror(-process)))")
        }
        return process
    }

    /// Kills whoever else is in our process group: what we have started, and what that has started. We go on, and can end with
    /// a code of our own.
    public static func endOthersOfOwnGroup() {
        let (group, own) = (getpgrp(), getpid())
        // Who is killed may have started another one just before.
        for _ in 0..<16 {
            let others = processes().filter { $0 != own && getpgid($0) == group && !isDead($0) }
            guard !others.isEmpty else { return }
            for process in others { kill(process, SIGKILL) }
            usleep(1000)
        }
    }

    private static func processes() -> [pid_t] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var found: [pid_t] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let process = pid_t(name) { found.append(process) }
        }
        return found
    }

    /// Whether it has ended and only waits for its parent to learn that; proc(5): the state comes after the name.
    private static func isDead(_ process: pid_t) -> Bool {
        let descriptor = open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return true }
        defer { close(descriptor) }
        var text = [UInt8](repeating: 0, count: 512)
        let count = read(descriptor, &text, text.count)
        guard count > 0, let end = text[..<count].lastIndex(of: UInt8(ascii: ")")), end + 2 < count else { return true }
        return text[end + 2] == UInt8(ascii: "Z") || text[end + 2] == UInt8(ascii: "X")
    }

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

        /// The end in words: "it exited with code 1".
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
