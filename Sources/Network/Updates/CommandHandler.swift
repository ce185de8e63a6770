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

    /// rauc(1).
    var rauc = "/usr/bin/rauc"
    /// systemctl(1).
    var systemctl = "/usr/bin/systemctl"
    /// The kernel's.
    var commandLine = "/proc/cmdline"

    private func run(_ program: String, _ arguments: [String], _ payload: Payload) throws(UpdateProblem) {
        let command = CommandRun.Command(program: program, arguments: arguments, timeout: .seconds(3600))
        try Files.run(command, user, payload, part: part)
    }

    func prepare(_ payload: Payload) throws(UpdateProblem) -> String {
        guard access(rauc, X_OK) == 0 else { throw .activation("RAUC is not installed here") }
        guard let slot = slot else { throw .activation("this machine was not started by RAUC's means") }
        return slot
    }

    func make(_ payload: Payload, undo: String) throws(UpdateProblem) {
        // After a restart there is nothing more to do.
        guard slot == undo else { return }
        try run(rauc, ["install", part], payload)
        try run(systemctl, ["reboot"], payload)
    }

    func revert(_ payload: Payload, undo: String) throws(UpdateProblem) {
        discard()
        guard slot != undo else { return }
        try run(rauc, ["status", "mark-bad"], payload)
        try run(systemctl, ["reboot"], payload)
    }

    func keep(_ payload: Payload, undo: String) throws(UpdateProblem) {
        try run(rauc, ["status", "mark-good"], payload)
        discard()
    }

    func isRunning(_ payload: Payload, undo: String, sameBoot: Bool) -> Bool? {
        if slot != undo { return true }
        return sameBoot ? nil : false
    }

    func discard() { unlink(part) }

    /// The system that runs: `rauc.slot=` of the kernel's command line.
    private var slot: String? {
        let line = (try? PublicFile.read(commandLine, atMost: 8192)) ?? ""
        return line.split(whereSeparator: \.isWhitespace).first { $0.hasPrefix("rauc.slot=") }.map {
            String($0.dropFirst(10))
        }
    }
}
