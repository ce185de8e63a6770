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
                for y in 2..<height - 2 {
                    let row = y * width
                    Self.directions(pixels.start + row, width, Int16(least), into: direction.start + row)
                }
            }
        }
    }

    /// Of a row's pixels, but for two at each end; where it is flat nothing is written.
    ///
    /// - Parameter least: the square of the least slope, below 127 squared.
    private static func directions(
        _ row: UnsafePointer<UInt8>, _ width: Int, _ least: Int16, into target: UnsafeMutablePointer<UInt8>
    ) {
        let raw = UnsafeRawPointer(row)
        func pixels(_ offset: Int) -> SIMD16<Int16> {
            SIMD16(truncatingIfNeeded: raw.loadUnaligned(fromByteOffset: offset, as: SIMD16<UInt8>.self))
        }
        let (low, high) = (SIMD16<Int16>(repeating: -127), SIMD16<Int16>(repeating: 127))
        var x = 2
        while x + 16 <= width - 2 {
            let dx: SIMD16<Int16> = pixels(x + 1) &- pixels(x - 1)
            let dy: SIMD16<Int16> = pixels(x + width) &- pixels(x - width)
            // Steeper slopes are no noise, whatever it is: their squares would not fit.
            let (cx, cy) = (dx.clamped(lowerBound: low, upperBound: high), dy.clamped(lowerBound: low, upperBound: high))
            let squares: SIMD16<Int16> = cx &* cx &+ cy &* cy
            if squares.max() >= least {
                for lane in 0..<16 where squares[lane] >= least {
                    target[x + lane] = direction(Float(dx[lane]), Float(dy[lane]))
                }
            }
            x += 16
        }
        while x < width - 2 {
            let dx = Int32(row[x + 1]) - Int32(row[x - 1])
            let dy = Int32(row[x + width]) - Int32(row[x - width])
            if dx * dx + dy * dy >= Int32(least) { target[x] = direction(Float(dx), Float(dy)) }
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
        let (upper, middle, lower) = (UnsafeRawPointer(rows.0), UnsafeRawPointer(rows.1), UnsafeRawPointer(rows.2))
        func wide(_ pixels: UnsafeRawPointer, _ x: Int) -> SIMD16<UInt16> {
            SIMD16(truncatingIfNeeded: pixels.loadUnaligned(fromByteOffset: x, as: SIMD16<UInt8>.self))
        }
        let rawSums = UnsafeMutableRawPointer(sums)
        var x = 0
        while x + 16 <= width {
            let sum: SIMD16<UInt16> = wide(upper, x) &+ wide(middle, x) &+ wide(middle, x) &+ wide(lower, x)
            rawSums.storeBytes(of: sum, toByteOffset: 2 * x, as: SIMD16<UInt16>.self)
            x += 16
        }
        while x < width {
            sums[x] = UInt16(rows.0[x]) &+ 2 &* UInt16(rows.1[x]) &+ UInt16(rows.2[x])
            x += 1
        }
        row[0] = UInt8(sums[0] >> 2)
        row[width - 1] = UInt8(sums[width - 1] >> 2)
        func sum(_ x: Int) -> SIMD16<UInt16> {
            UnsafeRawPointer(sums).loadUnaligned(fromByteOffset: 2 * x, as: SIMD16<UInt16>.self)
        }
        x = 1
        while x + 16 <= width - 1 {
            let total: SIMD16<UInt16> = sum(x - 1) &+ sum(x) &+ sum(x) &+ sum(x + 1)
            UnsafeMutableRawPointer(row + x).storeBytes(
                of: SIMD16<UInt8>(truncatingIfNeeded: total &>> SIMD16<UInt16>(repeating: 4)), as: SIMD16<UInt8>.self)
            x += 16
        }
        while x < width - 1 {
            row[x] = UInt8(truncatingIfNeeded: (sums[x - 1] &+ 2 &* sums[x] &+ sums[x + 1]) >> 4)
            x += 1
        }
    }
}
