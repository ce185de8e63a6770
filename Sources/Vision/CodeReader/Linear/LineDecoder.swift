import Geometry
/// Reads a linear code of a line across its bars: tries how many characters there may be between the first bar and the last,
/// and which characters look most like what is seen.
///
/// Characters of one symbol have all the same width. So two bars that blur makes one, a bar that ink has made wider, and
/// modules of little more than a pixel do no harm as long as one character looks more like what is seen than every other does;
/// and what is no character, as one with a stain, looks like none.
final class LineDecoder {
    /// What a line says.
    struct Text {
        let symbology: Symbology
        let value: [UInt8]
        let isGS1: Bool
        /// From the first bar to the last, in samples of the line.
        let start, end: Float
    }

    /// How the symbol lies in the line.
    private struct Guess {
        let code: BarCode
        let count: Int
        /// The place of the first bar, and the way to the end of the last; negative when the symbol stands on its head.
        let start, length: Float
        let isInverted: Bool
        /// Where characters begin by the edges that were seen, when they are as many as there should be.
        var nodes: [Float] = []
        /// Modules at the beginning and at the end are so many times as wide as on average: lenses, slanting and bent
        /// labels make them differ.
        var first: Float = 1
        var last: Float = 1
        var look = BarTemplates.Look.usual
        /// How well start and stop fit, 0 to 1 each.
        var fit: Float = 0

        /// Where a module is, in samples: in a line between the nodes, or on a cubic with the slopes of both ends.
        func place(_ module: Float) -> Float {
            if !nodes.isEmpty {
                let index = min(Int(module / code.pitch), count)
                return nodes[index] + (module - Float(index) * code.pitch) * self.module(module)
            }
            let t = module / code.modules(count)
            let bend = first - 1 + (first + last - 2) * -t
            return start + length * (t + t * (1 - t) * bend)
        }

        /// Whether no character is much wider than its neighbour.
        var isEven: Bool {
            (0..<max(count - 1, 0)).allSatisfy { index in
                let (one, other) = (nodes[index + 1] - nodes[index], nodes[index + 2] - nodes[index + 1])
                return abs(one - other) < 0.25 * max(abs(one), abs(other))
            }
        }

        /// Samples of a module at a place.
        func module(_ module: Float) -> Float {
            if !nodes.isEmpty {
                let index = min(Int(module / code.pitch), count)
                return (nodes[index + 1] - nodes[index]) / (index == count ? code.tail : code.pitch)
            }
            let whole = code.modules(count)
            let t = module / whole
            let slope = (first - 1) * (1 - 2 * t) - (first + last - 2) * t * (2 - 3 * t)
            return length / whole * (1 + slope)
        }
    }

    /// Start and stop must fit so well to be looked at, and to be read.
    private static let (minimumFit, readFit, sureFit): (Float, Float, Float) = (1.4, 1.5, 1.84)
    /// And so well where there are few characters besides.
    private static let readFitOfFew: Float = 1.75
    /// Ground beside a code is at least so wide, in modules; it should be ten, and must nearly be where no check, or one of few
    /// characters, tells a whole code from what a stain has left of one.
    private static let (quiet, fullQuiet): (Float, Float) = (4.5, 9)
    /// So many characters before the stop character are few.
    private static let fewCharacters = 10
    /// At most so many guesses are read.
    private static let maximumGuesses = 4
    private static let scales: [Float] = [1, 0.93, 1.075, 0.86, 1.16]
    /// A character must look so much like what it is taken for, and what differs be at most so much of what differs from
    /// the next best: where there is a check, and where there is none.
    private static let minimumCorrelation: Float = 0.75
    private static let (checked, unchecked): (Float, Float) = (0.8, 0.5)
    /// Where a character is may differ from where it should be by so many modules.
    private static let slack: Float = 0.35
    /// So much of a difference goes on at the next character.
    private static let learning: Float = 0.3
    /// At the end, from what start and stop said.
    private static let maximumDrift: Float = 1.2

