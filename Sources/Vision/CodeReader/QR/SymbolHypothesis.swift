import Geometry

/// Three finder patterns that may be those of one symbol.
struct SymbolHypothesis {
    var grid: SymbolGrid
    let isInverted: Bool
    /// Mean size of a module, in pixels of the picture.
    let module: Float
    /// How well the timing patterns stand where they should: 1 perfectly, 0 not at all.
    let timing: Float

    /// Whether it is one, nearly surely.
    var isSure: Bool { timing > TripleSearch.sureTiming }

    /// Whether it is of version 10 or above.
    var isLarge: Bool { grid.dimension > 56 }

    /// For sorting: larger is better.
    var merit: Float { timing - Float(grid.dimension) / 300 }
}

/// Puts patterns together to hypotheses; cheap checks first.
///
/// Hypotheses come in turns, those of the triples that fit best first. When a symbol has been read its patterns are taken out,
/// so that many symbols side by side do not drown in the triples across them.
struct TripleSearch {
    /// The best first.
    let patterns: [FinderPattern]
    let pyramid: Pyramid
    let rays: RaySource
    let effort: Effort
    private let limits: Effort.Limits
    private let partners: Int

    /// Fields of finder patterns must not cost all work.
    struct Effort {
        /// How many finder patterns may be found, the best.
        let patterns: Int
        /// How many of them are put together in one look; of more, those nearest to a place that is another in every look.
        let together: Int
        /// How many of the triples that they make, the most fitting first, are looked at in a turn.
        let turn: Int
        /// Whether turns go on after one that gave nothing.
        let isPatient: Bool
        /// What must be true of patterns and triples in a copy of the picture as it is, and in one that was sharpened or
        /// made coarse, where texture and noise look more like patterns.
        let plain, rough: Limits
        /// For so many looks good patterns are remembered.
        var memory = 0

        /// What patterns and triples must come up to.
        struct Limits {
            /// Of the rays from a pattern's centre so many of 16 must be right.
            let goodRays: Int
            /// Of the rays of three patterns together so many of 48.
            let rays: Int
            /// How many of the nearest patterns may be a pattern's partners: at first, and then of those that are left.
            let partners: [Int]
            /// How many triples are looked at in all.
            let triples: Int
            /// How far a triple may be from equal sides and the length of a version, in modules.
            let mismatch: Float

            static let frame = Limits(
                goodRays: FinderPattern.minimumGoodRays, rays: 33, partners: [8], triples: 640, mismatch: .infinity)
        }

        /// For a frame; there will be another, and what several show badly they show together.
        static let frame = Effort(
            patterns: 224, together: 96, turn: 160, isPatient: false, plain: .frame, rough: .frame, memory: 24)
        /// For a picture that comes once. Of 1000 symbols in photographs and drawn scenes the patterns of every one had at least
        /// 12 good rays each and 44 together, and a mismatch of at most 4; in rough copies 14, 43, 3.6, and it was the third
        /// triple at the latest. Of the triples in photographs without a code one in eight has 42; a symbol that a terminal draws in lines
        /// with gaps between them has fewer, so that plain pictures ask for 36.
        static let still = Effort(
            patterns: 224, together: 224, turn: 1500, isPatient: true,
            plain: Limits(goodRays: 11, rays: 36, partners: [8, 24], triples: 1500, mismatch: 4),
            rough: Limits(goodRays: 14, rays: 42, partners: [8], triples: 240, mismatch: 3))
    }

    /// Less than this of the timing patterns makes no symbol.
    static let minimumTiming: Float = 0.4
    /// And from this on it is one, nearly surely.
    static let sureTiming: Float = 0.85
    /// Distances of the centres of two finder patterns along a side, in modules: versions 1 to 40, with some tolerance.
    private static let span: ClosedRange<Float> = 12.3...185
    private struct Side {
        let partner: Int
        /// Modules between the centres.
        let modules: Float
        /// Size of a module at this end and at the other, along the side.
        let here, there: Float
        /// Whether the modules at both ends could be measured.
        let isSure: Bool

        /// The same from the other end.
        func turned(to partner: Int) -> Side {
            Side(partner: partner, modules: modules, here: there, there: here, isSure: isSure)
        }
    }

    /// Three patterns, before anything between them has been looked at.
    private struct Triple {
        let corner: Int
        let first, second: Side
        /// How far the sides are from equal lengths and from the length of a version, in modules; 0 is best.
        let mismatch: Float
    }

