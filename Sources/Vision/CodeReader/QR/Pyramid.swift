import Luma

/// A picture and its copies of half size, quarter size and so on, made when they are asked for.
final class Pyramid {
    /// Copies smaller than this on a side cannot hold a symbol.
    static let smallestSide = 24
    private var buffers: [Scratch<UInt8>] = []
    private var planes: [LumaPlane] = []

    /// Takes a new picture, which must stay valid until the next.
    func take(_ plane: LumaPlane) {
        planes.removeAll(keepingCapacity: true)
        planes.append(plane)
    }

    /// Forgets the picture.
    func clear() { planes.removeAll(keepingCapacity: true) }

    /// The picture at 1/2^`level` of its size; `nil` when that is too small or there is none.
    func level(_ level: Int) -> LumaPlane? {
        while planes.count <= level {
            guard let last = planes.last, min(last.width, last.height) / 2 >= Self.smallestSide else { return nil }
            if buffers.count < planes.count { buffers.append(Scratch(0)) }
            planes.append(Self.halved(last, into: buffers[planes.count - 1]))
        }
        return planes[level]
    }

    /// For sampling modules of about `module` pixels: from a copy in which they have 3 to 6.
    func sampler(module: Float) -> GreySampler? {
        var number = 0
        while module / Float(1 << number) >= 6, level(number + 1) != nil, number < 8 { number += 1 }
        return level(number).map { GreySampler($0, scale: 1 / Float(1 << number)) }
    }

    /// Means of two by two pixels; an odd last row or column is left out.
    private static func halved(_ plane: LumaPlane, into buffer: Scratch<UInt8>) -> LumaPlane {
        let (width, height) = (plane.width / 2, plane.height / 2)
        let target = buffer.atLeast(width * height)
        for y in 0..<height {
            let upper = UnsafeRawPointer(plane.base + 2 * y * plane.stride)
            let lower = UnsafeRawPointer(plane.base + (2 * y + 1) * plane.stride)
            let row = target + y * width
            var x = 0
            while x + 8 <= width {
                let a = upper.loadUnaligned(fromByteOffset: 2 * x, as: SIMD8<UInt16>.self)
                let b = lower.loadUnaligned(fromByteOffset: 2 * x, as: SIMD8<UInt16>.self)
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
                let first: UnsafePointer<UInt8> = plane.base + (2 * y * plane.stride + 2 * x)
                let second: UnsafePointer<UInt8> = first + plane.stride
                let above: UInt32 = UInt32(first[0]) + UInt32(first[1])
                let below: UInt32 = UInt32(second[0]) + UInt32(second[1])
                let sum: UInt32 = above + below
                row[x] = UInt8(truncatingIfNeeded: (sum + 2) >> 2)
                x += 1
            }
        }
        return LumaPlane(base: target, width: width, height: height, stride: width)
    }
}
