import ReedSolomon

/// From modules to the text: codewords, error correction, encodation. It sees no picture, so its work is bounded.
package enum ModuleDecoder {
    private static let placements = SymbolSize.all.map(CodewordPlacement.init)

    /// - Parameter isDark: of the data's modules, by row and column of the mapping matrix.
    /// - Returns: the text's bytes, or `nil` when there are more errors than can be corrected, or what is there is no text.
    package static func decode(_ size: SymbolSize, isDark: (Int, Int) -> Bool) -> [UInt8]? {
        text(size, isDark: isDark)?.bytes
    }

    /// The same, with what the codewords say besides.
    static func text(_ size: SymbolSize, isDark: (Int, Int) -> Bool) -> CodewordText? {
        guard let index = SymbolSize.all.firstIndex(of: size),
            let data = corrected(read(size, placements[index].modules, isDark), size)
        else { return nil }
        return CodewordText(data)
    }

    private static func read(_ size: SymbolSize, _ modules: [UInt16], _ isDark: (Int, Int) -> Bool) -> [UInt8] {
        let columns = size.mappingColumns
        return (0..<size.codewords).map { (index: Int) -> UInt8 in
            var codeword: UInt8 = 0
            for module in modules[index * 8..<index * 8 + 8] {
                let (row, column) = Int(module).quotientAndRemainder(dividingBy: columns)
                codeword = codeword << 1 | (isDark(row, column) ? 1 : 0)
            }
            return codeword
        }
    }

    /// The data, corrected block by block; the blocks take turns in the symbol.
    private static func corrected(_ codewords: [UInt8], _ size: SymbolSize) -> [UInt8]? {
        // In the largest symbol the data does not come out even. Where it ends the next block goes on; some writers, libdmtx
        // among them, begin with the first block again.
        let whole = size.dataCodewords % size.blocks
        for first in whole == 0 ? [0] : [whole, 0] {
            if let data = corrected(codewords, size, firstChecked: first) { return data }
        }
        return nil
    }

    /// - Parameter first: the block whose codeword of error correction comes first.
    private static func corrected(_ codewords: [UInt8], _ size: SymbolSize, firstChecked first: Int) -> [UInt8]? {
        var data = Array(codewords.prefix(size.dataCodewords))
        for block in 0..<size.blocks {
            let places = stride(from: block, to: size.dataCodewords, by: size.blocks)
            let begin = size.dataCodewords + (block + size.blocks - first) % size.blocks
            let checks = stride(from: begin, to: size.codewords, by: size.blocks)
            var word = places.map { codewords[$0] } + checks.map { codewords[$0] }
            guard
                ReedSolomon.dataMatrix.correct(
                    &word, parity: size.checks, erasures: [], maximumErrors: size.maximumCorrections)
            else { return nil }
            for (place, codeword) in zip(places, word) { data[place] = codeword }
        }
        return data
    }
}
