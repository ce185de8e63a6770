import Luma

/// A symbol drawn anew: flat, dark on light, with its quiet zone, as a decoder likes it best.
final class CanonicalPicture {
    /// Pixels for a module, and modules of quiet zone.
    private static let scale = 3
    private static let margin = 4
    private let pixels = Scratch<UInt8>(255)

    /// - Parameter isInk: whether the module in column u and row v is dark.
    func draw(dimension: Int, isInk: (_ u: Int, _ v: Int) -> Bool) -> LumaPlane {
        let (scale, margin) = (Self.scale, Self.margin)
        let side = (dimension + 2 * margin) * scale
        let pixels = pixels.atLeast(side * side)
        pixels.update(repeating: 255, count: side * side)
        for v in 0..<dimension {
            for u in 0..<dimension where isInk(u, v) {
                for line in 0..<scale {
                    let start = pixels + ((v + margin) * scale + line) * side + (u + margin) * scale
                    for pixel in 0..<scale { start[pixel] = 0 }
                }
            }
        }
        return LumaPlane(base: pixels, width: side, height: side, stride: side)
    }
}
