import Geometry
import Glibc
import Luma

/// Finds parallel bars at any angle and draws them upright and small, for a decoder that reads along rows.
///
/// Blocks whose slopes all lie along one line (by the structure tensor: Förstner and Gülch 1987) are joined to regions; of
/// each region three strips are drawn, a row of which is the mean over a part of the bars' length, which takes noise away.
struct LinearLocator {
    /// At most so many regions are drawn, the largest.
    static let maximumRegions = 6
    /// Of a block, in pixels.
    private static let block = 16
    /// The sum of a block's squared slopes where there are bars: 64 samples of 14 grey levels.
    private static let minimumEnergy: Float = 64 * 14 * 14
    /// How much of the energy lies along one line, from 0 to 1.
    private static let minimumAgreement: Float = 0.4
    /// Neighbours join when the cosine of twice the angle between them is more: within 13 degrees.
    private static let minimumCosine: Float = 0.9
    /// A region that reaches less far from its middle across the bars holds no code, in pixels.
    private static let minimumHalfAcross: Float = 20
    /// Of a strip.
    private static let rows = 6
    private static let maximumColumns = 2048

    /// How the slopes of a block lie.
    private struct Block {
        /// Twice the angle of the direction across the bars, as a unit vector; zero: no bars.
        var doubled = Place.zero
        var isTaken = false
    }

    /// A place with bars.
    struct Region {
        let centre: Place
        /// Across the bars, of length 1.
        let across: Place
        /// Half of what it measures across the bars, and a quarter of what along them, in pixels.
        let halfAcross, halfAlong: Float
        let blocks: Int
    }

    /// The regions with bars, the largest first.
    static func regions(_ plane: LumaPlane) -> [Region] {
        let (columns, rows) = (plane.width / block, plane.height / block)
        guard columns > 0, rows > 0 else { return [] }
        var blocks = (0..<columns * rows).map { tensor(plane, $0 % columns * block, $0 / columns * block) }
        var regions: [Region] = []
        for start in blocks.indices {
            if let region = grow(&blocks, start, columns, rows) { regions.append(region) }
        }
        regions.sort { $0.blocks > $1.blocks }
        return Array(regions.prefix(maximumRegions))
    }

    private static func tensor(_ plane: LumaPlane, _ left: Int, _ top: Int) -> Block {
        var (xx, xy, yy): (Int32, Int32, Int32) = (0, 0, 0)
        // Every other row and column: bars are longer than that.
        for y in stride(from: max(top, 1), to: min(top + block, plane.height - 1), by: 2) {
            let row = plane.base + y * plane.stride
            for x in stride(from: max(left, 1), to: min(left + block, plane.width - 1), by: 2) {
                let dx = Int32(row[x + 1]) &- Int32(row[x - 1])
                let dy = Int32(row[x + plane.stride]) &- Int32(row[x - plane.stride])
                xx &+= dx &* dx
                xy &+= dx &* dy
                yy &+= dy &* dy
            }
        }
        let doubled = Place(Float(xx &- yy), Float(2 &* xy))
        let length = doubled.length
        let energy = Float(xx &+ yy)
        // Most of them along one line.
        guard energy > minimumEnergy, length > minimumAgreement * energy else { return Block() }
        return Block(doubled: doubled / length)
    }

    private static func grow(_ blocks: inout [Block], _ start: Int, _ columns: Int, _ rows: Int) -> Region? {
        guard blocks[start].doubled != .zero, !blocks[start].isTaken else { return nil }
        var members = [start]
        var sum = blocks[start].doubled
        blocks[start].isTaken = true
        var next = 0
        while next < members.count {
            let at = members[next]
            next += 1
            for y in max(0, at / columns - 1)...min(rows - 1, at / columns + 1) {
                for x in max(0, at % columns - 1)...min(columns - 1, at % columns + 1) {
                    let neighbour = y * columns + x
                    guard !blocks[neighbour].isTaken, blocks[neighbour].doubled != .zero else { continue }
                    guard sum.unit.dot(blocks[neighbour].doubled) > minimumCosine else { continue }
                    blocks[neighbour].isTaken = true
                    members.append(neighbour)
                    sum += blocks[neighbour].doubled
                }
            }
        }
        return members.count < 3 ? nil : region(members, atan2f(sum.y, sum.x) / 2, columns)
    }

    /// Its extent, by the blocks' centres; `nil` when it is too short to hold a code.
    private static func region(_ members: [Int], _ angle: Float, _ columns: Int) -> Region? {
        let across = Place(cosf(angle), sinf(angle))
        let along = across.turned
        let places = members.map { Place(pixel: $0 % columns, $0 / columns) * Float(block) }
        let acrosses = places.map { $0.dot(across) }.sorted()
        let alongs = places.map { $0.dot(along) }.sorted()
        // The edges of a label or display join the region, with few blocks: along the bars the middle half counts.
        let low = Place(acrosses[acrosses.count / 50], alongs[alongs.count / 4])
        let high = Place(
            acrosses[acrosses.count - 1 - acrosses.count / 50], alongs[alongs.count - 1 - alongs.count / 4])
        let middle = (low + high) / 2
        let half = (high - low) / 2
        guard half.x > minimumHalfAcross else { return nil }
        return Region(
            centre: across * middle.x + along * middle.y, across: across, halfAcross: half.x + Float(block) / 2,
            halfAlong: max(half.y, Float(block) / 4), blocks: members.count)
    }

