import Geometry
import Luma
import Testing

@testable import Aiming

@Suite struct OutlineTests {
    let square = [Place(10, 20), Place(110, 20), Place(110, 120), Place(10, 120)]

    @Test func whatEnclosesNothingIsNoOutline() {
        #expect(Outline(square) != nil && Outline(Array(square.prefix(3))) == nil && Outline([]) == nil)
        #expect(Outline(square + [.zero]) == nil && Outline([Place](repeating: Place(5, 5), count: 4)) == nil)
        #expect(Outline((0..<4).map { Place(Float($0), Float($0)) }) == nil)
        // 3.9 by 4 pixels are less than 16.
        #expect(
            Outline(.box(from: .zero, to: Place(3.9, 4))) == nil && Outline(.box(from: .zero, to: Place(4, 4))) != nil)
        #expect(Outline(around: []) == nil)
    }

    @Test func theBoxAroundPlacesHasAMargin() throws {
        let box = try #require(Outline(around: [Place(5, 9), Place(2, 30)], margin: 8))
        #expect(box.corners == [Place(-6, 1), Place(13, 1), Place(13, 38), Place(-6, 38)])
    }

    @Test func cornersAreNoFartherThanAWholeNumberReaches() throws {
        var wild = square
        wild[1] = Place(.infinity, -1e30)
        #expect(try #require(Outline(wild)).corners[1] == Place(1e6, -1e6))
        #expect(try #require(Outline(square)?.scaled(by: 1e20)).corners[0] == Place(-1e6, -1e6))
    }

    @Test func anOutlineIsMeasured() throws {
        let outline = try #require(Outline(square))
        #expect(outline.centre == Place(60, 70) && outline.length == 100 && outline.tilt < 0.1)
        #expect(outline.scaled(by: 2)?.corners == [Place(-40, -30), Place(160, -30), Place(160, 170), Place(-40, 170)])
    }

    /// The cosine of the angle is the proportion of the sides.
    @Test(arguments: [15, 40, 60, 80] as [Float]) func tiltIsTheAngleOutOfThePlane(_ degrees: Float) throws {
        let proportions: [Float: Float] = [15: 0.96593, 40: 0.76604, 60: 0.5, 80: 0.17365]
        let high = try #require(proportions[degrees]) * 200
        let upright: [Place] = .box(from: .zero, to: Place(200, high))
        let (right, down) = (Place(0.8, 0.6), Place(-0.6, 0.8))
        let turned = upright.map { right * $0.x + down * $0.y }
        for corners in [upright, turned] {
            #expect((try #require(Outline(corners)).tilt - degrees).magnitude < 0.2)
        }
    }

    @Test func sharesOfATiltedCodeGoByItsPerspective() throws {
        let outline = try #require(Outline([Place(40, 0), Place(60, 0), Place(100, 100), Place(0, 100)]))
        let map = try #require(outline.map)
        #expect((map(0.5, 0.5) - Place(50, 100.0 / 6)).length < 1e-3 && (map(1, 1) - Place(100, 100)).length < 1e-3)
    }

    @Test func whatNoSquareLooksLikeHasNoMap() throws {
        // Crossed, and with a dent.
        let crossed = [Place(0, 0), Place(100, 0), Place(0, 90), Place(90, 40)]
        let dented = [Place(0, 0), Place(100, 0), Place(20, 20), Place(0, 100)]
        for corners in [crossed, dented] { #expect(try #require(Outline(corners)).map == nil) }
    }

    @Test func theEdgeIsTouchedFromBothSides() throws {
        let outline = try #require(Outline(square))
        #expect(!outline.touchesEdge(width: 200, height: 200, margin: 9))
        #expect(outline.touchesEdge(width: 200, height: 200, margin: 11))
        #expect(
            outline.touchesEdge(width: 115, height: 200, margin: 5)
                && outline.touchesEdge(width: 200, height: 110, margin: 0))
    }

    /// A code with a bright corner: one part of twenty-five has no dark module.
    @Test func aReflectionIsAShareOfTheCode() throws {
        var pixels = (0..<200 * 200).map { index in UInt8((index % 200 / 2 + index / 400) % 2 == 0 ? 30 : 220) }
        for y in 0..<20 { for x in 0..<20 { pixels[(120 - 1 - y) * 200 + 10 + x] = 255 } }
        let picture = try #require(LumaPicture(width: 200, height: 200, pixels: pixels))
        let outline = try #require(Outline([Place(10, 20), Place(110, 20), Place(110, 120), Place(10, 120)]))
        picture.withPlane { plane in
            #expect(WashedOut.share(of: outline, in: plane, dark: 30, light: 220) == 1.0 / 25)
            #expect(WashedOut.share(of: outline, in: plane, dark: 100, light: 105) == 0)
        }
    }

    @Test func whatIsBlownOutAboutPatternsIsAShareOfTheirSurroundings() throws {
        var pixels = [UInt8](repeating: 100, count: 300 * 300)
        for y in 0..<300 { for x in 0..<60 { pixels[y * 300 + x] = 255 } }
        let picture = try #require(LumaPicture(width: 300, height: 300, pixels: pixels))
        let outline = try #require(Outline(square))
        picture.withPlane { plane in
            // From -50 to 170, in the picture from 0: 60 columns of 170.
            #expect((WashedOut.blownShare(around: outline, in: plane, light: 150) - 60.0 / 170).magnitude < 0.01)
            #expect(WashedOut.blownShare(around: outline, in: plane, light: 240) == 0)
        }
    }
}

@Suite struct SoftPictureTests {
    func wave(_ width: Int, _ height: Int) -> [UInt8] {
        (0..<width * height).map { UInt8(128 + 100 * (($0 % width / 16 + $0 / width / 16) % 2)) }
    }

    @Test(arguments: [(64, 64), (65, 47), (3, 3), (2, 9), (100, 1)]) func withoutSofteningItIsNearlyThePicture(
        _ width: Int, _ height: Int
    ) {
        let pixels = wave(width, height)
        let made = SoftPicture(pixels, width: width, height: height).picture { _, _ in 0 }
        #expect(made.count == pixels.count)
        // Differences of a few grey levels are left out at each of seven sizes.
        for (one, other) in zip(made, pixels) { #expect(abs(Int(one) - Int(other)) <= 7 * SoftPicture.maximumLevels) }
    }

    @Test func withAllSofteningNothingOfTheSquaresIsLeft() {
        let made = SoftPicture(wave(128, 128), width: 128, height: 128).picture { _, _ in SoftPicture.maximumLevels - 1
        }
        #expect(Int(made.max() ?? 255) - Int(made.min() ?? 0) < 40)
    }

    @Test func itIsSoftOnlyWhereItIsToBe() {
        let pixels = wave(128, 128)
        let made = SoftPicture(pixels, width: 128, height: 128).picture { x, _ in x < 64 ? 6 : 0 }
        func span(_ columns: Range<Int>) -> Int {
            let levels = (32..<96).flatMap { y in columns.map { Int(made[y * 128 + $0]) } }
            return (levels.max() ?? 0) - (levels.min() ?? 0)
        }
        #expect(span(0..<32) < 60 && span(96..<128) > 80)
    }
}
