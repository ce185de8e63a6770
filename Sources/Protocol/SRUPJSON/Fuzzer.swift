import SeededRandom

/// Makes hostile messages from good ones: flipped bits, cuts, insertions, wrong lengths, splices, noise. The same seed
/// makes the same inputs.
public struct Fuzzer {
    private let corpus: [[UInt8]]
    private var random: SplitMix64

    /// Begins a sequence of inputs.
    ///
    /// - Parameters:
    ///   - corpus: the good messages; without any, all inputs are noise.
    ///   - seed: decides every input that follows.
    public init(corpus: [[UInt8]], seed: UInt64) {
        self.corpus = corpus
        random = SplitMix64(seed: seed)
    }

    /// The next input: mostly a message of the corpus with up to five changes, else noise of less than 800 bytes.
    public mutating func next() -> [UInt8] {
        if corpus.isEmpty || random.below(50) == 0 {
            return random.bytes(random.below(800))
        }
        var bytes = corpus[random.below(corpus.count)]
        for _ in 0...random.below(4) { mutate(&bytes) }
        return bytes
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let at = random.below(bytes.count)
        switch random.below(8) {
        case 0: bytes[at] ^= 1 << UInt8(random.below(8))
        case 1: bytes[at] = [0, 1, 0x7F, 0x80, 0xFF, 4, 5, 6][random.below(8)]
        case 2: bytes.removeLast(bytes.count - at)
        case 3:
            bytes.insert(contentsOf: random.bytes(random.below(40)), at: at)
        case 4: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.below(20)))
        case 5:
            // Where the lengths are: token, signature, and in the tail.
            let place = [18, 19, 56, 57, bytes.count - random.below(min(80, bytes.count))][random.below(5)]
            if place < bytes.count { bytes[place] = UInt8(truncatingIfNeeded: random.next()) }
        case 6:
            let other = corpus[random.below(corpus.count)]
            bytes = Array(bytes[..<at]) + other[min(other.count, at)...]
        default: bytes[min(1, bytes.count - 1)] = UInt8(random.below(0x32))
        }
    }
}
