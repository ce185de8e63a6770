import SeededRandom

extension SplitMix64 {
    /// From 0 up to 1.
    mutating func unit() -> Float { Float(next() >> 40) / Float(1 << 24) }

    /// Normally distributed with mean 0 and deviation 1, nearly: the sum of four.
    mutating func normal() -> Float { (unit() + unit() + unit() + unit() - 2) * 1.732 }

    /// From `low` up to `high`.
    mutating func between(_ low: Float, _ high: Float) -> Float { low + (high - low) * unit() }

    /// From `low` up to `high`, or as far below zero.
    mutating func either(_ low: Float, _ high: Float) -> Float { (unit() < 0.5 ? -1 : 1) * between(low, high) }
}
