import Geometry

/// An L whose arms have been followed to their ends, on its way to being a symbol.
struct SymbolCandidate {
    private var finder: FinderL
    private let sampler: SymbolSampler
    private let level, contrast: Float

    /// `nil` when there is no dark arm beside light ground.
    init?(_ found: FinderL, _ sampler: SymbolSampler) {
        finder = found
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
    func dashedSides(_ budget: inout WorkBudget) -> (upper: DashedSide?, right: DashedSide?) {
        let upper = DashedSide.find(
            sampler, start: finder.top, arm: finder.corner - finder.top, along: finder.right - finder.corner,
            level: level, contrast: contrast, &budget)
        let right = DashedSide.find(
            sampler, start: finder.right, arm: finder.corner - finder.right, along: finder.top - finder.corner,
            level: level, contrast: contrast, &budget)
        return (upper, right)
    }

    /// The symbol; or, when it cannot be read, what stands there for sure.
    ///
    /// - Parameter budget: what reading may cost.
    func read(
        _ upper: DashedSide?, _ right: DashedSide?, _ budget: inout WorkBudget
    ) -> (symbol: DataMatrixSymbol?, unread: UnreadDataMatrix?) {
        var unread: UnreadDataMatrix?
        for (size, corner) in guesses(upper, right) where !budget.isSpent {
            guard
                var grid = SymbolGrid(
                    size, corners: [finder.top, corner, finder.right, finder.corner], sampler, &budget)
            else { continue }
            guard grid.fit * 255 > contrast * 0.3 else { continue }
            grid.refine(least: contrast * 0.35 / 255, &budget)
            guard grid.fit * 255 > contrast * 0.5 else { continue }
            if let text = grid.decode(&budget) {
                return (DataMatrixSymbol(text: text.bytes, corners: grid.corners, isGS1: text.isGS1), nil)
            }
            if unread == nil, let upper, let right, upper.modules == size.columns, right.modules == size.rows,
                min(upper.regularity, right.regularity) > Self.minimumRegularity
            {
                unread = grid.unread(contrast)
            }
        }
        return (nil, unread)
    }

    /// Both dashed sides of what counts as a symbol although it cannot be read are at least so regular.
    private static let minimumRegularity: Float = 0.88

    /// Sizes and far corners that the dashed sides speak for, the likeliest first.
    private func guesses(_ upper: DashedSide?, _ right: DashedSide?) -> [(SymbolSize, Place)] {
        var guesses: [(SymbolSize, Place)] = []
        func add(_ rows: Int, _ columns: Int, _ corner: Place) {
            guard let size = SymbolSize.with(rows: rows, columns: columns),
                !guesses.contains(where: { $0.0 == size })
            else { return }
            guesses.append((size, corner))
        }
        if let upper, let right { add(right.modules, upper.modules, (upper.corner + right.corner) / 2) }
        let sides = [upper, right].compactMap { $0 }.sorted { $0.score > $1.score }
        for side in sides { add(side.modules, side.modules, side.corner) }
        for side in sides {
            add(side.modules + 2, side.modules + 2, side.corner)
            add(side.modules - 2, side.modules - 2, side.corner)
        }
        return guesses
    }
}
