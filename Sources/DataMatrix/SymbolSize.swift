import CDmtx

/// One of the sizes of ECC 200, as libdmtx numbers them (ISO/IEC 16022, table 7).
struct SymbolSize {
    let index: Int32
    /// Modules, with the solid and the dashed sides.
    let rows, columns: Int
    /// Modules of a data region, without its own sides.
    let regionRows, regionColumns: Int
    /// Of the data regions together.
    let mappingRows, mappingColumns: Int

    /// Codewords of data and error correction together; how many blocks they are in; those of correction in a block.
    let codewords, blocks, checks: Int

    /// How many wrong codewords are corrected. The smallest symbols have so few to check with that clutter would pass for
    /// a text one time in a million: they get one less than could be.
    var mostCorrections: Int32 { checks <= 10 ? Int32(max(checks / 2 - 1, 0)) : DmtxUndefined }

    static let all: [SymbolSize] = (0..<Int32(DmtxSymbolSquareCount + DmtxSymbolRectCount)).map(SymbolSize.init)

    static func with(rows: Int, columns: Int) -> SymbolSize? {
        all.first { $0.rows == rows && $0.columns == columns }
    }

    private init(_ index: Int32) {
        self.index = index
        func attribute(_ attribute: DmtxSymAttribute) -> Int {
            Int(dmtxGetSymbolAttribute(Int32(attribute.rawValue), index))
        }
        rows = attribute(DmtxSymAttribSymbolRows)
        columns = attribute(DmtxSymAttribSymbolCols)
        regionRows = attribute(DmtxSymAttribDataRegionRows)
        regionColumns = attribute(DmtxSymAttribDataRegionCols)
        mappingRows = attribute(DmtxSymAttribMappingMatrixRows)
        mappingColumns = attribute(DmtxSymAttribMappingMatrixCols)
        codewords = attribute(DmtxSymAttribSymbolDataWords) + attribute(DmtxSymAttribSymbolErrorWords)
        blocks = attribute(DmtxSymAttribInterleavedBlocks)
        checks = attribute(DmtxSymAttribBlockErrorWords)
    }

    /// Where a module of the data is in the symbol.
    func place(row: Int, column: Int) -> (row: Int, column: Int) {
        (
            row / regionRows * (regionRows + 2) + 1 + row % regionRows,
            column / regionColumns * (regionColumns + 2) + 1 + column % regionColumns
        )
    }
}
