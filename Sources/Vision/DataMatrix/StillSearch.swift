import Geometry
import Luma

extension DataMatrixReader {
    /// Smaller copies are made of pictures that are larger than this on the shorter side, in pixels.
    private static let smallestHalved = 160
    /// Pictures are halved at most so many times: in the last copy hardly any module is larger than a few pixels.
    private static let halvings = 2
    /// Where symbols have been read a copy is made only if it is not smaller than this on the shorter side, in pixels: what
    /// is large was clear enough.
    private static let smallestBeside = 320
    /// Pictures of more pixels are not enlarged.
    private static let largestEnlarged = 1 << 18
    /// Pictures of fewer pixels are enlarged twice as much: in pictures that a program made a module may be one pixel.
    private static let tiny = 1 << 15

    /// How much work a picture that comes alone may be: so many samples, and so many more for each megapixel; half of that to
    /// read. More than half again what the last symbol needed in any of 526 drawn pictures of labels, trays, drawers and scenes; some tens of
    /// milliseconds where lines of all kinds look like sides.
    private static func effort(_ plane: LumaPlane) -> Effort {
        var effort = Effort()
        effort.samples = 500_000 + plane.width * plane.height * 6 / 5
        effort.reading = effort.samples / 2
        return effort
    }

    /// The symbols in a picture that comes alone: of all sizes, with modules that do not touch, and small ones.
    ///
    /// In copies of half and of a quarter of the size the gaps between modules close. A small picture in which nothing is
    /// read is enlarged, with light ground about it.
    public static func search(_ plane: LumaPlane) -> Findings {
        var findings = look(plane, effort(plane))
        guard plane.width * plane.height <= maximumPixels else { return findings }
        addHalved(plane, 1, to: &findings)
        let factor = plane.width * plane.height <= tiny ? 4 : 2
        if findings.symbols.isEmpty, plane.width * plane.height <= largestEnlarged,
            let copy = Enlargement(plane, factor: factor)
        {
            let found = copy.picture.withPlane { look($0, effort($0)) }
            findings.add(found, scale: 1 / Float(factor), origin: copy.origin)
        }
        findings.unread.removeAll { one in findings.symbols.contains { $0.ground.contains(one.corners.middle) } }
        return findings
    }

    private static func addHalved(_ plane: LumaPlane, _ number: Int, to findings: inout Findings) {
        let (width, height) = (Halving.side(plane.width), Halving.side(plane.height))
        let least = findings.symbols.isEmpty ? smallestHalved / 2 : smallestBeside
        guard number <= halvings, min(width, height) >= least else { return }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: width * height) { pixels in
            guard let base = pixels.baseAddress else { return }
            Halving.halve(plane, into: base)
            let copy = LumaPlane(base: base, width: width, height: height, stride: width)
            let scale = Pyramid.scale(ofLevel: number)
            let known = findings.symbols.map { $0.moved(scale: scale, origin: .zero) }
            // Where others are read those that show only here show clearly.
            var effort = effort(copy)
            effort.isHasty = !known.isEmpty
            findings.add(look(copy, effort, known: known), scale: 1 / scale, origin: .zero)
            addHalved(copy, number + 1, to: &findings)
        }
    }
}

extension DataMatrixReader.Findings {
    /// Adds what was found in a copy.
    ///
    /// - Parameters:
    ///   - scale: pixels of the picture for a pixel of the copy.
    ///   - origin: where the copy begins, in pixels of the picture.
    fileprivate mutating func add(_ other: Self, scale: Float, origin: Place) {
        let room = DataMatrixReader.most - symbols.count
        symbols += other.symbols.prefix(max(room, 0)).map { $0.moved(scale: scale, origin: origin) }
        let more = other.unread.map { one in
            UnreadDataMatrix(
                corners: one.corners.map { $0 * scale + origin }, module: one.module * scale, dark: one.dark,
                light: one.light)
        }
        unread += more.prefix(max(DataMatrixReader.most - unread.count, 0))
    }
}

extension DataMatrixSymbol {
    fileprivate func moved(scale: Float, origin: Place) -> DataMatrixSymbol {
        DataMatrixSymbol(text: text, corners: corners.map { $0 * scale + origin }, isGS1: isGS1)
    }
}

/// A picture some times as large, with light ground about it, since a symbol may fill the picture.
private struct Enlargement {
    let picture: LumaPicture
    /// Where it begins, in pixels of the picture that was enlarged.
    let origin: Place

    /// Of light ground, in pixels of the picture that is enlarged.
    private static let margin = 4

    /// `nil` when it would be too long or too wide.
    init?(_ plane: LumaPlane, factor: Int) {
        let margin = Self.margin
        let (width, height) = ((plane.width + 2 * margin) * factor, (plane.height + 2 * margin) * factor)
        let sampler = GreySampler(plane)
        origin = Place(repeating: -Float(margin))
        var light: UInt8 = 0
        for y in 0..<plane.height {
            for x in 0..<plane.width { light = max(light, plane.base[y * plane.stride + x]) }
        }
        let shift = -Float(margin)
        var pixels = [UInt8](repeating: light, count: width * height)
        pixels.withUnsafeMutableBufferPointer { pixels in
            for y in margin * factor..<(plane.height + margin) * factor {
                let placeY = SIMD4<Float>(repeating: (Float(y) + 0.5) / Float(factor) + shift)
                let end = (plane.width + margin) * factor
                for x in Swift.stride(from: margin * factor, to: end, by: 4) {
                    let placesX = (SIMD4<Float>(0.5, 1.5, 2.5, 3.5) + Float(x)) / Float(factor) + shift
                    let levels = sampler(x: placesX, y: placeY)
                    for lane in 0..<min(4, end - x) { pixels[y * width + x + lane] = UInt8(levels[lane]) }
                }
            }
        }
        guard let picture = LumaPicture(width: width, height: height, pixels: pixels) else { return nil }
        self.picture = picture
    }
}
