import DataMatrix
import Luma

/// Looks for what is no QR code in a stream of frames: one small piece of work at a time, so that no frame waits.
///
/// In turn: Data Matrix in a part of the frame; bars at any angle; Data Matrix in the next part; zbar in a quarter of the
/// rows. A device that shows such a code shows it for seconds: after a second or so all of a frame has been looked at.
///
/// Not safe to use from several threads.
final class OtherCodes {
    private let symbologies: Set<Symbology>
    private let scanner: ZbarScanner
    private let pyramid = Pyramid()
    private var number = 0

    /// - Parameter symbologies: without QR.
    init(_ symbologies: Set<Symbology>) {
        self.symbologies = symbologies
        scanner = ZbarScanner(symbologies.intersection(Symbology.linear), isUpright: true)
    }

    /// The codes in a frame without a QR code, as far as the next piece of work shows them.
    func read(_ plane: LumaPlane) -> [Reading] {
        number &+= 1
        let round = number / 4
        let isLinear = !symbologies.isDisjoint(with: Symbology.linear)
        switch number % 4 {
        case 1 where symbologies.contains(.dataMatrix): return dataMatrix(plane, 2 * round)
        case 3 where symbologies.contains(.dataMatrix): return dataMatrix(plane, 2 * round + 1)
        case 2 where isLinear: return LinearLocator.read(plane, scan: scanner.scan)
        case 0 where isLinear: return scanner.scan(Self.band(plane, round % Self.bands))
        default: return []
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
    private func dataMatrix(_ plane: LumaPlane, _ index: Int) -> [Reading] {
        let parts = Self.parts(width: plane.width, height: plane.height)
        let number = index % parts.count
        let part = parts[number]
        pyramid.take(plane)
        defer { pyramid.clear() }
        guard let whole = pyramid.level(part.level) else { return [] }
        let (width, height) = (min(part.width, whole.width - part.left), min(part.height, whole.height - part.top))
        guard width > 0, height > 0 else { return [] }
        let plane = LumaPlane(
            base: whole.base + part.top * whole.stride + part.left, width: width, height: height, stride: whole.stride)
        var effort = DataMatrixReader.Effort()
        effort.samples = whole.width <= 2 * Self.smallPart.width ? Self.smallWork : Self.largeWork
        // Larger ones are in a smaller copy, too.
        if !part.isWhole { effort.longestSide = Float(Self.overlap) * 1.5 }
        effort.skipped = next[number] ?? 0
        let (readings, lookedAt) = Reading.dataMatrix(plane, effort)
        next[number] = lookedAt
        return readings.map { reading in
            let corners = reading.corners.map {
                Reading.Point(x: ($0.x + part.left) << part.level, y: ($0.y + part.top) << part.level)
            }
            return Reading(value: reading.value, symbology: reading.symbology, corners: corners)
        }
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

    /// A quarter of the rows, and some that it shares with the next.
    private static func band(_ plane: LumaPlane, _ index: Int) -> LumaPlane {
        let top = plane.height * index / bands
        let height = min(plane.height - top, max(plane.height / bands + 32, 1))
        return LumaPlane(
            base: plane.base + top * plane.stride, width: plane.width, height: max(height, 1), stride: plane.stride)
    }
}
