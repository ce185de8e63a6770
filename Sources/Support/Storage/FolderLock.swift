import Glibc

/// Holds a state folder for one program at a time: two with one identity would throw each other off the broker for ever, and
/// use each other's sequence numbers. Held until the process ends, however it ends.
public final class FolderLock: Sendable {
    private let descriptor: Int32

    /// - Parameter isOurs: as in ``PrivateFolder/check(_:isOurs:)``.
    /// - Throws: ``FolderLockError``.
    public init(_ folder: String, isOurs: Bool = true) throws(FolderLockError) {
        do {
            try PrivateFolder.check(folder, isOurs: isOurs)
        } catch {
            throw .folder(error)
        }
        let path = folder + "/lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .failed(path: path, why: String(cString: strerror(errno))) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let (code, holder) = (errno, Self.holder(descriptor))
            close(descriptor)
            guard code == EWOULDBLOCK else { throw .failed(path: path, why: String(cString: strerror(code))) }
            throw .inUse(folder: folder, process: holder)
        }
        // For the message of whoever comes second.
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(descriptor, 0)
        _ = pwrite(descriptor, text, text.count, 0)
    }

    deinit { close(descriptor) }

    private static func holder(_ descriptor: Int32) -> Int? {
        var bytes = [UInt8](repeating: 0, count: 20)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        return Int(String(decoding: bytes.prefix(max(0, count)).prefix { $0 != 10 }, as: UTF8.self))
    }
}

/// Why a state folder cannot be had.
public enum FolderLockError: Error, Sendable, Hashable, CustomStringConvertible {
    case inUse(folder: String, process: Int?)
    case failed(path: String, why: String)
    /// Others could change what is in it.
    case folder(PrivateFileError)

    /// For people, in one line: which folder, and who has it or why it cannot be had.
    public var description: String {
        switch self {
        case .inUse(let folder, let process):
            "another program is running with the state in \(folder)\(process.map { " (process \($0))" } ?? ""): stop it first"
        case .failed(let path, let why): "\(path) cannot be made: \(why)"
        case .folder(let error): error.description
        }
    }
}
