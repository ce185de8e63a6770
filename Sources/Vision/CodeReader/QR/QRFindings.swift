import Geometry

/// What a look at a picture gave.
struct QRFindings {
    /// A symbol that was found; read when there is a reading.
    struct Symbol {
        var grid: SymbolGrid
        var module: Float
        var aim: Aim
        var isInverted: Bool
        /// How it was found.
        var look: QRSearch.Look
        var reading: Reading?
    }

    /// Two finder patterns that go together.
    struct Hint {
        /// The box around them.
        var aim: Aim
        var isInverted: Bool
    }

    var symbols: [Symbol] = []
    /// Of the largest group of finder patterns that go together and belong to no symbol that was read.
    var hint: Hint?

    var readings: [Reading] {
        var readings: [Reading] = []
        for case let reading? in symbols.map(\.reading)
        where readings.count < CodeReader.maximumReadings && !readings.contains(where: { $0.value == reading.value }) {
            readings.append(reading)
        }
        return readings
    }

    /// Whether a symbol in this place has been read.
    func hasRead(_ grid: SymbolGrid) -> Bool {
        symbols.contains { $0.reading != nil && grid.overlaps($0.grid) }
    }

    /// The best that is known of where to look.
    var aim: Aim? {
        if var read = symbols.first(where: { $0.reading != nil })?.aim {
            read.wasRead = true
            return read
        }
        return symbols.max { ($0.aim.sharpness ?? 0) < ($1.aim.sharpness ?? 0) }?.aim ?? hint?.aim
    }

    mutating func add(_ other: QRFindings) {
        for symbol in other.symbols { add(symbol) }
        hint = hint ?? other.hint
    }

    /// Adds a symbol unless it is known, or in place of the same one unread.
    mutating func add(_ symbol: Symbol) {
        let middle = symbol.grid.middle
        let same = symbols.firstIndex {
            ($0.grid.middle - middle).length < 0.3 * Float(symbol.grid.dimension) * symbol.module
        }
        guard let same else { return symbols.append(symbol) }
        if symbols[same].reading == nil { symbols[same] = symbol }
    }
}
