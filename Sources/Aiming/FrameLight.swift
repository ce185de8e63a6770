import Luma

/// How light a whole frame is, in grey levels from 0 to 255.
public struct FrameLight: Sendable, Hashable {
    /// A twentieth of the frame is darker than this, and a twentieth lighter than that.
    public let dark, light: Int
    public let mean: Int

    public init(dark: Int, light: Int, mean: Int) {
        self.dark = dark
        self.light = light
        self.mean = mean
    }

    /// Looks at every eighth pixel of every eighth row.
    public init(_ plane: LumaPlane) {
        var histogram = [Int](repeating: 0, count: 256)
        var (count, sum) = (0, 0)
        for y in stride(from: 0, to: plane.height, by: 8) {
            let row = plane.base + y * plane.stride
            for x in stride(from: 0, to: plane.width, by: 8) {
                histogram[Int(row[x])] += 1
                sum += Int(row[x])
                count += 1
            }
        }
        mean = sum / count
        dark = Self.level(histogram, above: count / 20)
        light = Self.level(histogram, above: count - 1 - count / 20)
    }

    /// The grey level of the pixel that has `rank` darker ones.
    private static func level(_ histogram: [Int], above rank: Int) -> Int {
        var below = 0
        for (level, count) in histogram.enumerated() {
            below += count
            if below > rank { return level }
        }
        return 255
    }
}
