import Geometry

/// The solid sides of a Data Matrix: two arms that meet in a corner.
struct FinderL {
    /// The corner, and the far ends of the arms' outer edges: in an upright symbol the lower left, the lower right and the
    /// upper left corner.
    var corner, right, top: Place
    /// Light modules on a dark ground.
    let isInverted: Bool
    /// The longer, the sooner it is looked at.
    let size: Float

    /// At most so many pairs of edges are weighed, and at most so many are corners.
    private static let (maximumPairs, maximumCorners) = (1_000_000, 12_000)
    /// A rectangle is at most 18 times as long as it is high (8 × 144 modules); some for the tilt.
    private static let longest: Float = 24

    /// Pairs of edges that could be the outer sides of an L, the largest first, at most so many.
    ///
    /// - Parameters:
    ///   - segments: the longest first.
    ///   - least: so long is the longer of the two, in pixels.
    static func find(_ segments: [EdgeSegment], longerThan least: Float = 0, most: Int) -> [FinderL] {
        // From the shortest edge on, so that those that are there are shorter: they reach less far.
        var ends = PlaceIndex()
        var found: [FinderL] = []
        var pairs = 0
        for (index, first) in segments.enumerated().reversed() where pairs < maximumPairs {
            for end in [first.ends.0, first.ends.1] {
                if first.length >= least {
                    ends.visit(end, within: 2 * reach(first.length)) { other in
                        pairs += 1
                        let second = segments[other]
                        guard second.length * longest > first.length, let pair = FinderL(first, second) else { return }
                        found.append(pair)
                    }
                }
                ends.add(index, at: end)
            }
        }
        found.sort { $0.size > $1.size }
        var corners = PlaceIndex()
        var kept: [FinderL] = []
        for pair in found.prefix(maximumCorners) where kept.count < most {
            let near = pair.size * 0.05 + 1
            var isKnown = false
            corners.visit(pair.corner, within: near) { isKnown = isKnown || pair.isLike(kept[$0], within: near) }
            guard !isKnown else { continue }
            corners.add(kept.count, at: pair.corner)
            kept.append(pair)
        }
        return kept
    }

    /// An edge's end is at most so far from the corner, in pixels.
    private static func reach(_ length: Float) -> Float { 3 + 0.12 * length }

    private func isLike(_ other: FinderL, within near: Float) -> Bool {
        isInverted == other.isInverted && (corner - other.corner).length < near
            && (right - other.right).length < near && (top - other.top).length < near
    }

    private init?(_ first: EdgeSegment, _ second: EdgeSegment) {
        let (d1, d2) = (first.ends.1 - first.ends.0, second.ends.1 - second.ends.0)
        let cross = d1.cross(d2)
        // At least 35 degrees between them.
        guard abs(cross) > 0.57 * first.length * second.length else { return nil }
        let along = (second.ends.0 - first.ends.0).cross(d2) / cross
        let corner = first.ends.0 + d1 * along
        guard let far1 = Self.farEnd(first, corner), let far2 = Self.farEnd(second, corner) else { return nil }
        let (arm1, arm2) = ((far1 - corner).unit, (far2 - corner).unit)
        // Either both arms go into the dark of the other, or both into the light.
        let (light1, light2) = (arm1.dot(second.lighter), arm2.dot(first.lighter))
        guard light1 * light2 > 0 else { return nil }
        isInverted = light1 > 0
        self.corner = corner
        // The right arm is clockwise of the upper one.
        if arm1.cross(arm2) < 0 { (right, top) = (far1, far2) } else { (right, top) = (far2, far1) }
        size = first.length + second.length
    }

    /// The end that is not at the corner, when the other one is.
    private static func farEnd(_ segment: EdgeSegment, _ corner: Place) -> Place? {
        let (a, b) = ((segment.ends.0 - corner).length, (segment.ends.1 - corner).length)
        guard min(a, b) < reach(segment.length), max(a, b) > 8 else { return nil }
        return a < b ? segment.ends.1 : segment.ends.0
    }
}
