import Luma

/// Reads QR codes in a stream of frames: where the last one was first, then everywhere; what is dear is spread over
/// frames; what one frame alone does not give, several may.
final class QRTracker {
    /// Work for a frame, in units of ``WorkBudget``: so much, and so much more for each megapixel. Some ten nanoseconds
    /// each on a desktop's processor.
    private static let (units, unitsPerMegapixel) = (250_000, 400_000)
    /// For looking again where the last symbol was.
    private static let trackUnits = 300_000
    /// A part of the frame that is looked at harder is at most as large as this, in pixels on a side.
    private static let tile = (width: 640, height: 480)
    /// Every so manieth frame is looked at everywhere although the tracked symbol was read: there may be others.
    private static let period = 4
    /// After so many frames without the symbol its place is forgotten.
    private static let patience = 15

    private struct Track {
        var corners: [Place]
        var module: Float
        var lastFrame: Int
    }

    private let search = QRSearch(.frame)
    private var memory = SymbolMemory()
    private var track: Track?
    private var frame = 0
    private var turn = 0
    /// What the last frame showed, read or not.
    private(set) var aim: Aim?

    init() {
        search.onUnread = { [unowned self] symbol, samples, budget in
            self.vote(symbol, samples, &budget)
        }
    }

    /// The QR codes in the next frame.
    ///
    /// - Parameter isHarder: also in a sharper copy of a part of it, when nothing is found without.
    func read(_ plane: LumaPlane, isHarder: Bool = true) -> [Reading] {
        frame &+= 1
        let units = Self.units + Self.unitsPerMegapixel * plane.width * plane.height / 1_000_000
        var budget = WorkBudget(units)
        // By the golden section: successive frames begin far from one another.
        search.start = (Float(frame) * 0.618).truncatingRemainder(dividingBy: 1)
        var findings = QRFindings()
        if let track, frame - track.lastFrame <= Self.patience {
            budget.lend(Self.trackUnits) { findings.add(again(plane, track, &$0)) }
        }
        if findings.readings.isEmpty || frame % Self.period == 0 {
            budget.lend(budget.left) { findings.add(everywhere(plane, &$0)) }
            if findings.readings.isEmpty, isHarder {
                budget.lend(max(budget.left, units / 5)) { findings.add(harder(plane, findings.hint, &$0)) }
            }
        }
        aim = findings.aim
        remember(findings)
        return findings.readings
    }

    private func remember(_ findings: QRFindings) {
        let symbol = findings.symbols.first { $0.reading != nil } ?? findings.symbols.first
        guard let symbol else { return }
        track = Track(corners: symbol.grid.corners, module: symbol.module, lastFrame: frame)
    }

    // MARK: Looking

    /// Around the last place.
    private func again(_ plane: LumaPlane, _ track: Track, _ budget: inout WorkBudget) -> QRFindings {
        let low = track.corners.reduce(track.corners[0]) { pointwiseMin($0, $1) }
        let high = track.corners.reduce(track.corners[0]) { pointwiseMax($0, $1) }
        let margin = Place(repeating: 6 * track.module) + (high - low) * 0.25
        guard let part = plane.part(from: low - margin, to: high + margin) else { return QRFindings() }
        search.begin(part.plane, origin: part.origin)
        defer { search.end() }
        var findings = QRFindings()
        // Where modules have 1.5 to 3 pixels, then twice that.
        var level = 0
        while track.module / Float(2 << level) >= 1.5 { level += 1 }
        for look in [
            QRSearch.Look(level: level), .init(level: max(0, level - 1)), .init(level: level, isSharpened: true),
        ]
        where look.isSharpened || look.level != level || findings.symbols.isEmpty {
            findings.add(search.look(look, &budget))
            if !findings.readings.isEmpty { break }
        }
        return findings
    }

