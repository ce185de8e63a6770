import Glibc

/// Files at paths that a user or a configuration gives, which we write, replace or remove: never through a symbolic link,
/// never what belongs to somebody else, and never waiting for a reader. So a path in a folder where others may write harms
/// nobody, and a wrong one costs no device node.
public enum OutputFile {
    /// Why a file cannot be, or must not be, written, replaced or removed.
    public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        /// The file's path and the reason, for people.
        public let description: String

        fileprivate init(_ path: String, _ why: String) { description = "\(path) cannot be written: \(why)" }
        fileprivate init(_ path: String, code: Int32) { self.init(path, String(cString: strerror(code))) }
    }

    /// What a path may lead to when it is written to in place.
    public enum Kind: Sendable, Hashable {
        case file
        /// A pipe that somebody reads, a terminal, `/dev/null`.
        case stream
    }

    /// Opens a file of one's own (made with `mode` when it is missing), a FIFO that has a reader, or a character device, and
    /// never waits for it: writing to a FIFO that is full fails (EAGAIN).
    ///
    /// - Parameters:
    ///   - flags: `O_APPEND` or `O_TRUNC`.
    ///   - mode: of a file that is made.
    /// - Returns: a descriptor, which the caller closes, and what it leads to.
    /// - Throws: ``Failure``.
    public static func open(
        _ path: String, _ flags: Int32, mode: mode_t = 0o600
    ) throws(Failure) -> (descriptor: Int32, kind: Kind) {
        // Cut off only when it is known to be ours.
        let gentle = flags & ~O_TRUNC
        let descriptor = Glibc.open(
            path, gentle | O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw refusal(path, errno) }
        var status = stat()
        do throws(Failure) {
            guard fstat(descriptor, &status) == 0 else { throw Failure(path, code: errno) }
            let kind = try kind(of: status, path)
            if flags & O_TRUNC != 0, kind == .file, ftruncate(descriptor, 0) != 0 { throw Failure(path, code: errno) }
            return (descriptor, kind)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Writes a file of one's own, or replaces what stands in it.
    ///
    /// - Parameter mode: of a file that is made.
    /// - Throws: ``Failure``, also when there is no room for all of it.
    public static func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o600) throws(Failure) {
        let (descriptor, _) = try open(path, O_TRUNC, mode: mode)
        let code = writeAll(bytes, to: descriptor) ? 0 : errno
        guard close(descriptor) == 0 || code != 0 else { throw Failure(path, code: errno) }
        guard code == 0 else { throw Failure(path, code: code) }
    }

    private static func refusal(_ path: String, _ code: Int32) -> Failure {
        switch code {
        case ELOOP: Failure(path, "it is a symbolic link; name the file itself")
        case ENXIO: Failure(path, "nobody reads this pipe")
        default: Failure(path, code: code)
        }
    }

    private static func kind(of status: stat, _ path: String) throws(Failure) -> Kind {
        switch status.st_mode & S_IFMT {
        case S_IFREG:
            try checkOwner(status, path)
            // Another name may be somebody's trap: a file of ours that we did not mean.
            guard status.st_nlink == 1 else { throw Failure(path, "the file has another name, too (a hard link)") }
            return .file
        case S_IFIFO:
            try checkOwner(status, path)
            return .stream
        case S_IFCHR: return .stream
        default: throw Failure(path, "it is neither a file nor a pipe nor a terminal")
        }
    }

    /// Checks that what is at a path may be replaced or removed: a regular file of one's own, or nothing.
    ///
    /// - Returns: whether there is something.
    /// - Throws: ``Failure``.
    @discardableResult
    public static func checkReplaceable(_ path: String) throws(Failure) -> Bool {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            guard errno == ENOENT else { throw Failure(path, code: errno) }
            return false
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(path, "it is no regular file, and only such a one is replaced or removed")
        }
        try checkOwner(status, path)
        return true
    }

    private static func checkOwner(_ status: stat, _ path: String) throws(Failure) {
        guard status.st_uid == geteuid() else { throw Failure(path, "it belongs to another user") }
    }
}
