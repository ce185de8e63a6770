import Geometry
import Testing

@Suite struct PlaceTests {
    /// The convention, by literal numbers: what all rooms rely on.
    @Test func aPixelsCentreIsHalfAPixelFromItsCorner() {
        #expect(Place(pixel: 0, 0) == Place(0.5, 0.5) && Place(corner: 0, 0) == .zero)
        #expect(Place(pixel: 3, 7) == Place(3.5, 7.5) && Place(corner: 3, 7) == Place(3, 7))
        #expect(Place(pixel: -1, 2) == Place(-0.5, 2.5))
    }

    @Test func lengthsAndProductsAreThoseOfThePlane() {
        #expect(Place(3, 4).length == 5 && Place.zero.length == 0)
        #expect(Place(2, 3).dot(Place(5, 7)) == 31 && Place(2, 3).cross(Place(5, 7)) == -1)
    }

    @Test func clockwiseIsPositiveBecauseYGoesDown() {
        #expect(Place(1, 0).turned == Place(0, 1) && Place(0, 1).turned == Place(-1, 0))
        #expect(Place(1, 0).cross(Place(1, 0).turned) == 1 && Place(1, 0).dot(Place(1, 0).turned) == 0)
    }

    @Test func aUnitHasLengthOneAndZeroStays() {
        #expect(Place(0, -9).unit == Place(0, -1) && (Place(5, -12).unit.length - 1).magnitude < 1e-6)
        #expect(Place.zero.unit == .zero && Place(1e-9, 0).unit.length < 1)
    }

    @Test func whateverIsToldCanBeMadeAWholeNumber() {
        for wild in [Float.infinity, -.infinity, .nan, .greatestFiniteMagnitude, -1e30] {
            let place = Place(wild, 1.5).bounded
            #expect(place.x.magnitude == 1_000_000 && place.y == 1.5)
            #expect(place.whole.x.magnitude == 1_000_000 && place.whole.y == 2)
        }
        #expect(Place(-3.5, 2.4).bounded == Place(-3.5, 2.4) && Place(-3.6, 2.4).whole == (-4, 2))
    }

    @Test func aPlaceIsClampedToTheNearestInABox() {
        let (low, high) = (Place(0, 10), Place(5, 20))
        #expect(Place(-1, 15).clamped(to: low, high) == Place(0, 15))
        #expect(Place(9, 99).clamped(to: low, high) == high && Place(2, 11).clamped(to: low, high) == Place(2, 11))
        #expect(Place(.nan, .nan).clamped(to: low, high) == low)
    }

    @Test func placesHaveAMiddleAndABoxAroundThem() throws {
        let places = [Place(4, 1), Place(-2, 8), Place(1, 3)]
        #expect(places.middle == Place(1, 4))
        let box = try #require(places.bounds)
        #expect(box.low == Place(-2, 1) && box.high == Place(4, 8))
        #expect([Place]().middle == .zero && [Place]().bounds == nil)
        #expect([Place].box(from: box.low, to: box.high) == [Place(-2, 1), Place(4, 1), Place(4, 8), Place(-2, 8)])
    }
}

@Suite struct ConvexAreaTests {
    let diamond = [Place(10, 0), Place(20, 10), Place(10, 20), Place(0, 10)]

    @Test(arguments: [false, true]) func insideIsInsideWhicheverWayTheWalkGoes(_ isReversed: Bool) {
        let area = ConvexArea(corners: isReversed ? diamond.reversed() : diamond)
        #expect(area.contains(Place(10, 10)) && area.contains(Place(14.9, 5)) && area.contains(Place(10, 0)))
        // In its box, and not on it.
        #expect(!area.contains(Place(16, 5)) && !area.contains(Place(1, 1)) && !area.contains(Place(19, 19)))
        #expect(!area.contains(Place(-1, 10)) && !area.contains(Place(10, 21)))
        #expect(area.low == .zero && area.high == Place(20, 20))
    }

    @Test func aPartOfTheFrameHasItsOwnOrigin() {
        let area = ConvexArea(corners: diamond, origin: Place(10, 5))
        #expect(area.contains(Place(0, 5)) && !area.contains(Place(10, 10)) && area.low == Place(-10, -5))
    }

    @Test func nothingCoversNothing() {
        let area = ConvexArea(corners: [])
        #expect(!area.contains(Place(1, 1)) && area.low == .zero)
        #expect(!ConvexArea(corners: diamond).contains(Place(.nan, 10)))
    }

    /// A square of whole pixels holds the centres of just its pixels.
    @Test func aSquareHoldsTheCentresOfItsPixels() {
        let area = ConvexArea(corners: .box(from: Place(2, 3), to: Place(5, 7)))
        var count = 0
        for y in 0..<10 { for x in 0..<10 where area.contains(Place(pixel: x, y)) { count += 1 } }
        #expect(count == 12)
    }
}
