import Glibc
import Luma

/// Draws what a camera would see: a cluttered desk and on it a device whose display shows a picture.
///
/// Deterministic: the same seed, picture and parameters give the same bytes. The desk is drawn once; a frame then costs
/// the device's rectangle and the noise.
public struct SceneRenderer {
    public let width: Int
    public let height: Int
    private let desk: [UInt8]
    /// Grains of deviation 32, in a fixed order; each row of a frame begins elsewhere in it.
    private let noise: [Int8]
    private var random: SplitMix64

    public init(width: Int = 1280, height: Int = 720, seed: UInt64) {
        self.width = width
        self.height = height
        random = SplitMix64(seed: seed)
        desk = Self.desk(width, height, &random)
        var table: [Int8] = []
        table.reserveCapacity(1 << 16)
        for _ in 0..<1 << 16 { table.append(Int8(max(-127, min(127, (random.normal() * 32).rounded())))) }
        noise = table
    }

    /// Draws one frame.
    ///
    /// - Parameters:
    ///   - picture: what the display shows; `nil`: it is dark.
    ///   - frame: `width` × `height` bytes, overwritten.
    public mutating func render(_ picture: LumaPicture?, _ scene: SceneParameters, into frame: inout [UInt8]) {
        precondition(frame.count == width * height)
        frame = desk
        if scene.hasDevice { drawDevice(picture, scene, &frame) }
        if scene.defocus > 0 { blur(&frame, radius: scene.defocus) }
        expose(&frame, scene)
    }

    // MARK: The desk

    private static func desk(_ width: Int, _ height: Int, _ random: inout SplitMix64) -> [UInt8] {
        var pixels = [UInt8](repeating: 0, count: width * height)
        for y in 0..<height {
            for x in 0..<width {
                let grain = Int(((x * 7) ^ (y * 3 + x / 9)) & 7)
                pixels[y * width + x] = UInt8(96 + 30 * y / height + 20 * x / width + grain)
            }
        }
        // Books, papers and cables: rectangles of all sizes, some with lines as of text.
        for _ in 0..<24 {
            let w = 20 + Int(random.unit() * Float(width) / 4)
            let h = 12 + Int(random.unit() * Float(height) / 4)
            let left = Int(random.unit() * Float(width)) - w / 2
            let top = Int(random.unit() * Float(height)) - h / 2
            let shade = UInt8(40 + random.unit() * 190)
            let isText = random.unit() < 0.5
            for y in max(0, top)..<max(0, min(height, top + h)) {
                for x in max(0, left)..<max(0, min(width, left + w)) {
                    let inLine = isText && (y - top) % 9 < 3 && (x - left) % 37 < 30 && ((x * 5 + y / 9 * 11) % 7) < 4
                    pixels[y * width + x] = inLine ? shade / 3 : shade
                }
            }
        }
        return pixels
    }

    // MARK: The device

    /// The plane map of the display: frame position to display position, both as shares of the display's width.
    private func inverseMap(_ scene: SceneParameters) -> (
        map: [Float], bounds: (left: Int, top: Int, right: Int, bottom: Int)
    )? {
        let radians = Float.pi / 180
        let (roll, yaw, pitch) = (scene.roll * radians, scene.yaw * radians, scene.pitch * radians)
        let (cr, sr) = (cosf(roll), sinf(roll))
        let (cy, sy) = (cosf(yaw), sinf(yaw))
        let (cp, sp) = (cosf(pitch), sinf(pitch))
        // The rotation's first two columns: where the display's axes point.
        let right = (cy * cr, cp * sr + sp * sy * cr, sp * sr - cp * sy * cr)
        let down = (-cy * sr, cp * cr - sp * sy * sr, sp * cr + cp * sy * sr)
        let size = scene.displaySize * Float(height)
        let distance: Float = 3
        let (centreX, centreY) = (scene.x * Float(width), scene.y * Float(height))
        // Homography from display (u, v, 1) to frame.
        let a = [
            right.0 * size * distance + centreX * right.2, down.0 * size * distance + centreX * down.2,
            centreX * distance,
            right.1 * size * distance + centreY * right.2, down.1 * size * distance + centreY * down.2,
            centreY * distance,
            right.2, down.2, distance,
        ]
        guard let inverse = Self.inverse(a) else { return nil }
        var bounds = (left: width, top: height, right: 0, bottom: 0)
        for (u, v) in [(-0.62, -0.72), (0.62, -0.72), (-0.62, 0.72), (0.62, 0.72)] as [(Float, Float)] {
            let w = a[6] * u + a[7] * v + a[8]
            guard w > 0.1 else { return nil }
            let x = (a[0] * u + a[1] * v + a[2]) / w
            let y = (a[3] * u + a[4] * v + a[5]) / w
            bounds.left = max(0, min(bounds.left, Int(x) - 1))
            bounds.top = max(0, min(bounds.top, Int(y) - 1))
            bounds.right = min(width, max(bounds.right, Int(x) + 2))
            bounds.bottom = min(height, max(bounds.bottom, Int(y) + 2))
        }
        return (inverse, bounds)
    }

