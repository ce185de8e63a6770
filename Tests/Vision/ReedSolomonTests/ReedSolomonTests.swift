import ReedSolomon
import Testing

/// Words as libqrencode and libdmtx make them are tested with the symbols; here the all-zero word stands for all: the codes
/// are linear.
@Suite struct ReedSolomonTests {
    private static let codes = [ReedSolomon.qr, .dataMatrix]

    private struct Damage {
        var random: UInt64
        mutating func below(_ limit: Int) -> Int {
            random ^= random << 13
            random ^= random >> 7
            random ^= random << 17
            return Int(random % UInt64(limit))
        }

        /// A word of zeros with errors in it, and where they are.
        mutating func word(_ count: Int, errors: Int) -> (word: [UInt8], places: [Int]) {
            var word = [UInt8](repeating: 0, count: count)
            var places: [Int] = []
            while places.count < errors {
                let place = below(count)
                if places.contains(place) { continue }
                places.append(place)
                word[place] = UInt8(1 + below(255))
            }
            return (word, places)
        }
    }

    @Test(arguments: [(44, 16), (26, 10), (70, 26), (255, 30)])
    func halfAsManyErrorsAsParityAreCorrected(_ count: Int, _ parity: Int) {
        for code in Self.codes {
            var damage = Damage(random: UInt64(count))
            for errors in 0...parity / 2 {
                for _ in 0..<50 {
                    var (word, _) = damage.word(count, errors: errors)
                    #expect(code.correct(&word, parity: parity, erasures: [], maximumErrors: parity / 2))
                    #expect(word.allSatisfy { $0 == 0 })
                }
            }
        }
    }

    @Test func asManyErasuresAsParityAreCorrected() {
        for code in Self.codes {
            var damage = Damage(random: 5)
            for _ in 0..<200 {
                var (word, places) = damage.word(44, errors: 16)
                #expect(code.correct(&word, parity: 16, erasures: places, maximumErrors: 0))
                #expect(word.allSatisfy { $0 == 0 })
            }
        }
    }

    @Test func erasuresAndErrorsAddUp() {
        for code in Self.codes {
            var damage = Damage(random: 6)
            for erased in stride(from: 2, through: 12, by: 2) {
                for _ in 0..<100 {
                    let errors = (16 - erased) / 2
                    var (word, places) = damage.word(44, errors: erased + errors)
                    let erasures = Array(places.prefix(erased))
                    #expect(code.correct(&word, parity: 16, erasures: erasures, maximumErrors: errors))
                    #expect(word.allSatisfy { $0 == 0 })
                }
            }
        }
    }

    @Test func parityMakesARightWord() {
        var damage = Damage(random: 8)
        for code in Self.codes {
            for count in [0, 1, 5, 30, 68] {
                let data = (0..<100).map { _ in UInt8(damage.below(256)) }
                let word = data + code.parity(of: data, count: count)
                var damaged = word
                for place in 0..<count / 2 { damaged[place * 2] ^= UInt8(1 + damage.below(255)) }
                #expect(code.correct(&damaged, parity: count, erasures: [], maximumErrors: count / 2))
                #expect(damaged == word)
            }
        }
    }

    @Test func anErasureMayBeRight() {
        for code in Self.codes {
            var word = [UInt8](repeating: 0, count: 44)
            word[3] = 9
            #expect(code.correct(&word, parity: 16, erasures: [1, 2, 3], maximumErrors: 2))
            #expect(word.allSatisfy { $0 == 0 })
        }
    }

    @Test func noiseIsHardlyEverCorrectedToSomething() {
        for code in Self.codes {
            var damage = Damage(random: 7)
            var taken = 0
            for _ in 0..<5000 {
                var word = (0..<44).map { _ in UInt8(damage.below(256)) }
                let before = word
                if code.correct(&word, parity: 16, erasures: [], maximumErrors: 8) {
                    taken += 1
                } else {
                    #expect(word == before)
                }
            }
            // One word in 40 000 of noise is within reach of a codeword (1 / 8!).
            #expect(taken <= 3)
        }
    }

    @Test func whatCannotBeIsRefused() {
        for code in Self.codes {
            var word = [UInt8](repeating: 1, count: 20)
            #expect(!code.correct(&word, parity: 30, erasures: [], maximumErrors: 1))
            #expect(!code.correct(&word, parity: 10, erasures: Array(0..<11), maximumErrors: 0))
            var long = [UInt8](repeating: 1, count: 256)
            #expect(!code.correct(&long, parity: 10, erasures: [], maximumErrors: 1))
        }
    }
}
