import Glibc
import Luma
import SeededRandom

/// A small picture of a linear code of 32 hexadecimal digits that is damaged so much that many cannot be read: for showing that
/// none gives what it never said.
public struct DamagedBars: Sendable {
    /// What was done to it.
    public enum Damage: String, Sendable, CaseIterable {
        /// Modules here and there are of the other tone, over a part of the bars' height; where there is a check, also over all of
        /// it: what is left of Code 39 then may be another code.
        case scratches
        /// Patches of one tone cover a part.
        case blots
        case noise
        /// Soft, and bars are wider or narrower than they should be.
        case soft
        /// A part at one end is missing.
        case cut
        /// Lower rows show another symbol, as a display does while it is being redrawn.
        case spliced
        /// Some of most.
        case mixed
    }

    /// What was done to it.
    public let damage: Damage
    /// What it said, or what both said whose parts are in it.
    public let texts: [[UInt8]]
    /// The symbol in its quiet zone.
    public let picture: LumaPicture

    /// Modules of paper on all sides, and of the bars' height.
    private static let (zone, height) = (14, 36)
    private static let (ink, paper): (UInt8, UInt8) = (30, 220)

    /// Grey levels of modules, row by row.
    private struct Canvas {
        let (width, height): (Int, Int)
        var modules: [UInt8]

        init(_ bars: [Bool]) {
            (width, height) = (bars.count + 2 * zone, DamagedBars.height + 2 * zone)
            modules = [UInt8](repeating: paper, count: width * height)
            for y in zone..<zone + DamagedBars.height {
                for (x, isDark) in bars.enumerated() where isDark { modules[y * width + zone + x] = ink }
            }
        }

        mutating func fill(_ columns: Range<Int>, _ rows: Range<Int>, _ tone: (UInt8) -> UInt8) {
            for y in rows.clamped(to: 0..<height) {
                for x in columns.clamped(to: 0..<width) { modules[y * width + x] = tone(modules[y * width + x]) }
            }
        }
    }

    /// `nil` when the symbol cannot be drawn. The same seed gives the same picture.
    public init?(_ kind: LinearSymbol.Kind, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        damage = Damage.allCases[Int(seed % UInt64(Damage.allCases.count))]
        let (first, second) = (Self.hex(&random), Self.hex(&random))
        let wide = 2 + random.below(2)
        guard let symbol = LinearSymbol(kind, first, wide: wide), let other = LinearSymbol(kind, second, wide: wide)
        else {
            return nil
        }
        texts = damage == .spliced ? [first, second] : [first]
        let isMixed = damage == .mixed
        var bars = symbol.modules
        if damage == .cut { Self.cut(&bars, random.between(0.01, 0.3), &random) }
        var canvas = Canvas(bars)
        if damage == .spliced {
            let border = (Self.zone + 4 + random.below(Self.height - 8)) * canvas.width
            let lower = Canvas(other.modules).modules
            canvas.modules.replaceSubrange(border..., with: lower[border...])
        }
        if damage == .scratches || isMixed {
            Self.scratch(&canvas, isMixed ? 1 : 1 + random.below(6), hasCheck: kind != .code39, &random)
        }
        if damage == .blots || isMixed { Self.blot(&canvas, isMixed ? 1 : 1 + random.below(5), &random) }
        let isSoft = damage == .soft || isMixed
        let drawing = Drawing(
            module: random.between(1.6, 3.2), roll: random.between(-0.06, 0.06),
            blur: isSoft ? random.between(0.3, isMixed ? 0.7 : 1.1) : 0.2,
            gain: isSoft ? random.between(-0.45, 0.45) : 0)
        guard var picture = Self.drawn(canvas, drawing) else { return nil }
        let noise = damage == .noise ? random.between(20, 110) : random.between(1, isMixed ? 20 : 6)
        for index in picture.pixels.indices {
            let grain = (random.unit() + random.unit() + random.unit() - 1.5) * 2 * noise
            picture.pixels[index] = UInt8(max(0, min(255, Float(picture.pixels[index]) + grain)))
        }
        self.picture = picture
    }

