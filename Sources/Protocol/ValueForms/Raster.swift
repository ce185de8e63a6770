import Glibc

/// A picture of pixels, ready for a display. It tells the value: ``wipe()`` it after use.
public struct Raster: Sendable, Hashable {
    /// In pixels.
    public let width, height: Int
    /// Which colours there are; the first is the ground.
    public let palette: [CellColour]
    /// Row by row from the top left, each an index into ``palette``.
    public private(set) var pixels: [UInt8]

    init(width: Int, height: Int, palette: [CellColour]) {
        self.width = width
        self.height = height
        self.palette = palette
        pixels = [UInt8](repeating: 0, count: width * height)
    }

    /// The colour in a column and a row, from 0.
    public func colour(_ x: Int, _ y: Int) -> CellColour { palette[Int(pixels[y * width + x])] }

    /// Whether a display that knows only light and dark lights a pixel.
    public func isLight(_ x: Int, _ y: Int) -> Bool { colour(x, y).luminance >= 128 }

    /// Red, green and blue of each pixel, row by row.
    public var rgb: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(pixels.count * 3)
        for pixel in pixels {
            let colour = palette[Int(pixel)]
            bytes += [colour.red, colour.green, colour.blue]
        }
        return bytes
    }

    /// Overwrites the pixels with the ground.
    public mutating func wipe() { explicit_bzero(&pixels, pixels.count) }

    mutating func fill(_ left: Int, _ top: Int, _ width: Int, _ height: Int, _ colour: UInt8) {
        for y in max(0, top)..<max(0, min(top + height, self.height)) {
            for x in max(0, left)..<max(0, min(left + width, self.width)) { pixels[y * self.width + x] = colour }
        }
    }

    /// A disc in a square: as round as its pixels let it be.
    mutating func disc(_ left: Int, _ top: Int, _ size: Int, _ colour: UInt8) {
        for y in 0..<size {
            for x in 0..<size {
                let (across, down) = (2 * x + 1 - size, 2 * y + 1 - size)
                guard across * across + down * down <= size * size else { continue }
                fill(left + x, top + y, 1, 1, colour)
            }
        }
    }
}

extension CellColour {
    /// 0 to 255, as bright as eyes see it (ITU-R BT.601).
    var luminance: Int { (299 * Int(red) + 587 * Int(green) + 114 * Int(blue)) / 1000 }

    /// The colour of what is drawn on it.
    var contrast: CellColour { luminance >= 128 ? .black : .white }
}
