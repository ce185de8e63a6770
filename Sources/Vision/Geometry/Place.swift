/// A place in a picture or in a symbol, or the way from one place to another: x to the right and y down, or u and v.
///
/// **Where the origin is**, for all rooms that look at pictures: in pictures the unit is the pixel, and (0, 0) is the
/// *outer corner* of the first pixel, so that this pixel covers 0 to 1 and has its centre at (0.5, 0.5); a picture covers
/// 0 to its width and 0 to its height. Halving a picture thereby halves its coordinates, and a part's are those of the
/// whole less where the part begins, with no half pixels to remember. Places come from pixels by ``init(pixel:_:)``, and
/// grey levels from places by ``GreySampler``, which are the only two that know of the half.
///
/// In symbols the unit is the module, likewise: a symbol covers 0 to its dimension.
public typealias Place = SIMD2<Float>

extension SIMD2<Float> {
    /// The centre of the pixel in column `x` and row `y`.
    @inlinable @inline(__always)
    public init(pixel x: Int, _ y: Int) { self.init(Float(x) + 0.5, Float(y) + 0.5) }

    /// The outer corner of the pixel in column `x` and row `y`, which is where a part begins that has this pixel first.
    @inlinable @inline(__always)
    public init(corner x: Int, _ y: Int) { self.init(Float(x), Float(y)) }

    /// Of a way, in the unit of its coordinates.
    @inlinable @inline(__always)
    public var length: Float { (x * x + y * y).squareRoot() }

    /// The length of one way times the length of the other's shadow on it.
    @inlinable @inline(__always)
    public func dot(_ other: Self) -> Float { x * other.x + y * other.y }

    /// Twice the signed area of the triangle with the other way: positive when `other` is clockwise of this one, as one
    /// sees it.
    @inlinable @inline(__always)
    public func cross(_ other: Self) -> Float { x * other.y - y * other.x }

    /// Turned clockwise by a right angle, as one sees it.
    @inlinable @inline(__always)
    public var turned: Self { Self(-y, x) }

    /// The same way with length 1; shorter than a millionth it is hardly a way, and what is left of it is shorter than 1.
    @inlinable @inline(__always)
    public var unit: Self { self / Swift.max(length, 1e-6) }

    /// Farther than this from a picture's corner no place is told to others, in pixels: it can be made a whole number.
    public static let farthest: Float = 1_000_000

    /// The place, or the nearest to it that is at most ``farthest``; what is no number becomes the least.
    public var bounded: Self { clamped(to: Self(repeating: -Self.farthest), Self(repeating: Self.farthest)) }

    /// The place, or the nearest to it in a box; what is no number becomes the least.
    public func clamped(to low: Self, _ high: Self) -> Self {
        func clamped(_ value: Float, _ low: Float, _ high: Float) -> Float {
            value > low ? (value < high ? value : high) : low
        }
        return Self(clamped(x, low.x, high.x), clamped(y, low.y, high.y))
    }

    /// The nearest corner of a pixel; the place must be ``bounded``.
    public var whole: (x: Int, y: Int) { (Int(x.rounded()), Int(y.rounded())) }
}

extension [SIMD2<Float>] {
    /// The mean; zero for no places.
    public var middle: Place { isEmpty ? .zero : reduce(.zero, +) / Float(count) }

    /// The corners with the least and the greatest coordinates of the box around the places; `nil` for none.
    public var bounds: (low: Place, high: Place)? {
        guard let first else { return nil }
        return (reduce(first) { pointwiseMin($0, $1) }, reduce(first) { pointwiseMax($0, $1) })
    }

    /// The corners of a box, in a walk around it.
    public static func box(from low: Place, to high: Place) -> [Place] {
        [low, Place(high.x, low.y), high, Place(low.x, high.y)]
    }
}
