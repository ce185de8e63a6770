import Geometry
import Luma
import SeededRandom
import Testing

@testable import CodeReader

/// zbar as the second reader of QR codes.
@Suite struct SecondReaderTests {
    func reading(_ text: String, isGS1: Bool = false) -> Reading {
        Reading(value: Array(text.utf8), symbology: .qr, corners: [], isGS1: isGS1)
    }

    @Test(arguments: [2.5, 4, 9, 14] as [Float], [false, true])
    func itReadsThePartOfAPictureThatItIsGiven(_ module: Float, _ isInverted: Bool) throws {
        var symbol = try DrawnSymbol(DrawnSymbol.hex, module: module)
        symbol.isInverted = isInverted
        let (low, high) = (symbol.corners[0] - Place(24, 24), symbol.corners[2] + Place(24, 24))
        let part = SecondReader.Part(low: low, high: high, module: module, isInverted: isInverted)
        let readings = try symbol.picture().withPlane { SecondReader().read($0, part) }
        let reading = try #require(readings.first)
        #expect(readings.count == 1 && reading.value == symbol.value && reading.corners.count == 4)
        for corner in reading.corners {
            let nearest = symbol.corners.map { ($0 - corner).length }.min() ?? .infinity
            #expect(nearest < 3 * module)
        }
    }

    @Test func twoReadersThatDisagreeAboutAValueContradictEachOther() {
        let (one, other) = (reading(DrawnSymbol.hex), reading("FFEEDDCCBBAA99887766554433221100"))
        #expect(SecondReader.contradicts(one, other) && SecondReader.contradicts(other, one))
        #expect(SecondReader.contradicts(one, reading("https://example.org")))
        #expect(SecondReader.contradicts(reading("one"), reading("two")))
        #expect(!SecondReader.contradicts(one, one))
        #expect(!SecondReader.contradicts(one, reading(DrawnSymbol.hex.lowercased())))
        // The same bytes in two character sets.
        #expect(!SecondReader.contradicts(reading("ü"), reading("Ã¼")))
    }

    @Test(arguments: [[.own], [.zbar], [.own, .zbar]] as [Set<QRReader>], [2.5, 4, 11] as [Float])
    func eachReaderWorksAlone(_ readers: Set<QRReader>, _ module: Float) throws {
        let symbol = try DrawnSymbol(DrawnSymbol.hex, module: module)
        let stream = StreamReader(Set(Symbology.allCases), readers: readers)
        let (still, frame) = try symbol.picture().withPlane {
            (CodeReader(readers: readers).read($0), stream.read($0))
        }
        for readings in [still, frame] {
            #expect(readings.map(\.value) == [symbol.value])
            let corners = try #require(readings.first).corners
            for corner in corners { #expect(symbol.corners.contains { ($0 - corner).length < 3 * module }) }
        }
    }

    /// What only one of them reads shows that it is asked, and that the other is not: zbar reads no inverted code here.
    @Test func onlyThoseThatWereChosenRead() throws {
        var symbol = try DrawnSymbol(DrawnSymbol.hex)
        symbol.isInverted = true
        let picture = try symbol.picture()
        func count(_ readers: Set<QRReader>) -> Int {
            picture.withPlane { CodeReader([.qr], readers: readers).read($0).count }
        }
        #expect(count([.own]) == 1 && count([.own, .zbar]) == 1 && count([.zbar]) == 0)
        // Nor is a kind of code looked for that was not.
        #expect(picture.withPlane { CodeReader([.code128], readers: [.own]).read($0) }.isEmpty)
        #expect(
            try DrawnSymbol(DrawnSymbol.hex).picture().withPlane { StreamReader([.code39], readers: [.zbar]).read($0) }
                .isEmpty)
    }

    /// zbar alone gets whole pictures: a field of rings must not cost it seconds there either.
    @Test(arguments: [1, 2, 4, 8]) func aFieldOfRingsIsNotPutToItWhole(_ module: Int) throws {
        let field = try #require(rings(10_000, module: module, side: 720))
        #expect(field.withPlane { SecondReader().read($0) }.isEmpty)
    }

