import Luma

/// Finds and reads the QR codes of a picture.
final class QRSearch {
    private let pyramid = Pyramid()
    private let finder = FinderSearch()
    private let sharpener = Sharpener()
    private let decoder = SymbolDecoder()
    var trace = false { didSet { decoder.trace = trace } }

    func read(_ plane: LumaPlane, units: Int) -> [Reading] {
        guard min(plane.width, plane.height) >= Pyramid.smallestSide else { return [] }
        pyramid.take(plane)
        defer { pyramid.clear() }
        var budget = WorkBudget(units)
        var top = 0
        while max(plane.width, plane.height) >> top > 400, top < 6 { top += 1 }
        for number in (0...top).reversed() {
            let readings = read(level: number, sharpened: false, &budget)
            if !readings.isEmpty { return readings }
        }
        for number in (0...top).reversed() {
            let readings = read(level: number, sharpened: true, &budget)
            if !readings.isEmpty { return readings }
        }
        return []
    }

    private func read(level number: Int, sharpened: Bool, _ budget: inout WorkBudget) -> [Reading] {
        guard var level = pyramid.level(number) else { return [] }
        var readings: [Reading] = []
        let scale = 1 / Float(1 << number)
        var rays = RaySource.pyramid(pyramid)
        if sharpened {
            level = sharpener.sharpened(level)
            rays = .one(GreySampler(level, scale: scale))
        }
        var patterns: [FinderPattern] = []
        finder.search(level, scale: scale, rays, step: 2, &budget, &patterns)
        if trace {
            print(" level", number, sharpened ? "sharp" : "", "patterns", patterns.count, "left", budget.left)
            for p in patterns { print("  ", p) }
        }
        var used: [Place] = []
        for var hypothesis in TripleSearch(patterns: patterns, pyramid: pyramid, rays: rays).hypotheses(&budget) {
            if trace { print("  hypothesis", hypothesis.grid.dimension, hypothesis.timing, hypothesis.grid.corners) }
            let middle = hypothesis.grid(Float(hypothesis.grid.dimension) / 2, Float(hypothesis.grid.dimension) / 2)
            if used.contains(where: { ($0 - middle).length < 4 * hypothesis.module }) { continue }
            if let reading = decoder.read(&hypothesis, pyramid, &budget) {
                used.append(middle)
                if !readings.contains(where: { $0.value == reading.value }) { readings.append(reading) }
            }
        }
        return readings
    }
}
