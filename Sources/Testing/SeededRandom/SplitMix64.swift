/// SplitMix64 (Steele, Lea and Flood 2014): the same seed gives the same numbers on every machine. For drawn scenes and for
/// fuzzing, never for secrets.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    @usableFromInline var state: UInt64

    /// Any seed is good, 0 too.
    @inlinable public init(seed: UInt64) {
        state = seed
    }

    /// The next number, all 64 bits of it random.
    @inlinable public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// From 0 up to a limit, and 0 for a limit that leaves nothing; evenly enough for small limits.
    @inlinable public mutating func below(_ limit: Int) -> Int { limit <= 0 ? 0 : Int(next() % UInt64(limit)) }

    /// So many bytes, each by a number of its own.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { (_: Int) -> UInt8 in UInt8(truncatingIfNeeded: next()) }
    }
}
