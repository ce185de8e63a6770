import Geometry
import Glibc
import Luma

/// Finds parallel bars at any angle: blocks whose slopes all lie along one line (by the structure tensor: Förstner and Gülch
/// 1987) are joined to regions.
struct LinearLocator {
    /// At most so many regions are told, the largest.
    static let maximumRegions = 24
    /// Of a block, in pixels.
    private static let block = 16
    /// Rows of a block that are looked at: bars are longer than that, and these are in step with no pattern.
    private static let lines = [2, 5, 8, 11]
    /// The sum of a block's squared slopes where there are bars: so many samples of 6 grey levels.
    private static let minimumEnergy = Float(block * lines.count * 6 * 6)
    /// How much of the energy lies along one line, from 0 to 1.
    private static let minimumAgreement: Float = 0.4
    /// Neighbours join when the cosine of twice the angle between them is more, within 13 degrees, and of that between them
    /// and all, within 30.
    private static let (minimumCosine, minimumCommonCosine): (Float, Float) = (0.9, 0.5)
    /// A region that reaches less far from its middle across the bars holds no code, in pixels.
    private static let minimumHalfAcross: Float = 20

    /// How the slopes of a block lie.
    private struct Block {
        /// Twice the angle of the direction across the bars, as a unit vector; zero: no bars.
        var doubled = Place.zero
        var isTaken = false
    }

    /// A place with bars.
    struct Region {
        var centre: Place
        /// Across the bars, of length 1.
        let across: Place
        /// Half of what it measures across the bars, and a quarter of what along them, in pixels.
        var halfAcross, halfAlong: Float
        let blocks: Int
        /// How bars fan out: by so many radians a pixel across the bars they turn, as seen from below or above.
        var fan: Float = 0

        /// The same in the picture of which it was seen in a smaller copy.
        func scaled(by factor: Float) -> Region {
            var scaled = self
            (scaled.centre, scaled.halfAcross, scaled.halfAlong) =
                (centre * factor, halfAcross * factor, halfAlong * factor)
            scaled.fan = fan / factor
            return scaled
        }
    }

    /// The regions with bars, the largest first.
    static func regions(_ plane: LumaPlane) -> [Region] {
        let (columns, rows) = (plane.width / block, plane.height / block)
        guard columns > 0, rows > 0 else { return [] }
        var blocks = [Block](repeating: Block(), count: columns * rows)
        for index in blocks.indices { blocks[index] = tensor(plane, index % columns * block, index / columns * block) }
        var regions: [Region] = []
        for start in blocks.indices where blocks[start].doubled != .zero && !blocks[start].isTaken {
            if let region = grow(&blocks, start, columns, rows) { regions.append(region) }
        }
        regions.sort { $0.blocks > $1.blocks }
        return Array(regions.prefix(maximumRegions))
    }

    private static func tensor(_ plane: LumaPlane, _ left: Int, _ top: Int) -> Block {
        var (xx, xy, yy) = (SIMD8<Int32>(), SIMD8<Int32>(), SIMD8<Int32>())
        for line in lines {
            let row = UnsafeRawPointer(plane.base + (top + line) * plane.stride)
            // The first and the last pixel of a row have one neighbour.
            for x in [max(left, 1), min(left + block / 2, plane.width - 1 - block / 2)] {
                func eight(_ offset: Int) -> SIMD8<Int16> {
                    SIMD8<Int16>(truncatingIfNeeded: row.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt8>.self))
                }
                let dx = SIMD8<Int32>(truncatingIfNeeded: eight(x + 1) &- eight(x - 1))
                let dy = SIMD8<Int32>(truncatingIfNeeded: eight(x + plane.stride) &- eight(x - plane.stride))
                xx &+= dx &* dx
                xy &+= dx &* dy
                yy &+= dy &* dy
            }
        }
        let (a, b, c) = (Float(xx.wrappedSum()), Float(xy.wrappedSum()), Float(yy.wrappedSum()))
        let doubled = Place(a - c, 2 * b)
        // Most of them along one line.
        guard a + c > minimumEnergy, doubled.length > minimumAgreement * (a + c) else { return Block() }
        return Block(doubled: doubled / doubled.length)
    }

    private static func grow(_ blocks: inout [Block], _ start: Int, _ columns: Int, _ rows: Int) -> Region? {
        var members = [start]
        var sum = blocks[start].doubled
        blocks[start].isTaken = true
        var next = 0
        while next < members.count {
            let at = members[next]
            let (direction, common) = (blocks[at].doubled, sum.unit)
            next += 1
            for y in max(0, at / columns - 1)...min(rows - 1, at / columns + 1) {
                for x in max(0, at % columns - 1)...min(columns - 1, at % columns + 1) {
                    let neighbour = y * columns + x
                    guard !blocks[neighbour].isTaken, blocks[neighbour].doubled != .zero,
                        direction.dot(blocks[neighbour].doubled) > minimumCosine,
                        common.dot(blocks[neighbour].doubled) > minimumCommonCosine
                    else { continue }
                    blocks[neighbour].isTaken = true
                    members.append(neighbour)
                    sum += blocks[neighbour].doubled
                }
            }
        }
        return members.count < 3 ? nil : region(members, blocks, sum.unit, columns)
    }

    /// Its extent, by the blocks' centres; `nil` when it is too short to hold a code.
    private static func region(_ members: [Int], _ blocks: [Block], _ doubled: Place, _ columns: Int) -> Region? {
        let angle = atan2f(doubled.y, doubled.x) / 2
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
        var region = Region(
            centre: across * middle.x + along * middle.y, across: across, halfAcross: half.x + Float(block) / 2,
            halfAlong: max(half.y, Float(block) * 3 / 8), blocks: members.count)
        var (turn, square): (Float, Float) = (0, 0)
        for (member, place) in zip(members, places) {
            let way = place.dot(across) - middle.x
            // Half of twice the angle.
            turn += way * doubled.cross(blocks[member].doubled) / 2
            square += way * way
        }
        region.fan = square > 0 ? turn / square : 0
        return region
    }
}
