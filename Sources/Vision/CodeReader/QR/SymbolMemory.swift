/// What several frames have shown of one symbol, module by module.
///
/// Only frames of the same symbol are put together: when the dimension, or the modules that depend on the text, do not
/// agree with what was seen before, it begins anew. What comes out is a text only when its codewords' error correction
/// says so.
struct SymbolMemory {
    /// Below this correlation of the data modules it is another symbol: two that say different things have about 0.
    private static let minimumCorrelation: Float = 0.25
    /// After so many frames without it the symbol is forgotten.
    private static let patience = 10
    /// After so many frames without it another size of symbol may take its place.
    private static let distraction = 3
    /// Frames that count, roughly: what is older fades.
    private static let frames: Float = 12

    private var dimension = 0
    private var sums: [Float] = []
    private var weight: Float = 0
    private var lastFrame = -1_000
    /// How many frames are in it.
    private(set) var count = 0

    /// Puts a frame's samples in and the mean of all frames into `samples`.
    ///
    /// - Parameters:
    ///   - frame: its number.
    /// - Returns: whether there is more in it now than in this frame alone.
    mutating func add(_ samples: ModuleSamples, _ layout: QRLayout, frame: Int) -> Bool {
        // A frame counts once, however often it is looked at.
        guard frame != lastFrame else { return false }
        // What is taken for a symbol of another size in passing does not end the one that is in view.
        guard dimension == samples.dimension || frame - lastFrame > Self.distraction else { return false }
        let quality = samples.quality(layout)
        if dimension != samples.dimension || frame - lastFrame > Self.patience
            || correlation(samples, layout) < Self.minimumCorrelation
        {
            dimension = samples.dimension
            sums = [Float](repeating: 0, count: dimension * dimension)
            weight = 0
            count = 0
        }
        lastFrame = frame
        count += 1
        // A frame in focus weighs more: by how much less its known modules are off.
        let fading = 1 - 1 / Self.frames
        weight = weight * fading + quality
        for v in 0..<dimension {
            for u in 0..<dimension {
                let place = v * dimension + u
                sums[place] = sums[place] * fading + quality * samples.value(u, v)
            }
        }
        guard count > 1 else { return false }
        samples.replace { self.sums[$1 * self.dimension + $0] / self.weight }
        return true
    }

    /// How alike the data modules of a frame and of the memory are: from -1 to 1.
    private func correlation(_ samples: ModuleSamples, _ layout: QRLayout) -> Float {
        var (both, ours, theirs): (Float, Float, Float) = (0, 0, 0)
        for v in 0..<dimension {
            for u in 0..<dimension where layout[u, v] == .data {
                let (a, b) = (sums[v * dimension + u], samples.value(u, v))
                both += a * b
                ours += a * a
                theirs += b * b
            }
        }
        let product = (ours * theirs).squareRoot()
        return product > 0 ? both / product : 0
    }

    /// Forgets everything.
    mutating func clear() { self = SymbolMemory() }
}
