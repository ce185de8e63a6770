import Glibc
import Luma
import SeededRandom

/// Draws what a camera would see: a cluttered desk and on it a device whose display shows a picture.
///
/// Deterministic: the same seed, picture and parameters give the same bytes. The desk is drawn once; a frame then costs
/// the device's rectangle and the noise.
public struct SceneRenderer {
    /// Of the frames, in pixels.
    public let width: Int
    /// Of the frames, in pixels.
    public let height: Int
    private let desk: Desk
    /// Grains of deviation 32, in a fixed order; each row of a frame begins elsewhere in it.
    private let noise: [Int8]
    private var random: SplitMix64

    /// Draws the desk, once for all frames.
    ///
    /// - Parameters:
    ///   - width: of the frames, in pixels.
    ///   - height: of the frames, in pixels.
    ///   - clutter: what lies on the desk.
    ///   - seed: the same seed gives the same desk and the same noise.
    public init(width: Int = 1280, height: Int = 720, clutter: Clutter = .desk, seed: UInt64) {
        self.width = width
        self.height = height
        random = SplitMix64(seed: seed)
        desk = Desk(clutter, width: width, height: height, &random)
        var table: [Int8] = []
        table.reserveCapacity(1 << 16)
        for _ in 0..<1 << 16 { table.append(Int8(max(-127, min(127, (random.normal() * 32).rounded())))) }
        noise = table
    }

    /// Draws one frame.
    ///
    /// - Parameters:
    ///   - picture: what the display shows; `nil`: it is dark.
    ///   - previous: what it showed before, for ``SceneParameters/ghost``.
    ///   - frame: `width` × `height` bytes, overwritten.
    public mutating func render(
        _ picture: LumaPicture?, previous: LumaPicture? = nil, _ scene: SceneParameters, into frame: inout [UInt8]
    ) {
        precondition(frame.count == width * height)
        frame = desk.pixels
        if scene.hasDevice { drawDevice(DisplayedPicture(picture, previous, scene), scene, &frame) }
        let lens = Lens(width: width, height: height)
        if scene.defocus > 0 { lens.blur(&frame, PointSpread(disc: scene.defocus)) }
        if scene.motion > 0 { lens.blur(&frame, PointSpread(line: scene.motion, degrees: scene.motionAngle)) }
        expose(&frame, scene)
    }

    /// A case of 1.24 × 1.44 display widths with rounded corners, the display in it.
    private func drawDevice(_ display: DisplayedPicture, _ scene: SceneParameters, _ frame: inout [UInt8]) {
        guard let displayMap = DisplayMap(scene, width: width, height: height),
            let bounds = displayMap.bounds(width: width, height: height)
        else { return }
        let map = displayMap.inverse
        let size = scene.displaySize * Float(height)
        for y in bounds.top..<bounds.bottom {
            for x in bounds.left..<bounds.right {
                let (fx, fy) = (Float(x) + 0.5, Float(y) + 0.5)
                let w = map[6] * fx + map[7] * fy + map[8]
                let u = (map[0] * fx + map[1] * fy + map[2]) / w
                let v = (map[3] * fx + map[4] * fy + map[5]) / w
                guard abs(u) < 0.62, abs(v) < 0.72 else { continue }
                let value: Float
                if abs(u) < 0.5, abs(v) < 0.5 {
                    // What one pixel of the frame covers of the display, along its axes.
                    let (ux, uy) = ((map[0] - map[6] * u) / w, (map[1] - map[7] * u) / w)
                    let (vx, vy) = ((map[3] - map[6] * v) / w, (map[4] - map[7] * v) / w)
                    value = display.level(u, v, row: fy, size: size, across: (ux, vx), along: (uy, vy))
                } else {
                    guard let level = caseLevel(u, v) else { continue }
                    value = level
                }
                frame[y * width + x] = UInt8(max(0, min(255, value)))
            }
        }
    }

    /// `nil` beside the rounded corners.
    private func caseLevel(_ u: Float, _ v: Float) -> Float? {
        let (du, dv) = (max(0, abs(u) - 0.57), max(0, abs(v) - 0.67))
        guard du * du + dv * dv < 0.0025 else { return nil }
        return v > 0.56 && abs(u) < 0.05 ? 90 : 46 + 10 * (0.72 - v)
    }

    /// Light falling off to the right, a shadow, and the sensor's noise.
    private mutating func expose(_ frame: inout [UInt8], _ scene: SceneParameters) {
        let (width, height) = (width, height)
        if scene.shadow > 0 { castShadow(&frame, scene) }
        let gain = (0..<width).map { Int32((1 - scene.shade * Float($0) / Float(width)) * 256) }
        let level = Int32(scene.noise * 8)
        var offsets: [Int] = []
        for _ in 0..<height { offsets.append(Int(random.next() & 0x7FFF)) }
        frame.withUnsafeMutableBufferPointer { frame in
            noise.withUnsafeBufferPointer { noise in
                gain.withUnsafeBufferPointer { gain in
                    for y in 0..<height {
                        let row = frame.start + y * width
                        let grains = noise.start + offsets[y]
                        for x in 0..<width {
                            let value = (Int32(row[x]) &* gain[x] &+ Int32(grains[x & 0x7FFF]) &* level) >> 8
                            row[x] = UInt8(truncatingIfNeeded: max(0, min(255, value)))
                        }
                    }
                }
            }
        }
    }

    /// Its edge goes through the device and is as soft as a tenth of the display.
    private func castShadow(_ frame: inout [UInt8], _ scene: SceneParameters) {
        let radians = scene.shadowAngle * .pi / 180
        let softness = max(1, scene.displaySize * Float(height) / 10)
        let (c, s) = (cosf(radians) / softness, sinf(radians) / softness)
        for y in 0..<height {
            for x in 0..<width {
                let depth = (Float(x) - scene.x * Float(width)) * c + (Float(y) - scene.y * Float(height)) * s
                let dark = scene.shadow * max(0, min(1, depth + 0.5))
                frame[y * width + x] = UInt8(Float(frame[y * width + x]) * (1 - dark))
            }
        }
    }
}
