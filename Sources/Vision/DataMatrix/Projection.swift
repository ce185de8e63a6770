/// The projective map from a symbol's own square, (0, 0) to (1, 1), to the picture.
struct Projection {
    private let a, b, c, d, e, f, g, h: Float

    /// By the corners' places: upper left, upper right, lower right, lower left. `nil` when they make no convex
    /// quadrilateral.
    ///
    /// Heckbert, Fundamentals of Texture Mapping (1989), section 2.2.3.
    init?(_ corners: (Vector, Vector, Vector, Vector)) {
        let (p0, p1, p2, p3) = corners
        let turns = [
            (p1 - p0).cross(p2 - p1), (p2 - p1).cross(p3 - p2), (p3 - p2).cross(p0 - p3), (p0 - p3).cross(p1 - p0),
        ]
        guard turns.allSatisfy({ $0 > 4 }) else { return nil }
        let sum = p0 - p1 + p2 - p3
        let (d1, d2) = (p1 - p2, p3 - p2)
        let determinant = d1.cross(d2)
        g = sum.cross(d2) / determinant
        h = d1.cross(sum) / determinant
        a = p1.x - p0.x + g * p1.x
        b = p3.x - p0.x + h * p3.x
        c = p0.x
        d = p1.y - p0.y + g * p1.y
        e = p3.y - p0.y + h * p3.y
        f = p0.y
    }

    @inline(__always)
    func callAsFunction(_ u: Float, _ v: Float) -> Vector {
        let w = max(g * u + h * v + 1, 1e-3)
        return Vector((a * u + b * v + c) / w, (d * u + e * v + f) / w)
    }
}
