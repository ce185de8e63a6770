import Geometry
import Luma

/// Finds and reads the QR codes of a picture, one look after the other.
final class QRSearch {
    /// A way of looking, cheapest first.
    struct Look: Hashable {
        /// 0 for the picture as it is, 1 for its copy of half size, and so on.
        var level: Int
        /// In a sharper copy: finds what is out of focus, and trips over noise.
        var isSharpened = false
        /// Closer looks, too, are at this level: finds modules that are drawn with gaps between them.
        var isCoarse = false
    }

    /// Work for two patterns without a third, beside the budget, in a look.
    private static let pairUnits = 150_000
    /// Of many patterns so many of the best are put together before all others, each with each.
    private static let best = 12
    /// With those of earlier looks they are at most so many.
    private static let together = 16

    private let effort: TripleSearch.Effort
    /// Good patterns of the last looks, in the frame: the work of one does not last for all of a large symbol's.
    private var remembered: [(pattern: FinderPattern, look: Int)] = []
    private var looks = 0
    private let pyramid = Pyramid()
    private let finder = FinderSearch()
    private let sharpener = Sharpener()
    let decoder = SymbolDecoder()
    /// Where the part of the picture that is looked at begins.
    private var origin = Place.zero
    /// Where in a picture looking begins, 0 at the top to 1 at the bottom: what the budget does not last for is somewhere
    /// else in every frame.
    var start: Float = 0
    /// Of too many finder patterns those near this place are put together: shares of width and height.
    var focus = Place(0.5, 0.5)
    /// Symbols on whose ground nothing is looked for, in the frame.
    var known: [[Place]] = []
    /// Work beside the budget: for symbols whose timing patterns leave no doubt, in a stream for the large ones of them (one of
    /// version 40 has sixty times the modules of a nonce's); and for symbols of which one finder pattern is not seen.
    var allowance = WorkBudget(0)
    /// Called for a symbol that was sampled but could not be read, with the samples.
    var onUnread: ((QRFindings.Symbol, ModuleSamples, inout WorkBudget) -> Reading?)?

    init(_ effort: TripleSearch.Effort) {
        self.effort = effort
    }

    /// Takes a picture or a part of it, which must stay valid until ``end()``.
    ///
    /// - Parameter origin: the part's first pixel in the frame.
    func begin(_ plane: LumaPlane, origin: Place = .zero) {
        pyramid.take(plane)
        self.origin = origin
    }

    func end() { pyramid.clear() }

    /// The levels worth looking at, the coarsest first: down to where a picture has some hundred pixels.
    static func levels(width: Int, height: Int) -> [Int] {
        var coarsest = 0
        while max(width, height) >> coarsest > 240, min(width, height) >> (coarsest + 1) >= Pyramid.smallestSide,
            coarsest < 6
        { coarsest += 1 }
        return (0...coarsest).reversed()
    }

    func look(_ look: Look, _ budget: inout WorkBudget) -> QRFindings {
        guard var plane = pyramid.level(look.level), min(plane.width, plane.height) >= Pyramid.smallestSide else {
            return QRFindings()
        }
        let scale = Pyramid.scale(ofLevel: look.level)
        var rays = RaySource.pyramid(pyramid)
        if look.isSharpened {
            guard budget.spend(plane.width * plane.height / 4) else { return QRFindings() }
            plane = sharpener.sharpened(plane)
            rays = .one(GreySampler(plane, scale: scale))
        }
        if look.isCoarse { rays = .one(GreySampler(plane, scale: scale)) }
        // What is found is worth reading, even when the search has cost all that it may.
        var reading = WorkBudget(budget.left / 2)
        var searching = WorkBudget(budget.left / 2)
        let limits = look.isSharpened || look.isCoarse ? effort.rough : effort.plain
        var patterns: [FinderPattern] = []
        finder.search(
            plane, scale: scale, rays, isSharpened: look.isSharpened, from: start,
            without: known.map { ConvexArea(corners: $0, origin: origin) },
            (goodRays: limits.goodRays, most: effort.patterns), &searching, &patterns)
        if patterns.count > effort.together {
            let middle = focus * Place(Float(plane.width), Float(plane.height)) / scale
            patterns.sort { ($0.centre - middle).length < ($1.centre - middle).length }
            patterns.removeLast(patterns.count - effort.together)
        }
        var findings = QRFindings()
        if patterns.count > limits.partners[0] {
            let before = reading.left / 2
            var share = WorkBudget(before)
            // Between the finder patterns of a large symbol its data make others, and all of them are nearer.
            var triples = TripleSearch(
                patterns: best(patterns), pyramid: pyramid, rays: rays, effort: effort, limits: limits,
                partners: Self.best, &share)
            read(&triples, look, &findings, &share)
            reading.spend(before - share.left)
            let taken = findings.symbols.filter { $0.reading != nil }
                .map { ConvexArea(corners: $0.grid.corners, origin: origin) }
            patterns.removeAll { pattern in taken.contains { $0.contains(pattern.centre) } }
        }
        for partners in limits.partners where patterns.count > 2 || partners == limits.partners[0] {
            var triples = TripleSearch(
                patterns: patterns, pyramid: pyramid, rays: rays, effort: effort, limits: limits,
                partners: partners, &reading)
            read(&triples, look, &findings, &reading)
            findings.hint = triples.pair.map { .init(aim: aim($0), isInverted: $0.0.isInverted) }
            patterns = triples.remaining
            if let pair = triples.pair, findings.readings.isEmpty { complete(pair, rays, look, &findings) }
        }
        _ = budget.spend(budget.left - reading.left - searching.left)
        return findings
    }