    private var sides: [[Side]] = []
    private var triples: [Triple] = []
    private var next = 0
    /// Triples since a symbol was read.
    private var vain = 0
    /// Hypotheses that are not sure wait for the end of a turn.
    private var later: [SymbolHypothesis] = []
    /// Patterns of symbols that have been read.
    private var isTaken: [Bool]

    init(
        patterns: [FinderPattern], pyramid: Pyramid, rays: RaySource, effort: Effort, limits: Effort.Limits,
        partners: Int, _ budget: inout WorkBudget
    ) {
        self.patterns = patterns
        self.pyramid = pyramid
        self.rays = rays
        self.effort = effort
        self.limits = limits
        self.partners = partners
        isTaken = [Bool](repeating: false, count: patterns.count)
        var known: [Int: Side?] = [:]
        sides = patterns.indices.map { sides(of: $0, &known, &budget) }
        for corner in patterns.indices {
            for (index, first) in sides[corner].enumerated() {
                for second in sides[corner].dropFirst(index + 1) {
                    if let one = triple(corner, first, second) { triples.append(one) }
                }
            }
        }
        _ = budget.spend(triples.count * 4)
        triples.sort { $0.mismatch < $1.mismatch }
    }

    /// The next hypotheses that pass: one that is nearly sure alone, so that its patterns can be taken out before others are
    /// looked at; otherwise those of a turn, the best first. `nil` when there are no more triples, or enough.
    mutating func hypotheses(_ budget: inout WorkBudget) -> [SymbolHypothesis]? {
        var found: [SymbolHypothesis] = []
        var count = 0
        while count < effort.turn, next < min(triples.count, limits.triples), effort.isPatient || vain < effort.turn {
            let triple = triples[next]
            next += 1
            guard !isTaken[triple.corner], !isTaken[triple.first.partner], !isTaken[triple.second.partner] else {
                continue
            }
            guard budget.spend(10) else { return flushed(found) }
            count += 1
            vain += 1
            guard let one = hypothesis(triple, &budget) else { continue }
            if one.isSure {
                later += found
                return [one]
            }
            found.append(one)
        }
        return flushed(found)
    }

    /// Those that wait, too; `nil` when there are none.
    private mutating func flushed(_ found: [SymbolHypothesis]) -> [SymbolHypothesis]? {
        let all = Self.sorted(later + found)
        later = []
        return all.isEmpty ? nil : all
    }

    /// Of two that look alike the smaller is cheaper to try.
    private static func sorted(_ hypotheses: [SymbolHypothesis]) -> [SymbolHypothesis] {
        hypotheses.sorted { $0.merit > $1.merit }
    }

    /// Takes out the patterns on the ground of a symbol that was read.
    mutating func take(_ area: ConvexArea) {
        vain = 0
        for index in patterns.indices where area.contains(patterns[index].centre) { isTaken[index] = true }
    }

    /// The patterns of no symbol that was read.
    var remaining: [FinderPattern] { patterns.indices.filter { !isTaken[$0] }.map { patterns[$0] } }

    /// The largest two good patterns that go together and belong to no symbol.
    var pair: (FinderPattern, FinderPattern)? {
        var best: (FinderPattern, FinderPattern)?
        func isGood(_ index: Int) -> Bool {
            !isTaken[index] && patterns[index].goodRays >= FinderPattern.manyGoodRays
        }
        for (index, sides) in sides.enumerated() where isGood(index) {
            for side in sides where isGood(side.partner) {
                if best.map({ $0.0.module < patterns[index].module }) ?? true {
                    best = (patterns[index], patterns[side.partner])
                }
            }
        }
        return best
    }

    /// The partners that a pattern may have along a side of a symbol, the nearest first.
    private func sides(of index: Int, _ known: inout [Int: Side?], _ budget: inout WorkBudget) -> [Side] {
        let near = patterns.indices.filter { $0 != index && areAlike(patterns[index], patterns[$0]) }
            .map { (partner: $0, distance: (patterns[$0].centre - patterns[index].centre).length) }
            .sorted { $0.distance < $1.distance }
        var sides: [Side] = []
        for (partner, _) in near.prefix(4 * partners) where sides.count < partners {
            // From the other end it is the same.
            if let side = known[partner * patterns.count + index] {
                if let side { sides.append(side.turned(to: partner)) }
                continue
            }
            guard budget.spend(140) else { break }
            let side = side(index, partner)
            known[index * patterns.count + partner] = .some(side)
            if let side { sides.append(side) }
        }
        return sides
    }

