import Luma

/// Looks for what is no QR code in a stream of frames: one small piece of work in every other frame, so that none waits.
///
/// In turn: Data Matrix in a quarter of the places that could be one; bars at any angle; Data Matrix again; zbar in a
/// quarter of the rows. A device that shows such a code shows it for seconds: after 16 frames all has been looked at.
///
/// Not safe to use from several threads.
final class OtherCodes {
    private let symbologies: Set<Symbology>
    private let scanner: ZbarScanner
    private var number = 0

    /// - Parameter symbologies: without QR.
    init(_ symbologies: Set<Symbology>) {
        self.symbologies = symbologies
        scanner = ZbarScanner(symbologies.intersection(Symbology.linear))
    }

    /// The codes in a frame without a QR code, as far as this frame's piece of work shows them.
    func read(_ plane: LumaPlane) -> [Reading] {
        number &+= 1
        let round = number / 8
        let isLinear = !symbologies.isDisjoint(with: Symbology.linear)
        switch number % 8 {
        case 1 where symbologies.contains(.dataMatrix):
            return Reading.dataMatrix(plane, part: round * 2 % Self.parts, of: Self.parts)
        case 5 where symbologies.contains(.dataMatrix):
            return Reading.dataMatrix(plane, part: (round * 2 + 1) % Self.parts, of: Self.parts)
        case 3 where isLinear: return LinearLocator.read(plane, scan: scanner.scan)
        case 7 where isLinear: return scanner.scan(Self.band(plane, round % Self.parts))
        default: return []
        }
    }

    private static let parts = 4

    /// A quarter of the rows, and some that it shares with the next.
    private static func band(_ plane: LumaPlane, _ index: Int) -> LumaPlane {
        let top = plane.height * index / parts
        let height = min(plane.height - top, max(plane.height / parts + 32, 1))
        return LumaPlane(
            base: plane.base + top * plane.stride, width: plane.width, height: max(height, 1), stride: plane.stride)
    }
}
