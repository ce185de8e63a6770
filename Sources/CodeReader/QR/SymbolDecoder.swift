import Luma

/// From a hypothesis to what the symbol says.
final class SymbolDecoder {
    private let samples = ModuleSamples()
    private var layouts: [QRLayout?] = Array(repeating: nil, count: 41)
    private var codewords: [QRCodewords?] = Array(repeating: nil, count: 41)
    var trace = false

    /// Less than this of the format information makes no symbol.
    private static let leastFormat: Float = 0.4

    func layout(dimension: Int) -> QRLayout {
        let version = (dimension - 17) / 4
        if let layout = layouts[version] { return layout }
        let layout = QRLayout(version: version)
        layouts[version] = layout
        return layout
    }

    /// Reads the symbol; on the way the hypothesis' grid is made to fit.
    func read(_ hypothesis: inout SymbolHypothesis, _ pyramid: Pyramid, _ budget: inout WorkBudget) -> Reading? {
        let dimension = hypothesis.grid.dimension
        guard let sampler = pyramid.sampler(module: hypothesis.module) else { return nil }
        let layout = layout(dimension: dimension)
        let refinement = GridRefinement(layout: layout, sampler: sampler, isInverted: hypothesis.isInverted)
        let modules = dimension * dimension
        guard budget.spend(modules * 6 + 4000) else { return nil }
        hypothesis.grid = refinement.aligned(hypothesis.grid)
        for round in 0..<5 {
            guard samples.measure(hypothesis.grid, layout, sampler, isInverted: hypothesis.isInverted) else {
                return nil
            }
            let agreement = samples.agreement(layout)
            if trace { print("   round", round, "agreement", agreement) }
            guard agreement > 0.7 else { return nil }
            if round >= 1 || agreement > 0.95 {
                if let reading = decode(layout, hypothesis.grid, isEqualised: false, &budget) { return reading }
                samples.equalise(layout)
                if trace { print("   equalised agreement", samples.agreement(layout)) }
                if let reading = decode(layout, hypothesis.grid, isEqualised: true, &budget) { return reading }
            }
            guard budget.spend(modules * 12),
                let fit = refinement.fitted(hypothesis.grid, samples, bends: round >= 2)
            else { return nil }
            if trace { print("   fit", fit.error, fit.edges) }
            hypothesis.grid = fit.grid
        }
        return nil
    }

    private func decode(
        _ layout: QRLayout, _ grid: SymbolGrid, isEqualised: Bool, _ budget: inout WorkBudget
    ) -> Reading? {
        let samples = samples
        let seen = layout.bestFormat { samples.value($0, $1) }
        let mirrored = layout.bestFormat { samples.value($1, $0) }
        if trace { print("   format", seen, "mirrored", mirrored) }
        guard max(seen.score, mirrored.score) > Self.leastFormat,
            budget.spend(layout.dimension * layout.dimension * 4)
        else { return nil }
        let isMirrored = mirrored.score > seen.score
        let words = codewords(layout)
        let corrected =
            isMirrored
            ? words.corrected(format: mirrored.format) { samples.value($1, $0) }
            : words.corrected(format: seen.format) { samples.value($0, $1) }
        if trace { print("   corrected", corrected != nil, corrected?.usedErasures ?? false) }
        guard let corrected,
            let text = QRText(corrected.data, version: layout.version, isStrict: corrected.usedErasures)
        else { return nil }
        let corners = grid.corners.map {
            Reading.Point(x: Int($0.x.rounded().clamped), y: Int($0.y.rounded().clamped))
        }
        return Reading(value: text.value, symbology: .qr, corners: corners)
    }

    private func codewords(_ layout: QRLayout) -> QRCodewords {
        if let codewords = codewords[layout.version] { return codewords }
        let made = QRCodewords(layout)
        codewords[layout.version] = made
        return made
    }
}

extension Float {
    /// Safe to make an integer of.
    fileprivate var clamped: Float { self > -1e6 ? (self < 1e6 ? self : 1e6) : -1e6 }
}
