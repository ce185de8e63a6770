import Luma
import SeededRandom
import Testing

@Suite struct LumaTests {
    @Test(arguments: [
        (0, 1, 0), (1, 0, 0), (-1, -1, 1), (2, 2, 3), (2, 2, 5), (2, 2, 0), (LumaPlane.maximumSide + 1, 1, 8193),
        (1, LumaPlane.maximumSide + 1, 8193), (Int.max, Int.max, 1), (Int.max, 2, 0),
    ])
    func sizesThatFitNoPixelsAreNoPicture(_ width: Int, _ height: Int, _ pixels: Int) {
        #expect(LumaPicture(width: width, height: height, pixels: Array(repeating: 0, count: pixels)) == nil)
    }

    @Test(arguments: [(1, 1), (LumaPlane.maximumSide, 1), (1, LumaPlane.maximumSide), (3, 5)])
    func allOthersAre(_ width: Int, _ height: Int) {
        let picture = LumaPicture(width: width, height: height, pixels: Array(repeating: 9, count: width * height))
        #expect(picture?.width == width && picture?.height == height)
    }

    @Test func aPlaneShowsThePicturesOwnPixels() throws {
        let picture = try #require(LumaPicture(width: 3, height: 2, pixels: [1, 2, 3, 4, 5, 6]))
        let (rows, stride) = picture.withPlane { plane in
            ((0..<plane.height).map { y in (0..<plane.width).map { plane.base[y * plane.stride + $0] } }, plane.stride)
        }
        #expect(rows == [[1, 2, 3], [4, 5, 6]] && stride == 3)
    }

    @Test func whatThePlanesUserThrowsComesThrough() throws {
        struct Enough: Error {}
        let picture = try #require(LumaPicture(width: 1, height: 1, pixels: [0]))
        #expect(throws: Enough.self) { try picture.withPlane { _ in throw Enough() } }
    }

    // MARK: Ranks

    private func histogram(_ pixels: [UInt8]) -> [Int] {
        var histogram = [Int](repeating: 0, count: 256)
        for pixel in pixels { histogram[Int(pixel)] += 1 }
        return histogram
    }

    @Test func theRankOfAPixelIsItsPlaceInOrder() {
        var random = SplitMix64(seed: 5)
        for count in [1, 2, 255, 1000] {
            let pixels = random.bytes(count)
            let (levels, ordered) = (histogram(pixels), pixels.sorted())
            for rank in [0, count / 3, count / 2, count - 1] {
                #expect(levels.greyLevel(ofRank: rank) == Int(ordered[rank]), "\(rank) of \(count)")
            }
        }
    }

    @Test func beyondTheLastPixelThereIsNone() {
        #expect(histogram([7, 8]).greyLevel(ofRank: 2) == 0)
        #expect(histogram([]).greyLevel(ofRank: 0) == 0)
        #expect([Int]().greyLevel(ofRank: 0) == 0)
    }

    @Test func theBordersOfTheGreyLevelsAreReached() {
        #expect(histogram([0, 0, 255]).greyLevel(ofRank: 1) == 0)
        #expect(histogram([0, 0, 255]).greyLevel(ofRank: 2) == 255)
    }
}

/// The numbers that drawn scenes and fuzzers stand on: results are compared over machines and years.
@Suite struct SeededRandomTests {
    /// From the authors' own program, with the seeds 0 and 1234567.
    @Test(
        arguments: [
            (
                0,
                [
                    0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F,
                ]
            ),
            (1_234_567, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]),
        ] as [(UInt64, [UInt64])])
    func theNumbersAreSplitMix64s(_ seed: UInt64, _ numbers: [UInt64]) {
        var random = SplitMix64(seed: seed)
        #expect(numbers.map { _ in random.next() } == numbers)
    }

    @Test func limitsAreKept() {
        var random = SplitMix64(seed: 3)
        for limit in [1, 2, 7, 1000, Int.max] {
            for _ in 0..<200 { #expect((0..<limit).contains(random.below(limit))) }
        }
        #expect(random.below(0) == 0 && random.below(-5) == 0)
        #expect(Set((0..<200).map { _ in random.below(4) }) == [0, 1, 2, 3])
    }

    @Test func bytesAreAsManyAsWereAskedFor() {
        var random = SplitMix64(seed: 4)
        #expect(random.bytes(0).isEmpty && random.bytes(33).count == 33)
        #expect(Set(random.bytes(5000)).count == 256)
    }
}
