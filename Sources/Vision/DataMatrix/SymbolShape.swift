/// How a symbol lies in a picture: a size, upright or, as seen in a mirror or through glass, with rows and columns exchanged.
///
/// A mirrored symbol has its solid and its dashed sides where an upright one has them.
struct SymbolShape {
    let size: SymbolSize
    /// Rows are columns of the symbol.
    let isTransposed: Bool
    /// Modules in the picture.
    var rows: Int { isTransposed ? size.columns : size.rows }
    var columns: Int { isTransposed ? size.rows : size.columns }
    /// A rectangle shows by its sides whether it is mirrored.
    var mayBeMirrored: Bool { isTransposed || size.rows == size.columns }

    /// Square sizes once: whether they are mirrored their sides do not tell.
    static let all: [SymbolShape] =
        SymbolSize.all.map { SymbolShape(size: $0, isTransposed: false) }
        + SymbolSize.all.filter { $0.rows != $0.columns }.map { SymbolShape(size: $0, isTransposed: true) }
}
