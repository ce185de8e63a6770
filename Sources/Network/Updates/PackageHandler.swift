import Glibc
import Linux
import Storage

/// This very program's Debian package. The program has no rights to install it: it puts package and manifest into a folder,
/// where root's `srup-observer-update.service` finds them, verifies them once more by root's own copy of the release key, and
/// installs them: by `srup-update` with its trial on the image, by apt elsewhere (the room `PackageInstall`).
struct PackageHandler: UpdateHandler {
    /// In the state folder.
    let folder: String
    /// Of this program.
    let running: String
    var restarts: Bool { true }

    var part: String { folder + "/package.part" }
    private var package: String { folder + "/package.deb" }
    private var manifest: String { folder + "/manifest" }
    /// Its making tells root's unit to begin; root takes it away when all is over.
    private var order: String { folder + "/order" }
    /// Root's answer, when it does not install it.
    private var refusal: String { folder + "/refusal" }
    /// The new version's own report, with which root's trial of it begins.
    private var report: String { folder + "/running" }

    func prepare(_ payload: Payload) throws(UpdateProblem) -> String {
        guard let text = payload.manifest else { throw .activation("a package needs a manifest") }
        unlink(refusal)
        do throws(PrivateFileError) {
            try PrivateFile.write(text, to: manifest)
        } catch {
            throw .activation(error.description)
        }
        return running
    }

    func make(_ payload: Payload, undo: String) throws(UpdateProblem) {
        guard running == undo, Files.exists(part) else { return }
        try Files.move(part, to: package)
        do throws(PrivateFileError) {
            try PrivateFile.write("install\n", to: order)
        } catch {
            throw .activation(error.description)
        }
    }

    /// Root's unit, or the image's trial, has put the old one back, or never begun.
    func revert(_ payload: Payload, undo: String) throws(UpdateProblem) { discard() }
    func keep(_ payload: Payload, undo: String) throws(UpdateProblem) { discard() }

    func isRunning(_ payload: Payload, undo: String, sameBoot: Bool) -> Bool? {
        let isNew = running == payload.version
        if isNew, !Files.exists(report) { try? PrivateFile.write(running + "\n", to: report) }
        // Until root has decided, nobody knows: it may still install, or put the earlier one back.
        return Files.exists(order) ? nil : isNew
    }

    func discard() { for path in [order, part, package, manifest, refusal, report] { unlink(path) } }

    /// Why root has not installed it, or has put the earlier one back.
    func reason() -> String? {
        (try? PublicFile.read(refusal, atMost: 1024)).map { String($0.filter { !$0.isNewline }.prefix(400)) }
    }
}
