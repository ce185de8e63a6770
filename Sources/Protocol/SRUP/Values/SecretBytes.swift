import COpenSSL

/// Bytes that are overwritten when the last reference goes.
///
/// Immutable after creation, hence safe to share between threads. Printing it shows only its length.
public final class SecretBytes: Sendable, CustomStringConvertible, CustomReflectable {
    // Written only in the initialiser and in deinit, when no other reference exists.
    private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer
    /// How many bytes there are.
    public let count: Int

    /// Lets `fill` write at most `capacity` bytes; it returns how many it wrote.
    public init<Failure: Error>(
        capacity: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(capacity, 1), alignment: 16)
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        do throws(Failure) {
            let written = try fill(buffer)
            precondition((0...capacity).contains(written))
            count = written
            storage = buffer
        } catch {
            OPENSSL_cleanse(buffer.baseAddress, buffer.count)
            buffer.deallocate()
            throw error
        }
    }

    /// A copy of bytes that are wiped where they are, or belong to somebody else.
    public convenience init(copying bytes: UnsafeRawBufferPointer) {
        self.init(capacity: bytes.count) { buffer in
            buffer.copyMemory(from: bytes)
            return bytes.count
        }
    }

    deinit {
        OPENSSL_cleanse(storage.baseAddress, storage.count)
        storage.deallocate()
    }

    /// Lends the bytes; they must not be kept.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(rebasing: storage[..<count]))
    }

    /// Copies the bytes to where a C library wants them; how many, or -1 when they do not fit.
    public func copy(to buffer: UnsafeMutablePointer<CChar>?, _ size: Int32) -> Int32 {
        guard let buffer, count <= Int(size) else { return -1 }
        return withBytes { bytes in
            UnsafeMutableRawBufferPointer(start: buffer, count: count).copyMemory(from: bytes)
            return Int32(count)
        }
    }

    /// How many bytes there are, in words, and nothing of them.
    public var description: String { "<\(count) secret bytes>" }
    /// Without children, so that `dump` shows nothing of the bytes.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
