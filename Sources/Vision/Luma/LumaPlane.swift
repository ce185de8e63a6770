/// A grey picture that somebody else owns: valid only for the call that it was lent to.
public struct LumaPlane {
    /// The first pixel of the first row; 0 is black.
    public let base: UnsafePointer<UInt8>
    /// In pixels.
    public let width: Int
    public let height: Int
    /// Bytes from a row to the next, at least `width`.
    public let stride: Int

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
    public let width: Int
    public let height: Int
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
            try body(LumaPlane(base: $0.baseAddress!, width: width, height: height, stride: width))
        }
    }
}
