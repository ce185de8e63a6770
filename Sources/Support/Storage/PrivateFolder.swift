import Glibc

/// Folders that hold keys and counters: whoever may write in one, or in one above it, can put other files in their place.
public enum PrivateFolder {
    /// Checks that nobody else can change what is in a folder: it belongs to us (or to root), no other user may write in it,
    /// and the folders through which it is reached cannot be exchanged by everybody (those above it, also where a symbolic
    /// link leads; `/tmp` has the sticky bit and is well). Reading is ruled by the files' own modes.
    ///
    /// - Parameters:
    ///   - isOurs: root may look after the folders of a service's user; a program that runs in a folder may not, whose files
    ///     would then belong to somebody else. `true` refuses it.
    /// - Throws: ``PrivateFileError/openFolder(path:mode:)``, ``PrivateFileError/foreignFolder(path:owner:)``;
    ///   ``PrivateFileError/failed(path:doing:why:)`` when it is not there.
    public static func check(_ folder: String, isOurs: Bool = false) throws(PrivateFileError) {
        guard let real = realpath(folder, nil) else {
            throw .failed(path: folder, doing: "examined", why: String(cString: strerror(errno)))
        }
        defer { free(real) }
        let resolved = String(cString: real)
        let status = try examined(resolved)
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw .failed(path: folder, doing: "used", why: String(cString: strerror(ENOTDIR)))
        }
        guard status.st_mode & 0o022 == 0 else {
            throw .openFolder(path: folder, mode: status.st_mode & 0o7777)
        }
        let (owner, own) = (status.st_uid, geteuid())
        guard owner == own || owner == 0 || (own == 0 && !isOurs) else {
            throw .foreignFolder(path: folder, owner: owner)
        }
        for path in above(resolved) + above(absolute(folder)) {
            let status = try examined(path)
            // Group-writable ones are many distributions' choice, for groups of one user or of administrators.
            guard status.st_mode & 0o002 == 0 || status.st_mode & S_ISVTX != 0 else {
                throw .openFolder(path: path, mode: status.st_mode & 0o7777)
            }
        }
    }

    /// The folder that a file is in.
    static func folder(of file: String) -> String {
        guard let cut = file.lastIndex(of: "/") else { return "." }
        return cut == file.startIndex ? "/" : String(file[..<cut])
    }

    private static func examined(_ path: String) throws(PrivateFileError) -> stat {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw .failed(path: path, doing: "examined", why: String(cString: strerror(errno)))
        }
        return status
    }

    private static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let here = getcwd(nil, 0) else { return path }
        defer { free(here) }
        return String(cString: here) + "/" + path
    }

    /// The folders above an absolute path, the nearest first.
    private static func above(_ path: String) -> [String] {
        var path = path[...]
        var found: [String] = []
        while let last = path.last, last == "/" { path.removeLast() }
        while let cut = path.lastIndex(of: "/") {
            path = path[..<cut]
            while let last = path.last, last == "/" { path.removeLast() }
            found.append(path.isEmpty ? "/" : String(path))
        }
        return found
    }
}
