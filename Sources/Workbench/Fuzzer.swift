/// Makes hostile messages from good ones: flipped bits, cuts, insertions, wrong lengths, splices, noise. The same seed
/// makes the same inputs.
public struct Fuzzer {
    private let corpus: [[UInt8]]
    private var state: UInt64

    public init(corpus: [[UInt8]], seed: UInt64) {
        self.corpus = corpus
        state = seed
    }

    private mutating func random() -> UInt64 {
        // SplitMix64.
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    private mutating func below(_ limit: Int) -> Int { limit <= 0 ? 0 : Int(random() % UInt64(limit)) }

    public mutating func next() -> [UInt8] {
        if corpus.isEmpty || below(50) == 0 { return (0..<below(800)).map { _ in UInt8(truncatingIfNeeded: random()) } }
        var bytes = corpus[below(corpus.count)]
        for _ in 0...below(4) { mutate(&bytes) }
        return bytes
    }

    private mutating func mutate(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let at = below(bytes.count)
        switch below(8) {
        case 0: bytes[at] ^= 1 << UInt8(below(8))
        case 1: bytes[at] = [0, 1, 0x7F, 0x80, 0xFF, 4, 5, 6][below(8)]
        case 2: bytes.removeLast(bytes.count - at)
        case 3: bytes.insert(contentsOf: (0..<below(40)).map { _ in UInt8(truncatingIfNeeded: random()) }, at: at)
        case 4: bytes.removeSubrange(at..<min(bytes.count, at + 1 + below(20)))
        case 5:
            // Where the lengths are: token, signature, and in the tail.
            let place = [18, 19, 56, 57, bytes.count - below(min(80, bytes.count))][below(5)]
            if place < bytes.count { bytes[place] = UInt8(truncatingIfNeeded: random()) }
        case 6:
            let other = corpus[below(corpus.count)]
            bytes = Array(bytes[..<at]) + other[min(other.count, at)...]
        default: bytes[min(1, bytes.count - 1)] = UInt8(below(0x32))
        }
    }
}
