import Glibc

/// Files that hold nothing secret.
public enum PublicFile {
    /// Whether the file can be read.
    public static func exists(_ path: String) -> Bool { access(path, R_OK) == 0 }

    /// Whether there is such a file, be it for others: who may not read it is told so when it is read.
    public static func isThere(_ path: String) -> Bool { access(path, F_OK) == 0 || errno == EACCES }

    /// Whether two paths are the same, or lead to the same file by other names.
    public static func areOne(_ one: String, _ other: String) -> Bool {
        var (left, right) = (stat(), stat())
        return one == other
            || stat(one, &left) == 0 && stat(other, &right) == 0 && left.st_ino == right.st_ino
                && left.st_dev == right.st_dev
    }

    /// Why the file cannot be read, in words that follow its name; `nil` when it can.
    public static func problem(_ path: String) -> String? {
        if access(path, R_OK) == 0 { return nil }
        return errno == ENOENT ? "is not there" : "may not be read: \(String(cString: strerror(errno)))"
    }

    /// A small text file.
    ///
    /// - Parameter limit: in bytes.
    /// - Throws: ``PrivateFileError`` when it cannot be read or is larger.
    public static func read(_ path: String, atMost limit: Int = 1 << 20) throws(PrivateFileError) -> String {
        guard let file = fopen(path, "re") else {
            throw .failed(path: path, doing: "read", why: String(cString: strerror(errno)))
        }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        let count = fread(&bytes, 1, bytes.count, file)
        guard count <= limit else { throw .tooLarge(path: path, limit: limit) }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
