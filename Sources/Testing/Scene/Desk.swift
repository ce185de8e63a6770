import Glibc
import SeededRandom

/// What lies behind the device: the things that make a reader look in vain.
public enum Clutter: String, Sendable, CaseIterable {
    /// Books, papers and cables.
    case desk
    case plain, text, posters, checkers
    /// Squares in squares, like the finder patterns of a QR code.
    case finders
    /// Parallel bars that are no code.
    case bars
    case mixed
}

/// Draws the desk once; it is the same in every frame of a scene.
struct Desk {
    let width: Int
    let height: Int
    private(set) var pixels: [UInt8]

    init(_ clutter: Clutter, width: Int, height: Int, _ random: inout SplitMix64) {
        self.width = width
        self.height = height
        pixels = [UInt8](repeating: 0, count: width * height)
        for y in 0..<height {
            for x in 0..<width {
                let grain = Int(((x * 7) ^ (y * 3 + x / 9)) & 7)
                pixels[y * width + x] = UInt8(96 + 30 * y / height + 20 * x / width + grain)
            }
        }
        switch clutter {
        case .plain: break
        case .desk: layThings(&random)
        case .posters: lay(30, .solid, share: 0.5, &random)
        case .text: lay(3, .text, share: 0.8, &random)
        case .checkers: lay(3, .checkers, share: 0.6, &random)
        case .finders: lay(3, .finders, share: 0.6, &random)
        case .bars: lay(5, .bars, share: 0.5, &random)
        case .mixed:
            lay(10, .solid, share: 0.5, &random)
            for _ in 0..<10 {
                let style = Patch.Style.allCases[Int(random.next() % UInt64(Patch.Style.allCases.count))]
                lay(1, style, share: 0.4, &random)
            }
        }
    }

    private mutating func lay(_ count: Int, _ style: Patch.Style, share: Float, _ random: inout SplitMix64) {
        for _ in 0..<count { lay(Patch(style, width, height, share: share, &random)) }
    }

    /// Rectangles of all sizes, some with lines as of text.
    private mutating func layThings(_ random: inout SplitMix64) {
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
    }

    private mutating func lay(_ patch: Patch) {
        let reach = hypotf(patch.halfWidth, patch.halfHeight)
        let rows = max(0, Int(patch.y - reach))..<max(0, min(height, Int(patch.y + reach) + 1))
        let columns = max(0, Int(patch.x - reach))..<max(0, min(width, Int(patch.x + reach) + 1))
        let (c, s) = (cosf(patch.angle), sinf(patch.angle))
        for y in rows {
            for x in columns {
                let (dx, dy) = (Float(x) - patch.x, Float(y) - patch.y)
                let (u, v) = (dx * c + dy * s, dy * c - dx * s)
                guard abs(u) < patch.halfWidth, abs(v) < patch.halfHeight else { continue }
                let isDark = patch.isDark(Int(u + patch.halfWidth), Int(v + patch.halfHeight))
                pixels[y * width + x] = isDark ? patch.dark : patch.light
            }
        }
    }
}

/// A turned rectangle with a pattern.
private struct Patch {
    enum Style: CaseIterable { case solid, text, checkers, finders, bars }

    let style: Style
    let x, y, halfWidth, halfHeight, angle: Float
    /// Of the pattern's smallest part, in pixels.
    let cell: Int
    let dark, light: UInt8
    let salt: UInt64

    init(_ style: Style, _ width: Int, _ height: Int, share: Float, _ random: inout SplitMix64) {
        self.style = style
        x = random.unit() * Float(width)
        y = random.unit() * Float(height)
        halfWidth = (0.15 + 0.35 * random.unit()) * share * Float(width)
        halfHeight = (0.15 + 0.35 * random.unit()) * share * Float(height)
        angle = random.unit() < 0.4 ? 0 : (random.unit() - 0.5) * 3
        cell = 1 + Int(random.unit() * 6)
        dark = UInt8(10 + random.unit() * 80)
        light = UInt8(130 + random.unit() * 120)
        salt = random.next()
    }

    func isDark(_ u: Int, _ v: Int) -> Bool {
        switch style {
        case .solid: salt & 1 == 0
        case .checkers: (u / (cell * 3) + v / (cell * 3)) % 2 == 0
        case .bars: hash(u / cell, 0) & 1 == 0
        case .text: isInk(u / cell, v / cell)
        case .finders: isRing(u / cell, v / cell)
        }
    }

    /// Letters of 5 × 7 in cells of 6 × 11, with words of some letters.
    private func isInk(_ u: Int, _ v: Int) -> Bool {
        let (column, row) = (u / 6, v / 11)
        guard u % 6 < 5, v % 11 < 7, hash(column / 2, row) % 5 != 0 else { return false }
        return hash(column, row) >> UInt64((v % 11) * 5 + u % 6) & 1 == 0
    }

    /// A dark ring of 7 × 7 around 3 × 3 in most cells of 9 × 9.
    private func isRing(_ u: Int, _ v: Int) -> Bool {
        guard hash(u / 9, v / 9) % 4 != 0 else { return false }
        let distance = max(abs(u % 9 - 4), abs(v % 9 - 4))
        return distance <= 1 || distance == 3
    }

    private func hash(_ a: Int, _ b: Int) -> UInt64 {
        var mix = SplitMix64(seed: salt &+ UInt64(truncatingIfNeeded: a &* 7919 &+ b &* 104_729))
        return mix.next()
    }
}
