import Luma
import Seeded
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
            let nearest =
                symbol.corners.map { ($0 - Place(Float(corner.x), Float(corner.y))).length }.min() ?? .infinity
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

    /// zbar tries every three of them: hundreds cost it seconds.
    @Test func aFieldOfRingsIsNotPutToIt() throws {
        let lines = FinderLineCount()
        for module in 2...4 {
            let cell = 9 * module
            let pixels = (0..<400 * 400).map { index -> UInt8 in
                let ring = max(abs(index % 400 % cell / module - 4), abs(index / 400 % cell / module - 4))
                return ring == 3 || ring <= 1 ? 20 : 230
            }
            let field = try #require(LumaPicture(width: 400, height: 400, pixels: pixels))
            #expect(!field.withPlane { lines.isAtMost(SecondReader.mostLines, $0) })
        }
        // And an ordinary symbol is.
        let symbol = try DrawnSymbol(DrawnSymbol.hex, module: 3).picture()
        #expect(symbol.withPlane { lines.isAtMost(SecondReader.mostLines, $0) })
    }
}
