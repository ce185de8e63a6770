import Geometry
import Luma

/// Where dark ends and light begins, for every block of 8 by 8 pixels: the mean of the blocks around it.
struct BlockThresholds {
    static let side = 8
    /// Blocks whose surroundings span fewer grey levels than this are taken as blank however little noise there is.
    static let minimumContrast = 12

    let columns, rows: Int
    /// One value for each block; a pixel is dark when it is less. 0 where it is blank.
    let values: UnsafeMutablePointer<UInt8>

    @inline(__always)
    func at(x: Int, y: Int) -> UInt8 { values[(y >> 3) &* columns &+ (x >> 3)] }
}

/// Makes ``BlockThresholds``; keeps its memory.
final class ThresholdMaker {
    /// How many blocks to each side count for a block's threshold.
    private static let reach = 2

    private let sums = Scratch<Int32>(0)
    private let sideways = Scratch<Int32>(0)
    private let darkest = Scratch<UInt8>(0)
    private let lightest = Scratch<UInt8>(0)
    private let values = Scratch<UInt8>(0)

    /// - Parameters:
    ///   - plane: at least 8 pixels on each side.
    ///   - maximumNoise: what noise can span at most, in grey levels; blocks that span less than noise are blank.
    func thresholds(_ plane: LumaPlane, maximumNoise: Int) -> BlockThresholds {
        let side = BlockThresholds.side
        let (columns, rows) = ((plane.width + side - 1) / side, (plane.height + side - 1) / side)
        let count = columns * rows
        let (sums, sideways) = (sums.atLeast(count), sideways.atLeast(count))
        let (darkest, lightest, values) = (darkest.atLeast(count), lightest.atLeast(count), values.atLeast(count))
        for row in 0..<rows {
            for column in 0..<columns {
                // The last blocks overlap the ones before, so that all are whole.
                let top: Int = min(row * side, plane.height - side)
                let left: Int = min(column * side, plane.width - side)
                let start = UnsafeRawPointer(plane.base + (top * plane.stride + left))
                var sum = SIMD8<UInt16>(repeating: 0)
                var low = SIMD8<UInt8>(repeating: 255)
                var high = SIMD8<UInt8>(repeating: 0)
                for line in 0..<side {
                    let pixels = start.loadUnaligned(fromByteOffset: line &* plane.stride, as: SIMD8<UInt8>.self)
                    sum &+= SIMD8<UInt16>(truncatingIfNeeded: pixels)
                    low.replace(with: pixels, where: pixels .< low)
                    high.replace(with: pixels, where: pixels .> high)
                }
                let block = row * columns + column
                sums[block] = Int32(sum.wrappedSum())
                darkest[block] = low.min()
                lightest[block] = high.max()
            }
        }
        smooth(columns, rows, sums, sideways)
        let noise = min(Self.noise(count, darkest, lightest), maximumNoise)
        // The extremes of three by three blocks: first of three in a row, in place, then of three rows.
        for row in 0..<rows {
            Self.spread(darkest + row * columns, columns, min)
            Self.spread(lightest + row * columns, columns, max)
        }
        for row in 0..<rows {
            let above = max(row - 1, 0) * columns
            let here = row * columns
            let below = min(row + 1, rows - 1) * columns
            for column in 0..<columns {
                let low = min(darkest[above + column], darkest[here + column], darkest[below + column])
                let high = max(lightest[above + column], lightest[here + column], lightest[below + column])
                let isBlank = Int32(high) - Int32(low) < Int32(noise)
                let mean = UInt8(truncatingIfNeeded: max(1, min(255, sums[here + column])))
                values[here + column] = isBlank ? 0 : mean
            }
        }
        return BlockThresholds(columns: columns, rows: rows, values: values)
    }

    /// Each value and its two neighbours become their extreme.
    @inline(__always)
    private static func spread(
        _ values: UnsafeMutablePointer<UInt8>, _ count: Int, _ extreme: (UInt8, UInt8) -> UInt8
    ) {
        var before = values[0]
        for index in 0..<count {
            let here = values[index]
            values[index] = extreme(extreme(before, here), values[min(index + 1, count - 1)])
            before = here
        }
    }

    /// How many grey levels noise spans in three by three blocks, judged by the quietest fifth of the blocks.
    private static func noise(
        _ count: Int, _ darkest: UnsafeMutablePointer<UInt8>, _ lightest: UnsafeMutablePointer<UInt8>
    ) -> Int {
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: 256) { histogram in
            histogram.initialize(repeating: 0)
            for block in 0..<count { histogram[Int(lightest[block]) - Int(darkest[block])] += 1 }
            var seen = 0
            for span in 0..<256 {
                seen += Int(histogram[span])
                // In nine times as many pixels the extremes of normal noise are 1.4 times as far apart.
                if seen * 5 >= count { return max(span * 8 / 5, BlockThresholds.minimumContrast) }
            }
            return 255
        }
    }

    /// Sums of blocks become means of pixels over the blocks within reach; at the edge of fewer.
    private func smooth(
        _ columns: Int, _ rows: Int, _ sums: UnsafeMutablePointer<Int32>, _ sideways: UnsafeMutablePointer<Int32>
    ) {
        let reach = Self.reach
        for row in 0..<rows {
            let line = sums + row * columns
            var sum: Int32 = 0
            for x in 0..<min(reach, columns) { sum &+= line[x] }
            for column in 0..<columns {
                if column + reach < columns { sum &+= line[column + reach] }
                if column > reach { sum &-= line[column - reach - 1] }
                sideways[row * columns + column] = sum
            }
        }
        for column in 0..<columns {
            let width = min(columns - 1, column + reach) - max(0, column - reach) + 1
            var sum: Int32 = 0
            for y in 0..<min(reach, rows) { sum &+= sideways[y * columns + column] }
            for row in 0..<rows {
                if row + reach < rows { sum &+= sideways[(row + reach) * columns + column] }
                if row > reach { sum &-= sideways[(row - reach - 1) * columns + column] }
                let height = min(rows - 1, row + reach) - max(0, row - reach) + 1
                sums[row * columns + column] = sum / Int32(64 * width * height)
            }
        }
    }
}