    private func areAlike(_ a: FinderPattern, _ b: FinderPattern) -> Bool {
        guard a.isInverted == b.isInverted, a.module < b.module * 2.5, b.module < a.module * 2.5,
            a.goodRays + b.goodRays + FinderPattern.rays >= limits.rays
        else { return false }
        let distance = (a.centre - b.centre).length
        return distance > 8 * min(a.module, b.module) && distance < 200 * max(a.module, b.module)
    }

    private func side(_ index: Int, _ partner: Int) -> Side? {
        let (a, b) = (patterns[index], patterns[partner])
        let direction = b.centre - a.centre
        guard let near = rays.sampler(module: a.module), let far = rays.sampler(module: b.module) else { return nil }
        let measured = (a.module(along: direction, near), b.module(along: direction, far))
        // Gaps between modules are in the way of a ray here and there: then the other end's has to do, or the mean.
        let here = measured.0 ?? measured.1 ?? a.module
        let there = measured.1 ?? measured.0 ?? b.module
        guard here < there * 2.5, there < here * 2.5 else { return nil }
        let isSure = measured.0 != nil && measured.1 != nil
        guard isSure || min(a.goodRays, b.goodRays) >= FinderPattern.fairGoodRays else { return nil }
        // The geometric mean is exact under a projective map.
        let modules = direction.length / (here * there).squareRoot()
        return Self.span.contains(modules)
            ? Side(partner: partner, modules: modules, here: here, there: there, isSure: isSure) : nil
    }

    private func triple(_ corner: Int, _ first: Side, _ second: Side) -> Triple? {
        let rays = patterns[corner].goodRays + patterns[first.partner].goodRays + patterns[second.partner].goodRays
        guard rays >= limits.rays else { return nil }
        let difference = abs(first.modules - second.modules)
        let modules = (first.modules + second.modules) / 2
        guard difference <= 2.5 + 0.12 * modules else { return nil }
        let a = patterns[corner].centre
        let (ab, ac) = (patterns[first.partner].centre - a, patterns[second.partner].centre - a)
        guard abs(ab.cross(ac)) > 0.3 * ab.length * ac.length else { return nil }
        let version = max(((modules - 10) / 4).rounded(), 1)
        let mismatch = (difference + abs(modules - 10 - 4 * version)) / (1 + 0.05 * modules)
        guard mismatch <= limits.mismatch else { return nil }
        let doubt: Float = (first.isSure ? 0 : 1) + (second.isSure ? 0 : 1)
        return Triple(corner: corner, first: first, second: second, mismatch: mismatch + doubt)
    }

    private func hypothesis(_ triple: Triple, _ budget: inout WorkBudget) -> SymbolHypothesis? {
        let corner = patterns[triple.corner]
        let (b, c) = (patterns[triple.first.partner], patterns[triple.second.partner])
        let (ab, ac) = (b.centre - corner.centre, c.centre - corner.centre)
        let modules = (triple.first.modules + triple.second.modules) / 2
        // u to the right, v down: seen from the front, the turn is clockwise.
        let found =
            ab.cross(ac) > 0
            ? best(corner, b, c, triple.first, triple.second, modules, &budget)
            : best(corner, c, b, triple.second, triple.first, modules, &budget)
        guard let found, budget.spend(150) else { return nil }
        return isSquareOn(corner, ab / triple.first.modules, ac / triple.second.modules) ? found : nil
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
        let exact = (modules - 10) / 4
        let guess = exact.rounded()
        // The longer the side, the less surely it is counted; near the middle between two versions it may be either.
        let reach: Float = guess < 6 ? (abs(exact - guess) > 0.2 ? 1 : 0) : guess < 15 ? 2 : 4
        let isSure =
            along.isSure && down.isSure
            && [corner, right, below].allSatisfy { $0.goodRays >= FinderPattern.manyGoodRays }
        var best: SymbolHypothesis?
        var version = max(1, guess - reach)
        while version <= min(40, guess + reach) {
            defer { version += 1 }
            let dimension = QRLayout.dimension(ofVersion: Int(version))
            guard budget.spend(3 * dimension) else { return best }
            let frame = Frame(corner.centre, right.centre, below.centre, modules: Float(dimension - 7), along, down)
            guard
                let (grid, stands) = Self.fitted(
                    frame, dimension: dimension, isSure: isSure && abs(exact - version) < 0.8, sampler,
                    isInverted: corner.isInverted, &budget)
            else { continue }
            let timing = stands - 0.1 * abs(Float(dimension - 7) - modules) / (1 + 0.05 * modules)
            if timing > max(Self.minimumTiming, best?.timing ?? 0) {
                best = SymbolHypothesis(
                    grid: grid, isInverted: corner.isInverted, module: module, timing: timing)
            }
        }
        return best
    }