    private func everywhere(_ plane: LumaPlane, _ budget: inout WorkBudget) -> QRFindings {
        var findings = QRFindings()
        search.begin(plane)
        defer { search.end() }
        for level in QRSearch.levels(width: plane.width, height: plane.height) {
            // Each level may use half of what is left; the finest, which comes last, all.
            budget.lend(level == 0 ? budget.left : budget.left / 2) {
                findings.add(search.look(.init(level: level), &$0))
            }
            if !findings.readings.isEmpty { break }
        }
        return findings
    }

    /// In a sharper copy of a part of the frame: around a hint, or of all parts in turn, every other time those of the
    /// copy of half size.
    private func harder(_ plane: LumaPlane, _ hint: Aim?, _ budget: inout WorkBudget) -> QRFindings {
        turn &+= 1
        if let hint, turn % 2 == 0 {
            let places = hint.corners.map { Place(Float($0.x), Float($0.y)) }
            let reach = Place(repeating: max((places[2] - places[0]).length * 1.2, 20 * hint.module))
            let size = Place(Float(Self.tile.width), Float(Self.tile.height)) / 2
            let middle = (places[0] + places[2]) / 2
            let half = pointwiseMin(reach, size)
            return sharpened(plane, from: middle - half, to: middle + half, level: hint.module >= 4 ? 1 : 0, &budget)
        }
        let step = turn / 2
        return sharpened(plane, step / 2, level: step % 2 == 0 ? 1 : 0, &budget)
    }

    /// The `number`th part at a level; parts overlap by a fifth.
    private func sharpened(_ plane: LumaPlane, _ number: Int, level: Int, _ budget: inout WorkBudget) -> QRFindings {
        let (width, height) = (Self.tile.width << level, Self.tile.height << level)
        func count(_ whole: Int, _ part: Int) -> Int {
            whole <= part ? 1 : 1 + (whole - part / 5 - 1) / (part - part / 5)
        }
        let (columns, rows) = (count(plane.width, width), count(plane.height, height))
        let (column, row) = (number % columns, number / columns % rows)
        func start(_ index: Int, _ count: Int, _ whole: Int, _ part: Int) -> Float {
            count == 1 ? 0 : Float((whole - part) * index / (count - 1))
        }
        let low = Place(start(column, columns, plane.width, width), start(row, rows, plane.height, height))
        return sharpened(plane, from: low, to: low + Place(Float(width), Float(height)), level: level, &budget)
    }

    private func sharpened(
        _ plane: LumaPlane, from low: Place, to high: Place, level: Int, _ budget: inout WorkBudget
    ) -> QRFindings {
        guard let part = plane.part(from: low, to: high) else { return QRFindings() }
        search.begin(part.plane, origin: part.origin)
        defer { search.end() }
        return search.look(.init(level: level, isSharpened: true), &budget)
    }

    // MARK: Several frames

    /// Adds a frame's samples of a symbol that could not be read to those of the frames before, and tries the mean.
    private func vote(
        _ symbol: QRFindings.Symbol, _ samples: ModuleSamples, _ budget: inout WorkBudget
    ) -> Reading? {
        let layout = search.decoder.layout(dimension: symbol.grid.dimension)
        // Once a frame and cheap: not to be lost because the reading before has used up its share.
        var own = WorkBudget(1_000_000)
        guard memory.add(samples, layout, frame: frame), let value = search.decoder.decode(layout, &own) else {
            return nil
        }
        return Reading(value: value, symbology: .qr, corners: symbol.aim.corners)
    }
}

extension LumaPlane {
    /// The part between two places, as far as it lies in the picture, and where it begins; `nil` when it is too small for
    /// a symbol.
    func part(from low: Place, to high: Place) -> (plane: LumaPlane, origin: Place)? {
        func inside(_ value: Float, _ most: Int) -> Int { value > 0 ? (value < Float(most) ? Int(value) : most) : 0 }
        let (left, top) = (inside(low.x, width), inside(low.y, height))
        let (right, bottom) = (inside(high.x, width), inside(high.y, height))
        guard min(right - left, bottom - top) >= Pyramid.smallestSide else { return nil }
        let plane = LumaPlane(
            base: base + top * stride + left, width: right - left, height: bottom - top, stride: stride)
        return (plane, Place(Float(left), Float(top)))
    }
}
