import Luma

/// Makes a sharper copy of a picture: for finding what is out of focus.
final class Sharpener {
    /// Pixels to each side that count as a pixel's surroundings.
    private static let reach = 2
    /// How much of the difference to the surroundings is added.
    private static let gain: Int32 = 3

    private let sums = Scratch<UInt16>(0)
    private let pixels = Scratch<UInt8>(0)

    /// The copy stays valid until the next.
    func sharpened(_ plane: LumaPlane) -> LumaPlane {
        let (width, height, reach) = (plane.width, plane.height, Self.reach)
        let sums = sums.atLeast(width)
        let pixels = pixels.atLeast(width * height)
        let side = 2 * reach + 1
        // 1 / side^2 in 65 536ths.
        let share = Int32(65536 / (side * side))
        for y in 0..<height {
            for x in 0..<width { sums[x] = 0 }
            for row in y - reach...y + reach {
                let line = plane.base + min(max(row, 0), height - 1) * plane.stride
                for x in 0..<width { sums[x] &+= UInt16(line[x]) }
            }
            let line = plane.base + y * plane.stride
            let target = pixels + y * width
            var sum: Int32 = 0
            for x in -reach..<reach { sum &+= Int32(sums[min(max(x, 0), width - 1)]) }
            for x in 0..<width {
                sum &+= Int32(sums[min(x &+ reach, width &- 1)])
                let here = Int32(line[x])
                let sharp = here &+ Self.gain &* (here &- (sum &* share) >> 16)
                target[x] = UInt8(truncatingIfNeeded: max(0, min(255, sharp)))
                sum &-= Int32(sums[max(x &- reach, 0)])
            }
        }
        return LumaPlane(base: pixels, width: width, height: height, stride: width)
    }
}
