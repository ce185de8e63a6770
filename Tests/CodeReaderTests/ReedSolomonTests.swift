import Testing

@testable import CodeReader

@Suite struct ReedSolomonTests {
    /// The words of one block as libqrencode makes them are tested in ``QRDecodingTests``; here the all-zero word stands
    /// for all: the code is linear.
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
        var damage = Damage(random: UInt64(count))
        for errors in 0...parity / 2 {
            for _ in 0..<50 {
                var (word, _) = damage.word(count, errors: errors)
                #expect(ReedSolomon.correct(&word, parity: parity, erasures: [], mostErrors: parity / 2))
                #expect(word.allSatisfy { $0 == 0 })
            }
        }
    }

    @Test func asManyErasuresAsParityAreCorrected() {
        var damage = Damage(random: 5)
        for _ in 0..<200 {
            var (word, places) = damage.word(44, errors: 16)
            #expect(ReedSolomon.correct(&word, parity: 16, erasures: places, mostErrors: 0))
            #expect(word.allSatisfy { $0 == 0 })
        }
    }

    @Test func erasuresAndErrorsAddUp() {
        var damage = Damage(random: 6)
        for erased in stride(from: 2, through: 12, by: 2) {
            for _ in 0..<100 {
                let errors = (16 - erased) / 2
                var (word, places) = damage.word(44, errors: erased + errors)
                let erasures = Array(places.prefix(erased))
                #expect(ReedSolomon.correct(&word, parity: 16, erasures: erasures, mostErrors: errors))
                #expect(word.allSatisfy { $0 == 0 })
            }
        }
    }

    @Test func anErasureMayBeRight() {
        var word = [UInt8](repeating: 0, count: 44)
        word[3] = 9
        #expect(ReedSolomon.correct(&word, parity: 16, erasures: [1, 2, 3], mostErrors: 2))
        #expect(word.allSatisfy { $0 == 0 })
    }

    @Test func noiseIsHardlyEverCorrectedToSomething() {
        var damage = Damage(random: 7)
        var taken = 0
        for _ in 0..<5000 {
            var word = (0..<44).map { _ in UInt8(damage.below(256)) }
            let before = word
            if ReedSolomon.correct(&word, parity: 16, erasures: [], mostErrors: 8) {
                taken += 1
            } else {
                #expect(word == before)
            }
        }
        // One word in 40 000 of noise is within reach of a codeword (1 / 8!).
        #expect(taken <= 3)
    }

    @Test func whatCannotBeIsRefused() {
        var word = [UInt8](repeating: 1, count: 20)
        #expect(!ReedSolomon.correct(&word, parity: 30, erasures: [], mostErrors: 1))
        #expect(!ReedSolomon.correct(&word, parity: 10, erasures: Array(0..<11), mostErrors: 0))
        var long = [UInt8](repeating: 1, count: 256)
        #expect(!ReedSolomon.correct(&long, parity: 10, erasures: [], mostErrors: 1))
    }
}
