import Geometry
import SeededRandom
import Testing

@Suite struct ProjectiveMapTests {
    typealias Corners = (Place, Place, Place, Place)
    static let quadrilaterals: [[Place]] = [
        [Place(0, 0), Place(1, 0), Place(1, 1), Place(0, 1)],
        [Place(60, 40), Place(200, 60), Place(195, 175), Place(70, 200)],
        [Place(300, 20), Place(420, 180), Place(260, 330), Place(90, 150)],
        [Place(-50, -20), Place(700, 10), Place(520, 300), Place(100, 280)],
    ]

    static func corners(_ places: [Place]) -> Corners { (places[0], places[1], places[2], places[3]) }

    @Test(arguments: quadrilaterals) func aSquareIsMappedOntoAQuadrilateralAndBack(_ places: [Place]) throws {
        let map = try #require(ProjectiveMap(unitSquareTo: Self.corners(places)))
        let back = try #require(map.inverse)
        let square = [Place(0, 0), Place(1, 0), Place(1, 1), Place(0, 1)]
        for (own, place) in zip(square, places) {
            #expect((map(own.x, own.y) - place).length < 1e-3 && (back(place.x, place.y) - own).length < 1e-4)
        }
        for own in [Place(0.5, 0.5), Place(0.1, 0.8), Place(1.2, -0.2)] {
            let place = map(own.x, own.y)
            #expect((back(place.x, place.y) - own).length < 1e-4)
        }
    }

