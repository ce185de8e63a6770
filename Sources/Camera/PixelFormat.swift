import CTurboJPEG
import Luma

/// How a camera's bytes become a luma plane. The table's order is that of preference: the cheapest first.
///
/// FourCC codes and layouts: https://docs.kernel.org/userspace-api/media/v4l/pixfmt.html
struct PixelFormat: Sendable {
    enum Layout: Sendable {
        /// The luma plane comes first, as it is: it is borrowed.
        case plane
        /// One luma byte in `step`, the first at `offset`.
        case interleaved(step: Int, offset: Int)
        /// 8-bit Bayer: each pixel becomes the mean of its 2×2 cell, which holds one red, one blue and two greens.
        case bayer
        case jpeg
    }

    let name: String
    let layout: Layout

    var fourCC: UInt32 { name.utf8.reversed().reduce(0) { $0 << 8 | UInt32($1) } }

    static let table: [PixelFormat] = [
        PixelFormat(name: "GREY", layout: .plane),
        PixelFormat(name: "NV12", layout: .plane),
        PixelFormat(name: "NV21", layout: .plane),
        PixelFormat(name: "YU12", layout: .plane),
        PixelFormat(name: "YV12", layout: .plane),
        PixelFormat(name: "422P", layout: .plane),
        PixelFormat(name: "YUYV", layout: .interleaved(step: 2, offset: 0)),
        PixelFormat(name: "YVYU", layout: .interleaved(step: 2, offset: 0)),
        PixelFormat(name: "UYVY", layout: .interleaved(step: 2, offset: 1)),
        PixelFormat(name: "VYUY", layout: .interleaved(step: 2, offset: 1)),
        PixelFormat(name: "BA81", layout: .bayer),
        PixelFormat(name: "GBRG", layout: .bayer),
        PixelFormat(name: "GRBG", layout: .bayer),
        PixelFormat(name: "RGGB", layout: .bayer),
        PixelFormat(name: "MJPG", layout: .jpeg),
        PixelFormat(name: "JPEG", layout: .jpeg),
    ]

    /// The cheapest of the formats that a camera offers.
    static func best(of offered: [UInt32]) -> PixelFormat? { table.first { offered.contains($0.fourCC) } }

    static func name(_ fourCC: UInt32) -> String {
        String(decoding: (0..<4).map { UInt8(truncatingIfNeeded: fourCC >> UInt32(8 * $0)) }, as: UTF8.self)
    }
}

/// Turns frames of one format and size into luma; keeps its buffers from frame to frame.
final class LumaConverter {
    let format: PixelFormat
    let width: Int
    let height: Int
    private let stride: Int
    private var buffer: [UInt8] = []
    private var jpeg: JPEGDecoder?

    /// - Parameter stride: bytes from a row to the next as the driver says; 0 when it does not.
    init(_ format: PixelFormat, width: Int, height: Int, stride: Int) {
        self.format = format
        self.width = width
        self.height = height
        let least =
            switch format.layout {
            case .interleaved(let step, _): width * step
            default: width
            }
        self.stride = max(stride, least)
    }

    /// Lends the luma of a frame.
    ///
    /// - Returns: `nil` when the frame is damaged: too short, or no JPEG.
    func withLuma<Result>(of frame: UnsafeBufferPointer<UInt8>, _ body: (LumaPlane) throws -> Result) rethrows
        -> Result?
    {
        guard let base = frame.baseAddress else { return nil }
        switch format.layout {
        case .plane:
            guard frame.count >= stride * (height - 1) + width else { return nil }
            return try body(LumaPlane(base: base, width: width, height: height, stride: stride))
        case .interleaved(let step, let offset):
            guard frame.count >= stride * (height - 1) + width * step else { return nil }
            reserve()
            buffer.withUnsafeMutableBufferPointer { out in
                for row in 0..<height {
                    let source = base + row * stride + offset
                    let target = out.baseAddress! + row * width
                    for column in 0..<width { target[column] = source[step * column] }
                }
            }
            return try lend(body)
        case .bayer:
            guard frame.count >= stride * (height - 1) + width, width > 1, height > 1 else { return nil }
            reserve()
            buffer.withUnsafeMutableBufferPointer { out in
                for row in 0..<height {
                    let upper = base + min(row, height - 2) * stride
                    let lower = upper + stride
                    let target = out.baseAddress! + row * width
                    for column in 0..<width {
                        let left = min(column, width - 2)
                        let sum =
                            Int(upper[left]) + Int(upper[left + 1]) + Int(lower[left]) + Int(lower[left + 1])
                        target[column] = UInt8(sum >> 2)
                    }
                }
            }
            return try lend(body)
        case .jpeg:
            if jpeg == nil { jpeg = JPEGDecoder() }
            reserve()
            guard let size = jpeg?.size(of: frame), size.width == width, size.height == height,
                jpeg?.decode(frame, into: &buffer, width: width, height: height) == true
            else { return nil }
            return try lend(body)
        }
    }

    private func reserve() {
        if buffer.isEmpty { buffer = [UInt8](repeating: 0, count: width * height) }
    }

    private func lend<Result>(_ body: (LumaPlane) throws -> Result) rethrows -> Result {
        try buffer.withUnsafeBufferPointer {
            try body(LumaPlane(base: $0.baseAddress!, width: width, height: height, stride: width))
        }
    }
}

/// Decodes the luma of JPEG pictures.
final class JPEGDecoder {
    private let handle: tjhandle

    /// `nil` without memory.
    init?() {
        guard let handle = tjInitDecompress() else { return nil }
        self.handle = handle
    }

    deinit {
        tjDestroy(handle)
    }

    func size(of data: UnsafeBufferPointer<UInt8>) -> (width: Int, height: Int)? {
        var width: Int32 = 0
        var height: Int32 = 0
        var subsampling: Int32 = 0
        var space: Int32 = 0
        guard
            tjDecompressHeader3(handle, data.baseAddress, UInt(data.count), &width, &height, &subsampling, &space) == 0,
            (1...Int32(LumaPlane.maximumSide)).contains(width), (1...Int32(LumaPlane.maximumSide)).contains(height)
        else { return nil }
        return (Int(width), Int(height))
    }

    /// `false` when the data is no whole JPEG; a warning of the decoder (data that ends early) counts as damage.
    func decode(_ data: UnsafeBufferPointer<UInt8>, into pixels: inout [UInt8], width: Int, height: Int) -> Bool {
        pixels.withUnsafeMutableBufferPointer {
            tjDecompress2(
                handle, data.baseAddress, UInt(data.count), $0.baseAddress, Int32(width), Int32(width), Int32(height),
                TJPF_GRAY.rawValueInt32, TJFLAG_FASTDCT | TJFLAG_STOPONWARNING)
        } == 0
    }
}

extension TJPF {
    var rawValueInt32: Int32 { Int32(rawValue) }
}
