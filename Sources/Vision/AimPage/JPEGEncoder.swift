import CTurboJPEG
import Luma

/// Makes grey JPEG pictures. Not safe to use from several threads.
public final class JPEGEncoder {
    private let handle: tjhandle

    /// `nil` without memory.
    public init?() {
        guard let handle = tjInitCompress() else { return nil }
        self.handle = handle
    }

    deinit {
        tjDestroy(handle)
    }

    /// - Parameter quality: from 1 to 100.
    /// - Returns: a whole JPEG file; `nil` when it cannot be made.
    public func encoded(_ picture: LumaPicture, quality: Int = 70) -> [UInt8]? {
        var buffer: UnsafeMutablePointer<UInt8>?
        var size: UInt = 0
        defer { tjFree(buffer) }
        let code = picture.pixels.withUnsafeBufferPointer {
            tjCompress2(
                handle, $0.baseAddress, Int32(picture.width), Int32(picture.width), Int32(picture.height),
                Int32(TJPF_GRAY.rawValue), &buffer, &size, Int32(TJSAMP_GRAY.rawValue), Int32(quality), TJFLAG_FASTDCT)
        }
        guard code == 0, let buffer else { return nil }
        return Array(UnsafeBufferPointer(start: buffer, count: Int(size)))
    }
}
