import Geometry
import Luma
import Testing

@testable import CodeReader

@Suite struct StreamReaderTests {
    /// Frames in each of which another third of the data modules is hidden by specks: too much for error correction.
    private func speckled(_ text: String, _ seeds: ClosedRange<UInt64>) throws -> [LumaPicture] {
        let symbol = try DrawnSymbol(text)
        return try seeds.map { seed in
            var picture = try symbol.picture()
            var random = seed &* 0x9E37_79B9_7F4A_7C15 | 1
            for v in 9..<symbol.matrix.size - 9 {
                for u in 0..<symbol.matrix.size where u != 6 {
                    random ^= random << 13
                    random ^= random >> 7
                    random ^= random << 17
                    guard random >> 40 < (1 << 24) * 2 / 5 else { continue }
                    let grey: UInt8 = random & 0x10 == 0 ? 30 : 220
                    let (x, y) = (Int(symbol.corners[0].x) + 4 * u, Int(symbol.corners[0].y) + 4 * v)
                    for row in y..<y + 4 {
                        for column in x..<x + 4 { picture.pixels[row * picture.width + column] = grey }
                    }
                }
            }
            return picture
        }
    }

    @Test func aCodeIsFollowedAndItsCornersAreInTheFrame() throws {
        let reader = StreamReader([.qr])
        for step in 0..<12 {
            var symbol = try DrawnSymbol(DrawnSymbol.hex, module: 3)
            symbol.corners = symbol.corners.map { $0 + Place(Float(step) * 4, Float(step) * 2) }
            let readings = try symbol.picture().withPlane { reader.read($0) }
            let reading = try #require(readings.first)
            #expect(readings.count == 1 && reading.value == symbol.value)
            #expect(abs(reading.corners[0].x - symbol.corners[0].x) < 2)
            #expect(reader.aim?.wasRead == true && reader.aim?.isSymbol == true)
        }
    }

    @Test func severalFramesGiveWhatOneAloneDoesNot() throws {
        let frames = try speckled(DrawnSymbol.hex, 1...20)
        let single = frames.count { frame in !frame.withPlane { StreamReader([.qr]).read($0) }.isEmpty }
        let reader = StreamReader([.qr])
        let together = frames.count { frame in !frame.withPlane { reader.read($0) }.isEmpty }
        #expect(single == 0 && together >= 10, "read alone: \(single), together: \(together) of \(frames.count)")
    }

    @Test func twoCodesThatTakeTurnsAreNeverMixed() throws {
        let other = "FFEEDDCCBBAA99887766554433221100"
        let (first, second) = (try speckled(DrawnSymbol.hex, 1...20), try speckled(other, 21...40))
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
        #expect(abs(aim.corners[2].x - symbol.corners[2].x) < 4)
    }

    @Test func anEmptyDeskIsNoAim() throws {
        let picture = try #require(LumaPicture(width: 320, height: 240, pixels: .init(repeating: 90, count: 76800)))
        let reader = StreamReader([.qr])
        #expect(picture.withPlane { reader.read($0) }.isEmpty && reader.aim == nil)
    }
}
