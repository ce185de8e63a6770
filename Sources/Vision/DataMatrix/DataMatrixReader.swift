import Geometry
import Luma

/// A Data Matrix in a picture.
public struct DataMatrixSymbol: Sendable, Hashable {
    /// What the symbol says, as bytes; character sets (extended channel interpretations) are passed over.
    public let text: [UInt8]
    /// Upper left, upper right, lower right and lower left of the upright symbol, in pixels; see ``Geometry/Place``.
    public let corners: [Place]
    /// It holds an application's data, mostly GS1's: FNC1 stands in front.
    public let isGS1: Bool
}

/// A Data Matrix whose sides are where a symbol has them, solid and dashed, and whose codewords make no text.
public struct UnreadDataMatrix: Sendable, Hashable {
    /// As of ``DataMatrixSymbol``.
    public let corners: [Place]
    /// Size of a module, in pixels.
    public let module: Float
    /// Grey levels of the dark and the light modules of its sides, on average.
    public let dark, light: Float
}

/// Finds and reads Data Matrix symbols of ECC 200 (ISO/IEC 16022), turned and tilted, dark on light and light on dark.
///
/// Edges that make an L are found first; then rays from the ends of its arms count the dashes of the other two sides, which
/// gives size and far corner; modules are sampled through the projective map of the four corners. What makes a text of them
/// (``ModuleDecoder``) sees no picture. The work is bounded by the picture's size: every step has a limit on how many
/// candidates it passes on.
public enum DataMatrixReader {
    /// At most so many symbols are read in one picture.
    public static let most = 64
    /// Larger pictures are not looked at: no camera gives them, and each pixel takes up to seven bytes of memory.
    public static let maximumPixels = 1 << 24
    /// At most so many places that could be a symbol are looked at.
    public static let maximumPlaces = 4000
    /// Shorter edges are no side of a symbol, in pixels: ten modules of 1.2 pixels.
    private static let minimumSide: Float = 12
    /// How much work a picture may be.
    public struct Effort: Sendable {
        /// Symbols whose sides are longer are left to a smaller copy of the picture, in pixels.
        public var longestSide: Float = .infinity
        /// Symbols whose longer sides are shorter are left to others, in pixels.
        public var shortestSide: Float = 0
        /// Grey levels that are looked at to find symbols, each some nanoseconds.
        public var samples = 40_000_000
        /// And so many to read what is none in the end; `nil`: as many to read symbols and others.
        var reading: Int?
        /// At most so many places that could be a symbol are looked at.
        public var places = DataMatrixReader.maximumPlaces
        /// So many of the places that could be a symbol are left out, the largest: a frame before has looked at them.
        public var skipped = 0

        /// Only what is clear at once is read.
        var isHasty = false

        /// The usual effort: symbols of all sizes, and no place left out.
        public init() {}
    }

    /// What a picture shows.
    public struct Findings: Sendable {
        /// The symbols that were read, at most ``DataMatrixReader/most``.
        public internal(set) var symbols: [DataMatrixSymbol] = []
        /// What could not be read.
        public internal(set) var unread: [UnreadDataMatrix] = []
        /// How many places have been looked at, counted from the first, `nil` when all have.
        public internal(set) var lookedAt: Int?
    }

    /// The symbols in a picture.
    ///
    /// - Returns: the symbols; and how many places have been looked at, counted from the first, `nil` when all have.
    public static func read(
        _ plane: LumaPlane, _ effort: Effort = Effort()
    ) -> (symbols: [DataMatrixSymbol], lookedAt: Int?) {
        let findings = look(plane, effort)
        return (findings.symbols, findings.lookedAt)
    }

    /// The symbols in a picture, and those that could not be read.
    public static func look(_ plane: LumaPlane, _ effort: Effort = Effort()) -> Findings {
        look(plane, effort, known: [])
    }

    /// - Parameter known: symbols that have been read; nothing is looked for on them.
    static func look(_ plane: LumaPlane, _ effort: Effort, known: [DataMatrixSymbol]) -> Findings {
        var findings = Findings()
        guard plane.width >= 16, plane.height >= 16, plane.width * plane.height <= maximumPixels else {
            return findings
        }
        var field = GradientField(plane)
        let edges = EdgeSegment.find(&field, least: minimumSide, most: effort.longestSide)
        let candidates = FinderL.find(
            edges, longerThan: effort.shortestSide, most: min(max(effort.places, 0), maximumPlaces))
        field.smooth.withUnsafeBufferPointer { pixels in
            guard let base = pixels.baseAddress else { return }
            let smooth = SymbolSampler(
                GreySampler(LumaPlane(base: base, width: field.width, height: field.height, stride: field.width)))
            var search = PlaceSearch(
                sharp: SymbolSampler(GreySampler(plane)), smooth: smooth,
                (effort.samples, effort.reading ?? effort.samples, isFree: effort.reading != nil), known: known,
                isHasty: effort.isHasty)
            findings.lookedAt = search.look(at: candidates, from: effort.skipped)
            findings.symbols = Array(search.symbols.dropFirst(known.count))
            findings.unread = search.unread
        }
        findings.unread.removeAll { one in findings.symbols.contains { $0.ground.contains(one.middle) } }
        return findings
    }
}

extension UnreadDataMatrix {
    fileprivate var middle: Place { corners.middle }
}
