import Geometry

/// Makes a grid fit better: by the alignment pattern, then by all edges between modules.
struct GridRefinement {
    let layout: QRLayout
    let sampler: GreySampler
    let isInverted: Bool

    // MARK: Alignment pattern

    /// Moves the corner that has no finder pattern to where the last alignment pattern is seen.
    func aligned(_ grid: SymbolGrid) -> SymbolGrid {
        guard let last = layout.alignment.last else { return grid }
        let expected = Float(last) + 0.5
        guard let (u, v) = alignmentPattern(grid, expected, expected, reach: min(6, 1.5 + 0.06 * Float(grid.dimension)))
        else { return grid }
        let far = Float(grid.dimension) - 3.5
        let corners = (Place(3.5, 3.5), Place(far, 3.5), Place(expected, expected), Place(3.5, far))
        guard
            let map = ProjectiveMap(
                corners, to: (grid(3.5, 3.5), grid(far, 3.5), grid(u, v), grid(3.5, far))),
            map.covers(Float(grid.dimension))
        else { return grid }
        var better = grid
        better.map = map
        return better
    }

    /// Where an alignment pattern is, in modules of the grid as it is.
    private func alignmentPattern(_ grid: SymbolGrid, _ u: Float, _ v: Float, reach: Float) -> (Float, Float)? {
        let steps = Int((reach * 2).rounded(.up))
        var best = (score: Float(0), u: u, v: v)
        for row in -steps...steps {
            for column in -steps...steps {
                let (du, dv) = (Float(column) / 2, Float(row) / 2)
                let score = alignmentScore(grid, u + du, v + dv) - 0.02 * (abs(du) + abs(dv))
                if score > best.score { best = (score, u + du, v + dv) }
            }
        }
        guard best.score > 0.55 else { return nil }
        return (best.u, best.v)
    }

    /// 1 for rings of dark, light, dark; less for anything else.
    private func alignmentScore(_ grid: SymbolGrid, _ u: Float, _ v: Float) -> Float {
        var (light, dark, squares): (Float, Float, Float) = (0, 0, 0)
        for dv in -2...2 {
            for du in -2...2 {
                let value = sampler(grid(u + Float(du), v + Float(dv)))
                squares += value * value
                if max(abs(du), abs(dv)) == 1 { light += value } else { dark += value }
            }
        }
        let mean = (light + dark) / 25
        let deviation = max(squares / 25 - mean * mean, 1).squareRoot()
        // With 8 light and 17 dark modules a perfect pattern gives 2.14 deviations.
        return (light / 8 - dark / 17) * (isInverted ? -1 : 1) / deviation / 2.14
    }

    // MARK: Edges

    /// Fits the grid to the edges between ink and paper.
    ///
    /// - Parameters:
    ///   - samples: of this grid.
    ///   - bends: let the symbol be bent, too.
    func fitted(_ grid: SymbolGrid, _ samples: ModuleSamples, bends: Bool) -> SymbolGrid? {
        let terms = SymbolGrid.terms
        var system = LinearSystem(unknowns: bends ? 2 * terms : 8)
        let n = grid.dimension
        let half = Float(n) / 2
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * terms) { row in
            guard let row = row.baseAddress else { return }
            func add(_ u: Float, _ v: Float, _ shift: Float, _ isAcross: Bool) {
                let (x, y) = (u / half - 1, v / half - 1)
                for term in 0..<2 * terms { row[term] = 0 }
                if bends {
                    SymbolGrid.powers(x, y, row + (isAcross ? 0 : terms))
                } else if isAcross {
                    (row[0], row[1], row[2], row[6], row[7]) = (1, x, y, x * x, x * y)
                } else {
                    (row[3], row[4], row[5], row[6], row[7]) = (1, x, y, x * y, y * y)
                }
                system.add(row, shift)
            }
            for v in 0..<n {
                for u in 0..<n {
                    let here = samples.plain(samples.index(u, v))
                    if u + 1 < n, let shift = edge(grid, u, v, 1, 0, here, samples.plain(samples.index(u + 1, v))) {
                        add(Float(u + 1), Float(v) + 0.5, shift, true)
                    }
                    if v + 1 < n, let shift = edge(grid, u, v, 0, 1, here, samples.plain(samples.index(u, v + 1))) {
                        add(Float(u) + 0.5, Float(v + 1), shift, false)
                    }
                }
            }
        }
        guard system.equations >= 40, let solution = system.solved(strength: bends ? 2 : 0.5) else { return nil }
        return bends ? bent(grid, solution) : moved(grid, solution)
    }

    /// How far the edge between a module and the next is from the middle between their centres, in modules.
    @inline(__always)
    private func edge(
        _ grid: SymbolGrid, _ u: Int, _ v: Int, _ du: Int, _ dv: Int, _ here: Float, _ there: Float
    ) -> Float? {
        guard here * there < 0, abs(here - there) > 0.7 else { return nil }
        let start = grid(Float(u) + 0.5, Float(v) + 0.5)
        let end = grid(Float(u + du) + 0.5, Float(v + dv) + 0.5)
        let (first, last) = (sampler(start), sampler(end))
        // From first to last by 0 to 1; where is the half?
        let span = last - first
        guard abs(span) > 1 else { return nil }
        // The threshold of the neighbourhood, not the middle of these two: one may be blurred more than the other.
        let half = first + span * here / (here - there)
        var before = first
        for step in 1...4 {
            let share = Float(step) * 0.25
            let value = step == 4 ? last : sampler(start + (end - start) * share)
            if (before < half) != (value < half) {
                let crossing = share - 0.25 * (value - half) / (value - before)
                return crossing - 0.5
            }
            before = value
        }
        return nil
    }

    /// Moves a grid by a small projective map of the symbol.
    private func moved(_ grid: SymbolGrid, _ x: [Float]) -> SymbolGrid? {
        let n = Float(grid.dimension)
        let half = n / 2
        // Shifts are in modules; the coordinates of the system go from -1 to 1.
        let s = 1 / half
        let small = ProjectiveMap(
            a: 1 + x[1] * s, b: x[2] * s, c: x[0] * s, d: x[4] * s, e: 1 + x[5] * s, f: x[3] * s,
            g: -x[6] * s, h: -x[7] * s, i: 1)
        let inside = ProjectiveMap(a: s, b: 0, c: -1, d: 0, e: s, f: -1, g: 0, h: 0, i: 1)
        let outside = ProjectiveMap(a: half, b: 0, c: half, d: 0, e: half, f: half, g: 0, h: 0, i: 1)
        var better = grid
        better.map = grid.map.after(outside).after(small).after(inside)
        return better.map.covers(n) ? better : nil
    }

    private func bent(_ grid: SymbolGrid, _ x: [Float]) -> SymbolGrid? {
        var better = grid
        better.bend = grid.bend.isEmpty ? x : zip(grid.bend, x).map { $0 + $1 }
        return better.bend.allSatisfy { abs($0) < 4 } ? better : nil
    }
}
