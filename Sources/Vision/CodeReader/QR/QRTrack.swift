import Geometry

/// A symbol that is followed from frame to frame.
struct QRTrack {
    /// As it was found last.
    var symbol: QRFindings.Symbol
    /// The frames in which it was found last, read last, and looked for last.
    var lastFrame: Int
    var lastRead: Int?
    var lastTry: Int
    /// How often it has been looked for in vain since it was found.
    var misses = 0
    /// In how many frames it has been found.
    var count = 1
    /// What several frames have shown of it.
    var memory = SymbolMemory()
    /// What the second reader said of it, and in which frame.
    var second: (reading: Reading, frame: Int)?
    /// When the second reader was asked.
    var lastSecond = -1000
    /// What we said of it last.
    var reading: Reading?

    /// After so many frames in which it was looked for in vain it is forgotten.
    private static let patience = 15
    /// After so many frames it is forgotten anyhow.
    private static let memoryFrames = 60

    init(_ symbol: QRFindings.Symbol, frame: Int) {
        self.symbol = symbol
        lastFrame = frame
        lastTry = frame
        lastRead = symbol.reading == nil ? nil : frame
        reading = symbol.reading
    }

    /// Whether it was read in one of the last frames.
    func isRead(in frame: Int, last count: Int = 15) -> Bool { lastRead.map { frame - $0 <= count } ?? false }

    func isForgotten(in frame: Int) -> Bool {
        (misses >= Self.patience && frame - lastFrame >= Self.patience) || frame - lastFrame > Self.memoryFrames
    }

    mutating func found(_ symbol: QRFindings.Symbol, frame: Int) {
        self.symbol = symbol
        if lastFrame != frame { count += 1 }
        lastFrame = frame
        misses = 0
        guard let reading = symbol.reading else { return }
        lastRead = frame
        self.reading = reading
    }

    /// Whether a symbol is in its place.
    func isPlace(of other: QRFindings.Symbol) -> Bool {
        let size = Float(symbol.grid.dimension) * symbol.module
        return (symbol.grid.middle - other.grid.middle).length < 0.3 * size
    }

    /// Whether that is where the aim is.
    func isPlace(of aim: Aim) -> Bool { symbol.covers(aim) }

    /// Whether the middle of one lies on the ground of the other.
    func overlaps(_ other: QRTrack) -> Bool { symbol.covers(other.symbol.aim) || other.symbol.covers(symbol.aim) }

    /// How far a symbol of its kind is; `nil` for one of another kind.
    func distance(to other: QRFindings.Symbol) -> Float? {
        guard symbol.grid.dimension == other.grid.dimension, symbol.module < 1.3 * other.module,
            other.module < 1.3 * symbol.module
        else { return nil }
        return (symbol.grid.middle - other.grid.middle).length
    }
}
