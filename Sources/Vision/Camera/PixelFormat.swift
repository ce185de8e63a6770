import Luma

/// How a camera's bytes become a luma plane. The table's order is that of cost: the cheapest first.
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

    /// The format of a FourCC; `nil`: it is not read here.
    static func understood(_ fourCC: UInt32) -> PixelFormat? { table.first { $0.fourCC == fourCC } }

    /// Its place in the table.
    var cost: Int { Self.table.firstIndex { $0.name == name } ?? Self.table.count }

    /// What a pixel takes on the way from the camera, in bits; of JPEG: about.
    var bitsPerPixel: Double {
        switch layout {
        case .interleaved: 16
        case .jpeg: 3
        case .bayer: 8
        case .plane:
            switch name {
            case "GREY": 8
            case "422P": 16
            default: 12
            }
        }
    }

    static func name(_ fourCC: UInt32) -> String {
        String(decoding: (0..<4).map { UInt8(truncatingIfNeeded: fourCC >> UInt32(8 * $0)) }, as: UTF8.self)
    }
}

/// Turns frames of one format and size into luma; keeps its buffers from frame to frame.
final class LumaConverter {
    let format: PixelFormat
    /// As agreed with the driver; a JPEG says its own size, which may be another.
    let width: Int
    let height: Int
    /// Of the last frame that was read.
    private(set) var size: (width: Int, height: Int)
    /// Why the last frame that could not be read could not.
    private(set) var damage = ""
    /// A JPEG may have so many times the pixels that were agreed on.
    private static let largestSurplus = 4
    private let stride: Int
    private var buffer: [UInt8] = []
    private var decoder: JPEGDecoder?

    /// - Parameter stride: bytes from a row to the next as the driver says; 0 when it does not.
    init(_ format: PixelFormat, width: Int, height: Int, stride: Int) {
        self.format = format
        self.width = width
        self.height = height
        size = (width, height)
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
        guard let base = frame.baseAddress, frame.count > 0 else { return damaged("it is empty") }
        switch format.layout {
        case .plane:
            guard frame.count >= stride * (height - 1) + width else { return tooShort() }
            return try body(LumaPlane(base: base, width: width, height: height, stride: stride))
        case .interleaved(let step, let offset):
            guard frame.count >= stride * (height - 1) + width * step else { return tooShort() }
            reserve()
            buffer.withUnsafeMutableBufferPointer { out in
                for row in 0..<height {
                    let source = base + row * stride + offset
                    let target = out.start + row * width
                    for column in 0..<width { target[column] = source[step * column] }
                }
            }
            return try lend(body)
        case .bayer:
            guard frame.count >= stride * (height - 1) + width, width > 1, height > 1 else { return tooShort() }
            reserve()
            buffer.withUnsafeMutableBufferPointer { out in
                for row in 0..<height {
                    let upper = base + min(row, height - 2) * stride
                    let lower = upper + stride
                    let target = out.start + row * width
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
            return try jpeg(frame, body)
        }
    }

    private func jpeg<Result>(_ frame: UnsafeBufferPointer<UInt8>, _ body: (LumaPlane) throws -> Result) rethrows
        -> Result?
    {
        if decoder == nil { decoder = JPEGDecoder() }
        guard let decoder else { return damaged("there is no memory") }
        do throws(JPEGDecoder.Damage) {
            // The camera's header is believed, as far as memory and time allow: 736 or 704 lines for 720 are common.
            size = try decoder.decode(frame, into: &buffer, maximumPixels: width * height * Self.largestSurplus)
        } catch {
            return damaged(error.why)
        }
        return try lend(body)
    }

    private func tooShort<Result>() -> Result? { damaged("it ends before its last line") }

    private func damaged<Result>(_ why: String) -> Result? {
        damage = why
        return nil
    }

    private func reserve() {
        if buffer.isEmpty { buffer = [UInt8](repeating: 0, count: width * height) }
    }

    private func lend<Result>(_ body: (LumaPlane) throws -> Result) rethrows -> Result {
        try buffer.withUnsafeBufferPointer {
            try body(LumaPlane(base: $0.start, width: size.width, height: size.height, stride: size.width))
        }
    }
}
