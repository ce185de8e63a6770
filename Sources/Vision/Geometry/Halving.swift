import Luma

/// Pictures of half the size: means of two by two pixels, rounded.
public enum Halving {
    /// What becomes of an odd last row or column.
    public enum OddEdge {
        /// It is left out: the copy is a little less than half.
        case leftOut
        /// It stands for the one that is not there, too: nothing of the picture is missing in the copy.
        case repeated
    }

    /// A side of the copy, in pixels.
    public static func side(_ side: Int, _ edge: OddEdge = .leftOut) -> Int {
        edge == .leftOut ? side / 2 : (side + 1) / 2
    }

    /// Writes the copy, row by row without padding.
    ///
    /// - Parameter target: has room for ``side(_:_:)`` times ``side(_:_:)`` pixels.
    public static func halve(
        _ plane: LumaPlane, _ edge: OddEdge = .leftOut, into target: UnsafeMutablePointer<UInt8>
    ) {
        let (width, height) = (side(plane.width, edge), side(plane.height, edge))
        // Pixels of the copy that have two columns of their own.
        let pairs = plane.width / 2
        for y in 0..<height {
            let upper = plane.base + 2 * y * plane.stride
            let lower = plane.base + min(2 * y + 1, plane.height - 1) * plane.stride
            let row = target + y * width
            halve(upper, lower, pairs, into: row)
            if pairs < width { row[pairs] = UInt8((UInt16(upper[2 * pairs]) + UInt16(lower[2 * pairs]) + 1) / 2) }
        }
    }

    private static func halve(
        _ upper: UnsafePointer<UInt8>, _ lower: UnsafePointer<UInt8>, _ width: Int,
        into row: UnsafeMutablePointer<UInt8>
    ) {
        let (rawUpper, rawLower) = (UnsafeRawPointer(upper), UnsafeRawPointer(lower))
        var x = 0
        while x + 8 <= width {
            let a = rawUpper.loadUnaligned(fromByteOffset: 2 * x, as: SIMD8<UInt16>.self)
            let b = rawLower.loadUnaligned(fromByteOffset: 2 * x, as: SIMD8<UInt16>.self)
            // In steps with their types: Swift 6.2 takes minutes for the whole in one.
            let low = SIMD8<UInt16>(repeating: 0xFF)
            let eight = SIMD8<UInt16>(repeating: 8)
            let above: SIMD8<UInt16> = (a & low) &+ (a &>> eight)
            let below: SIMD8<UInt16> = (b & low) &+ (b &>> eight)
            let two = SIMD8<UInt16>(repeating: 2)
            let mean: SIMD8<UInt16> = (above &+ below &+ two) &>> two
            UnsafeMutableRawPointer(row + x).storeBytes(
                of: SIMD8<UInt8>(truncatingIfNeeded: mean), as: SIMD8<UInt8>.self)
            x += 8
        }
        while x < width {
            let above: UInt32 = UInt32(upper[2 * x]) + UInt32(upper[2 * x + 1])
            let below: UInt32 = UInt32(lower[2 * x]) + UInt32(lower[2 * x + 1])
            let sum: UInt32 = above + below
            row[x] = UInt8(truncatingIfNeeded: (sum + 2) >> 2)
            x += 1
        }
    }
}

extension LumaPlane {
    /// Writes a copy that is smaller by a whole number, row by row without padding: means of `factor` by `factor` pixels,
    /// rounded; what is left over at the right and at the bottom is left out.
    ///
    /// - Parameters:
    ///   - factor: from 1 to 4096.
    ///   - target: has room for `width / factor` times `height / factor` pixels.
    public func reduce(by factor: Int, into target: UnsafeMutablePointer<UInt8>) {
        precondition((1...4096).contains(factor))
        let (wide, high) = (width / factor, height / factor)
        let area = UInt32(factor * factor)
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: max(wide, 1)) { sums in
            for y in 0..<high {
                sums.update(repeating: area / 2)
                for line in 0..<factor {
                    let row = base + (y * factor + line) * stride
                    for x in 0..<wide {
                        for column in 0..<factor { sums[x] &+= UInt32(row[x &* factor &+ column]) }
                    }
                }
                for x in 0..<wide { target[y * wide + x] = UInt8(truncatingIfNeeded: sums[x] / area) }
            }
        }
    }
}
