import Luma

/// Finds and reads the QR codes of a picture, one look after the other.
final class QRSearch {
    /// A way of looking, cheapest first.
    struct Look: Hashable {
        /// 0 for the picture as it is, 1 for its copy of half size, and so on.
        var level: Int
        /// In a sharper copy: finds what is out of focus, and trips over noise.
        var isSharpened = false
    }

    private let effort: TripleSearch.Effort
    private let pyramid = Pyramid()
    private let finder = FinderSearch()
    private let sharpener = Sharpener()
    let decoder = SymbolDecoder()
    /// Where the part of the picture that is looked at begins.
    private var origin = Place.zero
    /// Where in a picture looking begins, 0 at the top to 1 at the bottom: what the budget does not last for is somewhere
    /// else in every frame.
    var start: Float = 0
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
        let scale = 1 / Float(1 << look.level)
        var rays = RaySource.pyramid(pyramid)
        if look.isSharpened {
            guard budget.spend(plane.width * plane.height / 4) else { return QRFindings() }
            plane = sharpener.sharpened(plane)
            rays = .one(GreySampler(plane, scale: scale))
        }
        // What is found is worth reading, even when the search has cost all that it may.
        var reading = WorkBudget(budget.left / 2)
        var searching = WorkBudget(budget.left / 2)
        var patterns: [FinderPattern] = []
        finder.search(
            plane, scale: scale, rays, isSharpened: look.isSharpened, from: start, most: effort.patterns, &searching,
            &patterns)
        let triples = TripleSearch(patterns: patterns, pyramid: pyramid, rays: rays, effort: effort)
        let (hypotheses, pair) = triples.hypotheses(&reading)
        var findings = QRFindings()
        for hypothesis in hypotheses {
            guard !findings.symbols.contains(where: { $0.reading != nil && hypothesis.grid.overlaps($0.grid) }) else {
                continue
            }
            if let symbol = symbol(hypothesis, &reading) { findings.add(symbol) }
        }
        if findings.symbols.isEmpty, let pair { findings.hint = aim(pair) }
        _ = budget.spend(budget.left - reading.left - searching.left)
        return findings
    }

    private func symbol(_ hypothesis: SymbolHypothesis, _ budget: inout WorkBudget) -> QRFindings.Symbol? {
        var hypothesis = hypothesis
        let result = decoder.read(&hypothesis, pyramid, &budget)
        guard result != .nothing else { return nil }
        var grid = hypothesis.grid
        grid.origin = origin
        let light = decoder.samples.light
        let corners = grid.corners.map(Reading.Point.init)
        let aim = Aim(
            corners: corners, module: hypothesis.module, isSymbol: true, sharpness: decoder.sharpness, dark: light.dark,
            light: light.light)
        var symbol = QRFindings.Symbol(grid: grid, module: hypothesis.module, aim: aim)
        switch result {
        case .text(let value): symbol.reading = Reading(value: value, symbology: .qr, corners: corners)
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
        let corners = [low, Place(high.x, low.y), high, Place(low.x, high.y)]
        let (ink, paper) = ((a.ink + b.ink) / 2, (a.paper + b.paper) / 2)
        return Aim(
            corners: corners.map(Reading.Point.init), module: (a.module + b.module) / 2, isSymbol: false,
            sharpness: nil,
            dark: min(ink, paper), light: max(ink, paper))
    }
}

extension Reading.Point {
    /// Rounded; whatever it is, it is made to fit.
    init(_ place: Place) {
        func whole(_ x: Float) -> Int { x > -1e6 ? (x < 1e6 ? Int(x.rounded()) : 1_000_000) : -1_000_000 }
        self.init(x: whole(place.x), y: whole(place.y))
    }
}
