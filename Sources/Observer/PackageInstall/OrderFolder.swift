import Glibc
import Linux

/// The folder in which the observer, a user without rights, orders its own update, as root looks at it: whatever lies there
/// may be a link, a FIFO, or another file a moment later. So names are followed nowhere below the folder that root owns, and
/// what is used is a copy in a folder of root's.
public final class OrderFolder {
    private let descriptor: Int32
    private let owner: uid_t
    private let path: String

    /// The names in it. `running` is written by the new version, `refusal` by root; its making of `order` tells root to begin.
    public enum Name: String, Sendable, CaseIterable {
        case order, manifest, refusal, running
        case package = "package.deb"
    }

    /// Opens it.
    ///
    /// - Parameters:
    ///   - path: no name in it below `base` is followed.
    ///   - base: the folder above it that lies in one of root's.
    /// - Throws: ``InstallProblem`` when it is no folder, or not there.
    public init(_ path: String, below base: String) throws(InstallProblem) {
        guard path.hasPrefix(base + "/") else { throw InstallProblem("\(path) is not in \(base)") }
        var folder = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        for part in path.dropFirst(base.count).split(separator: "/") where folder >= 0 && part != ".." {
            let next = openat(folder, String(part), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            let code = errno
            close(folder)
            folder = next
            errno = code
        }
        guard folder >= 0 else { throw InstallProblem(path, errno) }
        descriptor = folder
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let problem = InstallProblem(path, errno)
            close(descriptor)
            throw problem
        }
        owner = status.st_uid
        self.path = path
    }

    deinit { close(descriptor) }

    /// Whether there is something of this name, whatever it is.
    public func has(_ name: Name) -> Bool {
        var status = stat()
        return fstatat(descriptor, name.rawValue, &status, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// Opens a file of the observer's own that has no other name: with one, root would read for it what it may not read.
    private func opened(_ name: Name) throws(InstallProblem) -> (descriptor: Int32, size: UInt64) {
        let what = "\(path)/\(name.rawValue)"
        // Not blocking: in a FIFO's place nobody waits.
        let file = openat(descriptor, name.rawValue, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard file >= 0 else {
            throw errno == ELOOP ? InstallProblem("\(what) is a symbolic link") : InstallProblem(what, errno)
        }
        var status = stat()
        var problem: InstallProblem?
        if fstat(file, &status) != 0 {
            problem = InstallProblem(what, errno)
        } else if status.st_mode & S_IFMT != S_IFREG {
            problem = InstallProblem("\(what) is no file")
        } else if status.st_nlink != 1 {
            problem = InstallProblem("\(what) has another name, too")
        } else if status.st_uid != owner {
            problem = InstallProblem("\(what) does not belong to the folder's owner")
        }
        if let problem {
            close(file)
            throw problem
        }
        return (file, UInt64(max(0, status.st_size)))
    }

    /// A small file's bytes.
    ///
    /// - Throws: ``InstallProblem`` when it is no file of the observer's, or larger than `limit` bytes.
    public func bytes(_ name: Name, atMost limit: Int) throws(InstallProblem) -> [UInt8] {
        let (file, _) = try opened(name)
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        let count = bytes.withUnsafeMutableBytes { readAll(into: $0, from: file) }
        guard count >= 0 else { throw InstallProblem("\(path)/\(name.rawValue)", errno) }
        guard count <= limit else {
            throw InstallProblem("\(path)/\(name.rawValue) is larger than \(limit) bytes")
        }
        return Array(bytes[..<count])
    }

    /// Copies a file, of just this size, to a path where nobody but root writes. Memory does not go with its size.
    ///
    /// - Throws: ``InstallProblem``; then there is no copy.
    public func copy(_ name: Name, size: UInt64, to copy: String) throws(InstallProblem) {
        let (file, has) = try opened(name)
        defer { close(file) }
        guard has == size else {
            throw InstallProblem("\(path)/\(name.rawValue) has \(has) bytes, and its manifest says \(size)")
        }
        unlink(copy)
        let out = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard out >= 0 else { throw InstallProblem(copy, errno) }
        defer { close(out) }
        do throws(InstallProblem) {
            try Self.copy(file, out, size, name: "\(path)/\(name.rawValue)")
            guard fsync(out) == 0 else { throw InstallProblem(copy, errno) }
        } catch {
            unlink(copy)
            throw error
        }
    }

    /// It may shrink or grow meanwhile: the digest of the copy decides.
    private static func copy(_ file: Int32, _ out: Int32, _ size: UInt64, name: String) throws(InstallProblem) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { buffer.deallocate() }
        var left = size
        while left > 0 {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(left, UInt64(buffer.count)))])
            let count = readAll(into: part, from: file)
            guard count > 0 else { throw InstallProblem("\(name) has become shorter") }
            guard writeAll(UnsafeRawBufferPointer(rebasing: part[..<count]), to: out) else {
                throw InstallProblem("the copy of \(name)", errno)
            }
            left -= UInt64(count)
        }
    }

    /// Leaves a text that the observer may read. What stands in its place, or in the way, is never followed.
    ///
    /// - Throws: ``InstallProblem``.
    public func write(_ text: String, as name: Name) throws(InstallProblem) {
        let temporary = ".\(name.rawValue).new"
        unlinkat(descriptor, temporary, 0)
        let file = openat(descriptor, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw InstallProblem("\(path)/\(temporary)", errno) }
        defer { close(file) }
        guard fchmod(file, 0o644) == 0, writeAll(Array(text.utf8), to: file), fsync(file) == 0,
            renameat(descriptor, temporary, descriptor, name.rawValue) == 0
        else { throw InstallProblem("\(path)/\(name.rawValue)", errno) }
        fsync(descriptor)
    }

    /// Removes what has this name, be it an empty folder.
    public func remove(_ name: Name) {
        if unlinkat(descriptor, name.rawValue, 0) != 0, errno == EISDIR || errno == EPERM {
            unlinkat(descriptor, name.rawValue, AT_REMOVEDIR)
        }
        fsync(descriptor)
    }
}

/// Why the observer's package is not installed; in words for whoever reads the refusal or the journal.
public struct InstallProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// The reason.
    public let description: String

    init(_ description: String) { self.description = description }

    init(_ path: String, _ code: Int32) {
        self.init("\(path): \(String(cString: strerror(code)))")
    }
}
