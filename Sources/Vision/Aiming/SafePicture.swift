import CodeReader
import Geometry
import Luma

/// Pictures that may leave the machine: they show where the camera looks, softly, and no code in them can be read.
///
/// Four things see to that, each without trusting the others:
/// 1. the picture is small: codes with modules of some pixels of the frame are gone;
/// 2. where a code, or a part of one, has been located in the last frames, the picture has one flat tone;
/// 3. where anything is patterned as a code or writing is (``Texture``), located or not, the picture is blurred until a
///    pixel of what is left is larger than two modules; and differences of a few grey levels are nowhere shown
///    (``SoftPicture``);
/// 4. what comes out is put to the reader; should it read anything, all of the picture is blurred most.
///
/// Not safe to use from several threads.
public final class SafePictureMaker {
    /// Of what comes out, in pixels.
    public static let longestSide = 320
    /// A pattern whose modules have up to 3 pixels of a copy is left out up to the copy of an eighth of its size: there a
    /// pixel is 2.7 modules and more.
    private static let beyond = 2
    /// Of what is hidden, in the code's own size: 0.2 of a side are five modules of the smallest code that holds a value.
    private static let hiddenSize: Float = 1.4
    /// Steps of grey in which hidden codes are shown.
    private static let step = 32
    /// A located code stays hidden for so many pictures.
    private static let memory = 10

    private let reader = CodeReader()
    private var texture = Texture()
    private var hidden: [[Outline]] = []
    private var pixels: [UInt8] = []

    /// Begins with nothing located.
    public init() {}

    /// Forgets what was located before.
    public func clear() { hidden.removeAll() }

    /// Makes a picture of a frame: smaller by a whole number, grey.
    ///
    /// - Parameters:
    ///   - codes: all that is located in it, in pixels of the frame.
    /// - Returns: the picture, and how many pixels of the frame one of its pixels is; `nil` when none is safe.
    public func picture(of plane: LumaPlane, hiding codes: [Outline]) -> (picture: LumaPicture, scale: Int)? {
        hidden.append(codes)
        if hidden.count > Self.memory { hidden.removeFirst() }
        let scale = (max(plane.width, plane.height) + Self.longestSide - 1) / Self.longestSide
        let (width, height) = (plane.width / scale, plane.height / scale)
        guard width > 0, height > 0 else { return nil }
        pixels = [UInt8](unsafeUninitializedCapacity: width * height) { target, count in
            guard let base = target.baseAddress else { return }
            plane.reduce(by: scale, into: base)
            count = width * height
        }
        texture.measure(pixels, width: width, height: height)
        let soft = SoftPicture(pixels, width: width, height: height)
        pixels = soft.picture { x, y in
            let grain = texture.grain(x / Texture.unit, y / Texture.unit)
            return grain == 0 ? 0 : grain + Self.beyond
        }
        for outline in hidden.joined() { hide(outline, scale, width, height) }
        if isReadable(width, height) {
            pixels = soft.picture { _, _ in SoftPicture.maximumLevels - 1 }
            guard !isReadable(width, height) else { return nil }
        }
        return LumaPicture(width: width, height: height, pixels: pixels).map { ($0, scale) }
    }

    private func isReadable(_ width: Int, _ height: Int) -> Bool {
        pixels.withUnsafeBufferPointer {
            guard let base = $0.baseAddress else { return true }
            let plane = LumaPlane(base: base, width: width, height: height, stride: width)
            return !reader.read(plane).isEmpty
        }
    }

    /// Paints over an outline and a margin about it: the mean tone of the box around it, in steps, and nothing else.
    private func hide(_ outline: Outline, _ scale: Int, _ width: Int, _ height: Int) {
        guard let large = outline.scaled(by: Self.hiddenSize) else { return }
        let area = ConvexArea(corners: large.corners.map { $0 / Float(scale) })
        let frame = Place(corner: width, height)
        let (low, high) = (area.low.clamped(to: .zero, frame), (area.high + 1).clamped(to: .zero, frame))
        let (columns, rows) = (Int(low.x)..<Int(high.x), Int(low.y)..<Int(high.y))
        guard !columns.isEmpty, !rows.isEmpty else { return }
        var sum = 0
        for y in rows { for x in columns { sum += Int(pixels[y * width + x]) } }
        let tone = Self.rounded(sum / (columns.count * rows.count), step: Self.step)
        for y in rows {
            for x in columns where area.contains(Place(pixel: x, y)) {
                pixels[y * width + x] = tone
            }
        }
    }

    private static func rounded(_ level: Int, step: Int) -> UInt8 { UInt8(min(255, (level + step / 2) / step * step)) }
}

extension Outline {
    /// All that a code may cover of which some parts are known.
    var surroundings: Outline { Outline(around: corners, margin: min(length, 4000) * 0.8 + 8) ?? self }
}
