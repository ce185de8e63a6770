import Glibc
import Linux

extension SettingsFile {
    /// A program with its arguments, as a list of strings; `nil` when the key is absent.
    ///
    /// - Parameter timeout: it is killed after this time.
    /// - Throws: ``SettingsError`` for an empty list, or a program that cannot be run.
    public mutating func command(_ key: String, timeout: Duration) throws(SettingsError) -> CommandRun.Command? {
        let words = try strings(key)
        guard let program = words.first else {
            if contains(key) { throw problem(key, "must not be empty") }
            return nil
        }
        guard program.hasPrefix("/"), access(program, X_OK) == 0 else {
            throw problem(
                key, "must begin with the whole path of a program that can be run; \"\(program)\" is none")
        }
        return CommandRun.Command(program: program, arguments: Array(words.dropFirst()), timeout: timeout)
    }

    /// As whom commands are run; `nil` when the key is absent.
    ///
    /// - Parameter isRoot: whether this program runs as root; only it can become somebody else.
    /// - Throws: ``SettingsError``.
    public mutating func user(_ key: String, isRoot: Bool) throws(SettingsError) -> CommandRun.User? {
        guard let name = try string(key) else { return nil }
        guard isRoot else {
            throw problem(key, "only root can run commands as somebody else; without it they run as you")
        }
        guard let entry = getpwnam(name) else { throw problem(key, "there is no user \"\(name)\" here") }
        return CommandRun.User(id: entry.pointee.pw_uid, group: entry.pointee.pw_gid)
    }
}
