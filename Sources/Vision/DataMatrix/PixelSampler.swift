/// How many grey levels may still be looked at: counted, not timed, so that the same picture gives the same result.
final class Work {
    private(set) var left: Int

    init(_ samples: Int) {
        left = samples
    }

    var isDone: Bool { left <= 0 }

    @inline(__always)
    func spend(_ samples: Int) { left &-= samples }
}

/// Grey levels between a picture's pixels; beside the picture its border goes on.
struct PixelSampler {
    let pixels: UnsafePointer<UInt8>
    let width: Int
    let height: Int
    /// Bytes from a row to the next.
    let stride: Int
    /// Counted by whoever looks at many places.
    var work: Work
    /// Light symbols are read as if they were dark.
    var isInverted = false

    /// Bilinear.
    @inline(__always)
    func level(_ place: Vector) -> Float {
        // Through the negated comparison a place that is no number becomes 0.
        let x = place.x > 0 ? min(place.x, Float(width - 1)) : 0
        let y = place.y > 0 ? min(place.y, Float(height - 1)) : 0
        let (ix, iy) = (min(Int(x), max(width - 2, 0)), min(Int(y), max(height - 2, 0)))
        let (fx, fy) = (x - Float(ix), y - Float(iy))
        let right = width > 1 ? 1 : 0
        let upper = pixels + iy * stride + ix
        let lower = upper + (height > 1 ? stride : 0)
        let a = Float(upper[0]) + (Float(upper[right]) - Float(upper[0])) * fx
        let b = Float(lower[0]) + (Float(lower[right]) - Float(lower[0])) * fx
        let level = a + (b - a) * fy
        return isInverted ? 255 - level : level
    }

    func contains(_ place: Vector) -> Bool {
        place.x > -1 && place.y > -1 && place.x < Float(width) && place.y < Float(height)
    }
}
