import Luma
import Testing

@Suite struct LumaTests {
    @Test func aPictureHasAsManyPixelsAsItSays() {
        #expect(LumaPicture(width: 2, height: 3, pixels: [UInt8](repeating: 9, count: 6)) != nil)
        #expect(LumaPicture(width: 2, height: 3, pixels: [UInt8](repeating: 9, count: 5)) == nil)
        for (width, height) in [(0, 3), (-1, -6), (8193, 1), (1, 8193)] {
            let count = max(width * height, 0)
            #expect(LumaPicture(width: width, height: height, pixels: [UInt8](repeating: 9, count: count)) == nil)
        }
    }

    @Test func aPlaneHasThePicturesRowsWithoutPadding() throws {
        try #require(LumaPicture(width: 2, height: 2, pixels: [1, 2, 3, 4])).withPlane { plane in
            #expect(plane.width == 2 && plane.height == 2 && plane.stride == 2 && plane.base[3] == 4)
        }
    }

    @Test func aRankInAHistogramHasALevel() {
        var histogram = [Int](repeating: 0, count: 256)
        #expect(histogram.greyLevel(ofRank: 0) == 0)
        (histogram[10], histogram[20], histogram[255]) = (3, 2, 1)
        let levels = (0..<7).map { histogram.greyLevel(ofRank: $0) }
        #expect(levels == [10, 10, 10, 20, 20, 255, 0])
    }

    @Test func memoryGrowsAndIsKept() {
        let scratch = Scratch<UInt16>(7)
        #expect(scratch.base[0] == 7 && scratch.base[63] == 7)
        let small = scratch.atLeast(10)
        small[9] = 1
        #expect(scratch.atLeast(64) == small && scratch.base[9] == 1)
        let large = scratch.atLeast(10_000)
        #expect(large[9] == 7 && large[9_999] == 7 && scratch.base == large && scratch.atLeast(1) == large)
    }
}
