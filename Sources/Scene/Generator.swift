/// SplitMix64 (Steele, Lea and Flood 2014): the same seed draws the same scene on every machine.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) {
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// From 0 up to 1.
    mutating func unit() -> Float { Float(next() >> 40) / Float(1 << 24) }

    /// Normally distributed with mean 0 and deviation 1, nearly: the sum of four.
    mutating func normal() -> Float { (unit() + unit() + unit() + unit() - 2) * 1.732 }

    /// From `low` up to `high`.
    mutating func between(_ low: Float, _ high: Float) -> Float { low + (high - low) * unit() }

    /// From `low` up to `high`, or as far below zero.
    mutating func either(_ low: Float, _ high: Float) -> Float { (unit() < 0.5 ? -1 : 1) * between(low, high) }
}
