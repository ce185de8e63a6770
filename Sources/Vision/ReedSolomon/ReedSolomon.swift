/// A Reed-Solomon code over a field of 256 elements, as printed symbols have them.
public struct ReedSolomon: Sendable {
    /// QR codes: x⁸ + x⁴ + x³ + x² + 1, with roots 2⁰, 2¹ and on (ISO/IEC 18004, 7.5.2).
    public static let qr = ReedSolomon(field: 0x11D, firstRoot: 0)
    /// Data Matrix: x⁸ + x⁵ + x³ + x² + 1, with roots 2¹, 2² and on (ISO/IEC 16022, 5.7.1 and annex E).
    public static let dataMatrix = ReedSolomon(field: 0x12D, firstRoot: 1)

    /// Powers of 2, twice over, so that sums of two logarithms need no reduction.
    private let powers: [UInt8]
    private let logarithms: [UInt8]
    private let firstRoot: Int

    private init(field: UInt16, firstRoot: Int) {
        var powers = [UInt8](repeating: 0, count: 512)
        var logarithms = [UInt8](repeating: 0, count: 256)
        var value: UInt16 = 1
        for exponent in 0..<255 {
            powers[exponent] = UInt8(truncatingIfNeeded: value)
            powers[exponent + 255] = UInt8(truncatingIfNeeded: value)
            logarithms[Int(value)] = UInt8(exponent)
            value <<= 1
            if value > 255 { value ^= field }
        }
        self.powers = powers
        self.logarithms = logarithms
        self.firstRoot = firstRoot
    }

    @inline(__always)
    private func times(_ a: UInt8, _ b: UInt8) -> UInt8 {
        a == 0 || b == 0 ? 0 : powers[Int(logarithms[Int(a)]) + Int(logarithms[Int(b)])]
    }

    /// `b` must not be 0.
    @inline(__always)
    private func over(_ a: UInt8, _ b: UInt8) -> UInt8 {
        a == 0 ? 0 : powers[Int(logarithms[Int(a)]) + 255 - Int(logarithms[Int(b)])]
    }

    /// 2^`exponent`, for exponents of any sign.
    private func power(_ exponent: Int) -> UInt8 { powers[((exponent % 255) + 255) % 255] }

    /// A polynomial's value; its first coefficient is the constant.
    private func value(_ polynomial: [UInt8], at x: UInt8) -> UInt8 {
        polynomial.reversed().reduce(0) { times($0, x) ^ $1 }
    }

    /// The coefficients of the product of all (1 - root x), from the constant on; or of all (x - root), from the highest on.
    private func product(_ roots: [UInt8]) -> [UInt8] {
        var product: [UInt8] = [1]
        for root in roots {
            var next = product + [0]
            for (index, coefficient) in product.enumerated() { next[index + 1] ^= times(coefficient, root) }
            product = next
        }
        return product
    }

    /// What is left of the word at each root: all 0 when it is right.
    private func syndromes(_ word: [UInt8], _ parity: Int) -> [UInt8] {
        (0..<parity).map { root in
            let x = power(root + firstRoot)
            return word.reduce(0) { times($0, x) ^ $1 }
        }
    }

    /// The bytes that follow the data in a right word: what is left of the data when it is divided by the product of all
    /// (x - root).
    public func parity(of data: [UInt8], count: Int) -> [UInt8] {
        let generator = product((0..<count).map { power($0 + firstRoot) })
        var rest = [UInt8](repeating: 0, count: count)
        for byte in data where count > 0 {
            let factor = byte ^ rest.removeFirst()
            rest.append(0)
            for index in rest.indices { rest[index] ^= times(generator[index + 1], factor) }
        }
        return rest
    }

    /// Corrects a word in place.
    ///
    /// - Parameters:
    ///   - word: data, then parity; at most 255 bytes.
    ///   - parity: how many bytes of parity.
    ///   - erasures: indices of bytes that are not to be trusted.
    ///   - maximumErrors: how many other bytes may be wrong; at most half of the parity that erasures leave over.
    /// - Returns: `false`, and the word as it was, when it cannot be corrected.
    public func correct(_ word: inout [UInt8], parity: Int, erasures: [Int], maximumErrors: Int) -> Bool {
        guard word.count <= 255, parity <= word.count, erasures.count + 2 * maximumErrors <= parity else {
            return false
        }
        let syndromes = syndromes(word, parity)
        if syndromes.allSatisfy({ $0 == 0 }) { return true }
        let places = erasures.map { power(word.count - 1 - $0) }
        guard let locator = locator(syndromes, places, maximumErrors) else { return false }
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
            // The derivative keeps the odd terms only (Forney's algorithm).
            var derivative: UInt8 = 0
            for term in stride(from: 1, to: locator.count, by: 2) {
                derivative ^= times(locator[term], term == 1 ? 1 : power(Int(logarithms[Int(inverse)]) * (term - 1)))
            }
            guard derivative != 0 else { return false }
            let factor = power((word.count - 1 - index) * (1 - firstRoot))
            corrected[index] ^= times(factor, over(value(evaluator, at: inverse), derivative))
        }
        guard self.syndromes(corrected, parity).allSatisfy({ $0 == 0 }) else { return false }
        word = corrected
        return true
    }

    /// The polynomial whose roots tell the wrong places, erasures among them: Berlekamp's and Massey's algorithm, begun
    /// with the erasures.
    private func locator(_ syndromes: [UInt8], _ erasures: [UInt8], _ maximumErrors: Int) -> [UInt8]? {
        var locator = product(erasures)
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
                guard errors <= maximumErrors else { return nil }
                previous = locator.map { over($0, discrepancy) }
            }
            locator = next
        }
        while locator.count > 1, locator.last == 0 { locator.removeLast() }
        return locator.count - 1 <= erasures.count + maximumErrors ? locator : nil
    }
}
