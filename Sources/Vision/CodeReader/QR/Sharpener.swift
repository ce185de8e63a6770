import Geometry
import Luma

/// Makes a sharper copy of a picture: for finding what is out of focus.
final class Sharpener {
    /// Pixels to each side that count as a pixel's surroundings.
    private static let reach = 2
    /// How much of the difference to the surroundings is added.
    private static let gain: Int16 = 3

    private let sums = Scratch<UInt16>(0)
    private let pixels = Scratch<UInt8>(0)

    /// The copy stays valid until the next.
    func sharpened(_ plane: LumaPlane) -> LumaPlane {
        let (width, height, reach) = (plane.width, plane.height, Self.reach)
        // Sums of columns over the rows in reach; beyond the sides those of the outermost columns go on.
        let sums = sums.atLeast(width + 2 * reach) + reach
        let pixels = pixels.atLeast(width * height)
        func line(_ row: Int) -> UnsafePointer<UInt8> { plane.base + min(max(row, 0), height - 1) * plane.stride }
        for x in 0..<width { sums[x] = 0 }
        for row in -reach..<reach { Self.add(line(row), sums, width) }
        for y in 0..<height {
            Self.add(line(y + reach), sums, width)
            for step in 1...reach {
                sums[-step] = sums[0]
                sums[width - 1 + step] = sums[width - 1]
            }
            Self.sharpen(line(y), sums, pixels + y * width, width)
            Self.subtract(line(y - reach), sums, width)
        }
        return LumaPlane(base: pixels, width: width, height: height, stride: width)
    }

    @inline(__always)
    private static func add(_ line: UnsafePointer<UInt8>, _ sums: UnsafeMutablePointer<UInt16>, _ width: Int) {
        for x in 0..<width { sums[x] &+= UInt16(line[x]) }
    }

    @inline(__always)
    private static func subtract(_ line: UnsafePointer<UInt8>, _ sums: UnsafeMutablePointer<UInt16>, _ width: Int) {
        for x in 0..<width { sums[x] &-= UInt16(line[x]) }
    }

    /// One row: each pixel and `gain` times its difference to the mean around it.
    private static func sharpen(
        _ line: UnsafePointer<UInt8>, _ sums: UnsafePointer<UInt16>, _ target: UnsafeMutablePointer<UInt8>, _ width: Int
    ) {
        for x in 0..<width {
            let near: UInt16 = sums[x - 1] &+ sums[x] &+ sums[x + 1]
            let sum: UInt16 = near &+ sums[x - 2] &+ sums[x + 2]
            // Of 25 pixels; 2621 is 65 536 / 25.
            let mean = Int16(truncatingIfNeeded: (UInt32(sum) &* 2621) >> 16)
            let here = Int16(line[x])
            let sharp: Int16 = here &+ gain &* (here &- mean)
            target[x] = UInt8(truncatingIfNeeded: max(0, min(255, sharp)))
        }
    }
}
