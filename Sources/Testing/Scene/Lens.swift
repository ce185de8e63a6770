import Glibc
import Luma

/// What becomes of a point of light: weights in 256ths around it.
struct PointSpread {
    struct Tap {
        let dx, dy: Int
        let weight: UInt16
    }

    private(set) var taps: [Tap] = []
    private(set) var reach = 0

    /// Out of focus: a disc.
    init(disc radius: Float) {
        let radius = min(radius, 24)
        self.init(reach: Int(radius) + 1) { x, y in x * x + y * y <= radius * radius }
    }

    /// Moved while the shutter was open: a line, as wide as a pixel.
    init(line length: Float, degrees: Float) {
        let half = min(length, 64) / 2
        let (c, s) = (cosf(degrees * .pi / 180), sinf(degrees * .pi / 180))
        self.init(reach: Int(half) + 1) { x, y in abs(x * c + y * s) <= half + 0.25 && abs(y * c - x * s) <= 0.5 }
    }

    /// A tap weighs what the shape covers of its pixel, by 8 × 8 samples.
    private init(reach: Int, covers: (Float, Float) -> Bool) {
        self.reach = reach
        var cover: [(dx: Int, dy: Int, count: Int)] = []
        for dy in -reach...reach {
            for dx in -reach...reach {
                var count = 0
                for j in 0..<8 {
                    for i in 0..<8 {
                        let (x, y) = (Float(dx) + (Float(i) - 3.5) / 8, Float(dy) + (Float(j) - 3.5) / 8)
                        if covers(x, y) { count += 1 }
                    }
                }
                if count > 0 { cover.append((dx, dy, count)) }
            }
        }
        let total = cover.reduce(0) { $0 + $1.count }
        guard total > 0 else {
            taps = [Tap(dx: 0, dy: 0, weight: 256)]
            return
        }
        // Rounded so that the weights sum to 256 and a grey plane stays as it is.
        var (done, given) = (0, 0)
        for tap in cover {
            done += tap.count
            let weight = done * 256 / total - given
            given += weight
            if weight > 0 { taps.append(Tap(dx: tap.dx, dy: tap.dy, weight: UInt16(weight))) }
        }
    }
}

/// Spreads every point of a frame.
struct Lens {
    let width: Int
    let height: Int

    func blur(_ frame: inout [UInt8], _ spread: PointSpread) {
        let reach = spread.reach
        let stride = width + 2 * reach
        // A copy whose rows go on at both ends.
        var source = [UInt8](repeating: 0, count: stride * height)
        for y in 0..<height {
            for x in 0..<stride { source[y * stride + x] = frame[y * width + max(0, min(width - 1, x - reach))] }
        }
        var sums = [UInt16](repeating: 0, count: width)
        sums.withUnsafeMutableBufferPointer { sums in
            source.withUnsafeBufferPointer { source in
                for y in 0..<height {
                    for x in 0..<width { sums[x] = 128 }
                    for tap in spread.taps {
                        let row = max(0, min(height - 1, y + tap.dy))
                        let from = source.start + row * stride + reach + tap.dx
                        // At most 255 * 256 + 128: it fits.
                        for x in 0..<width { sums[x] &+= UInt16(from[x]) &* tap.weight }
                    }
                    for x in 0..<width { frame[y * width + x] = UInt8(sums[x] >> 8) }
                }
            }
        }
    }
}