    @Test(arguments: quadrilaterals) func fourPlacesAreMappedAsEachIs(_ places: [Place]) throws {
        let map = try #require(ProjectiveMap(unitSquareTo: Self.corners(places)))
        let (u, v) = (SIMD4<Float>(0, 0.3, 0.5, 1.2), SIMD4<Float>(1, 0.1, 0.5, -0.2))
        let (x, y) = map(u, v)
        for lane in 0..<4 { #expect(Place(x[lane], y[lane]) == map(u[lane], v[lane])) }
    }

    @Test(arguments: quadrilaterals) func theMiddleIsWhereTheDiagonalsCross(_ places: [Place]) throws {
        let map = try #require(ProjectiveMap(unitSquareTo: Self.corners(places)))
        let middle = map(0.5, 0.5)
        let (one, other) = (places[2] - places[0], places[3] - places[1])
        #expect((middle - places[0]).cross(one).magnitude / one.length < 1e-2)
        #expect((middle - places[1]).cross(other).magnitude / other.length < 1e-2)
    }

    @Test func anUprightSquareIsMappedByLiteralNumbers() throws {
        let places = [Place(10, 20), Place(30, 20), Place(30, 60), Place(10, 60)]
        let map = try #require(ProjectiveMap(unitSquareTo: Self.corners(places)))
        #expect(map(0.25, 0.5) == Place(15, 40) && map(0, 0) == Place(10, 20) && map(2, 2) == Place(50, 100))
    }

    /// From the front half way is half way; on what is tilted the nearer half looks larger.
    @Test func whatIsFartherAwayIsSmaller() throws {
        let places = [Place(40, 0), Place(60, 0), Place(100, 100), Place(0, 100)]
        let map = try #require(ProjectiveMap(unitSquareTo: Self.corners(places)))
        #expect((map(0.5, 0.5) - Place(50, 100.0 / 6)).length < 1e-3)
        #expect(map.moduleSize(0.5, 0.5).width > 0)
    }

    @Test func mapsOfFourPlacesToFourGoBackAndForth() throws {
        let (from, to) = (Self.corners(Self.quadrilaterals[1]), Self.corners(Self.quadrilaterals[2]))
        let map = try #require(ProjectiveMap(from, to: to))
        let back = try #require(ProjectiveMap(to, to: from))
        for (a, b) in zip(Self.quadrilaterals[1], Self.quadrilaterals[2]) {
            #expect((map(a.x, a.y) - b).length < 0.05 && (back(b.x, b.y) - a).length < 0.05)
        }
        let both = back.after(map)
        #expect((both(120, 90) - Place(120, 90)).length < 0.05)
    }

    @Test func afterIsOneMapAfterTheOther() {
        let moved = ProjectiveMap(a: 1, b: 0, c: 5, d: 0, e: 1, f: -2, g: 0, h: 0, i: 1)
        let doubled = ProjectiveMap(a: 2, b: 0, c: 0, d: 0, e: 2, f: 0, g: 0, h: 0, i: 1)
        #expect(doubled.after(moved)(1, 1) == Place(12, -2) && moved.after(doubled)(1, 1) == Place(7, 0))
    }

    @Test func cornersOnALineAreRefused() {
        let line = (Place(0, 0), Place(10, 0), Place(20, 0), Place(30, 0))
        let point = (Place(4, 4), Place(4, 4), Place(4, 4), Place(4, 4))
        let square = Self.corners(Self.quadrilaterals[0])
        for bad in [line, point] {
            #expect(ProjectiveMap(unitSquareTo: bad) == nil && ProjectiveMap(bad, to: square) == nil)
            #expect(ProjectiveMap(square, to: bad) == nil)
        }
        let flat = ProjectiveMap(a: 1, b: 2, c: 0, d: 2, e: 4, f: 0, g: 0, h: 0, i: 1)
        #expect(flat.inverse == nil)
    }

    @Test func whatNoSquareLooksLikeIsRefused() {
        func map(_ places: [Place]) -> ProjectiveMap? {
            ProjectiveMap(unitSquareTo: Self.corners(places), minimumTriangle: 2)
        }
        let square = [Place(0, 0), Place(10, 0), Place(10, 10), Place(0, 10)]
        #expect(map(square) != nil)
        // The other way round, crossed, dented, too small, and not a number.
        #expect(map(square.reversed()) == nil)
        #expect(map([square[0], square[2], square[1], square[3]]) == nil)
        #expect(map([square[0], square[1], Place(2, 2), square[3]]) == nil)
        #expect(map(square.map { $0 / 5 }) == nil && map(square.map { $0 / 4 }) != nil)
        for index in 0..<4 {
            var wild = square
            wild[index] = Place(.nan, 1)
            #expect(map(wild) == nil)
            wild[index] = Place(.infinity, 1)
            #expect(map(wild) == nil)
        }
    }

    @Test func whatReachesBehindTheCameraIsNotCovered() throws {
        let flat = ProjectiveMap(a: 3, b: 0, c: 0, d: 0, e: 3, f: 0, g: 0, h: 0, i: 1)
        #expect(flat.covers(25) && flat.moduleSize(4, 4) == (3, 3))
        let tilted = ProjectiveMap(a: 3, b: 0, c: 0, d: 0, e: 3, f: 0, g: -0.039, h: 0, i: 1)
        #expect(tilted.covers(24) && !tilted.covers(25) && !tilted.covers(30))
        let turned = ProjectiveMap(a: 3, b: 0, c: 0, d: 0, e: 3, f: 0, g: 0, h: 0, i: -1)
        #expect(!turned.covers(25))
    }

    /// Whatever four places are given, a map with triangles of that size puts the square's corners there.
    @Test func mapsOfAnyFourPlacesHitThemOrAreRefused() {
        var random = SplitMix64(seed: 11)
        func number() -> Float { Float(random.next() % 2000) / 4 }
        var accepted = 0
        for _ in 0..<500 {
            let places = (0..<4).map { _ in Place(number(), number()) }
            guard let map = ProjectiveMap(unitSquareTo: Self.corners(places), minimumTriangle: 200) else { continue }
            accepted += 1
            #expect((map(1, 1) - places[2]).length < 0.5 && (map(0, 1) - places[3]).length < 0.5)
        }
        #expect(accepted > 20)
    }
}
