import CodeReader
import Foundation
import Luma
import Testing

@testable import CodeWriter

/// Codes that are drawn are read again, whatever they are drawn as.
@Suite struct CodeWriterTests {
    private static let texts = [
        "x", "https://c2.example.net:8443/#ca=sha256:" + String(repeating: "0f", count: 32),
        String(repeating: "long ", count: 120),
    ]

    private func read(_ pixels: [UInt8], _ side: Int) throws -> String? {
        let picture = try #require(LumaPicture(width: side, height: side, pixels: pixels))
        return picture.withPlane { CodeReader([.qr]).read($0) }.first.flatMap {
            String(validating: $0.value, as: UTF8.self)
        }
    }

    @Test(arguments: texts) func whatIsWrittenIsRead(_ text: String) throws {
        let (side, pixels) = try QRMatrix(text: text, level: .low).pixels(scale: 4)
        #expect(try read(pixels, side) == text)
    }

    /// The path's rectangles, painted.
    @Test(arguments: texts) func theVectorsAreTheSameModules(_ text: String) throws {
        let matrix = try QRMatrix(text: text)
        let svg = matrix.svg(title: "a <b> & c")
        #expect(svg.contains("<title>a &lt;b&gt; &amp; c</title>"))
        let path = try #require(svg.components(separatedBy: "path d=\"").last?.components(separatedBy: "\"").first)
        var dark: Set<[Int]> = []
        for part in path.split(separator: "M") {
            let numbers = part.split(whereSeparator: { !$0.isNumber }).compactMap { Int($0) }
            // x, y, width, height and the way back.
            #expect(numbers.count == 5 && numbers[3] == 1 && numbers[2] == numbers[4])
            for x in numbers[0]..<numbers[0] + numbers[2] { dark.insert([x, numbers[1]]) }
        }
        let quiet = QRMatrix.quietZone
        for y in 0..<matrix.size + 2 * quiet {
            for x in 0..<matrix.size + 2 * quiet {
                #expect(dark.contains([x, y]) == matrix.isDark(x - quiet, y - quiet))
            }
        }
    }

    @Test func aTextThatIsTooLongIsAnError() {
        #expect(throws: QRError()) { try QRMatrix(text: String(repeating: "x", count: 3000)) }
        #expect(throws: QRError()) { try QRMatrix(text: "") }
    }

    @Test func aPictureFileIsAPNG() throws {
        let png = try QRMatrix(text: "x").png(scale: 2)
        #expect(png.starts(with: [0x89, 0x50, 0x4E, 0x47]))
        #expect(png.count < 10_000)
    }
}