    @Test func anEmptyPartAndOneOutsideThePictureGiveNothing() throws {
        let picture = try #require(LumaPicture(width: 40, height: 40, pixels: .init(repeating: 7, count: 1600)))
        for (low, high) in [
            (Place(-90, -90), Place(-5, -5)), (Place(0, 0), Place(5, 5)), (Place(-1e30, 0), Place(1e30, 1e30)),
        ] {
            for module in [0, -1, .nan, .infinity, 1e9] as [Float] {
                let part = SecondReader.Part(low: low, high: high, module: module, isInverted: false)
                #expect(picture.withPlane { SecondReader().read($0, part) }.isEmpty)
            }
        }
    }

    /// Rings as finder patterns have them, side by side on a light ground, or light ones on a dark one.
    private func rings(_ count: Int, module: Int, side: Int = 400, isInverted: Bool = false) -> LumaPicture? {
        let (cell, columns) = (9 * module, side / (9 * module))
        let pixels = (0..<side * side).map { index -> UInt8 in
            let (x, y) = (index % side, index / side)
            let isRing = x / cell < columns && y / cell * columns + x / cell < count
            let ring = max(abs(x % cell / module - 4), abs(y % cell / module - 4))
            return (isRing && (ring == 3 || ring <= 1)) != isInverted ? 20 : 230
        }
        return LumaPicture(width: side, height: side, pixels: pixels)
    }

    /// zbar tries every three of them: hundreds cost it seconds. It makes one of three lines or more, so what is put to it
    /// has at most a third of ``SecondReader/maximumLines``, and with that many it has at most 816 threes to try.
    @Test(arguments: 1...6, [false, true]) func aFieldOfRingsIsNotPutToIt(_ module: Int, _ isInverted: Bool) throws {
        let lines = FinderLineCount()
        let most = SecondReader.maximumLines / 3
        for count in [most + 1, 2 * most, 44, 1000] {
            let field = try #require(rings(count, module: module, isInverted: isInverted))
            let seen = min(count, (400 / (9 * module)) * (400 / (9 * module)))
            // Rings of single pixels lose a line now and then, and zbar makes no pattern of two.
            guard seen > (module == 1 ? most + 1 : most) else { continue }
            #expect(!field.withPlane { lines.isAtMost(SecondReader.maximumLines, $0) }, "\(count) rings")
        }
    }

    @Test(arguments: [
        DrawnSymbol.hex, "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "https://example.org/asset/4711?site=12",
    ])
    func ordinarySymbolsArePutToIt(_ text: String) throws {
        let symbol = try DrawnSymbol(text, module: 3).picture()
        #expect(symbol.withPlane { FinderLineCount().isAtMost(SecondReader.maximumLines, $0) })
    }

    /// Rows that look like finder patterns from their end only, every other one: the count goes as zbar does.
    @Test func rowsAreCountedInTheDirectionInWhichZbarGoes() throws {
        let lines = FinderLineCount()
        func count(_ picture: LumaPicture) -> Int {
            picture.withPlane { plane in (0...2000).first { lines.isAtMost($0, plane) } ?? 2001 }
        }
        var random = SplitMix64(seed: 9)
        var differences = 0
        for _ in 0..<20 {
            let (width, height) = (200, 40)
            var row: [UInt8] = []
            while row.count < width {
                row += [UInt8](repeating: row.last == 30 ? 220 : 30, count: 2 + random.below(5))
            }
            row.removeLast(row.count - width)
            let picture = { (rows: (Int) -> [UInt8]) throws in
                try #require(LumaPicture(width: width, height: height, pixels: (0..<height).flatMap(rows)))
            }
            // Each row twice and turned the second time: both are gone along from the same end.
            let forward = count(try picture { $0 % 2 == 0 ? row : row.reversed() })
            let backward = count(try picture { $0 % 2 == 0 ? row.reversed() : row })
            let plain = count(try picture { _ in row })
            #expect(2 * plain == forward + backward)
            if forward != backward { differences += 1 }
        }
        #expect(differences > 0)
    }

    /// The most that it takes, in all places of a part: bounded by the count, not by chance.
    @Test func asManyRingsAsItTakesGiveNothingAndEnd() throws {
        for module in 1...3 {
            let field = try #require(rings(SecondReader.maximumLines / 3 / module, module: module))
            let part = SecondReader.Part(low: .zero, high: Place(400, 400), module: 1, isInverted: false)
            #expect(field.withPlane { SecondReader().read($0, part) }.isEmpty)
        }
    }
}