    private let codes: [BarCode]
    /// Whether something in the line that was read last begins and ends like a code.
    private(set) var isPromising = false
    /// For characters, and for start and stop, as they are asked for.
    private var templates: [Key: BarTemplates] = [:]
    private let window: UnsafeMutablePointer<SIMD8<Float>>

    private struct Key: Hashable {
        enum Part { case start, characters, stop, atEnd }

        let code: BarCode
        let part: Part
        let look: BarTemplates.Look
    }

    /// So many sets of characters are kept.
    private static let maximumSets = 8

    init(_ symbologies: Set<Symbology>) {
        codes = BarCode.all(symbologies)
        window = .allocate(capacity: BarTemplates.samples / 8)
        window.initialize(repeating: .zero, count: BarTemplates.samples / 8)
    }

    deinit { window.deallocate() }

    /// The codes in a line.
    ///
    /// - Parameter budget: for what the edges do not say, in windows of the line; `nil`: only what they say.
    func read(_ line: BarLine, _ budget: inout WorkBudget?) -> [Text] {
        isPromising = false
        var texts: [Text] = []
        var seen: Set<BarLine.Span> = []
        for quiet in [BarLine.quiet, BarLine.narrowQuiet] {
            for isInverted in [false, true] {
                for span in line.spans(isInverted: isInverted, quiet: quiet) where seen.insert(span).inserted {
                    if texts.contains(where: { $0.start < span.end && span.start < $0.end }) { continue }
                    if let text = read(line, span, isInverted, &budget) { texts.append(text) }
                }
            }
            if !texts.isEmpty { break }
        }
        return texts
    }

    private func read(
        _ line: BarLine, _ span: BarLine.Span, _ isInverted: Bool, _ budget: inout WorkBudget?
    ) -> Text? {
        // First what the edges say, which is cheap.
        let counted = codes.flatMap { self.counted(line, span, $0, isInverted) }
        if let text = best(counted, line, span) { return text }
        guard var left = budget else { return nil }
        var found: [Guess] = []
        for code in codes where !left.isSpent { found += guesses(line, span, code, isInverted, &left) }
        budget = left
        if !found.isEmpty { isPromising = true }
        return best(found, line, span)
    }

    private func best(_ guesses: [Guess], _ line: BarLine, _ span: BarLine.Span) -> Text? {
        for guess in guesses.sorted(by: { $0.fit > $1.fit }).prefix(Self.maximumGuesses) {
            let refined = refined(guess, line)
            let needed = refined.count < Self.fewCharacters ? Self.readFitOfFew : Self.readFit
            guard refined.fit > needed, Self.isQuiet(span, refined), let values = values(refined, line),
                let text = BarText(refined.code.symbology, values)
            else { continue }
            return Text(
                symbology: refined.code.symbology, value: text.value, isGS1: text.isGS1, start: span.start,
                end: span.end)
        }
        return nil
    }

    /// Whether the ground beside it is as wide as that beside a code.
    private static func isQuiet(_ span: BarLine.Span, _ guess: Guess) -> Bool {
        let (one, other) = (abs(guess.module(0)), abs(guess.module(guess.code.modules(guess.count) - 1)))
        let (left, right) = guess.length > 0 ? (one, other) : (other, one)
        let quiet = guess.code.symbology == .code39 || guess.count < fewCharacters ? fullQuiet : quiet
        return span.before > quiet * left && span.behind > quiet * right
    }

    // MARK: How many characters

    /// How a code may lie in a span that has just as many bars and spaces as one of so many characters, in both directions:
    /// however labels are bent, characters begin where their edges are.
    private func counted(_ line: BarLine, _ span: BarLine.Span, _ code: BarCode, _ isInverted: Bool) -> [Guess] {
        let count = (span.elements - code.tailElements) / code.elements
        guard code.counts.contains(count), code.elements(count) == span.elements else { return [] }
        return [false, true].compactMap { isBackwards in
            var guess = Guess(
                code: code, count: count, start: isBackwards ? span.end : span.start,
                length: isBackwards ? span.start - span.end : span.end - span.start, isInverted: isInverted)
            guess.nodes = (0...count).map {
                line.edges[isBackwards ? span.last - $0 * code.elements : span.first + $0 * code.elements]
            }
            guess.nodes.append(isBackwards ? span.start : span.end)
            guard guess.isEven else { return nil }
            return fitted(guess, line, scales: [1])
        }
    }

