import Geometry

/// What every module of a symbol looks like: from -1 (ink, surely) to 1 (paper, surely), a margin of one module around
/// the symbol included.
///
/// Made in three steps: grey values; the same, measured against the light around them; the same, with the blur between
/// neighbours undone.
final class ModuleSamples {
    private(set) var dimension = 0
    /// Modules in a row, margins included.
    private(set) var side = 0
    private var grey: [Float] = []
    private var level: [Float] = []
    private var equalised: [Float] = []
    private var sums: [SIMD4<Float>] = []
    /// Half the distance of ink and paper, in grey levels, over the whole symbol.
    private(set) var contrast: Float = 0
    /// Grey levels of dark and light modules, in the middle of the symbol.
    private(set) var light: (dark: Float, light: Float) = (0, 0)

    /// Position of a module in the arrays.
    @inline(__always)
    func index(_ u: Int, _ v: Int) -> Int { (v &+ 1) &* side &+ u &+ 1 }

    private var isEqualised = false

    /// Of the module in column u and row v: what ``equalise(_:)`` made since the last
    /// ``measure(_:_:_:isInverted:)``, or else that.
    @inline(__always)
    func value(_ u: Int, _ v: Int) -> Float { isEqualised ? equalised[index(u, v)] : level[index(u, v)] }

    @inline(__always)
    func isInk(_ u: Int, _ v: Int) -> Bool { value(u, v) < 0 }

    /// Before the blur was undone.
    @inline(__always)
    func plain(_ index: Int) -> Float { level[index] }

    /// Samples all modules and measures them against the light around them.
    ///
    /// - Returns: `false` when ink and paper cannot be told apart.
    func measure(_ grid: SymbolGrid, _ layout: QRLayout, _ sampler: GreySampler, isInverted: Bool) -> Bool {
        dimension = grid.dimension
        side = dimension + 2
        isEqualised = false
        if grey.count != side * side {
            grey = [Float](repeating: 0, count: side * side)
            level = grey
            equalised = grey
            sums = [SIMD4<Float>](repeating: .zero, count: (side + 1) * (side + 1))
        }
        sample(grid, sampler, sign: isInverted ? -1 : 1)
        return normalise(layout, isInverted)
    }

    private func sample(_ grid: SymbolGrid, _ sampler: GreySampler, sign: Float) {
        let middle = Float(dimension) / 2
        let size = grid.map.moduleSize(middle, middle)
        // A single sample already means over a pixel and more.
        let isSmall = min(size.width, size.height) * sampler.scale < 2.2
        grey.withUnsafeMutableBufferPointer { grey in
            for v in -1...dimension {
                for u in -1...dimension {
                    let (x, y) = (Float(u) + 0.5, Float(v) + 0.5)
                    var value = sampler(grid(x, y))
                    if !isSmall {
                        value += sampler(grid(x - 0.22, y - 0.22)) + sampler(grid(x + 0.22, y - 0.22))
                        value += sampler(grid(x - 0.22, y + 0.22)) + sampler(grid(x + 0.22, y + 0.22))
                        value /= 5
                    }
                    grey[index(u, v)] = value * sign
                }
            }
        }
    }

    // MARK: Light

    private func normalise(_ layout: QRLayout, _ isInverted: Bool) -> Bool {
        guard let (paper, ink) = planes(layout) else { return false }
        let half = Float(dimension) / 2
        func at(_ plane: SIMD3<Float>, _ u: Int, _ v: Int) -> Float {
            plane.x + plane.y * ((Float(u) + 0.5) / half - 1) + plane.z * ((Float(v) + 0.5) / half - 1)
        }
        contrast = (paper.x - ink.x) / 2
        guard contrast >= 1.5 else { return false }
        light = isInverted ? (-paper.x, -ink.x) : (ink.x, paper.x)
        for v in 0..<dimension {
            for u in 0..<dimension {
                let value = grey[index(u, v)]
                let isPaper = value * 2 >= at(paper, u, v) + at(ink, u, v)
                let entry = isPaper ? SIMD4(value, 1, 0, 0) : SIMD4(0, 0, value, 1)
                let place = (v + 1) * side + u + 1
                sums[place] = entry + sums[place - 1] + sums[place - side] - sums[place - side - 1]
            }
        }
        let reach = 4
        for v in -1...dimension {
            for u in -1...dimension {
                let (left, right) = (min(max(0, u - reach), dimension - 1), min(max(u + reach + 1, 1), dimension))
                let (top, bottom) = (min(max(0, v - reach), dimension - 1), min(max(v + reach + 1, 1), dimension))
                let sum =
                    sums[bottom * side + right] - sums[top * side + right] - sums[bottom * side + left]
                    + sums[top * side + left]
                let (p, i) = (at(paper, u, v), at(ink, u, v))
                // The neighbourhood says more than the planes where it holds enough of both.
                let light = (sum.x + 6 * p) / (sum.y + 6)
                let dark = (sum.z + 6 * i) / (sum.w + 6)
                let span = max(light - dark, contrast * 0.3)
                let place = index(u, v)
                level[place] = min(max((grey[place] * 2 - light - dark) / span, -1.8), 1.8)
            }
        }
        return true
    }

