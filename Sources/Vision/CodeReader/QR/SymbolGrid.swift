import Geometry

/// Where the modules of a symbol are in the picture.
struct SymbolGrid {
    /// Modules on a side.
    let dimension: Int
    var map: ProjectiveMap
    /// For symbols that do not lie flat: how far a module is from where `map` puts it, in modules, as polynomials of the
    /// third degree in u and v (from -1 to 1 over the symbol); empty when flat.
    var bend: [Float] = []

    /// Where the part of the picture that `map` speaks of begins in the frame; for corners and middle only.
    var origin = Place.zero

    static let terms = 10

    /// u and v from -1 to 1, and their products.
    @inline(__always)
    static func powers(_ u: Float, _ v: Float, _ terms: UnsafeMutablePointer<Float>) {
        terms[0] = 1
        terms[1] = u
        terms[2] = v
        terms[3] = u * u
        terms[4] = u * v
        terms[5] = v * v
        terms[6] = u * u * u
        terms[7] = u * u * v
        terms[8] = u * v * v
        terms[9] = v * v * v
    }

    /// The place of a place of the symbol, in pixels.
    @inline(__always)
    func callAsFunction(_ u: Float, _ v: Float) -> Place {
        if bend.isEmpty { return map(u, v) }
        let half = Float(dimension) / 2
        let (x, y) = (u / half - 1, v / half - 1)
        return bend.withUnsafeBufferPointer { bend in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.terms) { powers in
                guard let powers = powers.baseAddress else { return map(u, v) }
                Self.powers(x, y, powers)
                var (du, dv): (Float, Float) = (0, 0)
                for term in 0..<Self.terms {
                    du += bend[term] * powers[term]
                    dv += bend[Self.terms + term] * powers[term]
                }
                return map(u + du, v + dv)
            }
        }
    }

    /// The four corners of the symbol in the frame, in a walk around it.
    var corners: [Place] {
        let side = Float(dimension)
        return [self(0, 0), self(side, 0), self(side, side), self(0, side)].map { $0 + origin }
    }

    /// In the frame.
    var middle: Place { self(Float(dimension) / 2, Float(dimension) / 2) + origin }

    /// Whether the middle of another symbol lies in this one, about.
    func overlaps(_ other: SymbolGrid) -> Bool {
        let side = (corners[0] - corners[2]).length
        return (middle + other.origin - origin - other.middle).length < 0.3 * side
    }
}
