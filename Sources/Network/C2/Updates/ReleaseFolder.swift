import COpenSSL
import Glibc
import ObservedValue
import Storage

/// Why a payload could not be kept.
public enum ReleaseFolderError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A name that no file here has.
    case name(String)
    /// All files together would be larger than is allowed, in bytes.
    case full(limit: Int64)
    /// It has another size, in bytes.
    case size(wanted: Int64)
    /// It has another SHA-256.
    case digest(wanted: String)
    /// The system does not let us.
    case failed(String)

    /// What is wrong, for the operator.
    public var description: String {
        switch self {
        case .name(let name): "\"\(name.prefix(80))\" is no name for a file of a release: \(ReleaseFolder.nameForm)"
        case .full(let limit): "the files of releases may have \(limit) bytes together (updates.total_size in c2.toml)"
        case .size(let wanted): "it does not have the \(wanted) bytes that its manifest names"
        case .digest(let wanted): "its SHA-256 is not \(wanted), as its manifest says"
        case .failed(let why): why
        }
    }
}

/// The files that the key service serves at `/releases/`: manifests and payloads. Each is there whole, or not at all.
public struct ReleaseFolder: Sendable {
    /// Where it is.
    public let path: String
    /// So many bytes all files have together at most.
    public let limit: Int64

    /// What a file's name looks like.
    public static let nameForm = "1 to 100 letters, digits, \".\", \"-\" and \"_\", the first one a letter or digit"

    /// Makes the folder when there is none, for its owner alone.
    ///
    /// - Throws: ``ReleaseFolderError``.
    public init(path: String, limit: Int64) throws(ReleaseFolderError) {
        (self.path, self.limit) = (path, limit)
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw Self.failed(path) }
    }

    /// Whether a file may have this name: no path, and none of the hidden ones.
    public static func isName(_ text: some StringProtocol) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        guard (1...100).contains(text.utf8.count), let first = text.utf8.first, isPlain(first) else { return false }
        return text.utf8.allSatisfy { isPlain($0) || ".-_".utf8.contains($0) }
    }

    private static func failed(_ what: String) -> ReleaseFolderError {
        .failed("\(what): \(String(cString: strerror(errno)))")
    }

    /// Whether there is such a file.
    public func has(_ name: String) -> Bool { Self.isName(name) && access(path + "/" + name, R_OK) == 0 }

    /// How many bytes all files have together; what is left of uploads that were cut is removed when it is a day old.
    func used() -> Int64 {
        guard let folder = opendir(path) else { return 0 }
        defer { closedir(folder) }
        var sum: Int64 = 0
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            var status = stat()
            guard name != ".", name != "..", lstat(path + "/" + name, &status) == 0 else { continue }
            if name.hasPrefix(".upload-"), status.st_mtim.tv_sec < time(nil) - 86400 {
                unlink(path + "/" + name)
            } else {
                sum += Int64(status.st_size)
            }
        }
        return sum
    }

    /// Removes a file.
    func remove(_ name: String) {
        if Self.isName(name) { unlink(path + "/" + name) }
    }

    /// Begins a file.
    ///
    /// - Parameters:
    ///   - size: how many bytes will come; more are not taken.
    ///   - digest: its SHA-256, 64 hexadecimal digits.
    /// - Throws: ``ReleaseFolderError``.
    public func begin(_ name: String, size: Int64, digest: String) throws(ReleaseFolderError) -> ReleaseUpload {
        guard Self.isName(name) else { throw .name(name) }
        guard size >= 0, size <= limit, used() <= limit - size else { throw .full(limit: limit) }
        return try ReleaseUpload(folder: path, name: name, size: size, digest: digest)
    }

    /// Keeps a small file.
    ///
    /// - Throws: ``ReleaseFolderError``.
    func keep(_ bytes: [UInt8], as name: String) throws(ReleaseFolderError) {
        let upload = try begin(name, size: Int64(bytes.count), digest: Self.digest(bytes))
        try upload.write(bytes[...])
        try upload.finish()
    }

    /// SHA-256 in 64 hexadecimal digits.
    public static func digest(_ bytes: [UInt8]) -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        _ = SHA256(bytes, bytes.count, &digest)
        return Hex.encode(digest)
    }
}

