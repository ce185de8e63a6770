import Glibc

/// Writes all bytes to a file, a pipe or a terminal that waits.
///
/// - Returns: `false` when not all could be written; `errno` then says why (0 when nothing more is taken).
public func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    putAll(bytes) { Glibc.write(descriptor, $0.baseAddress, $0.count) }
}

/// Writes all bytes to a file, a pipe or a terminal that waits.
///
/// - Returns: `false` when not all could be written; `errno` then says why (0 when nothing more is taken).
public func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
}

/// Sends all bytes to a stream socket that waits; a reader that has gone costs no signal.
///
/// - Returns: `false` when not all could be sent; `errno` then says why.
public func sendAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    bytes.withUnsafeBytes { bytes in
        putAll(bytes) { Glibc.send(descriptor, $0.baseAddress, $0.count, SocketFlags.noSignal) }
    }
}

private func putAll(_ bytes: UnsafeRawBufferPointer, _ put: (UnsafeRawBufferPointer) -> Int) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
        errno = 0
        let count = put(rest)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return false }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return true
}
