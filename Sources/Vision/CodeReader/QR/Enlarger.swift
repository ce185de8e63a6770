import Geometry
import Luma

/// Makes larger copies of small pictures, with a light margin: for symbols of one pixel a module, as programs draw them.
final class Enlarger {
    static let factor = 3
    static let margin = 12
    /// Larger pictures come from cameras, and their symbols have larger modules.
    static let maximumSide = 400

    private let pixels = Scratch<UInt8>(0)

    /// `nil` for a picture that is large enough; the copy stays valid until the next.
    func enlarged(_ plane: LumaPlane) -> LumaPlane? {
        let (factor, margin) = (Self.factor, Self.margin)
        guard max(plane.width, plane.height) <= Self.maximumSide else { return nil }
        let (width, height) = (plane.width * factor + 2 * margin, plane.height * factor + 2 * margin)
        let pixels = pixels.atLeast(width * height)
        pixels.update(repeating: 255, count: width * height)
        for y in 0..<plane.height * factor {
            let line = plane.base + y / factor * plane.stride
            let target = pixels + (y + margin) * width + margin
            for x in 0..<plane.width {
                for step in 0..<factor { target[x * factor + step] = line[x] }
            }
        }
        return LumaPlane(base: pixels, width: width, height: height, stride: width)
    }
}
