import Luma
import ObservedValue
import SeededRandom
import Testing

@testable import CodeReader

/// Linear codes with stains, with bars that are none, in noise: what is read of them is what was printed, or nothing.
@Suite struct DamagedBarsTests {
    /// Widths of bars and spaces in modules, from the first bar, of 32 hexadecimal digits.
    private func elements(_ text: [UInt8], _ symbology: Symbology) -> [Float] {
        switch symbology {
        case .code128:
            // Code set B.
            let values = text.map { Int($0) - 32 }
            let check = values.enumerated().reduce(104) { $0 + ($1.offset + 1) * $1.element } % 103
            return ([104] + values + [check]).flatMap { BarPatterns.code128[$0] } + BarPatterns.code128Stop
        case .code93:
            var values = text.map { BarPatterns.letters.firstIndex(of: $0) ?? 0 }
            for most in [20, 15] {
                let weighted = values.reversed().enumerated().map { ($0.offset % most + 1) * $0.element }
                values.append(weighted.reduce(0, +) % 47)
            }
            return BarPatterns.code93Start + values.flatMap { BarPatterns.code93[$0] } + BarPatterns.code93Stop
        default:
            let all = BarPatterns.code39(ratio: 2.5)
            let stop = BarPatterns.code39Stop(ratio: 2.5)
            let characters = [stop] + text.map { all[BarPatterns.letters.firstIndex(of: $0) ?? 0] } + [stop]
            return Array(characters.map { $0 + [1] }.joined().dropLast())
        }
    }

    private enum Damage: CaseIterable { case none, stripes, stains, flips, noise }

    private func picture(
        _ text: [UInt8], _ symbology: Symbology, _ damage: Damage, _ random: inout SplitMix64
    ) throws -> LumaPicture {
        let (quiet, height, module) = (12, 60, 2)
        var row = [UInt8](repeating: 220, count: quiet * module)
        for (index, width) in elements(text, symbology).enumerated() {
            row += [UInt8](repeating: index % 2 == 0 ? 30 : 220, count: Int(width * Float(module)))
        }
        row += [UInt8](repeating: 220, count: quiet * module)
        if damage == .flips {
            for _ in 0..<1 + random.below(4) {
                let at = (quiet + random.below(row.count / module - 2 * quiet)) * module
                for pixel in at..<at + module { row[pixel] = 250 - row[pixel] }
            }
        }
        var pixels = (0..<height).flatMap { _ in row }
        for _ in 0..<1 + random.below(3) where damage == .stripes || damage == .stains {
            let (left, top) = (random.below(row.count), damage == .stripes ? 0 : random.below(height))
            let (wide, high) = (2 + random.below(24), damage == .stripes ? height : 10 + random.below(height))
            let level: UInt8 = [30, 120, 220][random.below(3)]
            for y in top..<min(top + high, height) {
                for x in left..<min(left + wide, row.count) { pixels[y * row.count + x] = level }
            }
        }
        let noise = damage == .noise ? 90 : 8
        pixels = pixels.map { UInt8(clamping: Int($0) + random.below(2 * noise + 1) - noise) }
        return try #require(LumaPicture(width: row.count, height: height, pixels: pixels))
    }

    @Test(arguments: [Symbology.code128, .code93, .code39])
    func noneSaysAnotherValue(_ symbology: Symbology) throws {
        var random = SplitMix64(seed: 20)
        var read: [Damage: Int] = [:]
        let reader = CodeReader(Symbology.linear)
        for number in 0..<250 {
            let damage = Damage.allCases[number % Damage.allCases.count]
            let digits = Array("0123456789ABCDEF".utf8)
            let text = (0..<32).map { _ in digits[random.below(16)] }
            let found = try picture(text, symbology, damage, &random).withPlane { reader.read($0) }
            for reading in found where reading.candidate != nil {
                #expect(reading.value == text, "\(damage), \(number)")
                read[damage, default: 0] += 1
            }
        }
        // The drawing is right, and damage is not so much that nothing is tried.
        #expect(read[.none] == 50 && read[.stains] ?? 0 > 10, "\(read)")
    }
}
