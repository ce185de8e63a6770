import Geometry
import Glibc

/// An L whose arms have been followed to their ends, on its way to being a symbol.
struct SymbolCandidate {
    private var finder: FinderL
    private let sampler: SymbolSampler
    private let level, contrast: Float

    /// `nil` when there is no dark arm beside light ground.
    init?(_ found: FinderL, _ sampler: SymbolSampler) {
        finder = found
        var sampler = sampler
        sampler.isInverted = found.isInverted
        self.sampler = sampler
        guard let right = Self.followed(sampler, from: found.corner, to: found.right, inside: found.top),
            let top = Self.followed(sampler, from: found.corner, to: found.top, inside: found.right)
        else { return nil }
        finder.right = right.end
        finder.top = top.end
        contrast = min(right.contrast, top.contrast)
        level = (right.level + top.level) / 2
        guard contrast > 6 else { return nil }
    }

    /// Goes along an arm's outer edge as far as it is dark inside and light outside.
    private static func followed(_ sampler: SymbolSampler, from corner: Place, to end: Place, inside: Place)
        -> (end: Place, contrast: Float, level: Float)?
    {
        let direction = (end - corner).unit
        let inward = (inside - corner).dot(direction.turned) > 0 ? direction.turned : -direction.turned
        let known = (end - corner).length
        func difference(_ at: Float) -> (inner: Float, outer: Float) {
            let place = corner + direction * at
            return (sampler.level(place + inward * 1.2), sampler.level(place - inward * 1.6))
        }
        var (inner, outer): (Float, Float) = (0, 0)
        let samples = 24
        for index in 0..<samples {
            let (i, o) = difference(known * (Float(index) + 0.5) / Float(samples))
            inner += i
            outer += o
        }
        inner /= Float(samples)
        outer /= Float(samples)
        let contrast = outer - inner
        guard contrast > 6 else { return nil }
        // From three quarters on: the edge that was found may end before the arm does, or go on beyond it.
        var last: Float?
        var at = known * 0.75
        while at < known * 1.6 + 4, at - (last ?? known) < known * 0.12 + 2 {
            let (i, o) = difference(at)
            if o - i > contrast * 0.5 { last = at }
            at += 0.5
        }
        guard let last else { return nil }
        return (corner + direction * last, contrast, (inner + outer) / 2)
    }

    /// The dashed sides from the end of the left and of the lower arm.
    ///
    /// - Parameter isHasty: only such as are clear at once, and the second only when the first is.
    func dashedSides(isHasty: Bool, _ budget: inout WorkBudget) -> (upper: DashedSide?, right: DashedSide?) {
        let upper = DashedSide.find(
            sampler, start: finder.top, arm: finder.corner - finder.top, along: finder.right - finder.corner,
            level: level, contrast: contrast, isHasty: isHasty, &budget)
        guard upper != nil || !isHasty else { return (nil, nil) }
        let right = DashedSide.find(
            sampler, start: finder.right, arm: finder.corner - finder.right, along: finder.top - finder.corner,
            level: level, contrast: contrast, isHasty: isHasty, &budget)
        return (upper, right)
    }

    /// The symbol; or, when it cannot be read, what stands there for sure.
    ///
    /// - Parameters:
    ///   - isHasty: only what is clear at once.
    ///   - budget: what reading may cost.
    func read(
        _ upper: DashedSide?, _ right: DashedSide?, isHasty: Bool, _ budget: inout WorkBudget
    ) -> (symbol: DataMatrixSymbol?, unread: UnreadDataMatrix?) {
        var unread: UnreadDataMatrix?
        for (shape, corner) in guesses(upper, right).prefix(isHasty ? 1 : Self.maximumGuesses) where !budget.isSpent {
            guard
                var grid = SymbolGrid(
                    shape, corners: [finder.top, corner, finder.right, finder.corner], sampler, &budget)
            else { continue }
            guard grid.fit * 255 > contrast * 0.3 else { continue }
            if let symbol = grid.read(contrast: contrast, isHasty: isHasty, &budget) { return (symbol, nil) }
            guard !isHasty, grid.fit * 255 > contrast * 0.5 else { continue }
            if unread == nil, let upper, let right, upper.modules == shape.columns, right.modules == shape.rows,
                min(upper.regularity, right.regularity) > Self.minimumRegularity
            {
                unread = grid.unread(contrast)
            }
        }
        return (nil, unread)
    }

    /// Both dashed sides of what counts as a symbol although it cannot be read are at least so regular.
    private static let minimumRegularity: Float = 0.88
    /// So many sizes are tried for a place, none of which is farther from what was counted than this.
    private static let (maximumGuesses, farthestGuess): (Int, Float) = (4, 2.4)
    private static let farthestCount: Float = 1.6

    /// Sizes and far corners that the dashed sides speak for, the likeliest first.
    private func guesses(_ upper: DashedSide?, _ right: DashedSide?) -> [(SymbolShape, Place)] {
        let ratio = (finder.right - finder.corner).length / max((finder.top - finder.corner).length, 1)
        var weighed: [(shape: SymbolShape, distance: Float)] = []
        for shape in SymbolShape.all {
            // Two modules more or less than were counted are one away, and no count is worth more than this; an aspect that
            // a tilt makes of another is about half one.
            var distance = abs(logf(ratio * Float(shape.rows) / Float(shape.columns)))
            if let upper { distance += min(Float(abs(upper.modules - shape.columns)) / 2, Self.farthestCount) }
            if let right { distance += min(Float(abs(right.modules - shape.rows)) / 2, Self.farthestCount) }
            if distance < Self.farthestGuess { weighed.append((shape, distance)) }
        }
        weighed.sort { $0.distance < $1.distance }
        return weighed.compactMap { one in
            corner(one.shape, upper, right).map { (one.shape, $0) }
        }
    }

    /// Where the far corner is when the symbol has such a shape: the dashed sides end there.
    private func corner(_ shape: SymbolShape, _ upper: DashedSide?, _ right: DashedSide?) -> Place? {
        let above = upper.map { finder.top + ($0.corner - finder.top) * (Float(shape.columns) / Float($0.modules)) }
        let beside = right.map { finder.right + ($0.corner - finder.right) * (Float(shape.rows) / Float($0.modules)) }
        guard let above, let beside, let upper, let right else { return above ?? beside }
        // Where they are not of one mind the one counts that agrees with the shape.
        let module = (above - finder.top).length / Float(shape.columns)
        guard (above - beside).length > 2 * module else { return (above + beside) / 2 }
        let (a, b) = (upper.modules == shape.columns, right.modules == shape.rows)
        return a != b ? (a ? above : beside) : (upper.regularity > right.regularity ? above : beside)
    }
}
