import DataMatrix
import Luma

/// Looks for what is no QR code in a stream of frames: one small piece of work at a time, so that no frame waits.
///
/// In turn: Data Matrix in a part of the frame; bars at any angle; Data Matrix in the next part; zbar in a quarter of the
/// rows. A device that shows such a code shows it for seconds: after a second or so all of a frame has been looked at. What
/// was found is read again in its place a few times a second.
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
    private let scanner: ZbarScanner
    private let pyramid = Pyramid()
    private let masked = Scratch<UInt8>(0)
    private var ballot = LinearBallot()
    private var seen: [Seen] = []
    private var frame = 0
    private var number = 0

    /// - Parameter symbologies: without QR.
    init(_ symbologies: Set<Symbology>) {
        self.symbologies = symbologies
        scanner = ZbarScanner(symbologies.intersection(Symbology.linear), isUpright: true)
    }

    /// The codes in a frame, as far as those that are known and the next piece of work show them.
    ///
    /// - Parameters:
    ///   - isSearching: do the next piece of work.
    ///   - grounds: of QR codes: nothing is looked for there.
    func read(_ plane: LumaPlane, isSearching: Bool, without grounds: [[Place]]) -> [Reading] {
        frame &+= 1
        var readings = followed(plane)
        if isSearching { readings.add(searched(plane, grounds)) }
        readings.add(ballot.elected(in: frame))
        for reading in readings { note(reading, lastTry: frame) }
        return readings
    }

    private func searched(_ plane: LumaPlane, _ grounds: [[Place]]) -> [Reading] {
        number &+= 1
        let round = number / 4
        let isLinear = !symbologies.isDisjoint(with: Symbology.linear)
        switch number % 4 {
        case 1 where symbologies.contains(.dataMatrix): return dataMatrix(plane, 2 * round, grounds)
        case 3 where symbologies.contains(.dataMatrix): return dataMatrix(plane, 2 * round + 1, grounds)
        case 2 where isLinear: count(LinearLocator.read(plane, scan: scanner.scan))
        case 0 where isLinear: count(bars(plane, round % Self.bands))
        default: break
        }
        return []
    }

    /// Lets linear codes be counted; those that are not sure yet are looked at again soon.
    private func count(_ tallies: [LinearBallot.Tally]) {
        ballot.add(tallies, frame: frame)
        for tally in tallies { note(tally.reading, lastTry: frame - Self.again + 2) }
    }

    // MARK: What is known

    private func note(_ reading: Reading, lastTry: Int) {
        if let index = seen.firstIndex(where: { $0.reading.isSame(as: reading) }) {
            seen[index] = Seen(reading: reading, lastTry: lastTry)
        } else if seen.count < CodeReader.mostReadings {
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
        let places = reading.corners.map { Place(Float($0.x), Float($0.y)) }
        guard let first = places.first else { return [] }
        let low = places.reduce(first) { pointwiseMin($0, $1) }
        let high = places.reduce(first) { pointwiseMax($0, $1) }
        let margin = (high - low) * 0.25 + Place(repeating: 24)
        guard let part = plane.part(from: low - margin, to: high + margin) else { return [] }
        let (left, top) = (Int(part.origin.x), Int(part.origin.y))
        func moved(_ reading: Reading) -> Reading { reading.moved { .init(x: $0.x + left, y: $0.y + top) } }
        guard reading.symbology == .dataMatrix else {
            let tallies = LinearLocator.read(part.plane, scan: scanner.scan) + scanner.tallies(part.plane)
            ballot.add(tallies.map { .init(reading: moved($0.reading), lines: $0.lines) }, frame: frame)
            return []
        }
        pyramid.take(part.plane)
        defer { pyramid.clear() }
        var level = 0
        while max(part.plane.width, part.plane.height) >> level > Self.smallPart.width { level += 1 }
        guard let small = pyramid.level(level) else { return [] }
        var effort = DataMatrixReader.Effort()
        effort.samples = Self.smallWork
        return Reading.dataMatrix(small, effort).readings.map { reading in
            moved(reading.moved { .init(x: $0.x << level, y: $0.y << level) })
        }
    }

    // MARK: Data Matrix

    /// Parts of a frame share so many pixels with their neighbours: what is larger is looked for in the copy of half size.
    private static let overlap = 130
    /// Of a part, in pixels, of a small frame and of a large one.
    private static let (smallPart, largePart) = ((width: 400, height: 320), (width: 560, height: 440))
    /// In a part of a small frame, and of a large one, so many grey levels are looked at; the others when its turn comes again.
    private static let (smallWork, largeWork) = (120_000, 240_000)

    private struct Part {
        let level, left, top, width, height: Int
        let isWhole: Bool
    }

    /// For each part the place where looking goes on, when the work has not lasted for all.
    private var next: [Int: Int] = [:]

    /// In the `index`th part of the frame, counted on and on.
    private func dataMatrix(_ plane: LumaPlane, _ index: Int, _ grounds: [[Place]]) -> [Reading] {
        let parts = Self.parts(width: plane.width, height: plane.height)
        let number = index % parts.count
        let part = parts[number]
        pyramid.take(plane)
        defer { pyramid.clear() }
        guard let whole = pyramid.level(part.level) else { return [] }
        let (width, height) = (min(part.width, whole.width - part.left), min(part.height, whole.height - part.top))
        guard width > 0, height > 0 else { return [] }
        let cut = LumaPlane(
            base: whole.base + part.top * whole.stride + part.left, width: width, height: height, stride: whole.stride)
        let plane = without(grounds, cut, Place(Float(part.left), Float(part.top)), scale: 1 / Float(1 << part.level))
        var effort = DataMatrixReader.Effort()
        effort.samples = whole.width <= 2 * Self.smallPart.width ? Self.smallWork : Self.largeWork
        // Larger ones are in a smaller copy, too.
        if !part.isWhole { effort.longestSide = Float(Self.overlap) * 1.5 }
        effort.skipped = next[number] ?? 0
        let (readings, lookedAt) = Reading.dataMatrix(plane, effort)
        next[number] = lookedAt
        return readings.map { reading in
            reading.moved { .init(x: ($0.x + part.left) << part.level, y: ($0.y + part.top) << part.level) }
        }
    }

    /// The part with grounds of one tone: edges of QR codes are many, and none is a Data Matrix's.
    private func without(_ grounds: [[Place]], _ plane: LumaPlane, _ origin: Place, scale: Float) -> LumaPlane {
        let size = Place(Float(plane.width), Float(plane.height))
        let areas = grounds.map { SymbolArea(corners: $0.map { $0 * scale - origin }) }
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
                for x in Int(low.x)...Int(high.x) where area.contains(Place(Float(x), Float(y))) {
                    pixels[y * plane.width + x] = 160
                }
            }
        }
        return LumaPlane(base: pixels, width: plane.width, height: plane.height, stride: plane.width)
    }

    private static func parts(width: Int, height: Int) -> [Part] {
        let most = width <= 2 * smallPart.width ? smallPart : largePart
        var parts: [Part] = []
        var level = 0
        while true {
            let (width, height) = (width >> level, height >> level)
            let (lefts, tops) = (starts(width, most.width), starts(height, most.height))
            for top in tops {
                for left in lefts {
                    parts.append(
                        Part(
                            level: level, left: left, top: top, width: most.width, height: most.height,
                            isWhole: lefts.count * tops.count == 1))
                }
            }
            if lefts.count * tops.count == 1 { return parts }
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

    private static let bands = 4

    /// In a quarter of the rows, and in some that it shares with the next.
    private func bars(_ plane: LumaPlane, _ index: Int) -> [LinearBallot.Tally] {
        let top = plane.height * index / Self.bands
        let height = max(min(plane.height - top, plane.height / Self.bands + 32), 1)
        let band = LumaPlane(
            base: plane.base + top * plane.stride, width: plane.width, height: height, stride: plane.stride)
        return scanner.tallies(band).map { tally in
            .init(reading: tally.reading.moved { .init(x: $0.x, y: $0.y + top) }, lines: tally.lines)
        }
    }
}
