import Geometry
import Luma
import Testing

@Suite struct SamplerTests {
    /// Three by two pixels, in rows of five bytes: what is between rows is never seen.
    func sample(_ places: [Place], scale: Float = 1) -> [Float] {
        let bytes: [UInt8] = [0, 100, 200, 255, 255, 40, 140, 240, 255, 255]
        return bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return [] }
            let sampler = GreySampler(LumaPlane(base: base, width: 3, height: 2, stride: 5), scale: scale)
            return places.map { sampler($0) }
        }
    }

    /// Fixes where the origin is: half a pixel off, and the first two are 70 and 170.
    @Test func aPixelsOwnLevelIsAtItsCentre() {
        #expect(sample([Place(0.5, 0.5), Place(1.5, 0.5), Place(2.5, 1.5)]) == [0, 100, 240])
        #expect(sample([Place(pixel: 1, 1)]) == [140])
    }

    @Test func betweenCentresLevelsGoInStraightLines() {
        #expect(sample([Place(1, 0.5), Place(0.75, 0.5), Place(0.5, 1), Place(1, 1)]) == [50, 25, 20, 70])
    }

    @Test func beyondTheBorderItGoesOn() {
        #expect(sample([Place(0, 0), Place(-100, 0.2), Place(3, 0.5), Place(1e9, 1e9)]) == [0, 0, 200, 240])
        #expect(sample([Place(0.5, -3), Place(1.5, 99)]) == [0, 140])
    }

    @Test func anyNumberHasALevel() {
        let wild = [Float.nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude]
        for x in wild { for y in wild { #expect(sample([Place(x, y)]).allSatisfy { (0...240).contains($0) }) } }
    }

    /// Also at whole pixels, in the last row and column, beyond the border, and of no number.
    @Test(arguments: [(3, 2), (2, 2), (1, 2), (2, 1), (1, 1)]) func fourPlacesHaveTheLevelsOfEach(_ size: (Int, Int)) {
        let bytes: [UInt8] = [0, 100, 200, 255, 255, 40, 140, 240, 255, 255]
        let numbers: [Float] = [
            .nan, .infinity, -.infinity, -1e9, 1e9, -3, 0, 0.3, 0.49, 0.5, 0.51, 0.75, 1, 1.5, 1.9, 2, 2.5, 2.6, 3, 99,
        ]
        bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            for scale in [1, 0.5] as [Float] {
                let plane = LumaPlane(base: base, width: size.0, height: size.1, stride: 5)
                let sampler = GreySampler(plane, scale: scale)
                for x in numbers {
                    for y in 0..<numbers.count - 3 {
                        let rows = SIMD4(numbers[y], numbers[y + 1], numbers[y + 2], numbers[y + 3])
                        let four = sampler(x: SIMD4(repeating: x), y: rows)
                        for lane in 0..<4 { #expect(four[lane] == sampler(Place(x, rows[lane]))) }
                    }
                }
            }
        }
    }

    /// The same place of the whole, in a copy of half its size.
    @Test func aSmallerCopyIsAskedForPlacesOfTheWhole() {
        #expect(sample([Place(1, 1), Place(3, 1), Place(2, 1), Place(5, 3)], scale: 0.5) == [0, 100, 50, 240])
    }

    @Test func aSinglePixelIsEverywhere() {
        let pixel: [UInt8] = [77]
        pixel.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            let sampler = GreySampler(LumaPlane(base: base, width: 1, height: 1, stride: 1))
            for place in [Place(0.5, 0.5), .zero, Place(9, -9)] { #expect(sampler(place) == 77) }
        }
    }
}

@Suite struct PixelBoxTests {
    let frame = PixelBox(left: 0, top: 0, right: 640, bottom: 480)

    @Test func aBoxCountsItsPixels() {
        #expect(PixelBox(left: 2, top: 3, right: 5, bottom: 7).area == 12 && frame.high == Place(640, 480))
        let empty = PixelBox(left: 5, top: 3, right: 5, bottom: 7)
        #expect(empty.isEmpty && empty.area == 0 && !frame.isEmpty && frame.low == .zero)
        #expect(PixelBox(left: 9, top: 9, right: 1, bottom: 1).area == 0)
    }

    @Test func boxesJoinAndGrowWithinOthers() {
        let (a, b) = (
            PixelBox(left: 10, top: 20, right: 30, bottom: 40), PixelBox(left: 25, top: 5, right: 28, bottom: 50)
        )
        #expect(a.joined(b) == PixelBox(left: 10, top: 5, right: 30, bottom: 50))
        #expect(a.grown(by: 15, in: frame) == PixelBox(left: 0, top: 5, right: 45, bottom: 55))
        #expect(a.grown(by: 1000, in: frame) == frame)
    }

    private func picture() throws -> LumaPicture {
        let pixels = (0..<64 * 48).map { UInt8(truncatingIfNeeded: $0 % 64 + $0 / 64 * 3) }
        return try #require(LumaPicture(width: 64, height: 48, pixels: pixels))
    }

    @Test func aCutShowsThePixelsOfItsPlace() throws {
        try picture().withPlane { plane in
            let cut = plane.cut(PixelBox(left: 10, top: 20, right: 13, bottom: 24))
            #expect(cut.width == 3 && cut.height == 4 && cut.stride == 64 && cut.base[0] == 10 + 60)
            #expect(cut.level(at: Place(2.9, 3.9)) == plane.level(at: Place(12.9, 23.9)))
        }
    }

    @Test func aPartBeginsWhereBlocksDo() throws {
        try picture().withPlane { plane in
            let part = try #require(plane.part(from: Place(13, 9), to: Place(60.9, 99)))
            #expect(part.origin == Place(8, 8) && part.plane.width == 52 && part.plane.height == 40)
            let all = try #require(plane.part(from: Place(-1e30, .nan), to: Place(.infinity, 1e30)))
            #expect(all.origin == .zero && all.plane.width == 64 && all.plane.height == 48)
            #expect(plane.part(from: Place(0, 0), to: Place(23, 48)) == nil)
            #expect(plane.part(from: Place(0, 0), to: Place(24, 24)) != nil)
            #expect(plane.part(from: Place(60, 40), to: Place(10, 10)) == nil)
        }
    }

    @Test func aPixelCoversItsSquareAndNothingElse() throws {
        try picture().withPlane { plane in
            #expect(plane.level(at: Place(0, 0)) == 0 && plane.level(at: Place(0.99, 0.99)) == 0)
            #expect(plane.level(at: Place(1, 0)) == 1 && plane.level(at: Place(63.9, 47.9)) == UInt8(63 + 141))
            for beside in [
                Place(-0.01, 0), Place(0, -0.01), Place(64, 0), Place(0, 48), Place(.nan, 1), Place(1, .nan),
            ] {
                #expect(plane.level(at: beside) == nil)
            }
        }
    }
}
