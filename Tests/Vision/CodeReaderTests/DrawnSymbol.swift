import Geometry
import Luma
import CodeWriter
import Testing

@testable import CodeReader

/// QR codes drawn through a projective map, as a camera sees them; the same seed draws the same noise.
struct DrawnSymbol {
    let matrix: QRMatrix
    let value: [UInt8]
    var width = 320
    var height = 240
    /// Where the corners of the symbol are, in a walk around it.
    var corners: [Place]
    var isInverted = false
    var isMirrored = false
    /// Grey levels.
    var dark: Float = 30
    var light: Float = 220
    /// Largest deviation, evenly distributed, in grey levels.
    var noise: Float = 0

    init(_ text: String, level: QRMatrix.Level = .medium, module: Float = 4) throws {
        value = Array(text.utf8)
        matrix = try value.withUnsafeBytes { try QRMatrix($0, level: level) }
        let side = Float(matrix.size) * module
        let low = Place(40.3, 30.6)
        corners = [low, low + Place(side, 0), low + Place(side, side), low + Place(0, side)]
        width = max(width, Int(side) + 80)
        height = max(height, Int(side) + 80)
    }

    static let hex = "000102030405060708090A0B0C0D0E0F"

    /// Turned about its middle, by degrees.
    func turned(_ degrees: Float) -> DrawnSymbol {
        var turned = self
        let middle = (corners[0] + corners[2]) / 2
        let (c, s) = (cosine(degrees), cosine(degrees - 90))
        turned.corners = corners.map {
            let d = $0 - middle
            return middle + Place(d.x * c - d.y * s, d.x * s + d.y * c)
        }
        return turned
    }

    private func cosine(_ degrees: Float) -> Float {
        // By its series: tests need no libm.
        let x = (degrees / 360 - (degrees / 360).rounded()) * 2 * Float.pi
        var (term, sum): (Float, Float) = (1, 1)
        for k in 1...10 {
            term *= -x * x / Float((2 * k - 1) * 2 * k)
            sum += term
        }
        return sum
    }

    /// The picture: every pixel means nine samples.
    func picture(seed: UInt64 = 1) throws -> LumaPicture {
        let quiet: Float = 4
        let square = try #require(ProjectiveMap(unitSquareTo: (corners[0], corners[1], corners[2], corners[3])))
        let inverse = try #require(square.inverse)
        let n = Float(matrix.size)
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        var pixels: [UInt8] = []
        pixels.reserveCapacity(width * height)
        for y in 0..<height {
            for x in 0..<width {
                var paper: Float = 0
                for sample in 0..<9 {
                    let place = Place(
                        Float(x) + Float(sample % 3) / 3 + 1 / 6, Float(y) + Float(sample / 3) / 3 + 1 / 6)
                    var at = inverse(place.x, place.y) * n
                    if isMirrored { at = Place(at.y, at.x) }
                    let isOutside = min(at.x, at.y) < -quiet || max(at.x, at.y) > n + quiet
                    var isDark = (x / 23 + y / 17) % 2 == 0
                    if !isOutside { isDark = matrix.isDark(Int(at.x.rounded(.down)), Int(at.y.rounded(.down))) }
                    paper += isDark != (isInverted && !isOutside) ? 0 : 1
                }
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                let grain = (Float(state >> 40) / Float(1 << 23) - 1) * noise
                pixels.append(UInt8(min(max(dark + (light - dark) * paper / 9 + grain, 0), 255)))
            }
        }
        return try #require(LumaPicture(width: width, height: height, pixels: pixels))
    }

    func read(_ reader: CodeReader = CodeReader([.qr])) throws -> [Reading] {
        try picture().withPlane { reader.read($0) }
    }
}
