import Glibc
import Luma
import SeededRandom

/// The picture on the display with what the display itself does to it, and what lies on it.
struct DisplayedPicture {
    private let picture: LumaPicture?
    private let previous: LumaPicture?
    private let scene: SceneParameters
    private let stains: [Stain]

    /// An ellipse on the display; positions and radii are shares of its width.
    private struct Stain {
        let u, v, a, b: Float
        let level: Float
    }

    init(_ picture: LumaPicture?, _ previous: LumaPicture?, _ scene: SceneParameters) {
        self.picture = picture
        self.previous = previous
        self.scene = scene
        stains = scene.occlusion > 0 ? Self.stains(scene) : []
    }

    private static func stains(_ scene: SceneParameters) -> [Stain] {
        var random = SplitMix64(seed: scene.occlusionSeed)
        let count = 1 + Int(random.next() % 4)
        return (0..<count).map { _ in
            let area = scene.occlusion / Float(count) / .pi
            let stretch = 0.6 + 0.8 * random.unit()
            return Stain(
                u: random.unit() - 0.5, v: random.unit() - 0.5, a: sqrtf(area) * stretch, b: sqrtf(area) / stretch,
                level: random.unit() < 0.5 ? 50 : 190)
        }
    }

    /// The grey level that one pixel of the frame sees.
    ///
    /// - Parameters:
    ///   - u: position on the display from its centre, in shares of its width, as `v`.
    ///   - row: of the frame, for a rolling shutter.
    ///   - size: of the display, in pixels of the frame.
    ///   - across: how far the position goes for one pixel of the frame to the right.
    ///   - along: and for one down.
    func level(
        _ u: Float, _ v: Float, row: Float, size: Float, across: (Float, Float), along: (Float, Float)
    ) -> Float {
        for stain in stains {
            let (du, dv) = ((u - stain.u) / stain.a, (v - stain.v) / stain.b)
            if du * du + dv * dv < 1 { return stain.level }
        }
        var value: Float = 24
        if let picture {
            value = average(picture, u + 0.5, v + 0.5, across, along)
            if scene.ghost > 0, let previous {
                value += (average(previous, u + 0.5, v + 0.5, across, along) - value) * scene.ghost
            }
            if scene.isInverted { value = 255 - value }
            value = (128 + (value - 128) * scene.contrast) * backlight(u, v, row: row, size: size)
        }
        if scene.glare > 0 {
            let (du, dv) = (u + 0.5 - scene.glareX, v + 0.5 - scene.glareY)
            let spot = max(0, 1 - (du * du + dv * dv) / max(scene.glareRadius * scene.glareRadius, 1e-6))
            value += (255 - value) * scene.glare * spot
        }
        return value
    }

    /// Grid and bands. The grid is sampled at the pixel's centre, as a sensor's small wells do: a grid finer than the
    /// frame's pixels shows as moiré.
    private func backlight(_ u: Float, _ v: Float, row: Float, size: Float) -> Float {
        var light: Float = 1
        if scene.gridPitch > 0, scene.gridDepth > 0 {
            let turns = 2 * Float.pi * size / scene.gridPitch
            light *= 1 - scene.gridDepth * (0.5 - 0.25 * (cosf(turns * u) + cosf(turns * v)))
        }
        if scene.bandDepth > 0 {
            let wave = 0.5 + 1.2 * sinf(2 * .pi * (row / max(scene.bandPeriod, 1) + scene.bandPhase))
            light *= 1 - scene.bandDepth * max(0, min(1, wave))
        }
        return light
    }

    /// The mean over what the frame's pixel covers: up to 4 × 4 samples.
    private func average(
        _ picture: LumaPicture, _ u: Float, _ v: Float, _ across: (Float, Float), _ along: (Float, Float)
    ) -> Float {
        let (width, height) = (Float(picture.width), Float(picture.height))
        let columns = max(abs(across.0) * width, abs(across.1) * height)
        let rows = max(abs(along.0) * width, abs(along.1) * height)
        let count = Int(max(1, min(4, max(columns, rows).rounded(.up))))
        guard count > 1 else { return sample(picture, u * width, v * height) }
        var sum: Float = 0
        for j in 0..<count {
            let t = (Float(j) + 0.5) / Float(count) - 0.5
            for i in 0..<count {
                let s = (Float(i) + 0.5) / Float(count) - 0.5
                sum += sample(
                    picture, (u + s * across.0 + t * along.0) * width, (v + s * across.1 + t * along.1) * height)
            }
        }
        return sum / Float(count * count)
    }

    /// Bilinear.
    private func sample(_ picture: LumaPicture, _ x: Float, _ y: Float) -> Float {
        let (sx, sy) = (max(0, x - 0.5), max(0, y - 0.5))
        let (ix, iy) = (min(Int(sx), picture.width - 1), min(Int(sy), picture.height - 1))
        let (fx, fy) = (min(sx - Float(ix), 1), min(sy - Float(iy), 1))
        let (jx, jy) = (min(ix + 1, picture.width - 1), min(iy + 1, picture.height - 1))
        return picture.pixels.withUnsafeBufferPointer { pixels in
            let upper =
                Float(pixels[iy * picture.width + ix]) * (1 - fx) + Float(pixels[iy * picture.width + jx]) * fx
            let lower =
                Float(pixels[jy * picture.width + ix]) * (1 - fx) + Float(pixels[jy * picture.width + jx]) * fx
            return upper * (1 - fy) + lower * fy
        }
    }
}
