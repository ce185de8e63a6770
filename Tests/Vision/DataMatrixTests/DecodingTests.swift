import CDmtx
import ReedSolomon
import Scene
import SeededRandom
import Testing

@testable import DataMatrix

/// What is written by libdmtx, or codeword by codeword, must be read.
@Suite struct DecodingTests {
    /// The data's modules of a symbol that libdmtx writes, and its size; `nil` when the text does not fit.
    static func written(_ text: [UInt8], _ scheme: DmtxScheme, size request: Int32) -> (SymbolSize, [Bool])? {
        guard let encoder = dmtxEncodeCreate() else { return nil }
        var handle: UnsafeMutablePointer<DmtxEncode>? = encoder
        defer { dmtxEncodeDestroy(&handle) }
        for (property, value) in [
            (DmtxPropSizeRequest, request), (DmtxPropScheme, scheme.rawValue), (DmtxPropModuleSize, 1),
            (DmtxPropMarginSize, 0), (DmtxPropPixelPacking, Int32(DmtxPack8bppK.rawValue)),
        ] as [(DmtxProperty, Int32)] {
            dmtxEncodeSetProp(encoder, Int32(property.rawValue), value)
        }
        var text = text
        guard dmtxEncodeDataMatrix(encoder, Int32(text.count), &text) == DmtxPass,
            let image = encoder.pointee.image, let pixels = image.pointee.pxl,
            let size = SymbolSize.with(rows: Int(image.pointee.height), columns: Int(image.pointee.width))
        else { return nil }
        let rowSize = Int(dmtxImageGetProp(image, Int32(DmtxPropRowSizeBytes.rawValue)))
        let modules = (0..<size.mappingRows * size.mappingColumns).map { index -> Bool in
            let place = size.place(row: index / size.mappingColumns, column: index % size.mappingColumns)
            return pixels[place.row * rowSize + place.column] < 128
        }
        return (size, modules)
    }

    static func read(_ size: SymbolSize, _ modules: [Bool]) -> [UInt8]? {
        ModuleDecoder.decode(size) { modules[$0 * size.mappingColumns + $1] }
    }

    /// Modules of these data codewords, with their error correction.
    static func modules(_ size: SymbolSize, _ data: [UInt8]) -> [Bool] {
        DataMatrixWriter.modules(size, codewords: DataMatrixWriter.codewords(size, data: data))
    }

    @Test func everySizeIsReadAsLibdmtxWritesIt() throws {
        var sizes: Set<Int> = []
        for (index, size) in SymbolSize.all.prefix(30).enumerated() {
            let text = (0..<size.dataCodewords).map { (k: Int) -> UInt8 in UInt8(97 + (k * 7 + k / 5) % 26) }
            let (written, modules) = try #require(Self.written(text, DmtxSchemeAscii, size: Int32(index)))
            #expect(written.rows == size.rows && written.columns == size.columns)
            #expect(Self.read(size, modules) == text, "\(size.rows) × \(size.columns)")
            sizes.insert(size.rows * 1000 + size.columns)
        }
        #expect(sizes.count == 30)
    }

    @Test(
        arguments: [
            (DmtxSchemeAscii, "Ab1234-\u{7F}\u{01}56"), (DmtxSchemeC40, "AIMAIMAIM 0123456789 ABC-XYZ"),
            (DmtxSchemeText, "aimaimaim 0123456789 abc-xyz"), (DmtxSchemeX12, "ABC>ABC123>AB*01 23456789\r"),
            (DmtxSchemeEdifact, ".A.C1E3.^_!?DATA DATA"), (DmtxSchemeBase256, "any bytes: \u{00}\u{FF}äöü"),
            (DmtxSchemeAutoBest, "00112233445566778899AABBCCDDEEFFabcdefghijklmnop^^^^!!!!"),
        ] as [(DmtxScheme, String)])
    func everyEncodationIsRead(_ scheme: DmtxScheme, _ text: String) throws {
        // From all lengths follow all ways to end.
        let bytes = Array(text.utf8)
        var count = 0
        for length in 1...bytes.count {
            let part = Array(bytes.prefix(length))
            guard let (size, modules) = Self.written(part, scheme, size: Int32(DmtxSymbolSquareAuto.rawValue)) else {
                continue
            }
            count += 1
            #expect(Self.read(size, modules) == part, "\(scheme) \(length)")
        }
        #expect(count > bytes.count / 3)
    }