/// A file that is on its way into the folder. Used by one task at a time; what was not finished is removed.
public final class ReleaseUpload {
    private let folder: String
    private let name: String
    private let temporary: String
    private let size: Int64
    private let digest: String
    private let descriptor: Int32
    private let hash: OpaquePointer?
    private var written: Int64 = 0
    private var isDone = false

    fileprivate init(folder: String, name: String, size: Int64, digest: String) throws(ReleaseFolderError) {
        (self.folder, self.name, self.size, self.digest) = (folder, name, size, digest)
        var generator = SystemRandomNumberGenerator()
        temporary = "\(folder)/.upload-\(String(generator.next(), radix: 16))"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        hash = EVP_MD_CTX_new()
        guard descriptor >= 0 else { throw .failed("\(temporary): \(String(cString: strerror(errno)))") }
        guard EVP_DigestInit_ex(hash, EVP_sha256(), nil) == 1 else { throw .failed("SHA-256 is not to be had") }
    }

    deinit {
        if !isDone { unlink(temporary) }
        if descriptor >= 0 { close(descriptor) }
        EVP_MD_CTX_free(hash)
    }

    /// How many bytes are still missing.
    public var missing: Int64 { size - written }

    /// Takes the next bytes.
    ///
    /// - Throws: ``ReleaseFolderError/size(wanted:)`` when there are too many.
    public func write(_ bytes: ArraySlice<UInt8>) throws(ReleaseFolderError) {
        guard Int64(bytes.count) <= missing else { throw .size(wanted: size) }
        guard bytes.withUnsafeBytes(store) else {
            throw .failed("\(temporary): \(String(cString: strerror(errno)))")
        }
        written += Int64(bytes.count)
    }

    private func store(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(descriptor, base + done, bytes.count - done)
            if count < 0 {
                if errno == EINTR { continue }
                return false
            }
            done += count
        }
        EVP_DigestUpdate(hash, base, bytes.count)
        return true
    }

    /// Puts the file in its place, when it is what it should be.
    ///
    /// - Throws: ``ReleaseFolderError``.
    public func finish() throws(ReleaseFolderError) {
        guard missing == 0 else { throw .size(wanted: size) }
        var found = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        guard EVP_DigestFinal_ex(hash, &found, &length) == 1, Hex.encode(found) == digest else {
            throw .digest(wanted: digest)
        }
        guard fsync(descriptor) == 0, rename(temporary, folder + "/" + name) == 0 else {
            throw .failed("\(folder)/\(name): \(String(cString: strerror(errno)))")
        }
        isDone = true
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if directory >= 0 {
            fsync(directory)
            close(directory)
        }
    }
}

/// SHA-256 of what comes in parts.
public struct PayloadHash {
    private final class Context {
        let pointer = EVP_MD_CTX_new()
        init() { EVP_DigestInit_ex(pointer, EVP_sha256(), nil) }
        deinit { EVP_MD_CTX_free(pointer) }
    }

    private let context = Context()
    private var size: Int64 = 0

    /// Of nothing yet.
    public init() {}

    /// Goes on.
    public mutating func add(_ bytes: ArraySlice<UInt8>) {
        _ = bytes.withUnsafeBytes { EVP_DigestUpdate(context.pointer, $0.baseAddress, $0.count) }
        size += Int64(bytes.count)
    }

    /// How many bytes there were, and their SHA-256 in 64 hexadecimal digits; nothing can be added any more.
    public var result: (size: Int64, digest: String) {
        var found = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        EVP_DigestFinal_ex(context.pointer, &found, &length)
        return (size, Hex.encode(found))
    }
}
