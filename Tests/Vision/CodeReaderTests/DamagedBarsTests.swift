import Luma
import ObservedValue
import Scene
import Testing

@testable import CodeReader

/// Linear codes with stains, with bars that are none, in noise: what is read of them is what was printed, or nothing.
///
/// `recognition-benchmark damaged 20000 code128` tries more of them.
@Suite struct DamagedBarsTests {
    @Test(arguments: LinearSymbol.Kind.allCases)
    func noneSaysAnotherValue(_ kind: LinearSymbol.Kind) throws {
        let symbology = try #require(Symbology(rawValue: kind.rawValue))
        let reader = CodeReader(Symbology.linear)
        var read: [DamagedBars.Damage: Int] = [:]
        for seed in 1...280 as ClosedRange<UInt64> {
            let symbol = try #require(DamagedBars(kind, seed: seed))
            for reading in symbol.picture.withPlane({ reader.read($0) }) where reading.candidate != nil {
                #expect(symbol.texts.contains(reading.value), "\(symbol.damage), seed \(seed)")
                if reading.symbology == symbology { read[symbol.damage, default: 0] += 1 }
            }
        }
        // It is so much that some cannot be read, and not so much that nothing is tried.
        #expect(
            DamagedBars.Damage.allCases.allSatisfy { (1..<40).contains(read[$0] ?? ($0 == .cut ? 1 : 0)) }, "\(read)")
    }

    /// The pictures are of codes: another reader says the same.
    @Test(arguments: LinearSymbol.Kind.allCases)
    func drawnCodesAreThoseOfTheStandards(_ kind: LinearSymbol.Kind) throws {
        let text = Array((kind == .code128 ? "az~ {0}" : "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%").utf8)
        for wide in [2, 3] {
            let symbol = try #require(LinearSymbol(kind, text, wide: wide))
            let found = try Sheet.Label.bars(symbol.row(module: 2)).withPlane {
                ZbarScanner(Symbology.linear).tallies($0)
            }
            #expect(found.contains { $0.reading.value == text }, "\(found)")
        }
    }

    @Test func whatCannotBeSaidIsNotDrawn() {
        for kind in [LinearSymbol.Kind.code39, .code93] {
            #expect(LinearSymbol(kind, Array("a".utf8)) == nil && LinearSymbol(kind, Array("*".utf8)) == nil)
        }
        for kind in LinearSymbol.Kind.allCases {
            #expect(LinearSymbol(kind, []) == nil && LinearSymbol(kind, [UInt8](repeating: 65, count: 81)) == nil)
        }
    }
}