    /// Three centres, and how much smaller a module is at the far end of each side.
    private struct Frame {
        let a, b, c: Place
        let modules: Float
        /// Denominators of the map at the right and below. A module there is smaller by its square, along the line from the
        /// corner.
        var wb, wc: Float

        init(_ a: Place, _ b: Place, _ c: Place, modules: Float, _ along: Side, _ down: Side) {
            (self.a, self.b, self.c, self.modules) = (a, b, c, modules)
            wb = min(max((along.here / along.there).squareRoot(), 0.6), 1.7)
            wc = min(max((down.here / down.there).squareRoot(), 0.6), 1.7)
        }

        var map: ProjectiveMap? {
            let (right, below) = ((b * wb - a) / modules, (c * wc - a) / modules)
            let (g, h) = ((wb - 1) / modules, (wc - 1) / modules)
            let centred = ProjectiveMap(
                a: right.x, b: below.x, c: a.x, d: right.y, e: below.y, f: a.y, g: g, h: h, i: 1)
            let map = centred.after(ProjectiveMap(a: 1, b: 0, c: -3.5, d: 0, e: 1, f: -3.5, g: 0, h: 0, i: 1))
            return map.covers(modules + 7) ? map : nil
        }
    }

    /// From this number of modules between the centres on, what is measured at the ends does not tell well enough where the
    /// middle of a side is: half a module there is one hundredth of the denominator.
    private static let longSide: Float = 80
    /// How far denominators are searched, in steps.
    private static let steps = 3

    /// The grid, and how well its timing patterns stand; of a large symbol the one of some grids on which they stand best.
    ///
    /// - Parameter isSure: the patterns are finder patterns, nearly surely: then looking longer is worth while.
    private static func fitted(
        _ frame: Frame, dimension: Int, isSure: Bool, _ sampler: GreySampler, isInverted: Bool,
        _ budget: inout WorkBudget
    ) -> (grid: SymbolGrid, timing: Float)? {
        guard let map = frame.map else { return nil }
        var grid = SymbolGrid(dimension: dimension, map: map)
        let mayBeSearched = isSure && frame.modules > longSide
        var row = alternation(grid, isRow: true, sampler, isInverted)
        guard row > 0.1 || mayBeSearched else { return (grid, 0) }
        var column = alternation(grid, isRow: false, sampler, isInverted)
        if mayBeSearched, min(row, column) < sureTiming, budget.spend(24 * steps * dimension) {
            var frame = frame
            func search(_ side: WritableKeyPath<Frame, Float>, isRow: Bool, _ timing: inout Float) {
                let middle = frame[keyPath: side]
                for number in -steps...steps where number != 0 {
                    var other = frame
                    other[keyPath: side] = middle + Float(number) * 0.9 / frame.modules
                    guard let map = other.map else { continue }
                    let moved = SymbolGrid(dimension: dimension, map: map)
                    let stands = alternation(moved, isRow: isRow, sampler, isInverted)
                    if stands > timing { (timing, grid, frame) = (stands, moved, other) }
                }
            }
            // Where the row's modules are depends on the one, and where the column's are on the other.
            search(\.wb, isRow: true, &row)
            search(\.wc, isRow: false, &column)
        }
        return (grid, min(row, column) < 0.1 ? 0 : (row + column) / 2)
    }

    /// How well dark and light modules take turns between the finder patterns, in row or column 6: 1 perfectly, 0 not at all.
    private static func alternation(
        _ grid: SymbolGrid, isRow: Bool, _ sampler: GreySampler, _ isInverted: Bool
    ) -> Float {
        isRow
            ? alternation(grid.dimension, isInverted) { sampler(grid($0, 6.5)) }
            : alternation(grid.dimension, isInverted) { sampler(grid(6.5, $0)) }
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