    private static func inverse(_ m: [Float]) -> [Float]? {
        let c = [
            m[4] * m[8] - m[5] * m[7], m[2] * m[7] - m[1] * m[8], m[1] * m[5] - m[2] * m[4],
            m[5] * m[6] - m[3] * m[8], m[0] * m[8] - m[2] * m[6], m[2] * m[3] - m[0] * m[5],
            m[3] * m[7] - m[4] * m[6], m[1] * m[6] - m[0] * m[7], m[0] * m[4] - m[1] * m[3],
        ]
        let determinant = m[0] * c[0] + m[1] * c[3] + m[2] * c[6]
        return abs(determinant) < 1e-6 ? nil : c.map { $0 / determinant }
    }

    /// A case of 1.24 × 1.44 display widths with rounded corners, the display in it, the picture on that.
    private func drawDevice(_ picture: LumaPicture?, _ scene: SceneParameters, _ frame: inout [UInt8]) {
        guard let (map, bounds) = inverseMap(scene), bounds.left < bounds.right, bounds.top < bounds.bottom else {
            return
        }
        for y in bounds.top..<bounds.bottom {
            for x in bounds.left..<bounds.right {
                let (fx, fy) = (Float(x) + 0.5, Float(y) + 0.5)
                let w = map[6] * fx + map[7] * fy + map[8]
                let u = (map[0] * fx + map[1] * fy + map[2]) / w
                let v = (map[3] * fx + map[4] * fy + map[5]) / w
                guard abs(u) < 0.62, abs(v) < 0.72 else { continue }
                let corner =
                    max(0, abs(u) - 0.57) * max(0, abs(u) - 0.57) + max(0, abs(v) - 0.67) * max(0, abs(v) - 0.67)
                guard corner < 0.0025 else { continue }
                let value: Float
                if abs(u) < 0.5, abs(v) < 0.5 {
                    value = display(picture, u + 0.5, v + 0.5, scene)
                } else if v > 0.56, abs(u) < 0.05 {
                    value = 90
                } else {
                    value = 46 + 10 * (0.72 - v)
                }
                frame[y * width + x] = UInt8(max(0, min(255, value)))
            }
        }
    }

    private func display(_ picture: LumaPicture?, _ u: Float, _ v: Float, _ scene: SceneParameters) -> Float {
        var value: Float = 24
        if let picture {
            value = sample(picture, u * Float(picture.width), v * Float(picture.height))
            if scene.isInverted { value = 255 - value }
            value = 128 + (value - 128) * scene.contrast
        }
        if scene.glare > 0 {
            let (du, dv) = (u - 0.7, v - 0.3)
            let spot = max(0, 1 - (du * du + dv * dv) * 12)
            value += (255 - value) * scene.glare * spot
        }
        return value
    }

    /// Bilinear.
    private func sample(_ picture: LumaPicture, _ x: Float, _ y: Float) -> Float {
        let (sx, sy) = (max(0, x - 0.5), max(0, y - 0.5))
        let (ix, iy) = (min(Int(sx), picture.width - 1), min(Int(sy), picture.height - 1))
        let (fx, fy) = (sx - Float(ix), sy - Float(iy))
        let (jx, jy) = (min(ix + 1, picture.width - 1), min(iy + 1, picture.height - 1))
        return picture.pixels.withUnsafeBufferPointer { pixels in
            let upper =
                Float(pixels[iy * picture.width + ix]) * (1 - fx) + Float(pixels[iy * picture.width + jx]) * fx
            let lower =
                Float(pixels[jy * picture.width + ix]) * (1 - fx) + Float(pixels[jy * picture.width + jx]) * fx
            return upper * (1 - fy) + lower * fy
        }
    }

    // MARK: The camera

    /// A box blur, rows then columns.
    private func blur(_ frame: inout [UInt8], radius: Int) {
        let count = 2 * radius + 1
        var line = [UInt8](repeating: 0, count: max(width, height))
        func pass(_ length: Int, _ start: Int, _ step: Int, _ frame: inout [UInt8]) {
            for i in 0..<length { line[i] = frame[start + i * step] }
            var sum = 0
            for i in -radius...radius { sum += Int(line[max(0, min(length - 1, i))]) }
            for i in 0..<length {
                frame[start + i * step] = UInt8(sum / count)
                sum += Int(line[min(length - 1, i + radius + 1)]) - Int(line[max(0, i - radius)])
            }
        }
        for y in 0..<height { pass(width, y * width, 1, &frame) }
        for x in 0..<width { pass(height, x, width, &frame) }
    }

    /// Light falling off to the right, and the sensor's noise.
    private mutating func expose(_ frame: inout [UInt8], _ scene: SceneParameters) {
        let (width, height) = (width, height)
        let gain = (0..<width).map { Int32((1 - scene.shade * Float($0) / Float(width)) * 256) }
        let level = Int32(scene.noise * 8)
        var offsets: [Int] = []
        for _ in 0..<height { offsets.append(Int(random.next() & 0x7FFF)) }
        frame.withUnsafeMutableBufferPointer { frame in
            noise.withUnsafeBufferPointer { noise in
                gain.withUnsafeBufferPointer { gain in
                    for y in 0..<height {
                        let row = frame.baseAddress! + y * width
                        let grains = noise.baseAddress! + offsets[y]
                        for x in 0..<width {
                            let value = (Int32(row[x]) &* gain[x] &+ Int32(grains[x & 0x7FFF]) &* level) >> 8
                            row[x] = UInt8(truncatingIfNeeded: max(0, min(255, value)))
                        }
                    }
                }
            }
        }
    }
}
