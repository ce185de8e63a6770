/// A place or a direction in a picture, in pixels; x to the right, y down, pixel (0, 0) has its centre at (0, 0).
typealias Vector = SIMD2<Float>

extension SIMD2<Float> {
    var length: Float { (self * self).sum().squareRoot() }
    func dot(_ other: Vector) -> Float { (self * other).sum() }
    /// Negative when `other` is counterclockwise of this, as one sees it.
    func cross(_ other: Vector) -> Float { x * other.y - y * other.x }
    /// Turned clockwise by a right angle, as one sees it.
    var turned: Vector { Vector(-y, x) }
    var unit: Vector { self / Swift.max(length, 1e-6) }
}
