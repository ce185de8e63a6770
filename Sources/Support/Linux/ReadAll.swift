import Glibc

/// Reads until the buffer is full or the file has ended.
///
/// - Returns: how many bytes there are; -1 when they cannot be read, `errno` then says why.
public func readAll(into buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32) -> Int {
    var count = 0
    while count < buffer.count {
        let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
        let got = read(descriptor, rest.baseAddress, rest.count)
        if got < 0 && errno == EINTR { continue }
        guard got >= 0 else { return -1 }
        if got == 0 { break }
        count += got
    }
    return count
}

extension UnsafeMutableRawBufferPointer {
    /// Overwrites the bytes, in a way that is not optimised away.
    public func wipe() {
        if let baseAddress { explicit_bzero(baseAddress, count) }
    }
}
