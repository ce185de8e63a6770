import CTurboJPEG

/// Encodes grey pictures as JPEG. For one thread.
public final class GreyJPEG {
    private let handle: tjhandle

    /// `nil` without memory.
    public init?() {
        guard let handle = tjInitCompress() else { return nil }
        self.handle = handle
    }

    deinit {
        tjDestroy(handle)
    }

    /// `nil` when it cannot be encoded.
    public func encode(_ picture: CoarsePicture, quality: Int32 = 85) -> [UInt8]? {
        var bytes: UnsafeMutablePointer<UInt8>?
        var count: UInt = 0
        let code = picture.pixels.withUnsafeBufferPointer {
            tjCompress2(
                handle, $0.baseAddress, Int32(picture.width), Int32(picture.width), Int32(picture.height),
                Int32(TJPF_GRAY.rawValue), &bytes, &count, Int32(TJSAMP_GRAY.rawValue), quality, 0)
        }
        defer { tjFree(bytes) }
        guard code == 0, let bytes else { return nil }
        return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }
}
