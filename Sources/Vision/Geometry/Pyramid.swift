import Luma

/// A picture and its copies of half size, quarter size and so on, made when they are asked for.
public final class Pyramid {
    /// Copies smaller than this on a side cannot hold a symbol, in pixels.
    public static let smallestSide = 24
    /// For sampling, modules have fewer than so many pixels where a smaller copy can be had.
    private static let sampledModule: Float = 6
    /// The smallest copy that is sampled: 1/256 of the picture's size.
    private static let lastSampledLevel = 8

    private var buffers: [Scratch<UInt8>] = []
    private var planes: [LumaPlane] = []

    /// Without a picture.
    public init() {}

    /// Takes a new picture, which must stay valid until the next.
    public func take(_ plane: LumaPlane) {
        planes.removeAll(keepingCapacity: true)
        planes.append(plane)
    }

    /// Forgets the picture.
    public func clear() { planes.removeAll(keepingCapacity: true) }

    /// What a pixel of the picture measures in its copy of a level, in pixels of that.
    public static func scale(ofLevel level: Int) -> Float { 1 / Float(1 << level) }

    /// The picture at 1/2^`level` of its size; `nil` when that is too small or there is none.
    public func level(_ level: Int) -> LumaPlane? {
        while planes.count <= level {
            guard let last = planes.last, Halving.side(min(last.width, last.height)) >= Self.smallestSide else {
                return nil
            }
            if buffers.count < planes.count { buffers.append(Scratch(0)) }
            let (width, height) = (Halving.side(last.width), Halving.side(last.height))
            let target = buffers[planes.count - 1].atLeast(width * height)
            Halving.halve(last, into: target)
            planes.append(LumaPlane(base: target, width: width, height: height, stride: width))
        }
        return planes[level]
    }

    /// For sampling modules of about `module` pixels: from a copy in which they have 3 to 6.
    public func sampler(module: Float) -> GreySampler? {
        var number = 0
        while module * Self.scale(ofLevel: number) >= Self.sampledModule, number < Self.lastSampledLevel,
            level(number + 1) != nil
        { number += 1 }
        return level(number).map { GreySampler($0, scale: Self.scale(ofLevel: number)) }
    }
}