    /// How a code may lie in a span, in both directions: as many characters as bars and spaces say, and, as blur and thin
    /// ink swallow some and noise makes others, about as many.
    private func guesses(
        _ line: BarLine, _ span: BarLine.Span, _ code: BarCode, _ isInverted: Bool, _ budget: inout WorkBudget
    ) -> [Guess] {
        let seen = Float(span.elements - code.tailElements) / Float(code.elements)
        let exact = Int(seen.rounded())
        let low = max(Int(seen * 0.8), code.counts.lowerBound)
        let high = min(Int(seen * 1.5) + 1, code.counts.upperBound)
        guard low <= high else { return [] }
        // What the elements say first; when start and stop are there, too, there is no doubt.
        var counts = Array(low...high)
        if code.elements(exact) == span.elements, let index = counts.firstIndex(of: exact) { counts.swapAt(0, index) }
        var found: [Guess] = []
        for (index, count) in counts.enumerated() {
            guard budget.spend(4 * Self.scales.count) else { break }
            for isBackwards in [false, true] {
                let guess = Guess(
                    code: code, count: count, start: isBackwards ? span.end : span.start,
                    length: isBackwards ? span.start - span.end : span.end - span.start, isInverted: isInverted)
                if let fitting = fitted(guess, line, scales: Self.scales) { found.append(fitting) }
            }
            if index == 0, code.elements(count) == span.elements, found.contains(where: { $0.fit > Self.sureFit }) {
                break
            }
        }
        return found
    }

    /// With the modules at both ends as wide as start and stop fit best; `nil` when they do not.
    private func fitted(_ guess: Guess, _ line: BarLine, scales: [Float]) -> Guess? {
        var best = guess
        let starts = templates(guess.code, .start, guess.look)
        var first: Float = 0
        for scale in scales {
            var other = guess
            other.first = guess.first * scale
            guard take(line, other, at: 0, pitch: guess.code.pitch) else { return nil }
            let fit = starts.best(window).first
            if fit > first { (first, best.first) = (fit, other.first) }
        }
        guard first > Self.minimumFit - 1 else { return nil }
        let stops = templates(guess.code, .stop, guess.look)
        var second: Float = 0
        for scale in scales {
            var other = guess
            other.last = guess.last * scale
            guard take(line, other, at: guess.code.pitch * Float(guess.count), pitch: guess.code.tail) else {
                return nil
            }
            let fit = stops.correlation(0, window)
            if fit > second { (second, best.last) = (fit, other.last) }
        }
        best.fit = first + second
        return best.fit > Self.minimumFit ? best : nil
    }

    /// The same, as soft and as wide as start and stop say.
    private func refined(_ guess: Guess, _ line: BarLine) -> Guess {
        var best = guess
        for look in BarTemplates.Look.all {
            var other = guess
            other.look = look
            if let fitting = fitted(other, line, scales: guess.nodes.isEmpty ? [1, 0.965, 1.035] : [1]),
                fitting.fit > best.fit
            {
                best = fitting
            }
        }
        return best
    }

    @inline(__always)
    private func take(_ line: BarLine, _ guess: Guess, at module: Float, pitch: Float, drift: Float = 0) -> Bool {
        let wide = guess.module(module + pitch / 2)
        return line.window(
            from: guess.place(module) + (drift - BarTemplates.margin) * wide,
            step: wide * (pitch + 2 * BarTemplates.margin) / Float(BarTemplates.samples),
            isInverted: guess.isInverted, into: window)
    }

