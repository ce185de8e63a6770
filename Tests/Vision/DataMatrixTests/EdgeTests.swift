import Geometry
import Luma
import Testing

@testable import DataMatrix

/// Edges, corners and grids where they are drawn, by literal places.
@Suite struct EdgeTests {
    /// Dark within a box, light around it.
    func picture(_ box: PixelBox, isInverted: Bool = false) throws -> LumaPicture {
        let (inside, outside): (UInt8, UInt8) = isInverted ? (220, 30) : (30, 220)
        let pixels = (0..<100 * 80).map { index -> UInt8 in
            let (x, y) = (index % 100, index / 100)
            return x >= box.left && x < box.right && y >= box.top && y < box.bottom ? inside : outside
        }
        return try #require(LumaPicture(width: 100, height: 80, pixels: pixels))
    }

    static func edges(_ plane: LumaPlane, least: Float, most: Float = .infinity) -> [EdgeSegment] {
        var field = GradientField(plane)
        return EdgeSegment.find(&field, least: least, most: most)
    }

    let box = PixelBox(left: 20, top: 15, right: 70, bottom: 60)

    @Test func slopesPointToTheLight() throws {
        try picture(box).withPlane { plane in
            let field = GradientField(plane)
            // To the left, up, to the right, down; in 32nds of a turn clockwise from the right.
            for (x, y, direction) in [(20, 40, 16), (40, 15, 24), (69, 40, 0), (40, 59, 8)] {
                #expect(field.direction[y * 100 + x] == UInt8(direction))
            }
            for flat in [40 * 100 + 45, 5 * 100 + 5, 0] { #expect(field.direction[flat] == GradientField.flat) }
            #expect(!field.isNoisy && field.smooth[40 * 100 + 45] == 30 && field.smooth[0] == 220)
        }
    }

    @Test func unitsHaveLengthOneInEveryDirection() {
        #expect(GradientField.units.count == 32 && (GradientField.units[8] - Place(0, 1)).length < 1e-6)
        for unit in GradientField.units { #expect((unit.length - 1).magnitude < 1e-6) }
    }

    /// An edge lies between pixels: half a pixel off, and these are 19.5, 14.5 and so on.
    @Test(arguments: [false, true]) func edgesLieBetweenDarkAndLightPixels(_ isInverted: Bool) throws {
        try picture(box, isInverted: isInverted).withPlane { plane in
            let edges = Self.edges(plane, least: 20)
            #expect(edges.count == 4)
            for edge in edges {
                let (a, b) = edge.ends
                let isUpright = (a.x - b.x).magnitude < (a.y - b.y).magnitude
                let middle = (a + b) / 2
                let sides: (Float, Float) = isUpright ? (20, 70) : (15, 60)
                let at = isUpright ? middle.x : middle.y
                #expect(min((at - sides.0).magnitude, (at - sides.1).magnitude) < 0.1)
                let outward = (middle - Place(45, 37.5)).unit
                #expect(edge.lighter.dot(outward) * (isInverted ? -1 : 1) > 0.95)
            }
        }
    }

    @Test func shortEdgesAreLeftOut() throws {
        try picture(box).withPlane { plane in
            #expect(Self.edges(plane, least: 200).isEmpty && Self.edges(plane, least: 5, most: 10).isEmpty)
        }
        try picture(PixelBox(left: 0, top: 0, right: 0, bottom: 0)).withPlane { plane in
            #expect(Self.edges(plane, least: 1).isEmpty)
        }
    }

    @Test func twoEdgesMeetInACorner() throws {
        try picture(box).withPlane { plane in
            let found = FinderL.find(Self.edges(plane, least: 20), most: 10)
            let corners = [Place(20, 15), Place(70, 15), Place(70, 60), Place(20, 60)]
            #expect(found.count == 4 && FinderL.find([], most: 10).isEmpty)
            for place in found {
                let nearest = corners.map { ($0 - place.corner).length }.min() ?? .infinity
                #expect(nearest < 0.5 && !place.isInverted)
                // The right arm is clockwise of the upper one.
                #expect((place.top - place.corner).cross(place.right - place.corner) > 0)
            }
        }
    }

    @Test func lightSymbolsLookLikeDarkOnes() throws {
        try picture(box, isInverted: true).withPlane { plane in
            var sampler = SymbolSampler(GreySampler(plane))
            #expect(sampler.level(Place(45, 40)) == 220 && sampler.level(Place(5, 5)) == 30)
            sampler.isInverted = true
            #expect(sampler.level(Place(45, 40)) == 35 && sampler.level(Place(5, 5)) == 225)
        }
    }

    @Test func aGridNeedsFourCornersOfASquare() throws {
        let shape = SymbolShape(size: try #require(SymbolSize.with(rows: 10, columns: 10)), isTransposed: false)
        try picture(box).withPlane { plane in
            let sampler = SymbolSampler(GreySampler(plane))
            var budget = WorkBudget(1000)
            let corners: [Place] = .box(from: box.low, to: box.high)
            let grid = try #require(SymbolGrid(shape, corners: corners, sampler, &budget))
            #expect(grid.corners == corners && grid.fit < 0.5 && budget.left < 1000)
            let left = budget.left
            for bad in [corners.reversed(), Array(corners.prefix(3)), [Place](repeating: Place(5, 5), count: 4)] {
                #expect(SymbolGrid(shape, corners: bad, sampler, &budget) == nil)
            }
            #expect(budget.left == left)
        }
    }
}