    private static func hex(_ random: inout SplitMix64) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return (0..<32).map { _ in digits[random.below(16)] }
    }

    /// Without a part at the left or at the right; the paper begins there.
    private static func cut(_ bars: inout [Bool], _ share: Float, _ random: inout SplitMix64) {
        let lost = Int(Float(bars.count) * share)
        if random.below(2) == 0 { bars.removeFirst(lost) } else { bars.removeLast(lost) }
    }

    private static func scratch(_ canvas: inout Canvas, _ count: Int, hasCheck: Bool, _ random: inout SplitMix64) {
        for _ in 0..<count {
            let x = zone + random.below(canvas.width - 2 * zone)
            let columns = x..<x + 1 + random.below(2)
            let (top, part) = (zone + random.below(height), height / 6 + random.below(height / (hasCheck ? 3 : 6)))
            let rows = hasCheck && random.below(3) == 0 ? 0..<canvas.height : top..<top + part
            canvas.fill(columns, rows) { ink + paper - $0 }
        }
    }

    private static func blot(_ canvas: inout Canvas, _ count: Int, _ random: inout SplitMix64) {
        for _ in 0..<count {
            let (x, y) = (random.below(canvas.width), random.below(canvas.height))
            let (width, height) = (2 + random.below(24), 4 + random.below(canvas.height))
            let tone: UInt8 = [ink, 125, paper][random.below(3)]
            canvas.fill(x..<x + width, y..<y + height) { _ in tone }
        }
    }

    private struct Drawing {
        /// Of a module, in pixels.
        let module: Float
        /// In radians.
        let roll: Float
        /// Deviation, in modules.
        let blur: Float
        /// How much wider bars are, in modules.
        let gain: Float
    }

    /// Seen by a camera: four samples to a pixel, softened along the bars' row.
    private static func drawn(_ canvas: Canvas, _ drawing: Drawing) -> LumaPicture? {
        let softened = softened(canvas, drawing)
        let fine = Self.fine
        let (width, height) = (
            Int(Float(canvas.width) * drawing.module), Int(Float(canvas.height) * drawing.module)
        )
        let (c, s) = (cosf(drawing.roll) / drawing.module, sinf(drawing.roll) / drawing.module)
        let pixels = (0..<width * height).map { index -> UInt8 in
            var sum: Float = 0
            for part in 0..<4 {
                let x = Float(index % width) + (part % 2 == 0 ? 0.25 : 0.75) - Float(width) / 2
                let y = Float(index / width) + (part < 2 ? 0.25 : 0.75) - Float(height) / 2
                let u = Int(((x * c + y * s + Float(canvas.width) / 2) * Float(fine)).rounded(.down))
                let v = Int((y * c - x * s + Float(canvas.height) / 2).rounded(.down))
                let isInside = u >= 0 && v >= 0 && u < canvas.width * fine && v < canvas.height
                sum += isInside ? softened[v * canvas.width * fine + u] : Float(paper)
            }
            return UInt8(sum / 4)
        }
        return LumaPicture(width: width, height: height, pixels: pixels)
    }

    /// So many parts of a module are told apart.
    private static let fine = 8

    /// With wider or narrower bars and softened, in parts of modules.
    private static func softened(_ canvas: Canvas, _ drawing: Drawing) -> [Float] {
        let width = canvas.width * fine
        let reach = Int((drawing.blur * 2.5 * Float(fine)).rounded(.up))
        var kernel = (-reach...reach).map { part -> Float in
            let x = Float(part) / (drawing.blur * Float(fine))
            return expf(-x * x / 2)
        }
        let sum = kernel.reduce(0, +)
        kernel = kernel.map { $0 / sum }
        let grow = Int((abs(drawing.gain) / 2 * Float(fine)).rounded())
        var (sharp, row) = ([Float](repeating: 0, count: width), [Float](repeating: 0, count: width))
        var result: [Float] = []
        result.reserveCapacity(width * canvas.height)
        for y in 0..<canvas.height {
            let modules = canvas.modules[y * canvas.width..<(y + 1) * canvas.width]
            // Neighbouring rows are mostly the same.
            if y > 0, modules.elementsEqual(canvas.modules[(y - 1) * canvas.width..<y * canvas.width]) {
                result.append(contentsOf: result[(result.count - width)...])
                continue
            }
            for x in 0..<width { sharp[x] = Float(canvas.modules[y * canvas.width + x / fine]) }
            for x in 0..<width {
                let near = sharp[max(x - grow, 0)...min(x + grow, width - 1)]
                row[x] = (drawing.gain > 0 ? near.min() : near.max()) ?? sharp[x]
            }
            for x in 0..<width {
                var sum: Float = 0
                for part in -reach...reach { sum += kernel[part + reach] * row[min(max(x + part, 0), width - 1)] }
                result.append(sum)
            }
        }
        return result
    }
}
