import Glibc
import Linux

/// Why a file with a secret was refused or could not be written.
public enum PrivateFileError: Error, Sendable, Hashable, CustomStringConvertible {
    case tooOpen(path: String, mode: UInt32)
    case failed(path: String, doing: String, why: String)
    case tooLarge(path: String, limit: Int)
    /// Others may write in a folder, and so exchange what is in it; see ``PrivateFolder``.
    case openFolder(path: String, mode: UInt32)
    /// A folder belongs to another user.
    case foreignFolder(path: String, owner: UInt32)

    /// Whether the folder is wrong: trying again does not help, as with a wrong configuration.
    public var isFolders: Bool {
        switch self {
        case .openFolder, .foreignFolder: true
        case .tooOpen, .failed, .tooLarge: false
        }
    }

    /// For people, in one line: which file or folder, what is wrong with it and, where something helps, what to do.
    public var description: String {
        switch self {
        case .tooOpen(let path, let mode):
            "\(path) has mode \(String(mode, radix: 8)): others could read it. Say \"chmod 600 \(path)\" and, if others "
                + "have had access to this machine, register again"
        case .failed(let path, let doing, let why): "\(path) cannot be \(doing): \(why)"
        case .tooLarge(let path, let limit): "\(path) is larger than \(limit) bytes"
        case .openFolder(let path, let mode):
            "\(path) has mode \(String(mode, radix: 8)): others could exchange the keys that are kept there. Say \"chmod go-w "
                + "\(path)\" and, if others have had access to this machine, register again"
        case .foreignFolder(let path, let owner):
            "\(path) belongs to \(Self.name(of: owner)), who could exchange the keys that are kept there, and this program "
                + "runs as \(Self.name(of: geteuid())). Start it as its owner, or say \"chown -R \(Self.name(of: geteuid())) "
                + "\(path)\""
        }
    }

    private static func name(of user: uid_t) -> String {
        getpwuid(user).map { String(cString: $0.pointee.pw_name) } ?? "user \(user)"
    }
}

/// Files that hold secrets: mode 0600, in a folder where nobody else may write; refused if more open, replaced as a whole.
public enum PrivateFile {
    /// Lends the content of `path` in memory that is wiped afterwards.
    ///
    /// - Parameter denied: who may have no access; group and others if not told.
    /// - Throws: ``PrivateFileError`` when they have any, or may write in the file's folder, or the file is above 1 MiB.
    public static func withContents<Result>(
        of path: String, denied: mode_t = 0o077, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result {
        // Not blocking: in a FIFO's place nobody waits.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(path, "opened") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(path, "examined") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw PrivateFileError.failed(path: path, doing: "read", why: "it is no file")
        }
        guard status.st_mode & denied == 0 else {
            throw PrivateFileError.tooOpen(path: path, mode: status.st_mode & 0o7777)
        }
        try PrivateFolder.check(PrivateFolder.folder(of: path))
        guard status.st_size <= 1 << 20 else { throw PrivateFileError.tooLarge(path: path, limit: 1 << 20) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(status.st_size) + 1, alignment: 16)
        defer {
            buffer.wipe()
            buffer.deallocate()
        }
        let count = readAll(into: buffer, from: descriptor)
        guard count >= 0 else { throw failure(path, "read") }
        return try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }

    /// Writes beside `path`, flushes to disk, and renames: after a power cut there is the old file or the new one.
    ///
    /// - Throws: ``PrivateFileError``.
    public static func write(_ content: UnsafeRawBufferPointer, to path: String, mode: mode_t = 0o600)
        throws(PrivateFileError)
    {
        if mode & 0o077 == 0 { try PrivateFolder.check(PrivateFolder.folder(of: path)) }
        // What is no file is never replaced by one; a link may be, itself.
        var status = stat()
        if lstat(path, &status) == 0, ![S_IFREG, S_IFLNK].contains(status.st_mode & S_IFMT) {
            throw .failed(path: path, doing: "written", why: "it is no file")
        }
        let temporary = "\(path).\(getpid()).new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure(path, "written") }
        guard writeAll(content, to: descriptor) else {
            let error = failure(path, "written")
            close(descriptor)
            unlink(temporary)
            throw error
        }
        let synced = fsync(descriptor) == 0
        close(descriptor)
        guard synced, rename(temporary, path) == 0 else {
            let error = failure(path, "written")
            unlink(temporary)
            throw error
        }
        syncFolder(of: path)
    }

    /// Writes text, see ``write(_:to:mode:)``.
    ///
    /// - Throws: ``PrivateFileError``.
    public static func write(_ text: String, to path: String, mode: mode_t = 0o600) throws(PrivateFileError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: text.utf8.count + 1, alignment: 1)
        defer {
            buffer.wipe()
            buffer.deallocate()
        }
        buffer.copyBytes(from: text.utf8)
        try write(UnsafeRawBufferPointer(rebasing: buffer[..<text.utf8.count]), to: path, mode: mode)
    }

    /// Makes a folder of mode 0700 (and those above it) when it is missing; one that is there must be private, see
    /// ``PrivateFolder``.
    ///
    /// - Throws: ``PrivateFileError``.
    public static func makeFolder(_ path: String) throws(PrivateFileError) {
        var partial = path.hasPrefix("/") ? "" : "."
        for element in path.split(separator: "/") {
            partial += "/" + element
            if mkdir(partial, 0o700) != 0 && errno != EEXIST { throw failure(partial, "made") }
        }
        try PrivateFolder.check(path)
    }

    private static func syncFolder(of path: String) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let descriptor = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    private static func failure(_ path: String, _ doing: String) -> PrivateFileError {
        .failed(path: path, doing: doing, why: String(cString: strerror(errno)))
    }
}
