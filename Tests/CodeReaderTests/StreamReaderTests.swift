import Luma
import Testing

@testable import CodeReader

@Suite struct StreamReaderTests {
    /// A symbol whose every frame alone is too noisy to be read.
    private func noisy(_ text: String) throws -> DrawnSymbol {
        var symbol = try DrawnSymbol(text, module: 3)
        (symbol.dark, symbol.light, symbol.noise) = (95, 150, 95)
        return symbol
    }

    private func frames(_ symbol: DrawnSymbol, _ seeds: ClosedRange<UInt64>) throws -> [LumaPicture] {
        try seeds.map { try symbol.picture(seed: $0) }
    }

    @Test func aCodeIsFollowedAndItsCornersAreInTheFrame() throws {
        let reader = StreamReader([.qr])
        for step in 0..<12 {
            var symbol = try DrawnSymbol(DrawnSymbol.hex, module: 3)
            symbol.corners = symbol.corners.map { $0 + Place(Float(step) * 4, Float(step) * 2) }
            let readings = try symbol.picture().withPlane { reader.read($0) }
            let reading = try #require(readings.first)
            #expect(readings.count == 1 && reading.value == symbol.value)
            #expect(abs(Float(reading.corners[0].x) - symbol.corners[0].x) < 2)
            #expect(reader.aim?.wasRead == true && reader.aim?.isSymbol == true)
        }
    }

    @Test func severalFramesGiveWhatOneAloneDoesNot() throws {
        let frames = try frames(try noisy(DrawnSymbol.hex), 1...40)
        let single = frames.count { frame in !frame.withPlane { StreamReader([.qr]).read($0) }.isEmpty }
        let reader = StreamReader([.qr])
        let together = frames.count { frame in !frame.withPlane { reader.read($0) }.isEmpty }
        #expect(together > single)
    }

    @Test func twoCodesThatTakeTurnsAreNeverMixed() throws {
        let other = "FFEEDDCCBBAA99887766554433221100"
        let (first, second) = (try frames(try noisy(DrawnSymbol.hex), 1...30), try frames(try noisy(other), 1...30))
        let values = [Array(DrawnSymbol.hex.utf8), Array(other.utf8)]
        let reader = StreamReader([.qr])
        for (a, b) in zip(first, second) {
            for reading in a.withPlane({ reader.read($0) }) { #expect(reading.value == values[0]) }
            for reading in b.withPlane({ reader.read($0) }) { #expect(reading.value == values[1]) }
        }
    }

    @Test func theMemoryBeginsAnewWithAnotherSymbol() throws {
        let layout = QRLayout(version: 2)
        let samples = ModuleSamples()
        func remember(_ text: String, _ memory: inout SymbolMemory, frame: Int) throws {
            let symbol = try DrawnSymbol(text)
            let picture = try symbol.picture()
            let corners = symbol.corners
            let side = Float(symbol.matrix.size)
            let map = try #require(
                ProjectiveMap(
                    (Place(0, 0), Place(side, 0), Place(side, side), Place(0, side)),
                    to: (corners[0], corners[1], corners[2], corners[3])))
            let grid = SymbolGrid(dimension: symbol.matrix.size, map: map)
            picture.withPlane {
                #expect(samples.measure(grid, layout, GreySampler($0, scale: 1), isInverted: false))
            }
            _ = memory.add(samples, layout, frame: frame)
        }
        var memory = SymbolMemory()
        try remember(DrawnSymbol.hex, &memory, frame: 1)
        try remember(DrawnSymbol.hex, &memory, frame: 2)
        #expect(memory.count == 2)
        try remember("FFEEDDCCBBAA99887766554433221100", &memory, frame: 3)
        #expect(memory.count == 1)
        try remember("FFEEDDCCBBAA99887766554433221100", &memory, frame: 4)
        #expect(memory.count == 2)
        // So long without it: who knows what is shown now.
        try remember("FFEEDDCCBBAA99887766554433221100", &memory, frame: 40)
        #expect(memory.count == 1)
    }

    @Test func whatCannotBeReadIsAimedAt() throws {
        // Half of the data is blotted out: no error correction helps.
        let symbol = try DrawnSymbol(DrawnSymbol.hex)
        var picture = try symbol.picture()
        for y in 62..<100 { for x in 80..<140 { picture.pixels[y * picture.width + x] = 220 } }
        let reader = StreamReader([.qr])
        #expect(picture.withPlane { reader.read($0) }.isEmpty)
        let aim = try #require(reader.aim)
        #expect(aim.isSymbol && !aim.wasRead && abs(aim.module - 4) < 0.5)
        #expect(abs(aim.dark - 30) < 25 && abs(aim.light - 220) < 25 && (aim.sharpness ?? 0) > 0.7)
        #expect(abs(Float(aim.corners[2].x) - symbol.corners[2].x) < 4)
    }

    @Test func anEmptyDeskIsNoAim() throws {
        let picture = try #require(LumaPicture(width: 320, height: 240, pixels: .init(repeating: 90, count: 76800)))
        let reader = StreamReader([.qr])
        #expect(picture.withPlane { reader.read($0) }.isEmpty && reader.aim == nil)
    }
}
