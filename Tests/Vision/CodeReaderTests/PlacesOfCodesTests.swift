import Geometry
import Luma
import Testing

@testable import CodeReader

/// All readers mean the same by a place: where a code was drawn, to a part of a pixel, and none of them is off to one side.
@Suite struct PlacesOfCodesTests {
    static let nonce = "00112233445566778899AABBCCDDEEFF"

    /// The box around a label's dark pixels, in the frame.
    func box(_ label: Sheet.Label) throws -> (low: Place, high: Place) {
        let drawn = try label.drawn()
        let dark = drawn.pixels.indices.filter { drawn.pixels[$0] == 0 }
            .map { Place(pixel: label.x + $0 % drawn.width, label.y + $0 / drawn.width) }
        let box = try #require(dark.bounds)
        return (box.low - 0.5, box.high + 0.5)
    }

    /// How far the middle of what was found is from the middle of what was drawn.
    func error(_ readings: [Reading], _ label: Sheet.Label) throws -> Place {
        let reading = try #require(readings.first { $0.symbology.rawValue == label.kind.rawValue })
        let (found, drawn) = (try #require(reading.corners.bounds), try box(label))
        // A Data Matrix's corners are searched for in steps, one after the other.
        let most = 0.5 * Float(label.module) + 1
        #expect((found.low - drawn.low).length < most && (found.high - drawn.high).length < most)
        return ((found.low + found.high) - (drawn.low + drawn.high)) / 2
    }

    /// Half a pixel to the right and down, or to the left and up, is 0.7 in the mean over many sizes.
    @Test(arguments: [.qr, .datamatrix] as [Sheet.Kind])
    func picturesSayWhereCodesAre(_ kind: Sheet.Kind) throws {
        let reader = CodeReader([.qr, .dataMatrix])
        let errors = try (3...12).map { module in
            let label = Sheet.Label(kind: kind, text: Self.nonce, module: module, x: 301, y: 203)
            return try error(Sheet(labels: [label]).picture().withPlane { reader.read($0) }, label)
        }
        #expect(errors.middle.length < 0.4)
    }

    /// In a stream large ones are looked for in smaller copies of parts.
    @Test(arguments: [.qr, .datamatrix] as [Sheet.Kind])
    func streamsSayWhereCodesAre(_ kind: Sheet.Kind) throws {
        let errors = try [4, 5, 6, 12, 13, 15, 17].map { module in
            let label = Sheet.Label(kind: kind, text: Self.nonce, module: module, x: 301, y: 103)
            let reader = StreamReader([.qr, .dataMatrix])
            let frames = ManyCodesTests.stream(try Sheet(labels: [label]).picture(), frames: 40, reader)
            return try error(frames.joined().suffix(1), label)
        }
        #expect(errors.middle.length < 0.6)
    }

    /// Programs draw codes with modules of one pixel: those are enlarged to be read.
    @Test func anEnlargedCodeIsWhereItWasDrawn() throws {
        let label = Sheet.Label(kind: .qr, text: Self.nonce, module: 1, x: 30, y: 41)
        let picture = try Sheet(width: 120, height: 120, labels: [label]).picture()
        #expect(try error(picture.withPlane { CodeReader([.qr]).read($0) }, label).length < 0.2)
    }

    @Test func aReadingMovesWithItsPart() {
        let reading = Reading(value: [1], symbology: .code39, corners: [Place(1, 2), Place(3.5, -4)], isGS1: true)
        let moved = reading.moved(scale: 4, to: Place(100, 200))
        #expect(moved.corners == [Place(104, 208), Place(114, 184)] && moved.isSame(as: reading) && moved.isGS1)
        #expect(reading.moved(to: Place(-1, 1)).corners == [Place(0, 3), Place(2.5, -3)])
    }

    @Test func noCornerIsFartherThanAWholeNumberReaches() {
        let wild = [Place(.nan, 1), Place(.infinity, -.infinity), Place(3e38, -3e38)]
        let reading = Reading(value: [1], symbology: .qr, corners: wild)
        #expect(reading.corners == [Place(-1e6, 1), Place(1e6, -1e6), Place(1e6, -1e6)])
        #expect(
            reading.moved(scale: 1e30, to: .zero).corners.allSatisfy { $0.x.magnitude <= 1e6 && $0.y.magnitude <= 1e6 })
    }

    @Test func anAimMovesWithItsPart() {
        let aim = Aim(corners: [Place(1, 2)], module: 3, isSymbol: true, sharpness: 0.5, dark: 10, light: 200)
        let moved = aim.moved(scale: 2, to: Place(10, 20))
        #expect(
            moved.corners == [Place(12, 24)] && moved.module == 6 && moved.sharpness == 0.5 && moved.contrast == 190)
    }
}
