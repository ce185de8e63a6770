import Geometry
import Luma
import Testing

@testable import CodeReader

/// Which part of a frame is looked at for other codes, and when.
@Suite struct LookPlanTests {
    static let frame = PixelBox(left: 0, top: 0, right: 640, bottom: 480)
    static let pieces: [LookPlan.Piece] = [
        .init(.dataMatrix(level: 0, isOnly: false), PixelBox(left: 0, top: 0, right: 320, bottom: 480)),
        .init(.dataMatrix(level: 0, isOnly: false), PixelBox(left: 320, top: 0, right: 640, bottom: 480)),
        .init(.bars, frame),
        .init(.uprightBars, PixelBox(left: 0, top: 0, right: 640, bottom: 240)),
        .init(.uprightBars, PixelBox(left: 0, top: 240, right: 640, bottom: 480)),
    ]

    /// A picture of one grey with a square of another in it.
    private func picture(square: PixelBox? = nil) throws -> LumaPicture {
        var picture = try #require(LumaPicture(width: 640, height: 480, pixels: .init(repeating: 90, count: 640 * 480)))
        guard let square else { return picture }
        for y in square.top..<square.bottom {
            for x in square.left..<square.right { picture.pixels[y * 640 + x] = 200 }
        }
        return picture
    }

    /// Looks that the plan wants in frames of a picture.
    private func looks(
        _ plan: inout LookPlan, _ change: inout SceneChange, _ picture: LumaPicture, _ frames: ClosedRange<Int>,
        isBeside: Bool = true, without grounds: [[Place]] = []
    ) -> [(index: Int, box: PixelBox)] {
        frames.compactMap { frame in
            picture.withPlane { change.look(at: $0, frame: frame, without: grounds) }
            guard let look = plan.next(in: frame, change, isBeside: isBeside) else { return nil }
            plan.looked(look.index, in: frame)
            return look
        }
    }

    @Test(arguments: [true, false]) func inItsFirstSecondAllOfAStreamIsLookedAt(_ isBeside: Bool) throws {
        var (plan, change) = (LookPlan(Self.pieces), SceneChange())
        let seen = looks(&plan, &change, try picture(), 1...30, isBeside: isBeside)
        #expect(Set(seen.map(\.index)) == Set(Self.pieces.indices))
    }

    @Test func whatDoesNotChangeIsLookedAtRarelyButAgain() throws {
        var (plan, change) = (LookPlan(Self.pieces), SceneChange())
        _ = looks(&plan, &change, try picture(), 1...90)
        let seen = looks(&plan, &change, try picture(), 91...250)
        #expect(seen.count <= 11 && Set(seen.map(\.index)) == Set(Self.pieces.indices))
    }

    @Test func whatChangesIsLookedAtWithinASecondAndNotTheRest() throws {
        var (plan, change) = (LookPlan(Self.pieces), SceneChange())
        _ = looks(&plan, &change, try picture(), 1...90)
        let square = PixelBox(left: 480, top: 40, right: 520, bottom: 80)
        let seen = looks(&plan, &change, try picture(square: square), 91...120)
        let near = seen.filter { $0.box != Self.pieces[$0.index].area }
        // Twice each of the right half, the upper rows, and bars at any angle.
        #expect(Set(near.map(\.index)) == [1, 2, 3])
        for (_, box) in near {
            #expect(box.joined(square) == box && box.area < Self.frame.area / 2)
        }
        _ = looks(&plan, &change, try picture(square: square), 121...150)
        // What is done is done.
        #expect(looks(&plan, &change, try picture(square: square), 151...230).count <= 6)
    }

    @Test func aReadCodesOwnGroundDoesNotChangeUntilItIsGone() throws {
        var (plan, change) = (LookPlan(Self.pieces), SceneChange())
        _ = looks(&plan, &change, try picture(), 1...90)
        let square = PixelBox(left: 480, top: 40, right: 560, bottom: 120)
        let ground = [Place(470, 30), Place(570, 30), Place(570, 130), Place(470, 130)]
        _ = looks(&plan, &change, try picture(square: square), 91...150, without: [ground])
        #expect(change.box(since: 91) == nil)
        // Something else is there where it was.
        _ = looks(&plan, &change, try picture(square: square), 151...160)
        #expect(change.box(since: 151) != nil)
    }

    @Test func aPieceWhoseWorkHasNotLastedIsTakenUpWhereItWasLeft() throws {
        var (plan, change) = (LookPlan(Array(Self.pieces.prefix(1))), SceneChange())
        let picture = try picture()
        picture.withPlane { change.look(at: $0, frame: 1, without: []) }
        for (frame, next) in [(30, 40), (60, 80), (90, nil)] as [(Int, Int?)] {
            let found = plan.next(in: frame, change, isBeside: true)
            let look = try #require(found)
            plan.looked(look.index, in: frame, next: next)
            #expect(plan.pieces[0].next == next)
        }
    }
}
