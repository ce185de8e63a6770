import Geometry
import Luma
import ObservedValue
import Scene
import CodeWriter
import Testing

@testable import CodeReader

@Suite struct CandidateTests {
    static let value: [UInt8] = Array(0..<16)

    @Test(arguments: [
        "000102030405060708090a0b0c0d0e0f", "000102030405060708090A0B0C0D0E0F", "00010203-0405-0607-0809-0a0b0c0d0e0f",
        " 000102030405060708090a0b0c0d0e0f\r\n", "\t00010203-0405-0607-0809-0A0B0C0D0E0F ",
    ])
    func thirtyTwoHexadecimalDigitsCount(_ text: String) {
        #expect(ObservedValue(text: text.utf8)?.bytes == Self.value)
    }

    @Test(arguments: [
        "", "000102030405060708090a0b0c0d0e0", "000102030405060708090a0b0c0d0e0f0", "000102030405060708090a0b0c0d0e0g",
        "https://x/000102030405060708090a0b0c0d0e0f", "000102030405060708090a0b 0c0d0e0f",
        "00-01-02-03-04-05-06-07-08-09-0a-0b-0c-0d-0e-0f", "-000102030405060708090a0b0c0d0e0f",
        "000102030405060708090a0b-0c0d0e0f", "0001020304050607-0809-0a0b-0c0d-0e0f",
        "00010203-0405-0607-0809-0a0b0c0d0e0",
        "00010203-0405-0607-0809-0a0b0c0d0e0f-", "00010203_0405_0607_0809_0a0b0c0d0e0f",
        "{00010203-0405-0607-0809-0a0b0c0d0e0f}", "000102030405060708090a0b0c0d0e0f0f0f",
        "000102030405060708090a0b0c0d0e0f-", "0x0102030405060708090a0b0c0d0e0f", String(repeating: "-", count: 4000),
        String(repeating: "0", count: 4000), "\u{FF10}00102030405060708090a0b0c0d0e0f",
    ])
    func nothingElseDoes(_ text: String) {
        #expect(ObservedValue(text: text.utf8) == nil)
    }
}

/// Real zbar on real pixels.
@Suite struct CodeReaderTests {
    func picture(_ text: String, scale: Int = 4) throws -> LumaPicture {
        let bytes = Array(text.utf8)
        let (side, pixels) = try bytes.withUnsafeBytes { try QRMatrix($0).pixels(scale: scale) }
        return try #require(LumaPicture(width: side, height: side, pixels: pixels))
    }

    func code39(_ text: String) throws -> LumaPicture {
        try Sheet.Label.bars(#require(LinearSymbol(.code39, Array(text.utf8))).row(module: 2))
    }

    @Test func aQRCodeIsReadWithItsCorners() throws {
        let reading = try #require(
            try picture("000102030405060708090A0B0C0D0E0F").withPlane { CodeReader().read($0) }.first)
        #expect(reading.symbology == .qr && reading.candidate == Array(0..<16) && reading.corners.count == 4)
    }

    @Test func rowsMayBePadded() throws {
        let picture = try picture("000102030405060708090A0B0C0D0E0F")
        var padded: [UInt8] = []
        for row in 0..<picture.height {
            padded += picture.pixels[row * picture.width..<(row + 1) * picture.width] + [0, 9, 0, 9, 0]
        }
        let readings = padded.withUnsafeBufferPointer {
            CodeReader().read(
                LumaPlane(
                    base: $0.baseAddress!, width: picture.width, height: picture.height, stride: picture.width + 5))
        }
        #expect(readings.first?.candidate == Array(0..<16))
    }

    @Test func linearCodesAreRead() throws {
        let readings = try code39("10AB").withPlane { CodeReader().read($0) }
        #expect(readings.map(\.symbology) == [.code39] && readings.first?.value == Array("10AB".utf8))
    }

    @Test func onlyTheChosenSymbologiesAreRead() throws {
        #expect(try picture("X").withPlane { CodeReader([.code39]).read($0) }.isEmpty)
        #expect(try code39("1").withPlane { CodeReader([.qr]).read($0) }.isEmpty)
    }

    @Test func aCodeThatStaysIsReadInEveryFrame() throws {
        let picture = try picture("000102030405060708090A0B0C0D0E0F")
        let reader = CodeReader()
        for _ in 0..<5 { #expect(picture.withPlane { reader.read($0) }.count == 1) }
    }

    @Test func noiseAndTinyPicturesGiveNothing() throws {
        let reader = CodeReader()
        var random = SystemRandomNumberGenerator()
        for (width, height) in [(1, 1), (1, 50), (50, 1), (3, 3), (200, 150)] {
            let pixels = (0..<width * height).map { _ in UInt8.random(in: 0...255, using: &random) }
            let picture = try #require(LumaPicture(width: width, height: height, pixels: pixels))
            #expect(picture.withPlane { reader.read($0) }.compactMap(\.candidate).isEmpty)
        }
    }
}
