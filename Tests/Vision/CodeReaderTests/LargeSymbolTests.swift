import CodeWriter
import Geometry
import Luma
import SeededRandom
import Testing

@testable import CodeReader

/// QR codes of versions 20 to 40: between their finder patterns their data make others, and a frame's work does not last for all;
/// and codes of which a finder pattern cannot be seen.
@Suite struct LargeSymbolTests {
    /// Of so many bytes; the text is another for each.
    private func symbol(_ bytes: Int, _ level: QRMatrix.Level, module: Float, tilt: Float) throws -> DrawnSymbol {
        var random = SplitMix64(seed: UInt64(bytes))
        let letters = Array("abcdefghijklmnopqrstuvwxyz 0123456789".utf8)
        let text = String(decoding: (0..<bytes).map { _ in letters[random.below(letters.count)] }, as: UTF8.self)
        var symbol = try DrawnSymbol(text, level: level, module: module)
        // Leaning back: the upper edge is shorter.
        let lean = (symbol.corners[1].x - symbol.corners[0].x) * tilt
        symbol.corners[0].x += lean
        symbol.corners[1].x -= lean
        symbol.corners[0].y += lean
        symbol.corners[1].y += lean
        return symbol
    }

    @Test(
        arguments: [(860, .low), (660, .medium), (1500, .low), (600, .quartile), (1200, .high), (2700, .low)]
            as [(Int, QRMatrix.Level)], [0, 0.06] as [Float])
    func theyAreReadInAPictureAndInAStream(_ code: (bytes: Int, level: QRMatrix.Level), _ tilt: Float) throws {
        let symbol = try symbol(code.bytes, code.level, module: 3.2, tilt: tilt)
        #expect(symbol.matrix.size >= 4 * 20 + 17)
        let picture = try symbol.picture()
        #expect(picture.withPlane { CodeReader([.qr]).read($0) }.map(\.value) == [symbol.value])
        let stream = StreamReader([.qr])
        let isRead = (0..<30).contains { _ in picture.withPlane { stream.read($0) }.map(\.value) == [symbol.value] }
        #expect(isRead, "version \((symbol.matrix.size - 17) / 4)")
    }

    /// One of the three patterns is covered as a whole: the other two may be at the ends of any side, or of the diagonal.
    @Test(arguments: 0..<3, [0, 30, 200] as [Float])
    func twoFinderPatternsAreEnough(_ covered: Int, _ degrees: Float) throws {
        let symbol = try DrawnSymbol(DrawnSymbol.hex).turned(degrees)
        let picture = try symbol.picture()
        // Seven and a half modules from a corner, in both directions.
        let corner = symbol.corners[[0, 1, 3][covered]]
        let middle = (symbol.corners[0] + symbol.corners[2]) / 2
        let area = ConvexArea(
            corners: symbol.corners.map { corner + ($0 - middle) * (15 / Float(symbol.matrix.size)) })
        let pixels = picture.pixels.enumerated().map { index, level in
            area.contains(Place(pixel: index % picture.width, index / picture.width)) ? 180 : level
        }
        let hurt = try #require(LumaPicture(width: picture.width, height: picture.height, pixels: pixels))
        #expect(hurt.withPlane { CodeReader([.qr]).read($0) }.map(\.value) == [symbol.value])
        let stream = StreamReader([.qr])
        let isRead = (0..<30).contains { _ in hurt.withPlane { stream.read($0) }.map(\.value) == [symbol.value] }
        #expect(isRead)
    }
}
