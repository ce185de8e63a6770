/// Whether codewords are a word of Data Matrix's Reed-Solomon code (ISO/IEC 16022, annex E: GF(256) by x⁸ + x⁵ + x³ + x² + 1).
///
/// libdmtx takes corrections for good that lie beyond the symbol's end, which in small symbols makes a text of every few
/// hundredth clutter: what it has corrected is checked here.
enum ReedSolomonCheck {
    private static let powers: [UInt8] = {
        var powers = [UInt8](repeating: 1, count: 510)
        var value = 1
        for index in 0..<510 {
            powers[index] = UInt8(value)
            value <<= 1
            if value > 255 { value ^= 301 }
        }
        return powers
    }()

    private static let logarithms: [Int] = {
        var logarithms = [Int](repeating: 0, count: 256)
        for index in 0..<255 { logarithms[Int(powers[index])] = index }
        return logarithms
    }()

    /// - Parameters:
    ///   - blocks: how many blocks are interleaved.
    ///   - checks: codewords of error correction in each block.
    static func isWord(_ codewords: UnsafeBufferPointer<UInt8>, blocks: Int, checks: Int) -> Bool {
        guard blocks > 0, checks > 0 else { return false }
        for block in 0..<blocks {
            for root in 1...checks {
                var sum: UInt8 = 0
                for index in stride(from: block, to: codewords.count, by: blocks) {
                    sum = (sum == 0 ? 0 : powers[logarithms[Int(sum)] + root]) ^ codewords[index]
                }
                guard sum == 0 else { return false }
            }
        }
        return true
    }
}
