import Glibc
import Program

/// The folder with keys and counters: owner and permissions.
public struct StateFolderChecks: Sendable {
    private let folder: String
    private static let secrets = ["identity.pem", "access.pem", "state.db"]

    /// Checks the folder at a path; it need not be there.
    public init(_ folder: String) {
        self.folder = folder
    }

    /// Whether nothing keeps us from looking into it.
    public var isReadable: Bool { access(folder, R_OK | X_OK) == 0 }

    /// Whether the folder and the secrets in it are their owner's alone; what is wrong first, in one finding.
    public func permissions() -> Finding {
        let name = "state folder"
        var status = stat()
        guard lstat(folder, &status) == 0 else {
            return errno == ENOENT
                ? Finding(
                    name, .warning, "\(folder) is not there", remedy: "registration makes it: srup-observer register")
                : Finding(
                    name, .problem, "\(folder) cannot be looked at: \(String(cString: strerror(errno)))",
                    remedy: "run the doctor as root or as the folder's owner")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            return Finding(name, .problem, "\(folder) is no folder", remedy: "set \"state\" to a folder of its own")
        }
        if status.st_mode & 0o077 != 0 {
            return Finding(
                name, .problem, "\(folder) has mode \(octal(status.st_mode)): others can look into it",
                remedy: "chmod 700 \(folder)")
        }
        guard isReadable else {
            return Finding(
                name, .skipped, "\(folder) belongs to \(Self.user(status.st_uid)) and may not be looked into",
                remedy: "run the doctor as "
                    + (status.st_uid == 0 ? "root" : "root or as \(Self.user(status.st_uid))"))
        }
        if let wrong = wrongFile(owner: status.st_uid) { return wrong }
        return Finding(name, .ok, "\(folder), owner \(Self.user(status.st_uid)), mode \(octal(status.st_mode))")
    }

    private func wrongFile(owner: uid_t) -> Finding? {
        for file in Self.secrets {
            let path = folder + "/" + file
            var status = stat()
            guard lstat(path, &status) == 0 else { continue }
            if status.st_mode & 0o077 != 0 {
                return Finding(
                    "state folder", .problem, "\(path) has mode \(octal(status.st_mode)): others could read it",
                    remedy: "chmod 600 \(path); if others have had access to this machine, register again")
            }
            if status.st_uid != owner {
                return Finding(
                    "state folder", .problem,
                    "\(path) belongs to \(Self.user(status.st_uid)), not to the folder's owner",
                    remedy: "chown \(Self.user(owner)) \(path)")
            }
        }
        return nil
    }

    private func octal(_ mode: mode_t) -> String { "0" + String(mode & 0o7777, radix: 8) }

    static func user(_ id: uid_t) -> String {
        getpwuid(id).flatMap { $0.pointee.pw_name }.map { String(cString: $0) } ?? "user \(id)"
    }
}
