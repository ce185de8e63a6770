import SeededRandom
import Testing

@Suite struct SplitMix64Tests {
    /// The sequence that implementations of the published algorithm agree on.
    @Test func theSequenceIsThePublishedOne() {
        var random = SplitMix64(seed: 1_234_567)
        let wanted: [UInt64] = [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ]
        #expect(wanted.map { _ in random.next() } == wanted)
    }

    @Test func limitsHold() {
        var random = SplitMix64(seed: 1)
        #expect(random.below(0) == 0 && random.below(-3) == 0 && random.below(1) == 0)
        #expect(Set((0..<1000).map { _ in random.below(7) }) == Set(0..<7))
    }
}
