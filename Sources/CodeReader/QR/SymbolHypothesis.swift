/// Three finder patterns that may be those of one symbol.
struct SymbolHypothesis {
    var grid: SymbolGrid
    let isInverted: Bool
    /// Mean size of a module, in pixels of the picture.
    let module: Float
    /// How well the timing patterns stand where they should: 1 perfectly, 0 not at all.
    let timing: Float
}

/// Puts patterns together to hypotheses; cheap checks first.
struct TripleSearch {
    let patterns: [FinderPattern]
    let pyramid: Pyramid
    let rays: RaySource

    /// Less than this of the timing patterns makes no symbol.
    static let leastTiming: Float = 0.4
    /// Distances of the centres of two finder patterns along a side, in modules: versions 1 to 40, with some tolerance.
    private static let span: ClosedRange<Float> = 10.5...185

    private struct Side {
        /// Modules between the centres.
        let modules: Float
        /// Size of a module at this end and at the other, along the side.
        let here, there: Float
    }

    /// The hypotheses that pass, the best first; and the best two patterns that go together, at least.
    func hypotheses(
        _ budget: inout WorkBudget
    ) -> (hypotheses: [SymbolHypothesis], pair: (FinderPattern, FinderPattern)?) {
        let count = patterns.count
        guard count >= 2 else { return ([], nil) }
        var pair: (FinderPattern, FinderPattern)?
        var sides = [Side?](repeating: nil, count: count * count)
        for a in 0..<count {
            for b in 0..<count where b > a && areAlike(patterns[a], patterns[b]) {
                guard budget.spend(60) else { return ([], pair) }
                guard let side = side(patterns[a], patterns[b]) else { continue }
                let isGood = min(patterns[a].goodRays, patterns[b].goodRays) >= FinderPattern.manyGoodRays
                if isGood, pair.map({ $0.0.module < patterns[a].module }) ?? true { pair = (patterns[a], patterns[b]) }
                sides[a * count + b] = side
                sides[b * count + a] = Side(modules: side.modules, here: side.there, there: side.here)
            }
        }
        var found: [SymbolHypothesis] = []
        for corner in 0..<count {
            for b in 0..<count {
                guard let right = sides[corner * count + b] else { continue }
                for c in b + 1..<max(count, b + 1) {
                    guard let below = sides[corner * count + c] else { continue }
                    guard budget.spend(4) else { return (found, pair) }
                    if let one = hypothesis(corner, b, c, right, below, &budget) { found.append(one) }
                }
            }
        }
        return (found.sorted { $0.timing > $1.timing }, pair)
    }

    private func areAlike(_ a: FinderPattern, _ b: FinderPattern) -> Bool {
        guard a.isInverted == b.isInverted, a.module < b.module * 3, b.module < a.module * 3 else { return false }
        let distance = (a.centre - b.centre).length
        return distance > 8 * min(a.module, b.module) && distance < 200 * max(a.module, b.module)
    }

    private func side(_ a: FinderPattern, _ b: FinderPattern) -> Side? {
        let direction = b.centre - a.centre
        guard let near = rays.sampler(module: a.module), let far = rays.sampler(module: b.module),
            let here = a.module(along: direction, near), let there = b.module(along: direction, far),
            here < there * 2.5, there < here * 2.5
        else { return nil }
        // The geometric mean is exact under a projective map.
        let modules = direction.length / (here * there).squareRoot()
        return Self.span.contains(modules) ? Side(modules: modules, here: here, there: there) : nil
    }

    private func hypothesis(
        _ corner: Int, _ b: Int, _ c: Int, _ first: Side, _ second: Side, _ budget: inout WorkBudget
    ) -> SymbolHypothesis? {
        let longer = max(first.modules, second.modules)
        let shorter = min(first.modules, second.modules)
        guard longer - shorter <= 2.5 + 0.12 * longer else { return nil }
        let a = patterns[corner].centre
        let (ab, ac) = (patterns[b].centre - a, patterns[c].centre - a)
        let turn = ab.cross(ac)
        guard abs(turn) > 0.3 * ab.length * ac.length else { return nil }
        // u to the right, v down: seen from the front, the turn is clockwise.
        let (right, below) = turn > 0 ? (b, c) : (c, b)
        let (along, down) = turn > 0 ? (first, second) : (second, first)
        guard isSquareOn(patterns[corner], ab / first.modules, ac / second.modules) else { return nil }
        return best(
            patterns[corner], patterns[right], patterns[below], along, down, (first.modules + second.modules) / 2,
            &budget)
    }

