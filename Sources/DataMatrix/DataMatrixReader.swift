import Luma

/// A Data Matrix in a picture.
public struct DataMatrixSymbol: Sendable, Hashable {
    public let text: [UInt8]
    /// Upper left, upper right, lower right and lower left of the upright symbol, in pixels.
    public let corners: [SIMD2<Float>]
}

/// Finds and reads Data Matrix symbols of ECC 200 (ISO/IEC 16022), turned and tilted, dark on light and light on dark.
///
/// Edges that make an L are found first; then rays from the ends of its arms count the dashes of the other two sides, which
/// gives size and far corner; modules are sampled through the projective map of the four corners. libdmtx corrects errors
/// and reads the text; it sees no picture. The work is bounded by the picture's size: every step has a limit on how many
/// candidates it passes on.
public enum DataMatrixReader {
    /// At most so many symbols are read in one picture.
    public static let most = 8
    /// Larger pictures are not looked at: no camera gives them, and each pixel takes up to seven bytes of memory.
    public static let mostPixels = 1 << 24
    /// At most so many places that could be a symbol are looked at.
    static let mostPlaces = 60
    /// Shorter edges are no side of a symbol, in pixels: ten modules of 1.2 pixels.
    private static let leastSide: Float = 12

    /// How much work a picture may be.
    public struct Effort: Sendable {
        /// Symbols whose sides are longer are left to a smaller copy of the picture, in pixels.
        public var longestSide: Float = .infinity
        /// Grey levels that are looked at, each some nanoseconds.
        public var samples = 40_000_000
        /// So many of the places that could be a symbol are left out, the largest: a frame before has looked at them.
        public var skipped = 0

        public init() {}
    }

    /// The symbols in a picture.
    ///
    /// - Returns: the symbols; and how many places have been looked at, counted from the first, `nil` when all have.
    public static func read(
        _ plane: LumaPlane, _ effort: Effort = Effort()
    ) -> (symbols: [DataMatrixSymbol], lookedAt: Int?) {
        guard plane.width >= 16, plane.height >= 16, plane.width * plane.height <= mostPixels else { return ([], nil) }
        let field = GradientField(plane)
        let edges = EdgeSegment.find(field, least: leastSide, most: effort.longestSide)
        let candidates = FinderL.find(edges, most: mostPlaces)
        var found: [DataMatrixSymbol] = []
        var lookedAt: Int?
        let work = Work(effort.samples)
        field.smooth.withUnsafeBufferPointer { pixels in
            guard let base = pixels.baseAddress else { return }
            let smooth = PixelSampler(
                pixels: base, width: field.width, height: field.height, stride: field.width, work: work)
            let sharp = PixelSampler(
                pixels: plane.base, width: plane.width, height: plane.height, stride: plane.stride, work: work)
            for (index, candidate) in candidates.enumerated().dropFirst(effort.skipped) where found.count < most {
                guard !work.isDone else {
                    lookedAt = index
                    break
                }
                // What is within a symbol that was read is part of it.
                guard !found.contains(where: { $0.surrounds(candidate.corner) }) else { continue }
                // Smoothing takes away small modules; noise takes away dashes that were not smoothed.
                let samplers = candidate.size < 200 ? [sharp, smooth] : [smooth]
                if let symbol = read(candidate, samplers, isNoisy: field.isNoisy) { found.append(symbol) }
            }
        }
        return (found, lookedAt)
    }

    private static func read(_ finder: FinderL, _ samplers: [PixelSampler], isNoisy: Bool) -> DataMatrixSymbol? {
        for var sampler in samplers {
            sampler.isInverted = finder.isInverted
            guard let candidate = SymbolCandidate(finder, sampler) else { continue }
            let (upper, right) = candidate.dashedSides()
            if upper == nil, right == nil {
                if isNoisy { continue }
                return nil
            }
            if let symbol = candidate.read(upper, right) { return symbol }
        }
        return nil
    }
}

extension DataMatrixSymbol {
    fileprivate func surrounds(_ place: Vector) -> Bool {
        var middle = Vector.zero
        for corner in corners { middle += corner / 4 }
        let reach = corners.map { ($0 - middle).length }.max() ?? 0
        return (place - middle).length < reach * 1.05
    }
}
