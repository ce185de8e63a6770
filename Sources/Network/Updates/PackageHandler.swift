import Glibc
import Linux
import Storage

/// This very program's Debian package. The program has no rights to install it: it puts package and manifest into a folder,
/// where root's `srup-observer-update` finds them, verifies them once more by root's own copy of the release key, and installs
/// them: by `srup-update` with its trial on the image, by apt elsewhere.
struct PackageHandler: UpdateHandler {
    /// In the state folder.
    let folder: String
    /// Of this program.
    let running: String
    var restarts: Bool { true }

    var part: String { folder + "/package.part" }
    private var package: String { folder + "/package.deb" }
    private var manifest: String { folder + "/manifest" }
    /// Its making tells root's unit to begin.
    private var order: String { folder + "/order" }
    /// Root's answer, when it does not install it.
    private var refusal: String { folder + "/refusal" }

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
        if running == payload.version { return true }
        if Files.exists(refusal) { return false }
        return sameBoot ? nil : false
    }

    func discard() { for path in [order, part, package, manifest, refusal] { unlink(path) } }
}
