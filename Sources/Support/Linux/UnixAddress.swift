import Glibc

/// The address of a Unix socket, for the calls that take one.
public enum UnixAddress {
    /// Lends the address of `path` to a call, and returns what that does; -1 with `errno` ENAMETOOLONG when no address holds
    /// it. A first byte of 0 stands for the abstract name space, in which the length is part of the name.
    public static func with(_ path: [UInt8], _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return -1
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let length =
            path.first == 0 ? MemoryLayout<sa_family_t>.size + path.count : MemoryLayout<sockaddr_un>.size
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
        }
    }

    /// The same for a path in the file system.
    public static func with(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        with(Array(path.utf8), body)
    }

    /// Removes a socket that was left behind at `path`; anything else stays.
    ///
    /// - Returns: why the place is not free now. `bind` would say of each reason that the address is in use.
    @discardableResult
    public static func removeAbandoned(_ path: String) -> String? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        guard status.st_mode & S_IFMT == S_IFSOCK else { return "it is not a socket" }
        return unlink(path) == 0 || errno == ENOENT ? nil : String(cString: strerror(errno))
    }
}
