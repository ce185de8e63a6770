import Geometry
import Luma
import CodeWriter
import Testing

@testable import CodeReader

@Suite struct QRLocatingTests {
    @Test(arguments: stride(from: 0, to: 360, by: 30).map(Float.init))
    func aCodeIsReadHoweverItIsTurned(_ degrees: Float) throws {
        let symbol = try DrawnSymbol(DrawnSymbol.hex).turned(degrees)
        #expect(try symbol.read().map(\.value) == [symbol.value])
    }

    @Test func theCornersAreThoseOfTheSymbol() throws {
        let symbol = try DrawnSymbol(DrawnSymbol.hex).turned(17)
        let reading = try #require(try symbol.read().first)
        for (corner, place) in zip(reading.corners, symbol.corners) {
            #expect((corner - place).length < 1)
        }
    }

    @Test func aCodeIsReadWhenTilted() throws {
        var symbol = try DrawnSymbol(DrawnSymbol.hex)
        symbol.corners = [Place(60, 40), Place(200, 60), Place(195, 175), Place(70, 200)]
        #expect(try symbol.read().map(\.value) == [symbol.value])
    }

    @Test func lightOnDarkIsRead() throws {
        var symbol = try DrawnSymbol(DrawnSymbol.hex)
        symbol.isInverted = true
        #expect(try symbol.read().map(\.value) == [symbol.value])
    }

    @Test func aCodeInAMirrorIsRead() throws {
        var symbol = try DrawnSymbol(DrawnSymbol.hex)
        symbol.isMirrored = true
        #expect(try symbol.read().map(\.value) == [symbol.value])
    }

    @Test(arguments: [1.4, 1.7, 2, 2.5, 3.3, 6, 11, 17] as [Float])
    func modulesMayBeOfAnySize(_ module: Float) throws {
        let symbol = try DrawnSymbol(DrawnSymbol.hex, module: module).turned(8)
        #expect(try symbol.read().map(\.value) == [symbol.value])
    }

    @Test func littleContrastIsEnough() throws {
        var symbol = try DrawnSymbol(DrawnSymbol.hex)
        (symbol.dark, symbol.light) = (100, 124)
        #expect(try symbol.read().map(\.value) == [symbol.value])
    }

    @Test func whatIsDamagedIsCorrected() throws {
        let symbol = try DrawnSymbol(DrawnSymbol.hex)
        var picture = try symbol.picture()
        // A blot in the middle of the symbol, a tenth of its side.
        for y in 70..<80 { for x in 80..<92 { picture.pixels[y * picture.width + x] = 128 } }
        #expect(picture.withPlane { CodeReader([.qr]).read($0) }.map(\.value) == [symbol.value])
    }

    @Test func twoCodesInOnePictureAreBothRead() throws {
        let (left, right) = (try DrawnSymbol("LEFT").picture(), try DrawnSymbol("RIGHT").picture())
        var pixels: [UInt8] = []
        for row in 0..<left.height {
            pixels += left.pixels[row * left.width..<(row + 1) * left.width]
            pixels += right.pixels[row * right.width..<(row + 1) * right.width]
        }
        let both = try #require(LumaPicture(width: left.width + right.width, height: left.height, pixels: pixels))
        let values = Set(both.withPlane { CodeReader([.qr]).read($0) }.map(\.value))
        #expect(values == [Array("LEFT".utf8), Array("RIGHT".utf8)])
    }

    @Test func oneModuleMayBeOnePixelInADrawnPicture() throws {
        let matrix = try Array("ONE".utf8).withUnsafeBytes { try QRMatrix($0) }
        let (side, pixels) = matrix.pixels(scale: 1)
        let picture = try #require(LumaPicture(width: side, height: side, pixels: pixels))
        #expect(picture.withPlane { CodeReader([.qr]).read($0) }.map(\.value) == [Array("ONE".utf8)])
    }
}
