import Geometry
import Luma

/// Reads the linear codes of a picture: of each region with bars, lines across them at several places of their length, each by
/// itself, by ``LineDecoder``.
///
/// Not safe to use from several threads.
final class LinearReader {
    /// Lines lie at places along the bars, in the region's `halfAlong`: a few at first, then more.
    private static let first: [Float] = [0, -2.0 / 3, 2.0 / 3]
    private static let others: [Float] = [-1, 1, -1.0 / 3, 1.0 / 3, -1.5, 1.5]
    /// A line is the mean of so many: at first, and against noise.
    private static let (few, many) = (4, 12)
    /// Which cover a share of the bars' length, but at most so many pixels.
    private static let (share, highest): (Float, Float) = (0.3, 12)
    /// Beside a region there are quiet zones, and blocks that had too few bars: a share of it, and pixels.
    private static let (reachShare, reachMargin): (Float, Float) = (1.15, 40)
    /// Samples lie at least so far apart, in pixels.
    private static let minimumStep: Float = 0.5
    private static let maximumColumns = 2048
    /// Copies of the picture in which regions are looked for: in smaller ones wide bars are near to one another.
    private static let levels = [0, 2]
    /// For a picture, in windows of a line: some milliseconds.
    private static let windows = 12_000

    /// At most so many regions that begin and end like a code, and of which no line says anything, are put to zbar.
    private static let maximumDoubts = 4

    private let decoder: LineDecoder
    /// It goes along every row: between two stains there may be a few that are whole.
    private let second: ZbarScanner
    private let line = BarLine()
    private let pyramid = Pyramid()

    init(_ symbologies: Set<Symbology>) {
        decoder = LineDecoder(symbologies)
        second = ZbarScanner(symbologies)
    }

    /// What the linear codes in a picture say, and how many lines across their bars say so.
    func read(_ plane: LumaPlane) -> [LinearBallot.Tally] {
        pyramid.take(plane)
        defer { pyramid.clear() }
        var tallies: [LinearBallot.Tally] = []
        var later: [LinearLocator.Region] = []
        func isKnown(_ region: LinearLocator.Region) -> Bool {
            tallies.contains { !$0.isPartial && ConvexArea(corners: $0.reading.corners).contains(region.centre) }
        }
        for number in Self.levels {
            guard let copy = pyramid.level(number) else { break }
            for region in LinearLocator.regions(copy) {
                let region = region.scaled(by: 1 / Pyramid.scale(ofLevel: number))
                guard !isKnown(region) else { continue }
                let (found, hasBars) = glance(plane, region)
                tallies += found
                // What too few lines say more may say when they are less noisy.
                if found.allSatisfy(\.isPartial), hasBars { later.append(region) }
            }
        }
        var budget: WorkBudget? = WorkBudget(Self.windows)
        var doubts = 0
        for region in later where budget?.isSpent == false && !isKnown(region) {
            let (found, isPromising) = look(plane, region, &budget)
            tallies += found
            guard found.isEmpty, isPromising, doubts < Self.maximumDoubts else { continue }
            doubts += 1
            tallies += secondTallies(plane, region)
        }
        return tallies
    }

    /// What zbar reads of a region.
    private func secondTallies(_ plane: LumaPlane, _ region: LinearLocator.Region) -> [LinearBallot.Tally] {
        let (across, along) = (region.across * reach(region), region.across.turned * (2.5 * region.halfAlong))
        let corners = [across + along, across - along, -across - along, -across + along].map { region.centre + $0 }
        guard let box = corners.bounds, let (part, origin) = plane.part(from: box.low, to: box.high) else { return [] }
        return second.tallies(part).map { $0.moved(to: origin) }
    }

    /// What the edges say along few lines; and whether there are bars.
    private func glance(_ plane: LumaPlane, _ region: LinearLocator.Region) -> ([LinearBallot.Tally], hasBars: Bool) {
        var found: [Found] = []
        var hasBars = false
        var budget: WorkBudget?
        for place in Self.first {
            take(plane, region, at: place, lines: Self.few)
            hasBars = hasBars || line.hasElements
            note(decoder.read(line, &budget), region, place, &found)
        }
        let isSure = found.count == 1 && found[0].lines == Self.first.count
        if !found.isEmpty, !isSure || found[0].text.symbology == .code39 {
            for place in Self.others {
                take(plane, region, at: place, lines: Self.few)
                note(decoder.read(line, &budget), region, place, &found)
            }
        }
        return (Self.tallies(found, region), hasBars)
    }

    /// What is too soft or too noisy for a glance.
    private func look(
        _ plane: LumaPlane, _ region: LinearLocator.Region, _ budget: inout WorkBudget?
    ) -> (tallies: [LinearBallot.Tally], isPromising: Bool) {
        var found: [Found] = []
        var isPromising = false
        for place in Self.first {
            take(plane, region, at: place, lines: Self.many)
            note(decoder.read(line, &budget), region, place, &found)
            isPromising = isPromising || decoder.isPromising
        }
        guard isPromising || !found.isEmpty else { return ([], false) }
        for place in Self.others {
            take(plane, region, at: place, lines: Self.many)
            note(decoder.read(line, &budget), region, place, &found)
        }
        return (Self.tallies(found, region), isPromising)
    }

