/// The Reed-Solomon code of QR codes: over the field of 256 elements made by x^8 + x^4 + x^3 + x^2 + 1, with roots
/// 2^0, 2^1 and on (ISO/IEC 18004, 7.5.2).
enum ReedSolomon {
    /// Powers of 2, twice over, so that sums of two logarithms need no reduction.
    private static let powers: [UInt8] = {
        var powers = [UInt8](repeating: 0, count: 512)
        var value: UInt16 = 1
        for exponent in 0..<255 {
            powers[exponent] = UInt8(truncatingIfNeeded: value)
            powers[exponent + 255] = UInt8(truncatingIfNeeded: value)
            value <<= 1
            if value > 255 { value ^= 0x11D }
        }
        return powers
    }()

    private static let logarithms: [UInt8] = {
        var logarithms = [UInt8](repeating: 0, count: 256)
        for exponent in 0..<255 { logarithms[Int(powers[exponent])] = UInt8(exponent) }
        return logarithms
    }()

    @inline(__always)
    private static func times(_ a: UInt8, _ b: UInt8) -> UInt8 {
        a == 0 || b == 0 ? 0 : powers[Int(logarithms[Int(a)]) + Int(logarithms[Int(b)])]
    }

    /// `b` must not be 0.
    @inline(__always)
    private static func over(_ a: UInt8, _ b: UInt8) -> UInt8 {
        a == 0 ? 0 : powers[Int(logarithms[Int(a)]) + 255 - Int(logarithms[Int(b)])]
    }

    /// 2^`exponent`, for exponents of any sign.
    private static func power(_ exponent: Int) -> UInt8 { powers[((exponent % 255) + 255) % 255] }

    /// A polynomial's value; its first coefficient is the constant.
    private static func value(_ polynomial: [UInt8], at x: UInt8) -> UInt8 {
        polynomial.reversed().reduce(0) { times($0, x) ^ $1 }
    }

    /// What is left of the word at each root: all 0 when it is right.
    private static func syndromes(_ word: [UInt8], _ parity: Int) -> [UInt8] {
        (0..<parity).map { root in
            let x = power(root)
            return word.reduce(0) { times($0, x) ^ $1 }
        }
    }

    /// Corrects a word in place.
    ///
    /// - Parameters:
    ///   - word: data, then parity; at most 255 bytes.
    ///   - parity: how many bytes of parity.
    ///   - erasures: indices of bytes that are not to be trusted.
    ///   - mostErrors: how many other bytes may be wrong; at most half of the parity that erasures leave over.
    /// - Returns: `false`, and the word as it was, when it cannot be corrected.
    static func correct(_ word: inout [UInt8], parity: Int, erasures: [Int], mostErrors: Int) -> Bool {
        guard word.count <= 255, parity <= word.count, erasures.count + 2 * mostErrors <= parity else { return false }
        let syndromes = syndromes(word, parity)
        if syndromes.allSatisfy({ $0 == 0 }) { return true }
        let places = erasures.map { power(word.count - 1 - $0) }
        guard let locator = locator(syndromes, places, mostErrors) else { return false }
        // Where the locator's roots are, bytes are wrong.
        let wrong = word.indices.filter { value(locator, at: power($0 - word.count + 1)) == 0 }
        guard wrong.count == locator.count - 1 else { return false }
        var evaluator = [UInt8](repeating: 0, count: parity)
        for (i, a) in locator.enumerated() {
            for j in 0..<max(0, parity - i) { evaluator[i + j] ^= times(a, syndromes[j]) }
        }
        var corrected = word
        for index in wrong {
            let inverse = power(index - word.count + 1)
            // The derivative keeps the odd terms only (Forney's algorithm; the first root is 2^0).
            var derivative: UInt8 = 0
            for term in stride(from: 1, to: locator.count, by: 2) {
                derivative ^= times(locator[term], term == 1 ? 1 : power(Int(logarithms[Int(inverse)]) * (term - 1)))
            }
            guard derivative != 0 else { return false }
            let place = power(word.count - 1 - index)
            corrected[index] ^= times(place, over(value(evaluator, at: inverse), derivative))
        }
        guard Self.syndromes(corrected, parity).allSatisfy({ $0 == 0 }) else { return false }
        word = corrected
        return true
    }

    /// The polynomial whose roots tell the wrong places, erasures among them: Berlekamp's and Massey's algorithm, begun
    /// with the erasures.
    private static func locator(_ syndromes: [UInt8], _ erasures: [UInt8], _ mostErrors: Int) -> [UInt8]? {
        var locator: [UInt8] = [1]
        for place in erasures {
            var next = locator + [0]
            for (index, coefficient) in locator.enumerated() { next[index + 1] ^= times(coefficient, place) }
            locator = next
        }
        var previous = locator
        var errors = 0
        for step in erasures.count..<syndromes.count {
            var discrepancy: UInt8 = 0
            for (index, coefficient) in locator.enumerated() where index <= step {
                discrepancy ^= times(coefficient, syndromes[step - index])
            }
            previous.insert(0, at: 0)
            guard discrepancy != 0 else { continue }
            var next = locator
            while next.count < previous.count { next.append(0) }
            for (index, coefficient) in previous.enumerated() { next[index] ^= times(coefficient, discrepancy) }
            if 2 * errors <= step - erasures.count {
                errors = step - erasures.count + 1 - errors
                guard errors <= mostErrors else { return nil }
                previous = locator.map { over($0, discrepancy) }
            }
            locator = next
        }
        while locator.count > 1, locator.last == 0 { locator.removeLast() }
        return locator.count - 1 <= erasures.count + mostErrors ? locator : nil
    }
}
