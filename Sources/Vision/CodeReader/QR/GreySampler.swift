import Luma

/// Grey values between the pixels of a plane, as a function of places in the whole picture of which the plane is a
/// smaller copy.
struct GreySampler {
    private let base: UnsafePointer<UInt8>
    private let stride: Int
    private let limitX, limitY: Float
    private let lastX, lastY: Int
    /// Pixels of the plane for a pixel of the picture.
    let scale: Float

    /// - Parameters:
    ///   - plane: at least one pixel; borrowed.
    ///   - scale: 1, or 0.5 for a copy of half size, and so on.
    init(_ plane: LumaPlane, scale: Float) {
        base = plane.base
        stride = plane.stride
        lastX = plane.width - 1
        lastY = plane.height - 1
        limitX = Float(lastX)
        limitY = Float(lastY)
        self.scale = scale
    }

    /// The grey value at a place, interpolated; beyond the edge that of the edge. Any number is allowed.
    @inline(__always)
    func callAsFunction(_ place: Place) -> Float {
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
