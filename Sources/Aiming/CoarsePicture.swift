import Luma

/// A picture of the scene that no code can be read from: the only one that leaves the machine.
///
/// It has few pixels, each the mean of a block of the frame, so that what is not there cannot be sharpened back: 72 rows
/// while every code in view is known by its corners, and these are painted over; 16 rows while none is known, or one is
/// whose extent is not (a linear code is read from any line across it). At 16 rows a block is two modules of a code that
/// fills the frame.
public struct CoarsePicture: Sendable, Hashable {
    public static let rowsWithKnownCodes = 72
    public static let rowsOtherwise = 16
    /// What codes are painted over with.
    static let cover: UInt8 = 128

    public let width: Int
    public let height: Int
    public let pixels: [UInt8]

    /// - Parameter codes: corners of all codes in view, in the frame's pixels; `nil` when that is not known of all.
    public init(_ plane: LumaPlane, hiding codes: [[Sight.Point]]?) {
        let isKnown = codes.map { !$0.isEmpty } ?? false
        let rows = isKnown ? Self.rowsWithKnownCodes : Self.rowsOtherwise
        let block = max(1, (min(plane.width, plane.height) + rows - 1) / rows)
        width = (plane.width + block - 1) / block
        height = (plane.height + block - 1) / block
        var pixels = [UInt8](repeating: 0, count: width * height)
        for y in 0..<height {
            for x in 0..<width { pixels[y * width + x] = Self.mean(plane, x * block, y * block, block) }
        }
        for corners in codes ?? [] {
            Self.cover(corners, &pixels, width, height, block)
        }
        self.pixels = pixels
    }

    private static func mean(_ plane: LumaPlane, _ left: Int, _ top: Int, _ block: Int) -> UInt8 {
        let columns = left..<min(left + block, plane.width)
        let rows = top..<min(top + block, plane.height)
        var sum = 0
        for row in rows {
            let line = plane.base + row * plane.stride
            for column in columns { sum += Int(line[column]) }
        }
        return UInt8(truncatingIfNeeded: sum / max(columns.count * rows.count, 1))
    }

    /// Paints over the box around the corners and a fifth of it on every side: corners are uncertain, and the device moves.
    private static func cover(
        _ corners: [Sight.Point], _ pixels: inout [UInt8], _ width: Int, _ height: Int, _ block: Int
    ) {
        func range(_ values: [Float], _ limit: Int) -> Range<Int> {
            guard let low = values.min(), let high = values.max(), low.isFinite, high.isFinite else { return 0..<limit }
            let margin = max((high - low) / 5, Float(2 * block))
            let first = max(min((low - margin) / Float(block), Float(limit)), 0)
            let last = max(min((high + margin) / Float(block), Float(limit - 1)), -1)
            return Int(first)..<max(Int(last) + 1, Int(first))
        }
        let columns = range(corners.map(\.x), width)
        for row in range(corners.map(\.y), height) {
            for column in columns { pixels[row * width + column] = cover }
        }
    }
}
