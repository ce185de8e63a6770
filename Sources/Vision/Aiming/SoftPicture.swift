import Geometry
import Luma

/// A picture taken apart by fineness: means of 2x2 pixels again and again, and at each size what the next smaller one does
/// not show (a Laplacian pyramid; Burt and Adelson 1983, with the simplest filters). Put together again without the finest
/// sizes in some places it is soft there, and nowhere in blocks.
struct SoftPicture {
    /// A size.
    private struct Level {
        let width, height: Int
        let pixels: [UInt8]
    }

    /// Sizes at most: one pixel of the last is 64 of the picture.
    static let maximumLevels = 7
    /// Differences up to so many grey levels from what is around are not shown, at no size: a code with so little contrast
    /// is not found by its turns, and no person needs it to see where a camera points.
    private static let least = 7

    private var levels: [Level] = []

    init(_ pixels: [UInt8], width: Int, height: Int) {
        levels = [Level(width: width, height: height, pixels: pixels)]
        while levels.count < Self.maximumLevels, let half = Self.halved(levels[levels.count - 1]) {
            levels.append(half)
        }
    }

    /// Puts it together again.
    ///
    /// - Parameter softness: how many of the finest sizes are left out around a pixel of the picture.
    func picture(softness: (_ x: Int, _ y: Int) -> Int) -> [UInt8] {
        let grid = Texture.unit
        let (columns, rows) = ((levels[0].width + grid - 1) / grid, (levels[0].height + grid - 1) / grid)
        var mask = [UInt8](repeating: 0, count: columns * rows)
        for row in 0..<rows {
            for column in 0..<columns {
                mask[row * columns + column] = UInt8(clamping: softness(column * grid, row * grid))
            }
        }
        var result = levels[levels.count - 1].pixels.map { Int16($0) }
        for number in (0..<levels.count - 1).reversed() {
            let (level, above) = (levels[number], levels[number + 1])
            let coarse = Self.doubled(
                above.pixels.map { Int16($0) }, above.width, above.height, to: level.width, level.height)
            result = Self.doubled(result, above.width, above.height, to: level.width, level.height)
            for y in 0..<level.height {
                for x in 0..<level.width {
                    let at = y * level.width + x
                    guard Self.most(mask, columns, rows, x << number, y << number, 1 << number) <= number else {
                        continue
                    }
                    result[at] += Self.shrunk(Int16(level.pixels[at]) - coarse[at])
                }
            }
        }
        return result.map { UInt8(clamping: $0) }
    }

    /// The largest in the cells that a pixel covers.
    private static func most(_ mask: [UInt8], _ columns: Int, _ rows: Int, _ x: Int, _ y: Int, _ side: Int) -> Int {
        let (left, top) = (min(x / Texture.unit, columns - 1), min(y / Texture.unit, rows - 1))
        let right = min((x + side - 1) / Texture.unit, columns - 1)
        let bottom = min((y + side - 1) / Texture.unit, rows - 1)
        var most: UInt8 = 0
        for row in top...bottom {
            for column in left...right { most = max(most, mask[row * columns + column]) }
        }
        return Int(most)
    }

    private static func shrunk(_ difference: Int16) -> Int16 {
        difference > 0 ? max(0, difference - Int16(least)) : min(0, difference + Int16(least))
    }

    /// `nil` when nothing is left.
    private static func halved(_ level: Level) -> Level? {
        let (width, height) = (Halving.side(level.width, .repeated), Halving.side(level.height, .repeated))
        guard width > 1, height > 1 else { return nil }
        let half = level.pixels.withUnsafeBufferPointer { pixels in
            [UInt8](unsafeUninitializedCapacity: width * height) { target, count in
                guard let base = pixels.baseAddress, let target = target.baseAddress else { return }
                let plane = LumaPlane(base: base, width: level.width, height: level.height, stride: level.width)
                Halving.halve(plane, .repeated, into: target)
                count = width * height
            }
        }
        return Level(width: width, height: height, pixels: half)
    }

    /// Twice as large, by straight lines between the pixels.
    private static func doubled(
        _ small: [Int16], _ width: Int, _ height: Int, to wide: Int, _ high: Int
    ) -> [Int16] {
        var large = [Int16](repeating: 0, count: wide * high)
        for y in 0..<high {
            // Pixels of the large one lie a quarter of a small one's side from its middle.
            let near = y / 2 * width
            let far = min(max(y / 2 + (y & 1 == 0 ? -1 : 1), 0), height - 1) * width
            for x in 0..<wide {
                let (at, beside) = (x / 2, min(max(x / 2 + (x & 1 == 0 ? -1 : 1), 0), width - 1))
                let inner = 3 * small[near + at] + small[near + beside]
                let outer = 3 * small[far + at] + small[far + beside]
                large[y * wide + x] = (3 * inner + outer + 8) / 16
            }
        }
        return large
    }
}
