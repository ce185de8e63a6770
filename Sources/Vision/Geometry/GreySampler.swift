import Luma

/// Grey levels between the pixels of a plane (bilinear), as a function of places in the whole picture of which the plane
/// is a smaller copy.
public struct GreySampler {
    @usableFromInline let base: UnsafePointer<UInt8>
    @usableFromInline let stride: Int
    @usableFromInline let limitX, limitY: Float
    @usableFromInline let lastX, lastY: Int
    /// Pixels of the plane for a pixel of the picture.
    public let scale: Float

    /// - Parameters:
    ///   - plane: borrowed.
    ///   - scale: 1, or 0.5 for a copy of half size, and so on.
    public init(_ plane: LumaPlane, scale: Float = 1) {
        base = plane.base
        stride = plane.stride
        lastX = plane.width - 1
        lastY = plane.height - 1
        limitX = Float(lastX)
        limitY = Float(lastY)
        self.scale = scale
    }

    /// The grey level at a place, from 0 to 255; beyond the edge that of the edge. Any number is allowed.
    @inlinable @inline(__always)
    public func callAsFunction(_ place: Place) -> Float {
        // A pixel's centre is half a pixel from its corner.
        let x = place.x * scale - 0.5
        let y = place.y * scale - 0.5
        // Written so that "not a number" becomes 0.
        let cx = x > 0 ? (x < limitX ? x : limitX) : 0
        let cy = y > 0 ? (y < limitY ? y : limitY) : 0
        let (ix, iy) = (Int(cx), Int(cy))
        let (fx, fy) = (cx - Float(ix), cy - Float(iy))
        let upper = base + iy &* stride
        let lower = base + (iy < lastY ? iy &+ 1 : iy) &* stride
        let jx = ix < lastX ? ix &+ 1 : ix
        let above = Float(upper[ix]) + (Float(upper[jx]) - Float(upper[ix])) * fx
        let below = Float(lower[ix]) + (Float(lower[jx]) - Float(lower[ix])) * fx
        return above + (below - above) * fy
    }
}
