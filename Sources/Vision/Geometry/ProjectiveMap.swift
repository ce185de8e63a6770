/// A map of one plane to another that keeps lines straight: from modules, or from a square, to pixels.
///
///     x = (a u + b v + c) / (g u + h v + i)        y = (d u + e v + f) / (g u + h v + i)
public struct ProjectiveMap: Sendable {
    /// As in the formula.
    @usableFromInline let a, b, c, d, e, f, g, h, i: Float

    /// Where a place comes to lie; not a number on the horizon.
    @inlinable @inline(__always)
    public func callAsFunction(_ u: Float, _ v: Float) -> Place {
        let w = 1 / (g * u + h * v + i)
        return Place((a * u + b * v + c) * w, (d * u + e * v + f) * w)
    }

    /// Where four places come to lie, each the same as alone.
    @inlinable @inline(__always)
    public func callAsFunction(_ u: SIMD4<Float>, _ v: SIMD4<Float>) -> (x: SIMD4<Float>, y: SIMD4<Float>) {
        let w = 1 / (g * u + h * v + i)
        return ((a * u + b * v + c) * w, (d * u + e * v + f) * w)
    }

    /// `self` after `first`.
    public func after(_ first: ProjectiveMap) -> ProjectiveMap {
        ProjectiveMap(
            a: a * first.a + b * first.d + c * first.g, b: a * first.b + b * first.e + c * first.h,
            c: a * first.c + b * first.f + c * first.i, d: d * first.a + e * first.d + f * first.g,
            e: d * first.b + e * first.e + f * first.h, f: d * first.c + e * first.f + f * first.i,
            g: g * first.a + h * first.d + i * first.g, h: g * first.b + h * first.e + i * first.h,
            i: g * first.c + h * first.f + i * first.i)
    }

    /// The map of the square from 0 to 1 onto four places, in the order of a walk around it from the origin towards u.
    ///
    /// `nil` when three of them lie on a line, nearly.
    ///
    /// Heckbert, Fundamentals of Texture Mapping (1989), section 2.2.3.
    public init?(unitSquareTo p: (Place, Place, Place, Place)) {
        let (d1, d2, s) = (p.1 - p.2, p.3 - p.2, p.0 - p.1 + p.2 - p.3)
        let determinant = d1.cross(d2)
        guard abs(determinant) > 1e-6 else { return nil }
        g = s.cross(d2) / determinant
        h = d1.cross(s) / determinant
        i = 1
        a = p.1.x - p.0.x + g * p.1.x
        b = p.3.x - p.0.x + h * p.3.x
        c = p.0.x
        d = p.1.y - p.0.y + g * p.1.y
        e = p.3.y - p.0.y + h * p.3.y
        f = p.0.y
    }

    /// The same, when the walk turns clockwise at each corner, as one sees it, and the triangles that each corner makes
    /// with its neighbours have more than an area: then nothing of the square lies on the horizon.
    ///
    /// - Parameter minimumTriangle: of each of the four triangles, in square pixels.
    public init?(unitSquareTo p: (Place, Place, Place, Place), minimumTriangle: Float) {
        let turns = (
            (p.1 - p.0).cross(p.2 - p.1), (p.2 - p.1).cross(p.3 - p.2), (p.3 - p.2).cross(p.0 - p.3),
            (p.0 - p.3).cross(p.1 - p.0)
        )
        let least = min(min(turns.0, turns.1), min(turns.2, turns.3))
        // One that is no number is never the least, and makes the sum none.
        guard least > 2 * minimumTriangle, (turns.0 + turns.1 + turns.2 + turns.3).isFinite else { return nil }
        self.init(unitSquareTo: p)
    }

    /// By its numbers, as in the formula.
    public init(a: Float, b: Float, c: Float, d: Float, e: Float, f: Float, g: Float, h: Float, i: Float) {
        (self.a, self.b, self.c, self.d, self.e, self.f, self.g, self.h, self.i) = (a, b, c, d, e, f, g, h, i)
    }

    /// The map that takes four places to four others; `nil` when three of either lie on a line, nearly.
    public init?(_ from: (Place, Place, Place, Place), to: (Place, Place, Place, Place)) {
        guard let target = ProjectiveMap(unitSquareTo: to), let source = ProjectiveMap(unitSquareTo: from),
            let inverse = source.inverse
        else { return nil }
        self = target.after(inverse)
    }

    /// The map back; `nil` when there is none.
    public var inverse: ProjectiveMap? {
        let (p, q, r) = (e * i - f * h, c * h - b * i, b * f - c * e)
        let determinant = a * p + d * q + g * r
        guard abs(determinant) > 1e-12 else { return nil }
        let s = 1 / determinant
        return ProjectiveMap(
            a: p * s, b: q * s, c: r * s,
            d: (f * g - d * i) * s, e: (a * i - c * g) * s, f: (c * d - a * f) * s,
            g: (d * h - e * g) * s, h: (b * g - a * h) * s, i: (a * e - b * d) * s)
    }

    /// What is farthest away of what a symbol covers is at least this part as near as what is nearest.
    private static let minimumNearness: Float = 0.05

    /// Whether everything from (0, 0) to (`side`, `side`) has a place, in front of the camera.
    public func covers(_ side: Float) -> Bool {
        let (p, q, r, s) = (i, g * side + i, h * side + i, (g + h) * side + i)
        return min(min(p, q), min(r, s)) > Self.minimumNearness * max(max(p, q), max(r, s))
    }

    /// How many pixels a module's width and height have at a place of the symbol.
    public func moduleSize(_ u: Float, _ v: Float) -> (width: Float, height: Float) {
        ((self(u + 0.5, v) - self(u - 0.5, v)).length, (self(u, v + 0.5) - self(u, v - 0.5)).length)
    }
}
