import DataMatrix
import Geometry
import Luma

/// Looks for what is no QR code in a stream of frames: one small piece of work at a time, so that no frame waits.
///
/// A piece is Data Matrix in a part of the frame, bars at any angle, or zbar in a quarter of the rows (``LookPlan``). A device
/// that shows such a code shows it for seconds: within a second or so all that has changed has been looked at. What was found
/// is read again in its place a few times a second.
///
/// Not safe to use from several threads.
final class OtherCodes {
    /// A code that was found.
    private struct Seen {
        var reading: Reading
        var lastTry: Int
        var misses = 0
    }

    /// What was found is looked for again after so many frames, and forgotten when it was not there so many times.
    private static let (again, patience) = (8, 4)

    private let symbologies: Set<Symbology>
    /// Of kinds that have a check: of Code 39 whole bands of rows under a stain say another value to it.
    private let scanner: ZbarScanner
    private let bars: LinearReader
    private let pyramid = Pyramid()
    private let masked = Scratch<UInt8>(0)
    private var ballot = LinearBallot()
    private var seen: [Seen] = []
    private var doubts = UnreadCodes()
    private var frame = 0
    private var plan = LookPlan([])
    private var (width, height) = (0, 0)

    /// - Parameter symbologies: without QR.
    init(_ symbologies: Set<Symbology>) {
        self.symbologies = symbologies
        bars = LinearReader(symbologies.intersection(Symbology.linear))
        scanner = ZbarScanner(symbologies.intersection(Self.scanned), isUpright: true)
    }

    /// Where Data Matrix symbols are that were found several times in the last second, and could not be read.
    var unread: [Aim] { doubts.aims(in: frame) }

    /// The codes in a frame, as far as those that are known and the next piece of work show them.
    ///
    /// - Parameters:
    ///   - change: of the same frames.
    ///   - isTurn: the next piece of work may be done, when there is any.
    ///   - isBeside: a QR code is read: then pieces are rarer.
    ///   - grounds: of QR codes: nothing is looked for there.
    func read(
        _ plane: LumaPlane, _ change: SceneChange, isTurn: Bool, isBeside: Bool, without grounds: [[Place]]
    ) -> [Reading] {
        frame &+= 1
        if plane.width != width || plane.height != height {
            (width, height) = (plane.width, plane.height)
            plan = LookPlan(pieces())
        }
        var readings = followed(plane)
        if let aim = doubts.due(in: frame) { readings.add(dataMatrix(plane, around: aim.corners)) }
        if isTurn, let (index, box) = plan.next(in: frame, change, isBeside: isBeside) {
            readings.add(searched(plane, index, box, grounds))
        }
        readings = readings.withoutContradictions
        readings.add(ballot.elected(in: frame))
        for reading in readings {
            note(reading, lastTry: frame)
            doubts.read(reading.corners)
        }
        return readings
    }

    private func searched(_ plane: LumaPlane, _ index: Int, _ box: PixelBox, _ grounds: [[Place]]) -> [Reading] {
        let piece = plan.pieces[index]
        switch piece.kind {
        case .dataMatrix(let level, let isOnly):
            let (readings, next) = dataMatrix(plane, box, level, isOnly, skipped: piece.next ?? 0, grounds)
            plan.looked(index, in: frame, next: next)
            return readings
        case .largeDataMatrix:
            let (readings, next) = largeDataMatrix(plane, box, skipped: piece.next ?? 0, grounds)
            plan.looked(index, in: frame, next: next)
            return readings
        case .bars:
            let part = plane.cut(box)
            count(bars.read(without(grounds, part, box.low, scale: 1)), box.low)
        case .uprightBars:
            let part = plane.cut(box)
            count(scanner.tallies(without(grounds, part, box.low, scale: 1)), box.low)
        }
        plan.looked(index, in: frame)
        return []
    }

    /// All that can be looked at in a frame, in such an order that no kind of code waits long.
    private func pieces() -> [LookPlan.Piece] {
        var pieces: [LookPlan.Piece] = []
        if symbologies.contains(.dataMatrix) { pieces = Self.parts(width: width, height: height) }
        guard !symbologies.isDisjoint(with: Symbology.linear) else { return pieces }
        var linear = [LookPlan.Piece(.bars, PixelBox(left: 0, top: 0, right: width, bottom: height))]
        linear += (0..<(symbologies.isDisjoint(with: Self.scanned) ? 0 : Self.bands)).map { band in
            let top = height * band / Self.bands
            let end = max(min(height, top + height / Self.bands + 32), top + 1)
            return LookPlan.Piece(.uprightBars, PixelBox(left: 0, top: top, right: width, bottom: min(end, height)))
        }
        for (index, piece) in linear.enumerated() where !piece.area.isEmpty {
            pieces.insert(piece, at: min(2 * index + 1, pieces.count))
        }
        return pieces
    }