    @Test func longBytesAreRead() throws {
        var random = SplitMix64(seed: 3)
        for length in [249, 250, 251, 600, 1500] {
            let bytes = random.bytes(length)
            let (size, modules) = try #require(
                Self.written(bytes, DmtxSchemeBase256, size: Int32(DmtxSymbolSquareAuto.rawValue)))
            #expect(Self.read(size, modules) == bytes)
        }
    }

    /// A word of the 10 × 10 symbol's code for "123456": ISO/IEC 16022, annex O.
    @Test func theStandardsExampleIsRight() throws {
        let data: [UInt8] = [142, 164, 186]
        #expect(ReedSolomon.dataMatrix.parity(of: data, count: 5) == [114, 25, 5, 88, 102])
        #expect(Self.read(SymbolSize.all[0], Self.modules(SymbolSize.all[0], data)) == Array("123456".utf8))
    }

    @Test func asManyErrorsAsAllowedAreCorrected() throws {
        var random = SplitMix64(seed: 4)
        for size in SymbolSize.all {
            let data = (0..<size.dataCodewords).map { (k: Int) -> UInt8 in UInt8(66 + k % 50) }
            let modules = Self.modules(size, data)
            let places = CodewordPlacement(size).modules
            for errors in [size.maximumCorrections, size.maximumCorrections + 1] {
                var damaged = modules
                // Codewords of the last block, each with one or more wrong modules.
                var left = Array(stride(from: size.blocks - 1, to: size.codewords, by: size.blocks))
                for _ in 0..<errors {
                    let codeword = left.remove(at: random.below(left.count))
                    for bit in 0...random.below(8) { damaged[Int(places[codeword * 8 + bit])].toggle() }
                }
                let expected = errors == size.maximumCorrections ? data.map { $0 - 1 } : nil
                #expect(Self.read(size, damaged) == expected, "\(size.rows) × \(size.columns), \(errors)")
            }
        }
    }

    // MARK: Text, codeword by codeword

    private func text(_ codewords: [UInt8]) -> String? {
        CodewordText(codewords).map { String(decoding: $0.bytes, as: UTF8.self) }
    }

    /// Three values in two codewords.
    private func triple(_ a: Int, _ b: Int, _ c: Int) -> [UInt8] {
        let packed = 1600 * a + 40 * b + c + 1
        return [UInt8(packed >> 8), UInt8(packed & 0xFF)]
    }

    @Test func fnc1InFrontIsAnApplicationsData() {
        #expect(CodewordText([232, 131, 66])?.isGS1 == true)
        #expect(CodewordText([66, 232, 131])?.isGS1 == true)  // in second position
        #expect(CodewordText([233, 1, 2, 3, 232, 131])?.isGS1 == true)  // behind what tells one of several symbols
        #expect(CodewordText([131, 66])?.isGS1 == false && CodewordText([131, 66, 232, 67])?.isGS1 == false)
    }

    @Test func whatHasAMeaningIsRead() {
        #expect(text([66, 129, 7, 0]) == "A")  // nothing counts behind the first pad
        #expect(text([232, 131, 232, 66]) == "01\u{1D}A")  // FNC1 in front and between
        #expect(text([236, 66]) == "[)>\u{1E}05\u{1D}A\u{1E}\u{04}")
        #expect(text([237, 66]) == "[)>\u{1E}06\u{1D}A\u{1E}\u{04}")
        #expect(text([241, 27, 66]) == "A" && text([241, 130, 9, 66]) == "A" && text([241, 200, 9, 9, 66]) == "A")
        #expect(text([233, 1, 2, 3, 66]) == "A")
        #expect(text([234, 66]) == "A")  // reader programming
        #expect(CodewordText([235, 66])?.bytes == [0xC1])
        #expect(text([230] + triple(14, 15, 16) + [254, 66]) == "ABCA")
        #expect(text([230] + triple(0, 0, 14) + [66]) == "\u{00}AA")
        #expect(text([239] + triple(2, 1, 14)) == "Aa")
        #expect(CodewordText([230] + triple(1, 30, 14))?.bytes == [0xC1])
        #expect(CodewordText([230] + triple(0, 9, 14) + [254])?.bytes == [9, 65])
        #expect(CodewordText([230] + triple(1, 27, 3))?.bytes == [0x1D, 32])
    }

    @Test func whatCannotBeIsNone() {
        #expect(text([]) == nil && text([129]) == nil && text([230]) == nil)
        #expect(text([0]) == nil && text([66, 234]) == nil && text([242]) == nil && text([255]) == nil)
        #expect(text([66, 236]) == nil)  // a macro stands in front
        #expect(text([241]) == nil && text([241, 0, 1]) == nil && text([241, 200, 1]) == nil)
        #expect(text([233, 1, 2]) == nil)
        #expect(text([230] + triple(1, 28, 14)) == nil && text([230] + triple(1, 31, 14)) == nil)
        #expect(text([230] + triple(0, 32, 14)) == nil && text([239] + triple(2, 32, 14)) == nil)
        // An upper shift on a value that no set has: libdmtx 0.7.7 ends the program here.
        #expect(text([230] + triple(1, 30, 2) + triple(39, 3, 3)) == nil)
        #expect(text([230, 0, 0]) == nil && text([230, 253, 255]) == nil)
        #expect(text([231]) == nil)
        // 250 and more bytes in a symbol that holds two.
        #expect(text([231, 255, 255]) == nil)
    }

    /// Codewords that nobody writes, with the right error correction: any text or none, in bounds.
    @Test func hostileCodewordsAreBounded() {
        var random = SplitMix64(seed: 11)
        var texts = 0
        for size in SymbolSize.all {
            for _ in 0..<20 {
                var data = random.bytes(size.dataCodewords)
                data[0] = [230, 231, 232, 236, 238, 239, 240, 241, 66, 235][random.below(10)]
                guard let text = Self.read(size, Self.modules(size, data)) else { continue }
                texts += 1
                #expect(!text.isEmpty && text.count <= 2 * size.dataCodewords + 9)
            }
        }
        #expect(texts > 20)
    }

    /// Random modules in every size: the decoder says no.
    @Test func randomModulesAreNoText() {
        var random = SplitMix64(seed: 11)
        for size in SymbolSize.all {
            for _ in 0..<40 {
                let bits = (0..<size.mappingRows * size.mappingColumns).map { _ in random.next() & 1 == 1 }
                #expect(Self.read(size, bits) == nil)
            }
        }
    }
}
