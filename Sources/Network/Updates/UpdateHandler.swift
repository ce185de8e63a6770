import Glibc
import Linux
import Storage

/// What puts a payload in the place of the one before, and back. All calls block, and each can be made again after a power cut
/// in its midst: it then goes on, or finds that there is nothing left to do.
protocol UpdateHandler: Sendable {
    /// Where the payload is fetched to: on the file system where it is going to be.
    var part: String { get }
    /// Whether program or machine start anew for the new version to run.
    var restarts: Bool { get }
    /// What has to be known to go back; asked and stored before the switch.
    func prepare(_ payload: Payload) throws(UpdateProblem) -> String
    /// Puts the new one in the old one's place.
    func make(_ payload: Payload, undo: String) throws(UpdateProblem)
    /// Puts the old one back.
    func revert(_ payload: Payload, undo: String) throws(UpdateProblem)
    /// The new one stays: what was kept for going back goes.
    func keep(_ payload: Payload, undo: String) throws(UpdateProblem)
    /// Whether the new version is the one that runs, where ``restarts``; `nil`: that is not known yet.
    func isRunning(_ payload: Payload, undo: String, sameBoot: Bool) -> Bool?
    /// Where ``isRunning(_:undo:sameBoot:)`` is `false`: why the new version does not run; `nil`: nobody has said.
    func reason() -> String?
    /// Removes what a payload that is not put to use has left.
    func discard()
}

extension UpdateHandler {
    var restarts: Bool { false }
    func isRunning(_ payload: Payload, undo: String, sameBoot: Bool) -> Bool? { true }
    func reason() -> String? { nil }
}

/// The payload that is verified.
struct Payload: Sendable {
    /// What to call it.
    let version: String
    let digest: [UInt8]
    /// The manifest's text, where there is one.
    let manifest: String?
}

/// Steps on files that more than one handler makes.
enum Files {
    static func problem(_ path: String, _ code: Int32 = errno) -> UpdateProblem {
        .activation("\(path): \(String(cString: strerror(code)))")
    }

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    static func move(_ from: String, to: String) throws(UpdateProblem) {
        guard rename(from, to) == 0 else { throw problem(to) }
        sync(folder(of: to))
    }

    static func sync(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    static func folder(of path: String) -> String {
        guard let cut = path.lastIndex(of: "/"), cut != path.startIndex else { return "/" }
        return String(path[..<cut])
    }

    static func name(of path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    static func run(
        _ command: CommandRun.Command?, _ user: CommandRun.User?, _ payload: Payload, part: String
    ) throws(UpdateProblem) {
        guard let command else { return }
        let run = CommandRun(
            command: command, user: user,
            environment: ["SRUP_UPDATE_FILE": part, "SRUP_UPDATE_VERSION": payload.version])
        do {
            _ = try run.run()
        } catch {
            throw .activation("\(command.program): \(error)")
        }
    }

    /// The machine's start: another one after each.
    static var boot: String {
        (try? PublicFile.read("/proc/sys/kernel/random/boot_id", atMost: 64))?.filter { !$0.isNewline } ?? ""
    }
}
