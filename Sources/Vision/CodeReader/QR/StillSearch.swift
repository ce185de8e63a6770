import Geometry
import Luma

/// Finds all QR codes of a picture that comes once: from the cheapest way of looking to the dearest, none of which ends the
/// search. What has been read is left out of the ways that follow.
final class StillSearch {
    /// Work for one picture, in units of ``WorkBudget``: so much, some twenty milliseconds, and so much more for each symbol that is
    /// read, because where there are many the patterns of all are put together.
    private static let (units, unitsPerSymbol) = (6_000_000, 250_000)
    /// And so much for symbols that are surely there: one of the largest costs a tenth of it, one of a nonce's size a two
    /// hundredth.
    private static let allowance = 20_000_000
    /// At most so many places are put to the second reader.
    private static let maximumSecondReadings = 6

    private let enlarger = Enlarger()
    private let search = QRSearch(.still)
    private let second: SecondReader?
    /// Symbols of the last picture that neither reader could read.
    private(set) var unread: [Aim] = []

    /// - Parameter second: what is asked where finder patterns gave no text.
    init(second: SecondReader? = SecondReader()) {
        self.second = second
    }

    /// The codes, each once.
    func read(_ plane: LumaPlane) -> [Reading] {
        unread = []
        var readings = codes(plane)
        guard let large = enlarger.enlarged(plane) else { return readings }
        let scale = 1 / Float(Enlarger.factor)
        let origin = Place(repeating: -Float(Enlarger.margin) * scale)
        // What was found in the picture itself is told in its own pixels.
        let aims = unread
        readings.add(codes(large).map { $0.moved(scale: scale, to: origin) })
        unread = aims.filter { aim in
            !readings.contains { ConvexArea(corners: aim.corners).contains($0.corners.middle) }
        }
        return readings
    }

    private func codes(_ plane: LumaPlane) -> [Reading] {
        var budget = WorkBudget(Self.units)
        var findings = QRFindings()
        var hints: [QRFindings.Hint] = []
        search.begin(plane)
        search.allowance = WorkBudget(Self.allowance)
        for look in Self.looks(plane) {
            search.known = findings.symbols.filter { $0.reading != nil }.map(\.grid.corners)
            budget.lend((budget.left + search.known.count * Self.unitsPerSymbol) / 2) {
                let found = search.look(look, &$0)
                if let hint = found.hint { hints.append(hint) }
                findings.add(found)
            }
        }
        search.end()
        return secondReadings(plane, findings, hints)
    }

    /// All levels as they are, sharper, and coarser.
    private static func looks(_ plane: LumaPlane) -> [QRSearch.Look] {
        let levels = QRSearch.levels(width: plane.width, height: plane.height)
        var looks: [QRSearch.Look] = levels.map { QRSearch.Look(level: $0) }
        looks += levels.map { QRSearch.Look(level: $0, isSharpened: true) }
        looks += levels.filter { $0 > 0 }.map { QRSearch.Look(level: $0, isCoarse: true) }
        return looks
    }

    /// What both readers say, when they do not contradict one another.
    private func secondReadings(
        _ plane: LumaPlane, _ findings: QRFindings, _ hints: [QRFindings.Hint]
    ) -> [Reading] {
        let read = findings.symbols.filter { $0.reading != nil }
        var parts = findings.symbols.filter { $0.reading == nil }.map(SecondReader.Part.init)
        parts += hints.filter { hint in !read.contains { $0.covers(hint.aim) } }.map(SecondReader.Part.init)
        let others = second.map { said(by: $0, of: parts, plane) } ?? []
        var readings: [Reading] = []
        readings.add(
            read.compactMap { symbol in
                symbol.reading.flatMap { one in
                    others.contains { symbol.isPlace(of: $0) && SecondReader.contradicts(one, $0) } ? nil : one
                }
            })
        readings.add(others.filter { other in !read.contains { $0.isPlace(of: other) } })
        unread += findings.symbols.filter { symbol in
            symbol.aim.isSymbol && !readings.contains { symbol.isPlace(of: $0) }
        }.map(\.aim)
        return readings
    }

    private func said(by second: SecondReader, of parts: [SecondReader.Part], _ plane: LumaPlane) -> [Reading] {
        var said: [Reading] = []
        for part in parts.distinct.prefix(Self.maximumSecondReadings) {
            var found = second.read(plane, part)
            if found.isEmpty { found = second.read(plane, part, isCoarse: true) }
            said.add(found)
        }
        return said
    }
}
