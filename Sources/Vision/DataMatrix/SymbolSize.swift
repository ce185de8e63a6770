/// One of the sizes of ECC 200 (ISO/IEC 16022, table 7), or of its rectangular extensions (ISO/IEC 21471, table 1).
package struct SymbolSize: Sendable, Equatable {
    /// Modules, with the solid and the dashed sides.
    package let rows, columns: Int
    /// Modules of a data region, without its own sides.
    let regionRows, regionColumns: Int
    /// Codewords of data; how many blocks they and those of error correction are in; those of correction in a block.
    package let dataCodewords, blocks, checks: Int

    /// Modules of the data regions together.
    package var mappingRows: Int { rows / (regionRows + 2) * regionRows }
    package var mappingColumns: Int { columns / (regionColumns + 2) * regionColumns }
    /// Of data and error correction together.
    package var codewords: Int { dataCodewords + blocks * checks }

    /// How many wrong codewords in a block are corrected. The smallest symbols have so few to check with that clutter would
    /// pass for a text one time in a million: they get one less than could be.
    var maximumCorrections: Int { checks <= 10 ? max(checks / 2 - 1, 0) : checks / 2 }

    package static let all: [SymbolSize] = [
        .init(10, 10, 8, 8, 3, 1, 5), .init(12, 12, 10, 10, 5, 1, 7), .init(14, 14, 12, 12, 8, 1, 10),
        .init(16, 16, 14, 14, 12, 1, 12), .init(18, 18, 16, 16, 18, 1, 14), .init(20, 20, 18, 18, 22, 1, 18),
        .init(22, 22, 20, 20, 30, 1, 20), .init(24, 24, 22, 22, 36, 1, 24), .init(26, 26, 24, 24, 44, 1, 28),
        .init(32, 32, 14, 14, 62, 1, 36), .init(36, 36, 16, 16, 86, 1, 42), .init(40, 40, 18, 18, 114, 1, 48),
        .init(44, 44, 20, 20, 144, 1, 56), .init(48, 48, 22, 22, 174, 1, 68), .init(52, 52, 24, 24, 204, 2, 42),
        .init(64, 64, 14, 14, 280, 2, 56), .init(72, 72, 16, 16, 368, 4, 36), .init(80, 80, 18, 18, 456, 4, 48),
        .init(88, 88, 20, 20, 576, 4, 56), .init(96, 96, 22, 22, 696, 4, 68), .init(104, 104, 24, 24, 816, 6, 56),
        .init(120, 120, 18, 18, 1050, 6, 68), .init(132, 132, 20, 20, 1304, 8, 62),
        .init(144, 144, 22, 22, 1558, 10, 62),
        .init(8, 18, 6, 16, 5, 1, 7), .init(8, 32, 6, 14, 10, 1, 11), .init(12, 26, 10, 24, 16, 1, 14),
        .init(12, 36, 10, 16, 22, 1, 18), .init(16, 36, 14, 16, 32, 1, 24), .init(16, 48, 14, 22, 49, 1, 28),
        // The extensions.
        .init(8, 48, 6, 22, 18, 1, 15), .init(8, 64, 6, 14, 24, 1, 18), .init(8, 80, 6, 18, 32, 1, 22),
        .init(8, 96, 6, 22, 38, 1, 28), .init(8, 120, 6, 18, 49, 1, 32), .init(8, 144, 6, 22, 63, 1, 36),
        .init(12, 64, 10, 14, 43, 1, 27), .init(12, 88, 10, 20, 64, 1, 36), .init(16, 64, 14, 14, 62, 1, 36),
        .init(20, 36, 18, 16, 44, 1, 28), .init(20, 44, 18, 20, 56, 1, 34), .init(20, 64, 18, 14, 84, 1, 42),
        .init(22, 48, 20, 22, 72, 1, 38), .init(24, 48, 22, 22, 80, 1, 41), .init(24, 64, 22, 14, 108, 1, 46),
        .init(26, 40, 24, 18, 70, 1, 38), .init(26, 48, 24, 22, 90, 1, 42), .init(26, 64, 24, 14, 118, 1, 50),
    ]

    static func with(rows: Int, columns: Int) -> SymbolSize? {
        all.first { $0.rows == rows && $0.columns == columns }
    }

    private init(
        _ rows: Int, _ columns: Int, _ regionRows: Int, _ regionColumns: Int, _ dataCodewords: Int, _ blocks: Int,
        _ checks: Int
    ) {
        self.rows = rows
        self.columns = columns
        self.regionRows = regionRows
        self.regionColumns = regionColumns
        self.dataCodewords = dataCodewords
        self.blocks = blocks
        self.checks = checks
    }

    /// Where a module of the data is in the symbol.
    package func place(row: Int, column: Int) -> (row: Int, column: Int) {
        (
            row / regionRows * (regionRows + 2) + 1 + row % regionRows,
            column / regionColumns * (regionColumns + 2) + 1 + column % regionColumns
        )
    }
}
