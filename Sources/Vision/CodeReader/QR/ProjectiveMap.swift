/// A place in a picture or in a symbol: x and y, or u and v.
///
/// In pictures the unit is the pixel and the pixel in the corner covers 0 to 1, so that halving a picture halves its
/// coordinates. In symbols the unit is the module and the symbol covers 0 to its dimension.
typealias Place = SIMD2<Float>

extension SIMD2<Float> {
    var length: Float { (x * x + y * y).squareRoot() }

    /// Twice the signed area of the triangle with the other vector.
    func cross(_ other: Self) -> Float { x * other.y - y * other.x }
}

/// A map of one plane to another that keeps lines straight: from modules to pixels.
///
///     x = (a u + b v + c) / (g u + h v + i)        y = (d u + e v + f) / (g u + h v + i)
struct ProjectiveMap {
    var a, b, c, d, e, f, g, h, i: Float

    func callAsFunction(_ u: Float, _ v: Float) -> Place {
        let w = 1 / (g * u + h * v + i)
        return Place((a * u + b * v + c) * w, (d * u + e * v + f) * w)
    }

    /// `self` after `first`.
    func after(_ first: ProjectiveMap) -> ProjectiveMap {
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
    init?(unitSquareTo p: (Place, Place, Place, Place)) {
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

    init(a: Float, b: Float, c: Float, d: Float, e: Float, f: Float, g: Float, h: Float, i: Float) {
        (self.a, self.b, self.c, self.d, self.e, self.f, self.g, self.h, self.i) = (a, b, c, d, e, f, g, h, i)
    }

    /// The map that takes four places to four others.
    init?(_ from: (Place, Place, Place, Place), to: (Place, Place, Place, Place)) {
        guard let target = ProjectiveMap(unitSquareTo: to), let source = ProjectiveMap(unitSquareTo: from),
            let inverse = source.inverse
        else { return nil }
        self = target.after(inverse)
    }

    /// The map back; `nil` when there is none.
    var inverse: ProjectiveMap? {
        let (p, q, r) = (e * i - f * h, c * h - b * i, b * f - c * e)
        let determinant = a * p + d * q + g * r
        guard abs(determinant) > 1e-12 else { return nil }
        let s = 1 / determinant
        return ProjectiveMap(
            a: p * s, b: q * s, c: r * s,
            d: (f * g - d * i) * s, e: (a * i - c * g) * s, f: (c * d - a * f) * s,
            g: (d * h - e * g) * s, h: (b * g - a * h) * s, i: (a * e - b * d) * s)
    }

    /// Whether everything from (0, 0) to (`side`, `side`) has a place, in front of the camera.
    func covers(_ side: Float) -> Bool {
        let (p, q, r, s) = (i, g * side + i, h * side + i, (g + h) * side + i)
        return min(min(p, q), min(r, s)) > 0.05 * max(max(p, q), max(r, s))
    }

    /// How many pixels a module's width and height have at a place of the symbol.
    func moduleSize(_ u: Float, _ v: Float) -> (width: Float, height: Float) {
        ((self(u + 0.5, v) - self(u - 0.5, v)).length, (self(u, v + 0.5) - self(u, v - 0.5)).length)
    }
}
