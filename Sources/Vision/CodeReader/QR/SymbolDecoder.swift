import Geometry
import Luma

/// From a hypothesis to what the symbol says.
final class SymbolDecoder {
    enum Result: Equatable {
        case text(Text)
        /// A symbol, surely, but its modules make no codewords.
        case unread
        case nothing
    }

    /// What a symbol says; see ``QRText``.
    struct Text: Equatable {
        /// UTF-8 mostly.
        let value: [UInt8]
        let isGS1: Bool
    }

    /// Of the 147 modules of three finder patterns fewer that look it make no symbol: of 1000 symbols, some of which had one
    /// pattern covered, every one had at least 99, of what is none in photographs without a code one in five has 94.
    private static let minimumFinderModules = 94
    /// Less than this share of the modules of known colour makes no symbol.
    private static let minimumAgreement: Float = 0.68
    /// And when the grid has been refined.
    private static let minimumRefined: Float = 0.75
    /// Less than this of the format information makes none.
    private static let minimumFormat: Float = 0.4
    /// From this share on a first, unrefined grid is worth decoding.
    private static let goodAgreement: Float = 0.95
    /// How often the grid is refined; the last times it may bend.
    private static let rounds = 5

    let samples = ModuleSamples()
    private var layouts: [QRLayout?] = Array(repeating: nil, count: 41)
    private var codewords: [QRCodewords?] = Array(repeating: nil, count: 41)

    func layout(dimension: Int) -> QRLayout {
        let version = min(max((dimension - 17) / 4, 1), 40)
        if let layout = layouts[version] { return layout }
        let layout = QRLayout(version: version)
        layouts[version] = layout
        return layout
    }

    /// Reads the symbol; on the way the hypothesis' grid is made to fit. ``samples`` are then those of that grid.
    func read(_ hypothesis: inout SymbolHypothesis, _ pyramid: Pyramid, _ budget: inout WorkBudget) -> Result {
        let dimension = hypothesis.grid.dimension
        guard let sampler = pyramid.sampler(module: hypothesis.module) else { return .nothing }
        let layout = layout(dimension: dimension)
        let refinement = GridRefinement(layout: layout, sampler: sampler, isInverted: hypothesis.isInverted)
        let modules = dimension * dimension
        guard budget.spend(Self.finderCost),
            finderModules(hypothesis, sampler) >= Self.minimumFinderModules, budget.spend(modules * 20 + 4000)
        else { return .nothing }
        hypothesis.grid = refinement.aligned(hypothesis.grid)
        var best = (agreement: Self.minimumAgreement, grid: hypothesis.grid)
        for round in 0..<Self.rounds {
            guard samples.measure(hypothesis.grid, layout, sampler, isInverted: hypothesis.isInverted) else { break }
            let agreement = samples.agreement(layout)
            guard agreement > (round == 0 ? Self.minimumAgreement : Self.minimumRefined) else { break }
            if agreement > best.agreement { best = (agreement, hypothesis.grid) }
            if round > 0 || agreement > Self.goodAgreement {
                if let value = decode(layout, &budget) { return .text(value) }
                samples.equalise(layout)
                if let value = decode(layout, &budget) { return .text(value) }
            }
            guard budget.spend(modules * 40),
                let better = refinement.fitted(hypothesis.grid, samples, bends: round >= 2)
            else { break }
            hypothesis.grid = better
        }
        hypothesis.grid = best.grid
        guard best.agreement > Self.minimumAgreement,
            samples.measure(best.grid, layout, sampler, isInverted: hypothesis.isInverted)
        else { return .nothing }
        samples.equalise(layout)
        return samples.agreement(layout) > 0.8 ? .unread : .nothing
    }

    /// What counting the modules of the finder patterns costs.
    private static let finderCost = 200

    /// How many modules of the three finder patterns look it, each measured against the light of its pattern.
    private func finderModules(_ hypothesis: SymbolHypothesis, _ sampler: GreySampler) -> Int {
        let grid = hypothesis.grid
        let far = Float(grid.dimension) - 3.5
        let sign: Float = hypothesis.isInverted ? -1 : 1
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: 49) { values in
            [Place(3.5, 3.5), Place(far, 3.5), Place(3.5, far)].reduce(0) { count, centre in
                var (dark, light): (Float, Float) = (0, 0)
                Self.visitFinder { at, du, dv, isDark in
                    let value = sampler(grid(centre.x + Float(du), centre.y + Float(dv))) * sign
                    values[at] = value
                    if isDark { dark += value } else { light += value }
                }
                let middle = (dark / 33 + light / 16) / 2
                var good = 0
                Self.visitFinder { at, _, _, isDark in good += (values[at] < middle) == isDark ? 1 : 0 }
                return count + good
            }
        }
    }

    /// The modules of a finder pattern about its centre: all are dark but a ring of 16.
    @inline(__always)
    private static func visitFinder(_ body: (_ at: Int, _ du: Int, _ dv: Int, _ isDark: Bool) -> Void) {
        for dv in -3...3 {
            for du in -3...3 { body((dv + 3) * 7 + du + 3, du, dv, max(abs(du), abs(dv)) != 2) }
        }
    }

    /// Decodes the samples as they are.
    func decode(_ layout: QRLayout, _ budget: inout WorkBudget) -> Text? {
        let samples = samples
        let seen = layout.bestFormat { samples.value($0, $1) }
        let mirrored = layout.bestFormat { samples.value($1, $0) }
        guard max(seen.score, mirrored.score) > Self.minimumFormat,
            budget.spend(layout.dimension * layout.dimension * 4)
        else { return nil }
        let words = codewords(layout)
        let corrected =
            mirrored.score > seen.score
            ? words.corrected(format: mirrored.format) { samples.value($1, $0) }
            : words.corrected(format: seen.format) { samples.value($0, $1) }
        guard let corrected else { return nil }
        let text = QRText(corrected.data, version: layout.version, isStrict: corrected.usedErasures)
        return text.map { Text(value: $0.value, isGS1: $0.isGS1) }
    }

    private func codewords(_ layout: QRLayout) -> QRCodewords {
        if let codewords = codewords[layout.version] { return codewords }
        let made = QRCodewords(layout)
        codewords[layout.version] = made
        return made
    }

    /// How much of the contrast the timing patterns have kept in the samples, from 0 to 1: there modules stand alone.
    var sharpness: Float {
        var sum: Float = 0
        let range = 8..<samples.dimension - 8
        for k in range {
            let sign: Float = k % 2 == 0 ? -1 : 1
            sum += sign * (samples.plain(samples.index(k, 6)) + samples.plain(samples.index(6, k)))
        }
        return min(max(sum / Float(2 * range.count), 0), 1)
    }
}
