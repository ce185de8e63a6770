import Geometry
import Luma
import SeededRandom
import Testing

@Suite struct PyramidTests {
    func noise(_ width: Int, _ height: Int, seed: UInt64 = 1) throws -> LumaPicture {
        var random = SplitMix64(seed: seed)
        let pixels = (0..<width * height).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        return try #require(LumaPicture(width: width, height: height, pixels: pixels))
    }

    /// As slow as it is plain.
    func mean(_ plane: LumaPlane, _ left: Int, _ top: Int, _ factor: Int) -> UInt8 {
        var sum = 0
        for y in top..<top + factor {
            for x in left..<left + factor {
                sum += Int(plane.base[min(y, plane.height - 1) * plane.stride + min(x, plane.width - 1)])
            }
        }
        return UInt8((sum + factor * factor / 2) / (factor * factor))
    }

    @Test func levelsAreHalvesDownToTheSmallestSide() throws {
        try noise(640, 481).withPlane { plane in
            let pyramid = Pyramid()
            #expect(pyramid.level(0) == nil)
            pyramid.take(plane)
            let sizes = (0...9).map { level in pyramid.level(level).map { [$0.width, $0.height] } }
            #expect(sizes[0...4] == [[640, 481], [320, 240], [160, 120], [80, 60], [40, 30]])
            #expect(sizes[5...].allSatisfy { $0 == nil })
            pyramid.clear()
            #expect(pyramid.level(0) == nil && pyramid.sampler(module: 3) == nil)
        }
    }

    @Test func aNewPictureTakesThePlaceOfTheOld() throws {
        let pyramid = Pyramid()
        try noise(96, 96).withPlane {
            pyramid.take($0); _ = pyramid.level(2)
        }
        try noise(200, 100, seed: 2).withPlane { plane in
            pyramid.take(plane)
            let half = try #require(pyramid.level(1))
            #expect(half.width == 100 && half.height == 50 && half.base[0] == mean(plane, 0, 0, 2))
        }
    }

    @Test func modulesAreSampledWhereTheyHaveThreeToSixPixels() throws {
        try noise(640, 480).withPlane { plane in
            let pyramid = Pyramid()
            pyramid.take(plane)
            for (module, scale) in [(1, 1), (5.9, 1), (6, 0.5), (12, 0.25), (23, 0.25), (90, 1.0 / 16)]
                as [(Float, Float)]
            {
                #expect(pyramid.sampler(module: module)?.scale == scale)
            }
            #expect(Pyramid.scale(ofLevel: 0) == 1 && Pyramid.scale(ofLevel: 3) == 0.125)
        }
    }

    /// A slope of grey looks the same from all levels: no half pixel is lost between them.
    @Test func aPlaceIsTheSameOnAllLevels() throws {
        // The pixel in column x has grey level 2x: at 60 meet those of 59 and of 60, and all means are whole numbers.
        let pixels = (0..<120 * 120).map { UInt8(2 * ($0 % 120)) }
        try #require(LumaPicture(width: 120, height: 120, pixels: pixels)).withPlane { plane in
            let pyramid = Pyramid()
            pyramid.take(plane)
            for (module, level) in [(1, 0), (8, 1), (16, 2)] as [(Float, Int)] {
                let sampler = try #require(pyramid.sampler(module: module))
                #expect(sampler.scale == Pyramid.scale(ofLevel: level))
                #expect(sampler(Place(60, 60)) == 119 && sampler(Place(40, 3)) == 79)
            }
        }
    }

    @Test(arguments: [(16, 16), (17, 9), (33, 2), (2, 33), (3, 3), (50, 21)])
    func aHalfIsTheMeanOfTwoByTwo(_ width: Int, _ height: Int) throws {
        try noise(width, height).withPlane { plane in
            for edge in [Halving.OddEdge.leftOut, .repeated] {
                let (wide, high) = (Halving.side(width, edge), Halving.side(height, edge))
                #expect(wide == (edge == .leftOut ? width / 2 : (width + 1) / 2))
                var half = [UInt8](repeating: 0, count: wide * high + 1)
                half.withUnsafeMutableBufferPointer { target in
                    if let base = target.baseAddress { Halving.halve(plane, edge, into: base) }
                }
                for y in 0..<high { for x in 0..<wide { #expect(half[y * wide + x] == mean(plane, 2 * x, 2 * y, 2)) } }
                #expect(half.last == 0)
            }
        }
    }

    @Test func whatLiesBetweenRowsIsNotInTheHalf() throws {
        try noise(40, 30).withPlane { plane in
            let cut = plane.cut(PixelBox(left: 3, top: 5, right: 24, bottom: 26))
            var half = [UInt8](repeating: 0, count: 11 * 11)
            half.withUnsafeMutableBufferPointer { target in
                if let base = target.baseAddress { Halving.halve(cut, .repeated, into: base) }
            }
            #expect(
                half[0] == mean(plane, 3, 5, 2) && half[10] == mean(cut, 20, 0, 2)
                    && half[120] == cut.base[20 * 40 + 20])
        }
    }

    @Test(arguments: [1, 2, 3, 5, 7, 30]) func aPictureIsReducedByAWholeNumber(_ factor: Int) throws {
        try noise(61, 44).withPlane { plane in
            let (wide, high) = (61 / factor, 44 / factor)
            var small = [UInt8](repeating: 0, count: wide * high + 1)
            small.withUnsafeMutableBufferPointer { target in
                if let base = target.baseAddress { plane.reduce(by: factor, into: base) }
            }
            for y in 0..<high {
                for x in 0..<wide { #expect(small[y * wide + x] == mean(plane, x * factor, y * factor, factor)) }
            }
            #expect(small.last == 0)
        }
    }

    @Test func whiteStaysWhiteHoweverFarItIsReduced() throws {
        let white = try #require(LumaPicture(width: 300, height: 300, pixels: [UInt8](repeating: 255, count: 90_000)))
        white.withPlane { plane in
            for factor in [2, 17, 299, 301] {
                var small = [UInt8](repeating: 1, count: max((300 / factor) * (300 / factor), 1))
                small.withUnsafeMutableBufferPointer { target in
                    if let base = target.baseAddress { plane.reduce(by: factor, into: base) }
                }
                #expect(small.allSatisfy { $0 == (factor > 300 ? 1 : 255) })
            }
        }
    }
}

@Suite struct WorkBudgetTests {
    @Test func theLastStepMayOverdraw() {
        var budget = WorkBudget(10)
        #expect(!budget.isSpent && budget.spend(4) && budget.left == 6)
        #expect(budget.spend(100) && budget.left == -94 && budget.isSpent)
        #expect(!budget.spend(0) && budget.left == -94)
    }

    @Test func nothingIsSpentAtOnce() {
        var budget = WorkBudget(0)
        #expect(budget.isSpent && !budget.spend(1))
        budget = WorkBudget(-5)
        #expect(budget.isSpent && !budget.spend(1) && budget.left == -5)
    }

    @Test func whatAPartLeavesIsKept() {
        var budget = WorkBudget(100)
        budget.lend(60) { $0.spend(10) }
        #expect(budget.left == 90)
        budget.lend(50) { part in
            while part.spend(7) {}
            #expect(part.isSpent)
        }
        // Eight times seven: the last step has overdrawn.
        #expect(budget.left == 34)
        budget.lend(30) { _ in }
        #expect(budget.left == 34)
    }

    @Test func aPartMayHaveWhatIsNotThere() {
        var budget = WorkBudget(5)
        budget.lend(50) { part in #expect(part.left == 50 && part.spend(20)) }
        #expect(budget.left == -15 && budget.isSpent)
    }
}
