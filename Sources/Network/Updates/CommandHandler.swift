import Glibc
import Linux
import Storage

/// Whatever a command installs. Between `install` and `revert` it is the commands that leave the old version or the new one;
/// both can be run again after a power cut in their midst.
struct CommandHandler: UpdateHandler {
    let part: String
    let install: CommandRun.Command?
    let revert: CommandRun.Command?
    let keep: CommandRun.Command?
    let user: CommandRun.User?

    func prepare(_ payload: Payload) throws(UpdateProblem) -> String {
        if let user { chown(part, user.id, user.group) }
        return "command"
    }

    func make(_ payload: Payload, undo: String) throws(UpdateProblem) {
        try Files.run(install, user, payload, part: part)
    }

    func revert(_ payload: Payload, undo: String) throws(UpdateProblem) {
        try Files.run(revert, user, payload, part: part)
        discard()
    }

    func keep(_ payload: Payload, undo: String) throws(UpdateProblem) {
        try Files.run(keep, user, payload, part: part)
        discard()
    }

    func discard() { unlink(part) }
}

/// A bundle for RAUC, which has two systems, writes the one that does not run, and starts it (rauc(1)).
struct RAUCHandler: UpdateHandler {
    let part: String
    let user: CommandRun.User?
    var restarts: Bool { true }

    private static let rauc = "/usr/bin/rauc"

    private func run(_ program: String, _ arguments: [String], _ payload: Payload) throws(UpdateProblem) {
        let command = CommandRun.Command(program: program, arguments: arguments, timeout: .seconds(3600))
        try Files.run(command, user, payload, part: part)
    }

    func prepare(_ payload: Payload) throws(UpdateProblem) -> String {
        guard access(Self.rauc, X_OK) == 0 else { throw .activation("RAUC is not installed here") }
        guard let slot = Self.slot else { throw .activation("this machine was not started by RAUC's means") }
        return slot
    }

    func make(_ payload: Payload, undo: String) throws(UpdateProblem) {
        // After a restart there is nothing more to do.
        guard Self.slot == undo else { return }
        try run(Self.rauc, ["install", part], payload)
        try run("/usr/bin/systemctl", ["reboot"], payload)
    }

    func revert(_ payload: Payload, undo: String) throws(UpdateProblem) {
        discard()
        guard Self.slot != undo else { return }
        try run(Self.rauc, ["status", "mark-bad"], payload)
        try run("/usr/bin/systemctl", ["reboot"], payload)
    }

    func keep(_ payload: Payload, undo: String) throws(UpdateProblem) {
        try run(Self.rauc, ["status", "mark-good"], payload)
        discard()
    }

    func isRunning(_ payload: Payload, undo: String, sameBoot: Bool) -> Bool? {
        if Self.slot != undo { return true }
        return sameBoot ? nil : false
    }

    func discard() { unlink(part) }

    /// The system that runs: `rauc.slot=` of the kernel's command line.
    private static var slot: String? {
        let line = (try? PublicFile.read("/proc/cmdline", atMost: 8192)) ?? ""
        return line.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("rauc.slot=") }.map { String($0.dropFirst(10)) }
    }
}