    /// Light and dark over the symbol, as planes through the modules whose colour is known.
    private func planes(_ layout: QRLayout) -> (paper: SIMD3<Float>, ink: SIMD3<Float>)? {
        var systems = (LinearSystem(unknowns: 3), LinearSystem(unknowns: 3))
        let half = Float(dimension) / 2
        var sums: (Float, Float) = (0, 0)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 3) { terms in
            guard let terms = terms.baseAddress else { return }
            terms[0] = 1
            for v in 0..<dimension {
                for u in 0..<dimension {
                    let module = layout[u, v]
                    guard module == .light || module == .dark else { continue }
                    terms[1] = (Float(u) + 0.5) / half - 1
                    terms[2] = (Float(v) + 0.5) / half - 1
                    let value = grey[index(u, v)]
                    if module == .light {
                        systems.0.add(terms, value)
                        sums.0 += value
                    } else {
                        systems.1.add(terms, value)
                        sums.1 += value
                    }
                }
            }
        }
        let counts = (systems.0.equations, systems.1.equations)
        guard counts.0 > 0, counts.1 > 0,
            let paper = systems.0.solved(towards: [Double(sums.0) / Double(counts.0), 0, 0], strength: 4),
            let ink = systems.1.solved(towards: [Double(sums.1) / Double(counts.1), 0, 0], strength: 4)
        else { return nil }
        return (SIMD3(paper[0], paper[1], paper[2]), SIMD3(ink[0], ink[1], ink[2]))
    }

    // MARK: Blur

    /// Undoes what blur mixes into a module from its neighbours: a filter of three by three modules, chosen so that the
    /// modules whose colour is known come out best.
    func equalise(_ layout: QRLayout) {
        var system = LinearSystem(unknowns: 10)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 10) { terms in
            guard let terms = terms.baseAddress else { return }
            for v in 0..<dimension {
                for u in 0..<dimension {
                    let module = layout[u, v]
                    guard module == .light || module == .dark else { continue }
                    neighbours(index(u, v), terms)
                    system.add(terms, module == .light ? 1 : -1)
                }
            }
        }
        let prior: [Double] = [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]
        guard let filter = system.solved(towards: prior, strength: Double(system.equations) * 0.04) else { return }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 10) { terms in
            guard let terms = terms.baseAddress else { return }
            for v in 0..<dimension {
                for u in 0..<dimension {
                    neighbours(index(u, v), terms)
                    var sum: Float = 0
                    for term in 0..<10 { sum += filter[term] * terms[term] }
                    equalised[index(u, v)] = sum
                }
            }
        }
        isEqualised = true
    }

    @inline(__always)
    private func neighbours(_ centre: Int, _ terms: UnsafeMutablePointer<Float>) {
        level.withUnsafeBufferPointer { level in
            var term = 0
            for row in [centre &- side, centre, centre &+ side] {
                terms[term] = level[row &- 1]
                terms[term &+ 1] = level[row]
                terms[term &+ 2] = level[row &+ 1]
                term &+= 3
            }
        }
        terms[9] = 1
    }

    /// Puts other values in place of what was measured; see ``value(_:_:)``.
    func replace(_ value: (_ u: Int, _ v: Int) -> Float) {
        for v in 0..<dimension {
            for u in 0..<dimension { equalised[index(u, v)] = value(u, v) }
        }
        isEqualised = true
    }

    /// How well the values of the modules of known colour tell it: the inverse of their mean square error, from 0.5 to 20.
    func quality(_ layout: QRLayout) -> Float {
        var (error, all): (Float, Float) = (0, 0)
        for v in 0..<dimension {
            for u in 0..<dimension {
                let module = layout[u, v]
                guard module == .light || module == .dark else { continue }
                let off = value(u, v) - (module == .light ? 1 : -1)
                error += off * off
                all += 1
            }
        }
        return min(max(all / max(error, 1e-3), 0.5), 20)
    }

    /// The share of the modules of known colour that look it, from 0 to 1. Those of the finder patterns count for half:
    /// three finder patterns alone make no symbol.
    func agreement(_ layout: QRLayout) -> Float {
        var (finders, others): ((good: Float, all: Float), (good: Float, all: Float)) = ((0, 0), (0, 0))
        let far = dimension - 8
        for v in 0..<dimension {
            for u in 0..<dimension {
                let module = layout[u, v]
                guard module == .light || module == .dark else { continue }
                let good: Float = isInk(u, v) == (module == .dark) ? 1 : 0
                if (u < 8 || u >= far) && (v < 8 || v >= far) && !(u >= far && v >= far) {
                    finders.good += good
                    finders.all += 1
                } else {
                    others.good += good
                    others.all += 1
                }
            }
        }
        return (finders.good / finders.all + others.good / others.all) / 2
    }
}
