import Geometry

/// Looks at places that could be symbols, one after the other.
struct PlaceSearch {
    /// The picture, and the same smoothed: smoothing takes away small modules; noise takes away dashes that were not smoothed.
    private let sharp, smooth: SymbolSampler
    private let isHasty: Bool
    /// What reading a symbol has cost that was read is not counted.
    private let isFree: Bool
    /// For the dashed sides of all places, and for reading.
    private var work, reading: WorkBudget
    private(set) var symbols: [DataMatrixSymbol] = []
    /// What they cover.
    private var grounds: [ConvexArea] = []
    private(set) var unread: [UnreadDataMatrix] = []
    /// What may be a symbol, and is looked at when what is surer has been.
    private var doubtful: [DashedSymbol] = []

    /// Symbols whose two arms are longer together are looked at in the smoothed picture only, in pixels.
    private static let smoothSize: Float = 200
    /// Where both dashed sides are so regular the symbol is read at once.
    private static let sureRegularity: Float = 0.85
    /// So many grey levels more may be looked at for each symbol that is read.
    private static let forEach = 100_000

    /// - Parameters:
    ///   - samples: so many grey levels may be looked at to find dashed sides, and to read; those of symbols that are read count
    ///     or do not.
    ///   - known: symbols that have been read.
    ///   - isHasty: only what is clear at once is read.
    init(
        sharp: SymbolSampler, smooth: SymbolSampler, _ samples: (finding: Int, reading: Int, isFree: Bool),
        known: [DataMatrixSymbol], isHasty: Bool
    ) {
        (self.sharp, self.smooth, self.isHasty) = (sharp, smooth, isHasty)
        symbols = known
        grounds = known.map(\.ground)
        work = WorkBudget(samples.finding)
        reading = WorkBudget(samples.reading)
        isFree = samples.isFree
    }

    /// - Parameter first: so many places are left out.
    /// - Returns: how many have been looked at, counted from the first of all; `nil`: all.
    mutating func look(at places: [FinderL], from first: Int) -> Int? {
        var lookedAt: Int?
        for (index, place) in places.enumerated().dropFirst(first) {
            guard !work.isSpent, symbols.count < DataMatrixReader.most else {
                lookedAt = work.isSpent ? index : nil
                break
            }
            // Beside a symbol that was read others are looked for, and none within it.
            guard !isRead(place) else { continue }
            let isLarge = place.size >= Self.smoothSize
            for sampler in isLarge ? [smooth, sharp] : [sharp, smooth] {
                guard let candidate = SymbolCandidate(place, sampler) else { continue }
                if let one = DashedSymbol(place, candidate, isHasty: true, &work), read(one, isHasty: true) { break }
                guard !isHasty, let one = DashedSymbol(place, candidate, isHasty: false, &work) else {
                    if isLarge { break }
                    continue
                }
                if one.isSure(Self.sureRegularity) {
                    if read(one) { break }
                } else {
                    doubtful.append(one)
                }
            }
        }
        doubtful.sort { $0.score > $1.score }
        for one in doubtful where !isRead(one.place) { _ = read(one) }
        return lookedAt
    }

    private func isRead(_ place: FinderL) -> Bool { grounds.contains { $0.contains(place.corner) } }

    private mutating func read(_ one: DashedSymbol, isHasty: Bool = false) -> Bool {
        guard symbols.count < DataMatrixReader.most, !reading.isSpent else { return false }
        let before = reading
        let (symbol, unread) = one.candidate.read(one.upper, one.right, isHasty: isHasty, &reading)
        if let symbol {
            if isFree {
                reading = before
                // Where there are many, there are many sides to be looked at, too.
                work.spend(-Self.forEach)
            }
            symbols.append(symbol)
            grounds.append(symbol.ground)
        }
        if let unread, self.unread.count < DataMatrixReader.most { self.unread.append(unread) }
        return symbol != nil
    }

    /// An L with at least one dashed side that is regular enough to be one.
    private struct DashedSymbol {
        let place: FinderL
        let candidate: SymbolCandidate
        let upper, right: DashedSide?

        /// The more dashes and the more regular, the likelier.
        var score: Float { max(upper?.score ?? 0, right?.score ?? 0) }

        init?(_ place: FinderL, _ candidate: SymbolCandidate, isHasty: Bool, _ budget: inout WorkBudget) {
            self.place = place
            self.candidate = candidate
            (upper, right) = candidate.dashedSides(isHasty: isHasty, &budget)
            guard !isHasty || upper != nil && right != nil else { return nil }
            let regularity = max(upper?.regularity ?? 0, right?.regularity ?? 0)
            // Measured on drawn scenes: every symbol that was read has more, more than half of the clutter less.
            guard regularity > (upper == nil || right == nil ? 0.88 : 0.72) else { return nil }
        }

        func isSure(_ least: Float) -> Bool { min(upper?.regularity ?? 0, right?.regularity ?? 0) > least }
    }
}

extension DataMatrixSymbol {
    /// What it covers, and a little about it.
    var ground: ConvexArea {
        let middle = corners.middle
        return ConvexArea(corners: corners.map { middle + ($0 - middle) * 1.1 })
    }
}
