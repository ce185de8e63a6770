import Camera
import Geometry
import Luma
import Scene
import SeededRandom
import Testing

@testable import CodeReader

/// Data Matrix symbols that are located and cannot be read.
@Suite struct UnreadCodesTests {
    static let label = Sheet.Label(kind: .datamatrix, text: ManyCodesTests.nonce, module: 5, x: 300, y: 200)

    /// With a blot over a third of the data: too much for error correction.
    private func blotted() throws -> LumaPicture {
        var picture = try Sheet(labels: [Self.label]).picture()
        let side = try Self.label.drawn().width
        for y in 200 + side * 3 / 10..<200 + side * 7 / 10 {
            for x in 300 + side * 3 / 10..<300 + side * 7 / 10 { picture.pixels[y * picture.width + x] = 220 }
        }
        return picture
    }

    @Test(arguments: [false, true]) func whatWasLocatedAndNotReadIsUnreadUntilItIsRead(_ isBesideQR: Bool) throws {
        let reader = StreamReader(Set(Symbology.allCases))
        var picture = try blotted()
        let beside = Sheet.Label(kind: .qr, text: ManyCodesTests.uuid, module: 4, x: 800, y: 100)
        let whole = try Sheet(labels: isBesideQR ? [Self.label, beside] : [Self.label]).picture()
        if isBesideQR {
            for y in 0..<720 { for x in 700..<1280 { picture.pixels[y * 1280 + x] = whole.pixels[y * 1280 + x] } }
        }
        let frames = ManyCodesTests.stream(picture, frames: 60, reader)
        #expect(!frames.joined().contains { $0.symbology == .dataMatrix })
        #expect(reader.unread.count == 1)
        let aim = try #require(reader.unread.first)
        let side = try Self.label.drawn().width
        let expected = Place(300, 200) + Float(side) / 2
        #expect((aim.corners.middle - expected).length < 2 && abs(aim.module - 5) < 0.4)
        #expect(aim.dark < 80 && aim.light > 170 && aim.isSymbol && !aim.wasRead)
        let read = ManyCodesTests.stream(whole, frames: 30, reader)
        #expect(read.joined().contains { $0.symbology == .dataMatrix } && reader.unread.isEmpty)
    }

    @Test func whatIsGoneIsNotUnread() throws {
        let reader = StreamReader(Set(Symbology.allCases))
        _ = ManyCodesTests.stream(try blotted(), frames: 60, reader)
        _ = ManyCodesTests.stream(try Sheet(labels: []).picture(), frames: 45, reader)
        #expect(reader.unread.isEmpty)
    }

    @Test func whatIsSeenOnceOrSeldomIsNotUnread() {
        func aim(_ x: Float) -> Aim {
            let corners = [Place].box(from: Place(x, 0), to: Place(x + 50, 50))
            return Aim(corners: corners, module: 3, isSymbol: true, sharpness: nil, dark: 30, light: 220)
        }
        var doubts = UnreadCodes()
        for frame in 1...3 { doubts.found(aim(0), frame: frame * 8) }
        // Many times in one frame is once.
        for _ in 0..<9 { doubts.found(aim(100), frame: 24) }
        #expect(doubts.aims(in: 24).isEmpty)
        doubts.found(aim(3), frame: 32)
        #expect(doubts.aims(in: 32).count == 1 && doubts.aims(in: 70).isEmpty)
        for x in 0..<1000 { doubts.found(aim(Float(x) * 200), frame: 33) }
        // Those that are not found again make room.
        var looks = 0
        for frame in 34..<2000 where doubts.due(in: frame) != nil { looks += 1 }
        #expect(looks <= 100 && doubts.due(in: 3000) == nil)
        doubts.found(aim(0), frame: 3001)
        doubts.read(aim(2).corners)
        #expect(doubts.due(in: 3100) == nil)
    }

    /// Clutter of every kind, as a camera shows it: new noise in every frame.
    @Test(arguments: Clutter.allCases) func clutterIsNotUnread(_ clutter: Clutter) throws {
        var scene = SceneParameters()
        scene.hasDevice = false
        for seed in [3, 8] as [UInt64] {
            var renderer = SceneRenderer(width: 640, height: 480, clutter: clutter, seed: seed)
            var pixels = [UInt8](repeating: 0, count: 640 * 480)
            let reader = StreamReader([.qr, .dataMatrix])
            for _ in 0..<60 {
                renderer.render(nil, scene, into: &pixels)
                let picture = try #require(LumaPicture(width: 640, height: 480, pixels: pixels))
                _ = picture.withPlane { reader.read($0) }
                #expect(reader.unread.isEmpty)
            }
        }
    }
}