    /// Lets linear codes be counted; those that are not sure yet are looked at again soon.
    ///
    /// - Parameter origin: where what was looked at begins in the frame.
    private func count(_ found: [LinearBallot.Tally], _ origin: Place, isKnown: Bool = false) {
        let tallies = found.map { $0.moved(to: origin) }
        ballot.add(tallies, frame: frame)
        guard !isKnown else { return }
        for tally in tallies { note(tally.reading, lastTry: frame - Self.again + 2) }
    }

    // MARK: What is known

    private func note(_ reading: Reading, lastTry: Int) {
        if let index = seen.firstIndex(where: { $0.reading.isSame(as: reading) }) {
            seen[index] = Seen(reading: reading, lastTry: lastTry)
        } else if seen.count < CodeReader.maximumReadings {
            seen.append(Seen(reading: reading, lastTry: lastTry))
        }
    }

    /// Reads some of the known codes again, in their places.
    private func followed(_ plane: LumaPlane) -> [Reading] {
        var readings: [Reading] = []
        let most = 1 + seen.count / Self.again
        let due = seen.indices.filter { frame - seen[$0].lastTry >= Self.again }
            .sorted { seen[$0].lastTry < seen[$1].lastTry }
        for index in due.prefix(most) {
            seen[index].lastTry = frame
            seen[index].misses += 1
            readings.add(again(plane, seen[index].reading))
        }
        seen.removeAll { $0.misses > Self.patience }
        return readings
    }

    private func again(_ plane: LumaPlane, _ reading: Reading) -> [Reading] {
        guard reading.symbology != .dataMatrix else { return dataMatrix(plane, around: reading.corners) }
        guard let part = Self.part(of: plane, around: reading.corners) else { return [] }
        count(bars.read(part.plane) + scanner.tallies(part.plane), part.origin, isKnown: true)
        return []
    }

    /// About a code that was found, so much is looked at again: a share of its size, and pixels.
    private static let (marginShare, margin): (Float, Float) = (0.25, 24)

    private static func part(of plane: LumaPlane, around corners: [Place]) -> (plane: LumaPlane, origin: Place)? {
        guard let box = corners.bounds else { return nil }
        let margin = (box.high - box.low) * marginShare + margin
        return plane.part(from: box.low - margin, to: box.high + margin)
    }

    /// In the place of one that was found before.
    private func dataMatrix(_ plane: LumaPlane, around corners: [Place]) -> [Reading] {
        guard let part = Self.part(of: plane, around: corners) else { return [] }
        pyramid.take(part.plane)
        defer { pyramid.clear() }
        var level = 0
        while max(part.plane.width, part.plane.height) >> level > Self.smallPart.width { level += 1 }
        guard let small = pyramid.level(level) else { return [] }
        var effort = DataMatrixReader.Effort()
        effort.samples = Self.smallWork
        return noted(Reading.dataMatrix(small, effort), level, part.origin)
    }

    /// The readings in the frame; what is unread is remembered.
    ///
    /// - Parameter origin: where what was looked at begins in the frame.
    private func noted(
        _ found: (readings: [Reading], lookedAt: Int?, unread: [Aim]), _ level: Int, _ origin: Place
    ) -> [Reading] {
        let scale = 1 / Pyramid.scale(ofLevel: level)
        for aim in found.unread { doubts.found(aim.moved(scale: scale, to: origin), frame: frame) }
        return found.readings.map { $0.moved(scale: scale, to: origin) }
    }

    // MARK: Data Matrix

    /// Parts of a frame share so many pixels with their neighbours: what is larger is looked for in the copy of half size.
    private static let overlap = 130
    /// Of a part, in pixels, of a small frame and of a large one.
    private static let (smallPart, largePart) = ((width: 400, height: 320), (width: 560, height: 440))
    /// In a part at most so many places are looked at, over several frames where there are many.
    private static let maximumPlaces = 400
    /// In a part of a small frame, and of a large one, so many grey levels are looked at; the others when its turn comes again.
    private static let (smallWork, largeWork) = (120_000, 240_000)

