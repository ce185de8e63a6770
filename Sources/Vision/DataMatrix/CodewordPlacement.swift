/// Which module holds which bit of which codeword (ISO/IEC 16022, annex F).
package struct CodewordPlacement: Sendable {
    /// For each codeword its eight modules, the highest bit's first, as `row * columns + column` of the mapping matrix.
    package private(set) var modules: [UInt16]

    private let rows, columns: Int
    /// While it is made.
    private var isTaken: [Bool]

    /// Eight modules, the lowest right one at the origin: where most codewords are.
    private static let usual = [(-2, -2), (-2, -1), (-1, -2), (-1, -1), (-1, 0), (0, -2), (0, -1), (0, 0)]
    /// Four that lie around the matrix' corners; what is negative counts from the last row or column.
    private static let corners = [
        [(-1, 0), (-1, 1), (-1, 2), (0, -2), (0, -1), (1, -1), (2, -1), (3, -1)],
        [(-3, 0), (-2, 0), (-1, 0), (0, -4), (0, -3), (0, -2), (0, -1), (1, -1)],
        [(-3, 0), (-2, 0), (-1, 0), (0, -2), (0, -1), (1, -1), (2, -1), (3, -1)],
        [(-1, 0), (-1, -1), (0, -3), (0, -2), (0, -1), (1, -3), (1, -2), (1, -1)],
    ]

    package init(_ size: SymbolSize) {
        rows = size.mappingRows
        columns = size.mappingColumns
        modules = []
        modules.reserveCapacity(size.codewords * 8)
        isTaken = [Bool](repeating: false, count: rows * columns)
        var (row, column) = (4, 0)
        repeat {
            placeCorner(row, column)
            // To the upper right, then back to the lower left, two modules at a time.
            repeat {
                placeUsual(row, column)
                row -= 2
                column += 2
            } while row >= 0 && column < columns
            row += 1
            column += 3
            repeat {
                placeUsual(row, column)
                row += 2
                column -= 2
            } while row < rows && column >= 0
            row += 3
            column += 1
        } while row < rows || column < columns
        isTaken = []
    }

    private mutating func placeCorner(_ row: Int, _ column: Int) {
        let kind: Int
        switch (row, column) {
        case (rows, 0): kind = 0
        case (rows - 2, 0) where columns % 8 == 4: kind = 2
        case (rows - 2, 0) where columns % 4 != 0: kind = 1
        case (rows + 4, 2) where columns % 8 == 0: kind = 3
        default: return
        }
        for (y, x) in Self.corners[kind] { place(y < 0 ? rows + y : y, x < 0 ? columns + x : x) }
    }

    private mutating func placeUsual(_ row: Int, _ column: Int) {
        guard row >= 0, row < rows, column >= 0, column < columns, !isTaken[row * columns + column] else { return }
        for (y, x) in Self.usual { place(row + y, column + x) }
    }

    /// What goes over an edge comes in at the opposite one, some modules aside.
    private mutating func place(_ row: Int, _ column: Int) {
        var (row, column) = (row, column)
        if row < 0 {
            row += rows
            column += 4 - (rows + 4) % 8
        }
        if column < 0 {
            column += columns
            row += 4 - (columns + 4) % 8
        }
        // Of the rectangular extensions only (ISO/IEC 21471, annex E).
        if row >= rows { row -= rows }
        let module = row * columns + column
        isTaken[module] = true
        modules.append(UInt16(module))
    }
}
