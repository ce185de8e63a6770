import Geometry
import Glibc
import Luma

/// Where a smoothed picture gets lighter, how much, and in which of 32 directions.
struct GradientField {
    static let directions = 32
    /// In place of a direction, where the slope is no more than noise.
    static let flat: UInt8 = 255

    let width: Int
    let height: Int
    /// The picture smoothed over 3 × 3 pixels.
    private(set) var smooth: [UInt8]
    /// Of the way in which it gets lighter, clockwise from the right, in 32nds of a turn.
    private(set) var direction: [UInt8]

    /// Whether the flat parts of the picture are not smooth.
    private(set) var isNoisy = false

    /// Unit vectors of the 32 directions.
    static let units: [Place] = (0..<directions).map {
        let angle = Float($0) * 2 * .pi / Float(directions)
        return Place(cosf(angle), sinf(angle))
    }

    init(_ plane: LumaPlane) {
        width = plane.width
        height = plane.height
        smooth = Self.smoothed(plane)
        direction = [UInt8](repeating: Self.flat, count: width * height)
        guard width >= 8, height >= 8 else { return }
        let least = Self.minimumSlope(smooth, width, height)
        isNoisy = least > 8 * 8
        let (width, height) = (width, height)
        smooth.withUnsafeBufferPointer { pixels in
            direction.withUnsafeMutableBufferPointer { direction in
                withUnsafeTemporaryAllocation(of: UInt8.self, capacity: width) { steep in
                    for y in 2..<height - 2 {
                        let row = y * width
                        Self.directions(pixels.start + row, width, least, steep.start, into: direction.start + row)
                    }
                }
            }
        }
    }

    /// Of a row's pixels, but for two at each end; where it is flat nothing is written.
    ///
    /// - Parameters:
    ///   - least: the square of the least slope.
    ///   - steep: room for a row.
    private static func directions(
        _ row: UnsafePointer<UInt8>, _ width: Int, _ least: Int32, _ steep: UnsafeMutablePointer<UInt8>,
        into target: UnsafeMutablePointer<UInt8>
    ) {
        // One of both differences is at least that; written so that the compiler takes many pixels at once.
        let half = UInt8(max(min((Float(least) / 2).squareRoot(), 255), 1))
        let (upper, lower) = (row - width, row + width)
        for x in 2..<width - 2 {
            let (a, b, c, d) = (row[x - 1], row[x + 1], upper[x], lower[x])
            let (dx, dy) = (max(a, b) &- min(a, b), max(c, d) &- min(c, d))
            steep[x] = max(dx, dy) >= half ? 1 : 0
        }
        var x = 2
        while x < width - 2 {
            if x + 8 <= width - 2, UnsafeRawPointer(steep).loadUnaligned(fromByteOffset: x, as: UInt64.self) == 0 {
                x += 8
                continue
            }
            if steep[x] != 0 {
                let dx = Int32(row[x + 1]) &- Int32(row[x - 1])
                let dy = Int32(lower[x]) &- Int32(upper[x])
                if dx &* dx &+ dy &* dy >= least { target[x] = direction(Float(dx), Float(dy)) }
            }
            x += 1
        }
    }

    /// Lends the directions, `width` times `height` of them.
    mutating func visit(_ body: (UnsafeMutablePointer<UInt8>) -> Void) {
        direction.withUnsafeMutableBufferPointer { directions in
            if let base = directions.baseAddress, width >= 8, height >= 8 { body(base) }
        }
    }

    private static func direction(_ dx: Float, _ dy: Float) -> UInt8 {
        let (ax, ay) = (abs(dx), abs(dy))
        let ratio = min(ax, ay) / max(max(ax, ay), 1e-6)
        // The arc tangent of the ratio in 32nds of a turn, to a hundredth of one.
        let fine = ratio * (4 + (1 - ratio) * (1.246 + 0.338 * ratio))
        var angle = ax >= ay ? fine : 8 - fine
        if dx < 0 { angle = 16 - angle }
        if dy < 0 { angle = 32 - angle }
        return UInt8(Int32(angle + 0.5) & 31)
    }

    /// The square of the slope below which it is noise: from its lower quartile over the picture.
    private static func minimumSlope(_ pixels: [UInt8], _ width: Int, _ height: Int) -> Int32 {
        var histogram = [Int](repeating: 0, count: 512)
        var count = 0
        for y in stride(from: 2, to: height - 2, by: 7) {
            for x in stride(from: 2, to: width - 2, by: 5) {
                let at = y * width + x
                let dx = Int(pixels[at + 1]) - Int(pixels[at - 1])
                let dy = Int(pixels[at + width]) - Int(pixels[at - width])
                histogram[min(abs(dx) + abs(dy), 511)] += 1
                count += 1
            }
        }
        var quartile = 0
        var below = 0
        while quartile < 511, below + histogram[quartile] < count / 4 {
            below += histogram[quartile]
            quartile += 1
        }
        let least = Int32(min(max(6, quartile * 3), 28))
        return least * least
    }

    /// Weights 1, 2, 1 both ways.
    private static func smoothed(_ plane: LumaPlane) -> [UInt8] {
        let (width, height) = (plane.width, plane.height)
        return [UInt8](unsafeUninitializedCapacity: width * height) { result, count in
            withUnsafeTemporaryAllocation(of: UInt16.self, capacity: width) { sums in
                guard let result = result.baseAddress, let sums = sums.baseAddress else { return }
                for y in 0..<height {
                    let upper = plane.base + max(y - 1, 0) * plane.stride
                    let middle = plane.base + y * plane.stride
                    let lower = plane.base + min(y + 1, height - 1) * plane.stride
                    smooth((upper, middle, lower), width, sums, into: result + y * width)
                }
                count = width * height
            }
        }
    }

    private static func smooth(
        _ rows: (UnsafePointer<UInt8>, UnsafePointer<UInt8>, UnsafePointer<UInt8>), _ width: Int,
        _ sums: UnsafeMutablePointer<UInt16>, into row: UnsafeMutablePointer<UInt8>
    ) {
        let (upper, middle, lower) = rows
        for x in 0..<width {
            sums[x] = UInt16(upper[x]) &+ UInt16(middle[x]) &+ UInt16(middle[x]) &+ UInt16(lower[x])
        }
        row[0] = UInt8(sums[0] >> 2)
        row[width - 1] = UInt8(sums[width - 1] >> 2)
        guard width > 2 else { return }
        for x in 1..<width - 1 {
            row[x] = UInt8(truncatingIfNeeded: (sums[x - 1] &+ sums[x] &+ sums[x] &+ sums[x + 1]) &>> 4)
        }
    }
}
