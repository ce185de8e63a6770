import Geometry

/// What scan lines say about linear codes: of readings of one code that differ the majority counts.
///
/// A stain over a bar makes another character of one: Code 39 has no check at all, those of Code 128 and Code 93 are weak.
struct LinearBallot {
    /// What was read somewhere, and by how many scan lines.
    struct Tally {
        let reading: Reading
        let lines: Int
        /// Too little of the symbol says so for it to count alone: it only speaks against others.
        var isPartial = false
        /// Corners of what lines with the same beginning and end cover, whatever they say: where one symbol lies; `nil`: where
        /// these lines do.
        var symbol: [Place]?

        /// The same in the whole, when it was seen in a part of it.
        func moved(to origin: Place) -> Tally {
            Tally(
                reading: reading.moved(to: origin), lines: lines, isPartial: isPartial,
                symbol: symbol?.map { $0 + origin })
        }
    }

    private struct Entry {
        /// As it was seen last, and where.
        var reading: Reading
        var symbol: [Place]
        var isPartial: Bool
        /// Votes that count still, each with its frame.
        var votes: [(frame: Int, lines: Int)]

        var lines: Int { votes.reduce(0) { $0 + $1.lines } }
    }

    /// Votes of so many frames count.
    static let memory = 45
    /// A majority is so many times what all others have at that place.
    private static let majority = 2
    /// Scan lines end at about the same place, give or take so many pixels.
    private static let slack: Float = 8
    /// Four corners around a smaller area are a line, in square pixels.
    private static let minimumArea: Float = 32
    private static let maximumEntries = 128

    private var entries: [Entry] = []

    /// Counts what a frame, or a part of it, shows.
    mutating func add(_ tallies: [Tally], frame: Int) {
        for index in entries.indices { entries[index].votes.removeAll { frame - $0.frame > Self.memory } }
        entries.removeAll(where: \.votes.isEmpty)
        for tally in tallies {
            let vote = (frame: frame, lines: tally.lines)
            if let index = entries.firstIndex(where: { $0.reading.isSame(as: tally.reading) }) {
                entries[index].votes.append(vote)
                entries[index].reading = tally.reading
                entries[index].symbol = tally.symbol ?? tally.reading.corners
                entries[index].isPartial = tally.isPartial
            } else if entries.count < Self.maximumEntries {
                entries.append(
                    Entry(
                        reading: tally.reading, symbol: tally.symbol ?? tally.reading.corners,
                        isPartial: tally.isPartial, votes: [vote]))
            }
        }
    }

    /// What was read in a frame and has the majority where it is.
    func elected(in frame: Int) -> [Reading] {
        entries.filter { $0.votes.last?.frame == frame && isElected($0) }.map(\.reading).withoutFragments
    }

    private func isElected(_ entry: Entry) -> Bool {
        let lines = entry.lines
        guard !entry.isPartial, let needed = Self.needed(entry.reading), lines >= needed else { return false }
        var others = 0
        for other in entries where !other.reading.isSame(as: entry.reading) {
            let isPart = other.reading.symbology == entry.reading.symbology && entry.reading.extends(other.reading)
            if !isPart, Self.areAtOnePlace(entry.symbol, other.symbol) { others += other.lines }
        }
        return lines >= others * Self.majority
    }

    /// How many lines must say it; `nil` for what is never taken.
    private static func needed(_ reading: Reading) -> Int? {
        guard reading.isPlausible else { return nil }
        switch reading.symbology {
        case .code128, .code93: return 2
        case .code39: return 3
        case .qr, .dataMatrix: return nil
        }
    }

    /// Whether the middle of one lies on the ground of the other.
    private static func areAtOnePlace(_ one: [Place], _ other: [Place]) -> Bool {
        let (a, b) = (ground(one), ground(other))
        return a.area.contains(b.middle) || b.area.contains(a.middle)
    }

    private static func ground(_ places: [Place]) -> (area: ConvexArea, middle: Place) {
        guard let box = places.bounds else { return (ConvexArea(corners: []), .zero) }
        let middle = places.middle
        // Of four corners the walk goes on outside; of scan lines in one direction only the box is left.
        let grown = places.map { $0 + ($0 - middle).unit * slack }
        guard places.count == 4, (places[2] - places[0]).cross(places[3] - places[1]).magnitude > 2 * minimumArea
        else {
            return (ConvexArea(corners: .box(from: box.low - slack, to: box.high + slack)), middle)
        }
        return (ConvexArea(corners: grown), middle)
    }
}