    private func dataMatrix(
        _ plane: LumaPlane, _ box: PixelBox, _ level: Int, _ isOnly: Bool, skipped: Int, _ grounds: [[Place]]
    ) -> (readings: [Reading], next: Int?) {
        pyramid.take(plane)
        defer { pyramid.clear() }
        guard let whole = pyramid.level(level) else { return ([], nil) }
        let scaled = PixelBox(
            left: box.left >> level, top: box.top >> level, right: min(box.right >> level, whole.width),
            bottom: min(box.bottom >> level, whole.height))
        guard !scaled.isEmpty else { return ([], nil) }
        let scale = Pyramid.scale(ofLevel: level)
        let part = without(grounds, whole.cut(scaled), scaled.low, scale: scale)
        var effort = DataMatrixReader.Effort()
        effort.places = Self.maximumPlaces
        effort.samples = whole.width <= 2 * Self.smallPart.width ? Self.smallWork : Self.largeWork
        // Larger ones are in a smaller copy, too.
        if !isOnly, level == 0 { effort.longestSide = Float(Self.overlap) * 1.5 }
        effort.skipped = skipped
        let found = Reading.dataMatrix(part, effort)
        let readings = noted(found, level, scaled.low / scale)
        return (readings, found.lookedAt)
    }

    /// What is larger than parts are sure to hold: only a frame as it is shows the modules of the largest symbols. Long edges are
    /// few.
    private func largeDataMatrix(
        _ plane: LumaPlane, _ box: PixelBox, skipped: Int, _ grounds: [[Place]]
    ) -> (readings: [Reading], next: Int?) {
        let part = without(grounds, plane.cut(box), box.low, scale: 1)
        var effort = DataMatrixReader.Effort()
        effort.places = Self.maximumPlaces
        effort.samples = Self.largeWork
        effort.shortestSide = Float(Self.overlap)
        effort.skipped = skipped
        let found = Reading.dataMatrix(part, effort)
        return (noted(found, 0, box.low), found.lookedAt)
    }

    /// The grey level that grounds get.
    private static let ground: UInt8 = 160

    /// The part with grounds of one tone: edges of QR codes are many, and none is a Data Matrix's.
    private func without(_ grounds: [[Place]], _ plane: LumaPlane, _ origin: Place, scale: Float) -> LumaPlane {
        let size = Place(Float(plane.width), Float(plane.height))
        let areas = grounds.map { ConvexArea(corners: $0.map { $0 * scale - origin }) }
            .filter { $0.low.x < size.x && $0.low.y < size.y && $0.high.x > 0 && $0.high.y > 0 }
        guard !areas.isEmpty else { return plane }
        let pixels = masked.atLeast(plane.width * plane.height)
        for row in 0..<plane.height {
            (pixels + row * plane.width).update(from: plane.base + row * plane.stride, count: plane.width)
        }
        for area in areas {
            let low = pointwiseMax(area.low, .zero)
            let high = pointwiseMin(area.high, size - 1)
            for y in Int(low.y)...Int(high.y) {
                for x in Int(low.x)...Int(high.x) where area.contains(Place(pixel: x, y)) {
                    pixels[y * plane.width + x] = Self.ground
                }
            }
        }
        return LumaPlane(base: pixels, width: plane.width, height: plane.height, stride: plane.width)
    }

    private static func parts(width: Int, height: Int) -> [LookPlan.Piece] {
        let most = width <= 2 * smallPart.width ? smallPart : largePart
        var parts: [LookPlan.Piece] = []
        var level = 0
        while true {
            let (small, low) = (width >> level, height >> level)
            let (lefts, tops) = (starts(small, most.width), starts(low, most.height))
            let isOnly = lefts.count * tops.count == 1
            for top in tops {
                for left in lefts {
                    let area = PixelBox(
                        left: left << level, top: top << level, right: min(left + most.width, small) << level,
                        bottom: min(top + most.height, low) << level)
                    if !area.isEmpty { parts.append(.init(.dataMatrix(level: level, isOnly: isOnly), area)) }
                }
            }
            if isOnly { return parts }
            if level == 0 {
                let whole = PixelBox(left: 0, top: 0, right: width, bottom: height)
                parts.insert(.init(.largeDataMatrix, whole), at: min(parts.count, 3))
            }
            level += 1
        }
    }

    /// Where parts of a length begin that cover a whole and overlap.
    private static func starts(_ whole: Int, _ length: Int) -> [Int] {
        guard whole > length else { return [0] }
        let count = (whole - overlap - 1) / (length - overlap) + 1
        return (0..<count).map { (whole - length) * $0 / (count - 1) }
    }

    // MARK: Bars

    private static let scanned: Set<Symbology> = [.code128, .code93]
    /// Upright bars are looked for in such a part of the rows, and in some that it shares with the next.
    private static let bands = 4
}
