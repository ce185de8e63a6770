import Geometry
import Luma
import Scene
import Testing

@testable import DataMatrix

/// Symbols that another program wrote, as modules and as pictures.
@Suite struct WrittenSymbolTests {
    static let all = WrittenSymbols.extensions + WrittenSymbols.large + WrittenSymbols.contents

    private func bytes(_ text: String) -> [UInt8] {
        text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    }

    /// The symbol in its quiet zone, turned by about six degrees; mirrored: seen from behind.
    private func picture(
        _ rows: [[Bool]], module: Float = 4, isMirrored: Bool = false, isInverted: Bool = false, dot: Float = 1
    ) throws -> LumaPicture {
        let columns = rows.first?.count ?? 0
        let (width, height) = (
            Int(Float(columns + 8) * module + Float(rows.count) * module * 0.2),
            Int(Float(rows.count + 8) * module + Float(columns) * module * 0.2)
        )
        let middle = Place(Float(width), Float(height)) / 2
        let (c, s): (Float, Float) = (0.995 / module, 0.1 / module)
        let pixels = (0..<width * height).map { index -> UInt8 in
            let at = Place(pixel: index % width, index / width) - middle
            let u = at.x * c + at.y * s + Float(columns) / 2
            let v = at.y * c - at.x * s + Float(rows.count) / 2
            let (row, column) = (Int(v.rounded(.down)), Int(u.rounded(.down)))
            guard rows.indices.contains(row), column >= 0, column < columns else { return isInverted ? 30 : 220 }
            let isInDot = max(abs(u - Float(column) - 0.5), abs(v - Float(row) - 0.5)) <= dot / 2
            let isDark = rows[row][isMirrored ? columns - 1 - column : column] && isInDot
            return isDark != isInverted ? 30 : 220
        }
        return try #require(LumaPicture(width: width, height: height, pixels: pixels))
    }

    private func texts(_ picture: LumaPicture) -> [[UInt8]] {
        picture.withPlane { DataMatrixReader.search($0).symbols }.map(\.text)
    }

    @Test func modulesSayWhatWasWritten() throws {
        for symbol in Self.all {
            let size = try #require(SymbolSize.with(rows: symbol.rows.count, columns: symbol.rows[0].count))
            let text = ModuleDecoder.decode(size) { row, column in
                let place = size.place(row: row, column: column)
                return symbol.rows[place.row][place.column]
            }
            #expect(text == bytes(symbol.text), "\(size.rows) × \(size.columns)")
        }
        #expect(Set(WrittenSymbols.extensions.map { $0.rows.count * 1000 + $0.rows[0].count }).count == 18)
    }

    @Test(arguments: all.indices) func picturesSayWhatWasWritten(_ index: Int) throws {
        let symbol = Self.all[index]
        #expect(texts(try picture(symbol.rows)) == [bytes(symbol.text)])
    }

    @Test(arguments: all.indices) func mirroredSymbolsAreRead(_ index: Int) throws {
        let symbol = Self.all[index]
        let found = try picture(symbol.rows, isMirrored: true).withPlane { DataMatrixReader.search($0).symbols }
        #expect(found.map(\.text) == [bytes(symbol.text)])
        // A walk around the upright symbol goes the other way.
        let corners = try #require(found.first?.corners)
        #expect((corners[1] - corners[0]).cross(corners[2] - corners[1]) < 0)
    }

    @Test func lightAndSeparatedModulesAreRead() throws {
        let symbol = try #require(WrittenSymbols.contents.last)
        #expect(texts(try picture(symbol.rows, module: 8, dot: 0.7)) == [bytes(symbol.text)])
        #expect(texts(try picture(symbol.rows, isInverted: true)) == [bytes(symbol.text)])
    }

    @Test func onePixelAModuleWithoutAQuietZoneIsRead() throws {
        let symbol = try #require(WrittenSymbols.contents.last)
        let pixels = symbol.rows.flatMap { $0.map { $0 ? UInt8(0) : 255 } }
        let picture = try #require(
            LumaPicture(width: symbol.rows[0].count, height: symbol.rows.count, pixels: pixels))
        #expect(texts(picture) == [bytes(symbol.text)])
    }

    @Test func onlyGS1SymbolsAreGS1() throws {
        for symbol in WrittenSymbols.contents {
            let found = try picture(symbol.rows).withPlane { DataMatrixReader.search($0).symbols }
            #expect(found.map(\.isGS1) == [symbol.text.hasPrefix("0109")])
        }
    }

    /// A share of what `recognition-benchmark damaged` reads.
    @Test func damagedSymbolsSayWhatTheySaidOrNothing() throws {
        var right = 0
        for seed in 1...300 as ClosedRange<UInt64> {
            let symbol = try #require(DamagedSymbol(seed: seed))
            let found = texts(symbol.picture)
            #expect(found.allSatisfy(symbol.texts.contains), "seed \(seed)")
            right += found.isEmpty ? 0 : 1
        }
        #expect((50..<250).contains(right), "damage that hides nothing or all shows nothing")
    }
}
