import Luma

/// How well lit and how sharp a frame is, measured on a sample of its pixels.
public struct FrameQuality: Sendable, Hashable {
    /// Grey levels from 0 to 255: the mean, and those that 5 and 95 percent of the pixels are below.
    public let mean: Int
    /// The grey level, from 0 to 255, that 5 percent of the pixels are below.
    public let dark: Int
    /// The grey level, from 0 to 255, that 95 percent of the pixels are below.
    public let light: Int
    /// Parts of the pixels that are nearly black (below 5) and nearly white (above 250), in percent.
    public let black: Int
    /// The part of the pixels that is nearly white (above 250), in percent.
    public let white: Int
    /// The steepest edges from pixel to pixel, as a part of the whole contrast: about 0.5 and more when in focus, 0.1 and
    /// less when a step takes ten pixels. The 0.2 percent steepest are left out as noise. `nil` without contrast.
    public let sharpness: Float?

    /// Grey levels between dark and light.
    public var contrast: Int { light - dark }

    /// Below this many grey levels there is nothing that could be sharp.
    public static let minimumContrast = 20

    /// Measures every third row and all of its pixels, inside of `area` when one is given.
    ///
    /// - Parameter area: columns and rows, clipped to the picture.
    public init(_ plane: LumaPlane, in area: (columns: Range<Int>, rows: Range<Int>)? = nil) {
        let columns = (area?.columns ?? 0..<plane.width).clamped(to: 0..<plane.width)
        let rows = (area?.rows ?? 0..<plane.height).clamped(to: 0..<plane.height)
        var levels = [Int](repeating: 0, count: 256)
        var steps = [Int](repeating: 0, count: 256)
        var sum = 0
        var count = 0
        for row in stride(from: rows.lowerBound, to: rows.upperBound, by: 3) {
            let line = plane.base + row * plane.stride
            for column in columns {
                let level = Int(line[column])
                levels[level] += 1
                sum += level
                count += 1
                // Over two pixels: neighbours of a camera that interpolates its colours are never independent.
                if column + 2 < columns.upperBound { steps[abs(Int(line[column + 2]) - level)] += 1 }
            }
        }
        mean = count > 0 ? sum / count : 0
        dark = Self.level(levels, below: 0.05, of: count)
        light = Self.level(levels, below: 0.95, of: count)
        black = count > 0 ? levels[..<5].reduce(0, +) * 100 / count : 0
        white = count > 0 ? levels[251...].reduce(0, +) * 100 / count : 0
        // A dark code on a wide bright wall is below these percentages: the contrast that edges are held against is wider.
        let span = Self.level(levels, below: 0.998, of: count) - Self.level(levels, below: 0.002, of: count)
        let steepest = Self.level(steps, below: 0.998, of: steps.reduce(0, +))
        sharpness = span >= Self.minimumContrast ? min(Float(steepest) / Float(span), 1) : nil
    }

    /// The level that a part of the pixels lies below.
    private static func level(_ histogram: [Int], below part: Double, of count: Int) -> Int {
        histogram.greyLevel(ofRank: Int(Double(count) * part))
    }

    // MARK: In words

    /// What the light can be like: good, too dark, blown out, or hardly a difference between dark and light.
    public enum Light: String, Sendable, Codable { case good, tooDark, overexposed, flat }

    /// What this frame's light is like.
    public var lighting: Light {
        if light < 50 || (mean < 30 && light < 90) { return .tooDark }
        if white >= 40 || dark > 235 { return .overexposed }
        return contrast < Self.minimumContrast && (sharpness ?? 0) == 0 ? .flat : .good
    }

    /// Below this a frame counts as out of focus.
    public static let minimumSharpness: Float = 0.15

    /// Whether its sharpness is below ``minimumSharpness``; a frame without contrast never counts as such.
    public var isOutOfFocus: Bool { (sharpness ?? 1) < Self.minimumSharpness }
}