    /// Whether the sides of the pattern at the corner run along the sides of the symbol: then its diagonals are as long
    /// as those of seven modules.
    private func isSquareOn(_ pattern: FinderPattern, _ right: Place, _ down: Place) -> Bool {
        guard let sampler = rays.sampler(module: pattern.module) else { return false }
        for diagonal in [right + down, right - down] {
            guard let module = pattern.module(along: diagonal, sampler) else { continue }
            let ratio = module / diagonal.length
            if ratio < 0.68 || ratio > 1.4 { return false }
        }
        return true
    }

    private func best(
        _ corner: FinderPattern, _ right: FinderPattern, _ below: FinderPattern, _ along: Side, _ down: Side,
        _ modules: Float, _ budget: inout WorkBudget
    ) -> SymbolHypothesis? {
        let module = (corner.module + right.module + below.module) / 3
        guard let sampler = pyramid.sampler(module: module) else { return nil }
        let guess = ((modules - 10) / 4).rounded()
        let reach: Float = guess < 6 ? 1 : guess < 15 ? 2 : 4
        var best: SymbolHypothesis?
        var version = max(1, guess - reach)
        while version <= min(40, guess + reach) {
            defer { version += 1 }
            let dimension = QRLayout.dimension(ofVersion: Int(version))
            guard budget.spend(2 * dimension) else { return best }
            guard
                let map = Self.map(
                    corner.centre, right.centre, below.centre, Float(dimension - 7), along, down)
            else { continue }
            let grid = SymbolGrid(dimension: dimension, map: map)
            let timing =
                Self.timing(grid, sampler, isInverted: corner.isInverted)
                - 0.1 * abs(Float(dimension - 7) - modules) / (1 + 0.05 * modules)
            if timing > max(Self.leastTiming, best?.timing ?? 0) {
                best = SymbolHypothesis(
                    grid: grid, isInverted: corner.isInverted, module: module, timing: timing)
            }
        }
        return best
    }

    /// The map that three centres and the change of the module's size along the sides give.
    private static func map(
        _ a: Place, _ b: Place, _ c: Place, _ modules: Float, _ along: Side, _ down: Side
    ) -> ProjectiveMap? {
        // A module at (u, v) is smaller by the square of the denominator, along the line from the origin.
        let wb = min(max((along.here / along.there).squareRoot(), 0.6), 1.7)
        let wc = min(max((down.here / down.there).squareRoot(), 0.6), 1.7)
        let (right, below) = ((b * wb - a) / modules, (c * wc - a) / modules)
        let (g, h) = ((wb - 1) / modules, (wc - 1) / modules)
        let centred = ProjectiveMap(
            a: right.x, b: below.x, c: a.x, d: right.y, e: below.y, f: a.y, g: g, h: h, i: 1)
        let map = centred.after(ProjectiveMap(a: 1, b: 0, c: -3.5, d: 0, e: 1, f: -3.5, g: 0, h: 0, i: 1))
        return map.covers(modules + 7) ? map : nil
    }

    /// How well dark and light modules take turns between the finder patterns, in row and in column 6.
    static func timing(_ grid: SymbolGrid, _ sampler: GreySampler, isInverted: Bool) -> Float {
        let row = alternation(grid.dimension, isInverted) { sampler(grid($0, 6.5)) }
        guard row > 0.1 else { return 0 }
        let column = alternation(grid.dimension, isInverted) { sampler(grid(6.5, $0)) }
        return min(row, column) < 0.1 ? 0 : (row + column) / 2
    }

    @inline(__always)
    private static func alternation(_ dimension: Int, _ isInverted: Bool, _ value: (Float) -> Float) -> Float {
        var (good, all): (Float, Float) = (0, 0)
        var (before, here) = (value(6.5), value(7.5))
        for k in 7..<dimension - 7 {
            let after = value(Float(k) + 1.5)
            // Odd modules are light.
            let bump = (here - (before + after) / 2) * (k % 2 == 1 ? 1 : -1)
            good += isInverted ? -bump : bump
            all += abs(bump)
            (before, here) = (here, after)
        }
        return all > 0 ? good / all : 0
    }
}
