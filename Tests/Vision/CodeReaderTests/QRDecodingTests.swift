import Luma
import CodeWriter
import Testing

@testable import CodeReader

@Suite struct QRDecodingTests {
    /// Texts that fill versions from 1 to 40, at each level of error correction: libqrencode writes, we read.
    @Test(arguments: [QRMatrix.Level.low, .medium, .quartile, .high])
    func everyVersionIsRead(_ level: QRMatrix.Level) throws {
        let reader = CodeReader([.qr])
        var versions: Set<Int> = []
        var length = 5
        while true {
            // Small letters, so that it is 8-bit text.
            let text: [UInt8] = (0..<length).map { (k: Int) -> UInt8 in UInt8(97 + (k * 7 + k / 5) % 26) }
            let encoded: QRMatrix? = text.withUnsafeBytes { try? QRMatrix($0, level: level) }
            guard let matrix = encoded else { break }
            let version = (matrix.size - 17) / 4
            length += max(5, length / 24)
            guard versions.insert(version).inserted else { continue }
            let (side, pixels) = matrix.pixels(scale: 3)
            let picture = try #require(LumaPicture(width: side, height: side, pixels: pixels))
            let readings = picture.withPlane { reader.read($0) }
            #expect(readings.map(\.value) == [text], "version \(version)")
        }
        #expect(versions.count >= 35)
    }

    @Test func alphanumericTextIsRead() throws {
        #expect(try DrawnSymbol("ABC123XYZ").read().map(\.value) == [Array("ABC123XYZ".utf8)])
    }

    @Test func utf8StaysAsItIs() throws {
        #expect(try DrawnSymbol("grüße, 測試").read().map(\.value) == [Array("grüße, 測試".utf8)])
    }

    // MARK: Text, bit by bit

    /// Packs numbers of so many bits into bytes.
    private func packed(_ fields: [(value: Int, bits: Int)]) -> [UInt8] {
        var bits: [UInt8] = []
        for field in fields {
            for bit in (0..<field.bits).reversed() { bits.append(UInt8(field.value >> bit & 1)) }
        }
        while bits.count % 8 != 0 { bits.append(0) }
        return stride(from: 0, to: bits.count, by: 8).map { (start: Int) -> UInt8 in
            bits[start..<start + 8].reduce(UInt8(0)) { $0 << 1 | $1 }
        }
    }

    private func text(_ fields: [(value: Int, bits: Int)], isStrict: Bool = false) -> String? {
        QRText(packed(fields), version: 1, isStrict: isStrict).map { String(decoding: $0.value, as: UTF8.self) }
    }

    @Test func digitsGoThreeToTenBits() {
        #expect(text([(1, 4), (8, 10), (12, 10), (345, 10), (67, 7), (0, 4)]) == "01234567")
    }

    @Test func kanjiGoThirteenBitsEach() {
        // U+5165 is 0x93FC in Shift JIS, U+308A is 0x82E8.
        #expect(text([(8, 4), (2, 8), (0xE3C, 13), (0x168, 13), (0, 4)]) == "入り")
    }

    @Test func hanziGoThirteenBitsEach() {
        // In GB 2312 U+4E2D is 0xD6D0, U+6587 0xCEC4 and U+FF01 0xA3A1.
        #expect(text([(13, 4), (1, 4), (3, 8), (0x122F, 13), (0xF23, 13), (0xC0, 13), (0, 4)]) == "中文！")
        // There is one set.
        #expect(text([(13, 4), (2, 4), (1, 8), (0x122F, 13), (0, 4)]) == nil)
        #expect(text([(13, 4), (1, 4), (200, 8), (0x122F, 13), (0, 4)]) == nil)
    }

    @Test func aCharacterSetMayBeSaid() {
        #expect(text([(7, 4), (3, 8), (4, 4), (1, 8), (0xFC, 8), (0, 4)]) == "ü")
        #expect(text([(7, 4), (20, 8), (4, 4), (2, 8), (0x93, 8), (0xFC, 8), (0, 4)]) == "入")
    }

    @Test func fnc1InFrontIsAnApplicationsData() {
        func isGS1(_ fields: [(value: Int, bits: Int)]) -> Bool? {
            QRText(packed(fields), version: 1, isStrict: false)?.isGS1
        }
        let digits: [(value: Int, bits: Int)] = [(1, 4), (3, 10), (123, 10), (0, 4)]
        #expect(isGS1(digits) == false && isGS1([(5, 4)] + digits) == true)
        #expect(isGS1([(9, 4), (37, 8)] + digits) == true)  // in second position
    }

    @Test func whatIsNoTextIsNone() {
        #expect(text([(0, 4)]) == nil)  // empty
        #expect(text([(1, 4), (3, 10), (1000, 10)]) == nil)  // three digits are at most 999
        #expect(text([(2, 4), (2, 9), (2025, 11)]) == nil)  // a pair of letters is at most 2024
        #expect(text([(4, 4), (200, 8), (65, 8)]) == nil)  // cut short
        #expect(text([(6, 4), (1, 8)]) == nil)  // no such mode
    }

    @Test func paddingIsCheckedWhenAskedFor() {
        let good: [(Int, Int)] = [(4, 4), (1, 8), (65, 8), (0, 4), (0xEC, 8), (0x11, 8), (0xEC, 8)]
        let bad: [(Int, Int)] = [(4, 4), (1, 8), (65, 8), (0, 4), (0xEC, 8), (0x12, 8), (0xEC, 8)]
        #expect(text(good, isStrict: true) == "A" && text(bad) == "A" && text(bad, isStrict: true) == nil)
    }

    // MARK: Format

    @Test func formatWordsAreSevenBitsApart() {
        for (index, a) in QRLayout.formats.enumerated() {
            for b in QRLayout.formats[..<index] { #expect((a ^ b).nonzeroBitCount >= 7) }
        }
    }

    @Test(arguments: 1...40)
    func everyModuleButTheRemainderHoldsACodewordBit(_ version: Int) {
        let layout = QRLayout(version: version)
        let data = layout.modules.count { $0 == .data }
        // Table 1: 0, 3, 4 or 7 modules are left over.
        #expect([0, 3, 4, 7].contains(data % 8))
        #expect(QRCodewords(layout).bytes == data / 8)
        // Each block's places are its own, together all.
        let blocks = QRBlocks(version: version, format: 0, bytes: data / 8)
        let places = (0..<blocks.count).flatMap { blocks.places($0) }
        #expect(places.sorted() == Array(0..<data / 8))
    }
}