    private func templates(_ code: BarCode, _ part: Key.Part, _ look: BarTemplates.Look) -> BarTemplates {
        let key = Key(code: code, part: part, look: look)
        if let known = templates[key] { return known }
        let made: BarTemplates
        switch part {
        case .start: made = BarTemplates(code.starts, pitch: code.pitch, look)
        case .stop: made = BarTemplates([code.stop], pitch: code.tail, look, isLast: true)
        case .atEnd: made = BarTemplates(code.characters, pitch: code.tail, look, isLast: true)
        case .characters:
            made = BarTemplates(code.characters, pitch: code.pitch, look)
            let sets = templates.keys.filter { $0.part == .characters }
            if sets.count >= Self.maximumSets { templates[sets[0]] = nil }
        }
        templates[key] = made
        return made
    }

    // MARK: Which characters

    /// Whether start and stop look like no other character: where there is no check, a part of a code must not pass for a whole one.
    private func hasEnds(_ guess: Guess, _ line: BarLine) -> Bool {
        func isSure(_ end: BarTemplates, _ others: BarTemplates) -> Bool {
            let (fit, other) = (end.best(window).first, max(others.best(window).first, 0))
            return fit > Self.minimumCorrelation && 1 - fit * fit < Self.unchecked * (1 - other * other)
        }
        let code = guess.code
        return take(line, guess, at: 0, pitch: code.pitch)
            && isSure(templates(code, .start, guess.look), templates(code, .characters, guess.look))
            && take(line, guess, at: code.pitch * Float(guess.count), pitch: code.tail)
            && isSure(templates(code, .stop, guess.look), templates(code, .atEnd, guess.look))
    }

    /// The characters before the stop character, the start character among them where it has a value.
    private func values(_ guess: Guess, _ line: BarLine) -> [Int]? {
        if guess.code.symbology == .code39, !hasEnds(guess, line) { return nil }
        let all = templates(guess.code, .characters, guess.look)
        let worst = guess.code.symbology == .code39 ? Self.unchecked : Self.checked
        // Code 39's and Code 93's start characters are none of their values.
        let first = guess.code.symbology == .code128 ? 0 : 1
        var values: [Int] = []
        var (drift, pace): (Float, Float) = (0, 0)
        for index in first..<guess.count {
            let module = Float(index) * guess.code.pitch
            drift += pace
            guard let (best, shift) = best(all, guess, line, module, drift) else { return nil }
            if guess.nodes.isEmpty {
                drift += shift
                pace += Self.learning * shift
            }
            guard best.first > Self.minimumCorrelation,
                1 - best.first * best.first < worst * (1 - best.second * best.second)
            else { return nil }
            values.append(best.index)
        }
        return abs(drift) < Self.maximumDrift ? values : nil
    }

    /// The character that looks most like what is at a place or a little beside it, and how far beside, in modules.
    private func best(
        _ all: BarTemplates, _ guess: Guess, _ line: BarLine, _ module: Float, _ drift: Float
    ) -> (best: (index: Int, first: Float, second: Float), shift: Float)? {
        func look(_ shift: Float) -> (index: Int, first: Float, second: Float) {
            take(line, guess, at: module, pitch: guess.code.pitch, drift: drift + shift)
                ? all.best(window) : (index: 0, first: -1, second: -1)
        }
        var (left, middle, right) = (look(-Self.slack), look(0), look(Self.slack))
        var shift: Float = 0
        if left.first > middle.first, left.first > right.first {
            (left, middle, right) = (look(-2 * Self.slack), left, middle)
            shift = -Self.slack
        } else if right.first > middle.first {
            (left, middle, right) = (middle, right, look(2 * Self.slack))
            shift = Self.slack
        }
        shift += Self.slack * Self.peak(left.first, middle.first, right.first)
        return middle.first > 0 ? (middle, shift) : nil
    }

    /// Where a parabola through three values has its top, from -1 to 1.
    private static func peak(_ left: Float, _ middle: Float, _ right: Float) -> Float {
        let bend = left + right - 2 * middle
        guard bend < -1e-6 else { return left > right ? -1 : 1 }
        return min(max((left - right) / (2 * bend), -1), 1)
    }
}