    /// Reads a symbol of which two patterns are seen.
    private func complete(
        _ pair: (FinderPattern, FinderPattern), _ rays: RaySource, _ look: Look, _ findings: inout QRFindings
    ) {
        let most = min(allowance.left, Self.pairUnits)
        var units = WorkBudget(most)
        var hypotheses: [SymbolHypothesis] = []
        for third in Self.thirds(of: pair) {
            var triples = TripleSearch(
                patterns: [pair.0, pair.1, third], pyramid: pyramid, rays: rays, effort: effort, limits: .frame,
                partners: 2, &units)
            while let more = triples.hypotheses(&units) { hypotheses += more }
        }
        for hypothesis in hypotheses.sorted(by: { $0.merit > $1.merit }) where !units.isSpent {
            guard let symbol = symbol(hypothesis, look, &units) else { continue }
            findings.add(symbol)
            if symbol.reading != nil { break }
        }
        allowance.spend(most - units.left)
    }

    /// Where the third pattern of a symbol may be of which two are seen: the two are at the ends of a side, or of a diagonal.
    private static func thirds(of pair: (FinderPattern, FinderPattern)) -> [FinderPattern] {
        let (a, b) = pair
        let side = b.centre - a.centre
        let (middle, turned) = ((a.centre + b.centre) / 2, side.turned)
        let places = [
            a.centre + turned, a.centre - turned, b.centre + turned, b.centre - turned, middle + turned / 2,
            middle - turned / 2,
        ]
        return places.map { place in
            var third = a
            third.centre = place
            third.module = (a.module + b.module) / 2
            return third
        }
    }

    /// The best of those that were found, and of those of the looks before.
    private func best(_ patterns: [FinderPattern]) -> [FinderPattern] {
        looks &+= 1
        var best = patterns.filter { $0.goodRays >= FinderPattern.manyGoodRays }.sorted { $0.quality > $1.quality }
        best.removeLast(max(best.count - Self.best, 0))
        guard effort.memory > 0 else { return best }
        remembered.removeAll { old in
            looks - old.look > effort.memory
                || best.contains { ($0.centre + origin - old.pattern.centre).length < 2 * $0.module }
        }
        let earlier = remembered.map(\.pattern)
        for pattern in best {
            var pattern = pattern
            pattern.centre += origin
            remembered.append((pattern, looks))
        }
        remembered.removeFirst(max(remembered.count - 2 * Self.best, 0))
        for var pattern in earlier.reversed().prefix(Self.together - best.count) {
            pattern.centre -= origin
            best.append(pattern)
        }
        return best
    }

    private func read(
        _ triples: inout TripleSearch, _ look: Look, _ findings: inout QRFindings, _ budget: inout WorkBudget
    ) {
        while let hypotheses = triples.hypotheses(&budget) { read(hypotheses, look, &triples, &findings, &budget) }
    }

    private func read(
        _ hypotheses: [SymbolHypothesis], _ look: Look, _ triples: inout TripleSearch, _ findings: inout QRFindings,
        _ budget: inout WorkBudget
    ) {
        for hypothesis in hypotheses where !findings.hasRead(hypothesis.grid) {
            guard let symbol = symbol(hypothesis, look, &budget) else { continue }
            findings.add(symbol)
            if symbol.reading != nil {
                triples.take(ConvexArea(corners: symbol.grid.corners, origin: origin))
            }
        }
    }

    private func symbol(
        _ hypothesis: SymbolHypothesis, _ look: Look, _ budget: inout WorkBudget
    ) -> QRFindings.Symbol? {
        var hypothesis = hypothesis
        let isAllowed = hypothesis.isSure && (effort.isPatient || hypothesis.isLarge)
        let result =
            isAllowed && !allowance.isSpent
            ? decoder.read(&hypothesis, pyramid, &allowance) : decoder.read(&hypothesis, pyramid, &budget)
        guard result != .nothing else { return nil }
        var grid = hypothesis.grid
        grid.origin = origin
        let light = decoder.samples.light
        let corners = grid.corners.map(\.bounded)
        let aim = Aim(
            corners: corners, module: hypothesis.module, isSymbol: true, sharpness: decoder.sharpness, dark: light.dark,
            light: light.light)
        var symbol = QRFindings.Symbol(
            grid: grid, module: hypothesis.module, aim: aim, isInverted: hypothesis.isInverted, look: look)
        switch result {
        case .text(let text): symbol.reading = Reading(text, symbology: .qr, corners: corners)
        case .unread: symbol.reading = onUnread?(symbol, decoder.samples, &budget)
        case .nothing: break
        }
        return symbol
    }

    /// The box around two patterns that go together.
    private func aim(_ pair: (FinderPattern, FinderPattern)) -> Aim {
        let (a, b) = pair
        let edge = Place(repeating: 3.5 * max(a.module, b.module))
        let low = pointwiseMin(a.centre, b.centre) - edge + origin
        let high = pointwiseMax(a.centre, b.centre) + edge + origin
        let (ink, paper) = ((a.ink + b.ink) / 2, (a.paper + b.paper) / 2)
        return Aim(
            corners: [Place].box(from: low, to: high).map(\.bounded), module: (a.module + b.module) / 2,
            isSymbol: false,
            sharpness: nil,
            dark: min(ink, paper), light: max(ink, paper))
    }
}
