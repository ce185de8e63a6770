/// A grey picture that somebody else owns: valid only for the call that it was lent to.
public struct LumaPlane {
    /// The first pixel of the first row; 0 is black.
    public let base: UnsafePointer<UInt8>
    /// In pixels.
    public let width: Int
    /// In pixels.
    public let height: Int
    /// Bytes from a row to the next, at least `width`.
    public let stride: Int

    /// Describes pixels that stay somebody else's; sizes that are no picture's stop the program.
    ///
    /// - Parameters:
    ///   - base: the first pixel of the first row, one byte a pixel.
    ///   - width: in pixels, at least 1.
    ///   - height: in pixels, at least 1.
    ///   - stride: bytes from a row to the next, at least `width`.
    public init(base: UnsafePointer<UInt8>, width: Int, height: Int, stride: Int) {
        precondition(width > 0 && height > 0 && stride >= width)
        self.base = base
        self.width = width
        self.height = height
        self.stride = stride
    }

    /// The largest side that is accepted from files and streams, in pixels.
    public static let maximumSide = 8192
}

/// A grey picture of its own, rows without padding.
public struct LumaPicture: Sendable, Hashable {
    /// In pixels, from 1 to ``LumaPlane/maximumSide``.
    public let width: Int
    /// In pixels, from 1 to ``LumaPlane/maximumSide``.
    public let height: Int
    /// Grey levels, row by row from the top, one byte a pixel; 0 is black. There must be `width` × `height` of them.
    public var pixels: [UInt8]

    /// `nil` unless both sides are from 1 to ``LumaPlane/maximumSide`` and `pixels` has as many bytes.
    public init?(width: Int, height: Int, pixels: [UInt8]) {
        guard (1...LumaPlane.maximumSide).contains(width), (1...LumaPlane.maximumSide).contains(height),
            pixels.count == width * height
        else { return nil }
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    /// Lends the picture as a plane.
    public func withPlane<Result>(_ body: (LumaPlane) throws -> Result) rethrows -> Result {
        try pixels.withUnsafeBufferPointer {
            try body(LumaPlane(base: $0.start, width: width, height: height, stride: width))
        }
    }
}