    // MARK: Lines

    /// A place of the line, in pixels of the picture from the region's middle across its bars.
    private func across(_ sample: Float, _ region: LinearLocator.Region) -> Float {
        sample * step(region) - reach(region)
    }

    private func reach(_ region: LinearLocator.Region) -> Float {
        region.halfAcross * Self.reachShare + Self.reachMargin
    }

    private func step(_ region: LinearLocator.Region) -> Float {
        max(Self.minimumStep, 2 * reach(region) / Float(Self.maximumColumns))
    }

    /// Draws a line across the bars: the mean of some that are near to one another. What lies beside the picture is as light
    /// as the lightest: a code that fills it has its quiet zones there.
    private func take(_ plane: LumaPlane, _ region: LinearLocator.Region, at place: Float, lines: Int) {
        let (step, reach) = (step(region), reach(region))
        let columns = min(max(Int(2 * reach / step), 1), Self.maximumColumns)
        let (sampler, along) = (GreySampler(plane), region.across.turned)
        let pitch =
            min(Self.share * 2 * region.halfAlong, Self.highest * Float(lines) / Float(Self.many)) / Float(lines)
        let values = line.values.atLeast(columns)
        values.update(repeating: 0, count: columns)
        for line in 0..<lines {
            let way = place * region.halfAlong + (Float(line) - Float(lines - 1) / 2) * pitch
            // Bars that fan out are nearer to one another here and farther there.
            let across = region.across * (1 - region.fan * way)
            let start = region.centre + along * way - across * reach
            let pace = across * step
            for column in 0..<columns { values[column] += sampler(start + pace * (Float(column) + 0.5)) }
        }
        let scale = 1 / Float(lines)
        for column in 0..<columns { values[column] *= scale }
        let way = place * region.halfAlong
        let start = region.centre + along * way - region.across * (1 - region.fan * way) * reach
        let pace = region.across * (1 - region.fan * way) * step
        let end = start + pace * Float(columns)
        func isInside(_ place: Place) -> Bool {
            place.x >= 0 && place.y >= 0 && place.x <= Float(plane.width) && place.y <= Float(plane.height)
        }
        if !isInside(start) || !isInside(end) {
            var lightest: Float = 0
            for column in 0..<columns { lightest = max(lightest, values[column]) }
            for column in 0..<columns where !isInside(start + pace * (Float(column) + 0.5)) {
                values[column] = lightest
            }
        }
        line.take(columns)
    }

    // MARK: What they say

    /// A text, and the lines that say it.
    private struct Found {
        let text: LineDecoder.Text
        var lines = 1
        /// Where they lie, in pixels from the region's middle.
        var low, high: Place

        /// Whether both begin and end at the same bars, so that they are lines of one symbol, of which one must be wrong.
        func isBeside(_ other: Found) -> Bool {
            let slack = max(LinearReader.endSlack * (high.x - low.x), 2)
            return text.symbology == other.text.symbology && abs(low.x - other.low.x) < slack
                && abs(high.x - other.high.x) < slack
        }
    }

    /// Lines of one symbol begin and end at the same place, give or take such a share of its width.
    private static let endSlack: Float = 0.02

    /// Of nine lines across a region so many must say what no check confirms: where the others are a stain may be that makes another
    /// code of what is left.
    private static let neededUnchecked = 5

    private static func tallies(_ found: [Found], _ region: LinearLocator.Region) -> [LinearBallot.Tally] {
        func corners(_ low: Place, _ high: Place) -> [Place] {
            [low, Place(high.x, low.y), high, Place(low.x, high.y)].map {
                region.centre + region.across * $0.x + region.across.turned * $0.y
            }
        }
        return found.map { one in
            let reading = Reading(
                value: one.text.value, symbology: one.text.symbology, corners: corners(one.low, one.high),
                isGS1: one.text.isGS1)
            let symbol = found.filter(one.isBeside)
            return LinearBallot.Tally(
                reading: reading, lines: one.lines,
                isPartial: one.text.symbology == .code39 && one.lines < neededUnchecked,
                symbol: corners(
                    symbol.map(\.low).reduce(one.low, pointwiseMin), symbol.map(\.high).reduce(one.high, pointwiseMax)))
        }
    }

    private func note(
        _ texts: [LineDecoder.Text], _ region: LinearLocator.Region, _ place: Float, _ found: inout [Found]
    ) {
        for text in texts {
            let half = region.halfAlong / 6
            let low = Place(across(text.start, region), place * region.halfAlong - half)
            let high = Place(across(text.end, region), place * region.halfAlong + half)
            if let index = found.firstIndex(where: {
                $0.text.value == text.value && $0.text.symbology == text.symbology
            }) {
                found[index].lines += 1
                found[index].low = pointwiseMin(found[index].low, low)
                found[index].high = pointwiseMax(found[index].high, high)
            } else {
                found.append(Found(text: text, low: low, high: high))
            }
        }
    }
}
