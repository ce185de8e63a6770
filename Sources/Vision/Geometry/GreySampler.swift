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

    /// The grey levels at four places, each the same as of the place alone.
    @inlinable @inline(__always)
    public func callAsFunction(x placesX: SIMD4<Float>, y placesY: SIMD4<Float>) -> SIMD4<Float> {
        let x = placesX * scale - 0.5
        let y = placesY * scale - 0.5
        var cx = x.replacing(with: limitX, where: x .> limitX)
        var cy = y.replacing(with: limitY, where: y .> limitY)
        // Written so that "not a number" becomes 0.
        cx.replace(with: 0, where: .!(x .> 0))
        cy.replace(with: 0, where: .!(y .> 0))
        // The last pixel counts as the neighbour of the one before it: both are read from one address.
        let lastPair = SIMD4<Int32>(repeating: Int32(truncatingIfNeeded: max(lastX &- 1, 0)))
        let pair = Self.floor(cx)
        let ix = pair.replacing(with: lastPair, where: pair .> lastPair)
        let iy = Self.floor(cy)
        let (fx, fy) = (cx - Self.float(ix), cy - Self.float(iy))
        var (upperLeft, upperRight) = (SIMD4<Int32>(), SIMD4<Int32>())
        var (lowerLeft, lowerRight) = (SIMD4<Int32>(), SIMD4<Int32>())
        let next = lastX > 0 ? 1 : 0
        for lane in 0..<4 {
            let row = Int(iy[lane])
            let upper = base + (row &* stride &+ Int(ix[lane]))
            let lower = row < lastY ? upper + stride : upper
            upperLeft[lane] = Int32(upper[0])
            upperRight[lane] = Int32(upper[next])
            lowerLeft[lane] = Int32(lower[0])
            lowerRight[lane] = Int32(lower[next])
        }
        let (a, b) = (Self.float(upperLeft), Self.float(lowerLeft))
        let above = a + (Self.float(upperRight) - a) * fx
        let below = b + (Self.float(lowerRight) - b) * fx
        return above + (below - above) * fy
    }

    // 8 388 608 is 2 to the power of 23: from there on floating-point numbers are whole, and their lowest bits say which.

    /// The whole numbers below numbers from 0 to 8192; of some that are whole themselves, the one before.
    @inlinable @inline(__always)
    static func floor(_ values: SIMD4<Float>) -> SIMD4<Int32> {
        let whole = SIMD4<Float>(repeating: 8_388_608)
        let below = values - 0.5
        let bits = unsafeBitCast(
            below.replacing(with: 0, where: below .< 0) + whole, to: SIMD4<Int32>.self)
        return bits &- unsafeBitCast(whole, to: SIMD4<Int32>.self)
    }

    /// Of whole numbers from 0 to 8 388 607.
    @inlinable @inline(__always)
    static func float(_ values: SIMD4<Int32>) -> SIMD4<Float> {
        let whole = SIMD4<Float>(repeating: 8_388_608)
        return unsafeBitCast(values | unsafeBitCast(whole, to: SIMD4<Int32>.self), to: SIMD4<Float>.self) - whole
    }
}