    /// The shortest code that counts has more edges than this.
    private static let minimumEdges = 20

    /// Whether a line across the region crosses as many edges as a code has: most texture ends here.
    static func hasBars(_ plane: LumaPlane, _ region: Region) -> Bool {
        let (sampler, along) = (GreySampler(plane), region.across.turned)
        let count = min(max(Int(2 * region.halfAcross), 1), maximumColumns)
        let step = 2 * region.halfAcross / Float(count)
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { line in
            for column in 0..<count {
                let place = region.centre + region.across * (Float(column) * step - region.halfAcross)
                line[column] = (-1...1).reduce(0) { $0 + sampler(place + along * Float($1) * 2) } / 3
            }
            let (low, high) = (line.min() ?? 0, line.max() ?? 0)
            let swing = max((high - low) / 8, 5)
            var (edges, isRising, extreme) = (0, true, line[0])
            for value in line {
                if isRising ? value > extreme : value < extreme { extreme = value }
                guard isRising ? value < extreme - swing : value > extreme + swing else { continue }
                (edges, isRising, extreme) = (edges + 1, !isRising, value)
            }
            return edges >= minimumEdges
        }
    }

    /// Where strips lie along the bars, in the region's `halfAlong`: at first, and to count what all of the bars say.
    private static let (first, others): ([Float], [Float]) = (
        [-2.0 / 3, 0, 2.0 / 3], [-1.6, -1.3, -1, -1.0 / 3, 1.0 / 3, 1, 1.3, 1.6]
    )

    /// Of a strip's row, in lines across the bars that it is the mean of.
    private static let linesARow = 4
    /// Beside a region there are quiet zones, and blocks that had too few bars: a share of it, and pixels.
    private static let (reachShare, reachMargin): (Float, Float) = (1.15, 40)
    /// A strip's share of the bars' length is a sixth, but at most so many pixels.
    private static let highestStrip: Float = 24
    /// Columns lie at least so far apart, in pixels.
    private static let minimumStep: Float = 0.5

    /// Pictures of a region's bars, upright, each of another part of their length.
    static func strips(_ plane: LumaPlane, _ region: Region, at places: [Float] = first) -> [LumaPicture] {
        let reach = region.halfAcross * reachShare + reachMargin
        let step = max(minimumStep, 2 * reach / Float(maximumColumns))
        let columns = min(max(Int(2 * reach / step), 1), maximumColumns)
        let (sampler, along) = (GreySampler(plane), region.across.turned)
        let lines = rows * linesARow
        let pitch = min(2 * region.halfAlong / 3, highestStrip) / Float(lines)
        return places.compactMap { place in
            func way(_ line: Int) -> Place {
                along * (place * region.halfAlong + (Float(line) - Float(lines - 1) / 2) * pitch)
            }
            var pixels = [UInt8](repeating: 0, count: columns * rows)
            for row in 0..<rows {
                let line = row * linesARow
                let ways = (way(line), way(line + 1), way(line + 2), way(line + 3))
                for column in 0..<columns {
                    let middle = region.centre + region.across * (Float(column) * step - reach)
                    let sum =
                        sampler(middle + ways.0) + sampler(middle + ways.1) + sampler(middle + ways.2)
                        + sampler(middle + ways.3)
                    pixels[row * columns + column] = UInt8(max(0, min(255, sum / Float(linesARow))))
                }
            }
            return LumaPicture(width: columns, height: rows, pixels: pixels)
        }
    }

    /// What the linear codes in a picture say, and how many strips of their bars say so.
    ///
    /// - Parameter scan: a decoder that reads along rows.
    static func read(_ plane: LumaPlane, scan: (LumaPlane) -> [Reading]) -> [LinearBallot.Tally] {
        var found: [LinearBallot.Tally] = []
        for region in regions(plane) where hasBars(plane, region) {
            let few = strips(plane, region)
            var isTurned = false
            var readings = few.flatMap { $0.withPlane(scan) }
            if readings.isEmpty {
                isTurned = true
                readings = few.flatMap { inverted($0).withPlane(scan) }
            }
            guard !readings.isEmpty else { continue }
            for strip in strips(plane, region, at: others) {
                readings += (isTurned ? inverted(strip) : strip).withPlane(scan)
            }
            found += tallies(readings, corners(region))
        }
        return found
    }

    /// The strips that say the same, counted.
    private static func tallies(_ readings: [Reading], _ corners: [Place]) -> [LinearBallot.Tally] {
        var counts: [(reading: Reading, lines: Int)] = []
        for reading in readings {
            if let index = counts.firstIndex(where: { $0.reading.isSame(as: reading) }) {
                counts[index].lines += 1
            } else {
                counts.append((reading, 1))
            }
        }
        return counts.map { reading, lines in
            let placed = Reading(
                value: reading.value, symbology: reading.symbology, corners: corners, isGS1: reading.isGS1)
            return LinearBallot.Tally(reading: placed, lines: lines)
        }
    }

    private static func inverted(_ picture: LumaPicture) -> LumaPicture {
        var picture = picture
        for index in picture.pixels.indices { picture.pixels[index] = 255 - picture.pixels[index] }
        return picture
    }

    private static func corners(_ region: Region) -> [Place] {
        let along = region.across.turned * region.halfAlong
        let across = region.across * region.halfAcross
        return [-across - along, across - along, across + along, -across + along].map { region.centre + $0 }
    }
}
