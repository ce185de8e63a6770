import Aiming
import CPNG
import CodeReader
import Geometry
import Luma
import ObservedValue

/// A frame in which nothing is to be seen but a test sheet's codes: each as the camera has given it, with its quiet zone;
/// around them is the picture that may leave the machine (`SafePictureMaker`).
struct TestPicture {
    let picture: LumaPicture
    /// The codes' edges in millimetres, as they are read in it.
    let edges: [Int]

    /// Of a code, in its own size: the quiet zone of four modules is at most a seventh of a side.
    private static let shown: Float = 1.3

    /// - Parameters:
    ///   - readings: all that was read in the frame.
    ///   - soft: the safe picture, and how many of the frame's pixels one of its is.
    /// - Returns: `nil` when anything else than a test sheet's codes was read, or when they cannot be read alone.
    init?(_ plane: LumaPlane, readings: [Reading], _ soft: (picture: LumaPicture, scale: Int)) {
        guard !readings.isEmpty else { return nil }
        var areas: [ConvexArea] = []
        for reading in readings {
            guard reading.candidate.flatMap({ TestValue($0) }) != nil, !Symbology.linear.contains(reading.symbology),
                let outline = Outline(reading.corners)?.scaled(by: Self.shown)
            else { return nil }
            areas.append(ConvexArea(corners: outline.corners))
        }
        var pixels = [UInt8](repeating: 0, count: plane.width * plane.height)
        for y in 0..<plane.height {
            let row = min(y / soft.scale, soft.picture.height - 1) * soft.picture.width
            for x in 0..<plane.width {
                pixels[y * plane.width + x] = soft.picture.pixels[row + min(x / soft.scale, soft.picture.width - 1)]
            }
        }
        for area in areas {
            let (low, high) = (
                area.low.clamped(to: .zero, Place(corner: plane.width, plane.height)),
                (area.high + 1).clamped(to: .zero, Place(corner: plane.width, plane.height))
            )
            for y in Int(low.y)..<max(Int(low.y), Int(high.y)) {
                for x in Int(low.x)..<max(Int(low.x), Int(high.x)) where area.contains(Place(pixel: x, y)) {
                    pixels[y * plane.width + x] = plane.base[y * plane.stride + x]
                }
            }
        }
        guard let picture = LumaPicture(width: plane.width, height: plane.height, pixels: pixels) else { return nil }
        // The proof: as whoever reads the file sees it.
        let values = picture.withPlane { CodeReader().read($0) }.map { $0.candidate.flatMap { TestValue($0)?.edge } }
        let edges = values.compactMap { $0 }
        guard !edges.isEmpty, edges.count == values.count else { return nil }
        self.picture = picture
        self.edges = Set(edges).sorted()
    }
}

extension LumaPicture {
    /// As a grey PNG picture; `nil` when libpng cannot.
    var png: [UInt8]? {
        var png = [UInt8](repeating: 0, count: pixels.count + pixels.count / 100 + height + 65536)
        var size = png.count
        guard srup_png_write_grey(pixels, UInt32(width), UInt32(height), &png, &size) != 0 else { return nil }
        png.removeLast(png.count - size)
        return png
    }
}
