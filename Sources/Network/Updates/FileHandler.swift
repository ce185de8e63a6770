import Glibc
import Linux

/// One file that is replaced. Beside it lie, hidden, what is fetched (`.part`) and, during a trial, the old one (`.old`).
struct FileHandler: UpdateHandler {
    let path: String
    let isProgram: Bool

    private var hidden: String { Files.folder(of: path) + "/." + Files.name(of: path) + ".srup-update" }
    var part: String { hidden + ".part" }
    private var old: String { hidden + ".old" }

    private static let (had, hadNone) = ("old", "none")

    func prepare(_ payload: Payload) throws(UpdateProblem) -> String {
        let exists: Bool
        do {
            exists = try OutputFile.checkReplaceable(path)
        } catch {
            throw .activation(error.description)
        }
        var status = stat()
        let mode = exists && lstat(path, &status) == 0 ? status.st_mode & 0o777 : isProgram ? 0o755 : 0o644
        guard chmod(part, mode) == 0 else { throw Files.problem(part) }
        Files.sync(part)
        return exists ? Self.had : Self.hadNone
    }

    func make(_ payload: Payload, undo: String) throws(UpdateProblem) {
        // It is in its place already: a power cut came after that.
        guard Files.exists(part) else { return }
        if undo == Self.had {
            unlink(old)
            guard link(path, old) == 0 else { throw Files.problem(old) }
        }
        try Files.move(part, to: path)
    }

    func revert(_ payload: Payload, undo: String) throws(UpdateProblem) {
        if undo == Self.hadNone {
            // Nothing else can stand there.
            unlink(path)
        } else if Files.exists(old) {
            // Of two names of one file rename(2) does nothing: the switch was never made.
            try Files.move(old, to: path)
        }
        discard()
    }

    func keep(_ payload: Payload, undo: String) throws(UpdateProblem) {
        unlink(old)
        unlink(part)
        Files.sync(Files.folder(of: path))
    }

    func discard() {
        unlink(part)
        unlink(old)
    }
}
