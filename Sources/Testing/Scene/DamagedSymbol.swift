import Glibc
import Luma
import SeededRandom

/// A small picture of a Data Matrix or a QR code of 32 hexadecimal digits that is damaged so much that about half of them can be read:
/// for showing that none gives what it never said.
public struct DamagedSymbol: Sendable {
    /// What was done to it.
    public enum Damage: String, Sendable, CaseIterable {
        /// Modules here and there are of the other tone.
        case flipped
        /// Patches of one tone cover a part.
        case blots
        case noise
        /// A part at one side is missing.
        case cut
        /// One part shows another symbol.
        case spliced
        /// Some of all.
        case mixed
    }

    /// What was done to it.
    public let damage: Damage
    /// What it said, or what both said whose parts are in it.
    public let texts: [[UInt8]]
    /// The symbol in its quiet zone.
    public let picture: LumaPicture

    /// Symbols in grey levels, in a coordinate system of their own: a module is 1.
    private struct Canvas {
        let side: Int
        var modules: [UInt8]

        init(_ symbol: SceneSymbol) {
            side = symbol.modules
            let scale = symbol.picture.width / symbol.modules
            let (side, pixels) = (side, symbol.picture.pixels)
            modules = (0..<side * side).map { pixels[($0 / side * side * scale + $0 % side) * scale] == 0 ? 30 : 220 }
        }
    }

    /// `nil` when the symbol cannot be drawn. The same seed gives the same picture.
    public init?(_ kind: SceneSymbol.Kind = .dataMatrix, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        damage = Damage.allCases[Int(seed % UInt64(Damage.allCases.count))]
        let (first, second) = (Self.hex(&random), Self.hex(&random))
        guard let symbol = SceneSymbol(kind, first), let other = SceneSymbol(kind, second) else {
            return nil
        }
        var canvas = Canvas(symbol)
        texts = damage == .spliced ? [Array(first.utf8), Array(second.utf8)] : [Array(first.utf8)]
        let isMixed = damage == .mixed
        if damage == .flipped || isMixed { Self.flip(&canvas, random.between(0.01, isMixed ? 0.06 : 0.16), &random) }
        if damage == .blots || isMixed { Self.blot(&canvas, isMixed ? 1 : 1 + random.below(5), &random) }
        if damage == .spliced { Self.splice(&canvas, Canvas(other), &random) }
        guard var picture = Self.drawn(canvas, module: random.between(2.2, 4.5), roll: random.between(-0.2, 0.2)) else {
            return nil
        }
        if damage == .cut || isMixed {
            picture = Self.cut(picture, random.between(0.02, isMixed ? 0.12 : 0.3), &random)
        }
        let noise = damage == .noise ? random.between(20, 110) : random.between(1, isMixed ? 40 : 6)
        for index in picture.pixels.indices {
            let grain = (random.unit() + random.unit() + random.unit() - 1.5) * 2 * noise
            picture.pixels[index] = UInt8(max(0, min(255, Float(picture.pixels[index]) + grain)))
        }
        self.picture = picture
    }

    private static func hex(_ random: inout SplitMix64) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        return String(decoding: (0..<32).map { _ in digits[random.below(16)] }, as: UTF8.self)
    }

    private static func flip(_ canvas: inout Canvas, _ share: Float, _ random: inout SplitMix64) {
        for index in canvas.modules.indices where random.unit() < share {
            canvas.modules[index] = 250 - canvas.modules[index]
        }
    }

    private static func blot(_ canvas: inout Canvas, _ count: Int, _ random: inout SplitMix64) {
        for _ in 0..<count {
            let (x, y) = (random.below(canvas.side), random.below(canvas.side))
            let (width, height) = (2 + random.below(7), 2 + random.below(7))
            let tone: UInt8 = [30, 125, 220][random.below(3)]
            for row in y..<min(y + height, canvas.side) {
                for column in x..<min(x + width, canvas.side) { canvas.modules[row * canvas.side + column] = tone }
            }
        }
    }

    /// Rows or columns from one on are the other's.
    private static func splice(_ canvas: inout Canvas, _ other: Canvas, _ random: inout SplitMix64) {
        guard other.side == canvas.side else { return }
        let border = 2 + random.below(canvas.side - 4)
        let isRows = random.below(2) == 0
        for index in canvas.modules.indices where (isRows ? index / canvas.side : index % canvas.side) >= border {
            canvas.modules[index] = other.modules[index]
        }
    }

    private static func drawn(_ canvas: Canvas, module: Float, roll: Float) -> LumaPicture? {
        let side = Int(Float(canvas.side) * module * 1.25)
        let (c, s) = (cosf(roll) / module, sinf(roll) / module)
        let middle = Float(side) / 2
        let pixels = (0..<side * side).map { index -> UInt8 in
            var sum = 0
            for part in 0..<4 {
                let x = Float(index % side) + (part % 2 == 0 ? 0.25 : 0.75) - middle
                let y = Float(index / side) + (part < 2 ? 0.25 : 0.75) - middle
                let u = Int((x * c + y * s + Float(canvas.side) / 2).rounded(.down))
                let v = Int((y * c - x * s + Float(canvas.side) / 2).rounded(.down))
                let isInside = u >= 0 && v >= 0 && u < canvas.side && v < canvas.side
                sum += isInside ? Int(canvas.modules[v * canvas.side + u]) : 220
            }
            return UInt8(sum / 4)
        }
        return LumaPicture(width: side, height: side, pixels: pixels)
    }

    /// Without a part at one of the four sides.
    private static func cut(_ picture: LumaPicture, _ share: Float, _ random: inout SplitMix64) -> LumaPicture {
        let (width, height) = (picture.width, picture.height)
        // The quiet zone is a tenth.
        let lost = Int(Float(width) * (0.1 + share))
        let (left, top, right, bottom) = [
            (lost, 0, width, height), (0, lost, width, height), (0, 0, width - lost, height),
            (0, 0, width, height - lost),
        ][random.below(4)]
        let pixels = (top..<bottom).flatMap { picture.pixels[$0 * width + left..<$0 * width + right] }
        return LumaPicture(width: right - left, height: bottom - top, pixels: pixels) ?? picture
    }
}
