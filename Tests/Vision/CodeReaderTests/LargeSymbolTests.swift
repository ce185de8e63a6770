import CodeWriter
import Geometry
import Luma
import SeededRandom
import Testing

@testable import CodeReader

/// QR codes of versions 20 to 40: between their finder patterns their data make others, and a frame's work does not last for all.
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
}
