import AimPage
import Aiming
import Camera
import Geometry
import Luma
import SeededRandom
import Testing

@testable import CodeReader
@testable import Scene

/// What leaves the machine holds no code that anybody can read.
@Suite struct SafePictureTests {
    /// Reads a picture in every way that we have: zbar and our reader, as it is, inverted and enlarged.
    final class Attacker {
        private let reader = CodeReader()
        private let zbar = ZbarScanner(Set(Symbology.allCases))

        func readings(_ picture: LumaPicture) throws -> [Reading] {
            var found: [Reading] = []
            let inverted = try #require(
                LumaPicture(
                    width: picture.width, height: picture.height, pixels: picture.pixels.map { 255 - $0 }))
            for picture in [picture, inverted, try doubled(picture)] {
                found += picture.withPlane { zbar.scan($0) + reader.read($0) }
            }
            return found
        }

        private func doubled(_ picture: LumaPicture) throws -> LumaPicture {
            let (width, height) = (picture.width, picture.height)
            var pixels: [UInt8] = []
            pixels.reserveCapacity(4 * width * height)
            for y in 0..<2 * height {
                let row = y / 2 * width
                for x in 0..<2 * width { pixels.append(picture.pixels[row + x / 2]) }
            }
            return try #require(LumaPicture(width: 2 * width, height: 2 * height, pixels: pixels))
        }
    }

    /// As the program makes them: codes that the stream's reader has located are hidden.
    final class Eye {
        private let reader = StreamReader(Set(Symbology.allCases))
        private let maker = SafePictureMaker()
        private let encoder = JPEGEncoder()

        /// The picture as the viewer gets it.
        func picture(_ frame: LumaPicture, isLocating: Bool = true) throws -> (picture: LumaPicture, scale: Int)? {
            let made = frame.withPlane { plane in
                let readings = reader.read(plane)
                let glance = Glance(plane, readings: readings, aim: reader.aim)
                return maker.picture(of: plane, hiding: isLocating ? glance.hidden(readings) : [])
            }
            guard let made else { return nil }
            let bytes = try #require(encoder?.encoded(made.picture))
            return (try StillPicture.decode(bytes, name: "sent"), made.scale)
        }
    }

    /// Scenes of all kinds of code, with all kinds of faults.
    static let scenes: [DrawnScene] =
        DrawnScene.standard(.qr, count: 2, width: 1280, height: 720, seed: 31)
        + DrawnScene.standard(.qr, count: 8, width: 640, height: 480, seed: 32)
        + DrawnScene.standard(.code128, count: 4, width: 640, height: 480, seed: 33)
        + DrawnScene.standard(.dataMatrix, count: 2, width: 640, height: 480, seed: 34)

    @Test(arguments: [true, false])
    func nobodyReadsACodeInWhatIsSentWhetherItWasLocatedOrNot(isLocating: Bool) throws {
        let attacker = Attacker()
        var (read, sent) = (0, 0)
        for scene in Self.scenes {
            let frame = try #require(LumaPicture(width: scene.width, height: scene.height, pixels: scene.pixels()))
            if isLocating, try !attacker.readings(frame).isEmpty { read += 1 }
            guard let (picture, _) = try Eye().picture(frame, isLocating: isLocating) else { continue }
            sent += 1
            let readings = try attacker.readings(picture)
            #expect(readings.isEmpty, "\(scene.degradation) \(scene.grade) \(scene.symbol?.kind.rawValue ?? "")")
        }
        // The attack works on the frames themselves, and pictures are sent.
        #expect(!isLocating || read > Self.scenes.count / 3)
        #expect(sent > Self.scenes.count * 9 / 10)
    }

    /// Modules from one to twenty pixels, the largest filling the frame.
    @Test(arguments: [1, 2, 4, 8, 12, 20] as [Float])
    func nothingInsideACodeIsFinerThanACell(module: Float) throws {
        let drawing = Drawing { $0.module = module }
        let frame = try #require(try drawing.frames(1).first)
        for isLocating in [true, false] {
            let (picture, scale) = try #require(try Eye().picture(frame, isLocating: isLocating))
            // The turns between dark and light in the code's middle row and column: next to none are left.
            let reach = Int(module * 12.5) / scale
            let (x, y) = (picture.width / 2, picture.height / 2)
            let row = (x - reach..<x + reach).map { picture.pixels[y * picture.width + $0] }
            let column = (y - reach..<y + reach).map { picture.pixels[$0 * picture.width + x] }
            for line in [row, column] {
                let turns = zip(line, line.dropFirst()).count { abs(Int($0) - Int($1)) > 20 }
                #expect(turns <= 2 * line.count / 40 + 2, "module \(module), located: \(isLocating): \(turns)")
            }
        }
    }

    @Test func finderPatternsThatAreNoCodeAreNotToBeSeenEither() throws {
        var desk = Drawing { $0.scene.hasDevice = false }
        desk.clutter = .finders
        for seed in 1...3 as ClosedRange<UInt64> {
            let frame = try #require(try desk.frames(1, seed: seed).first)
            let (picture, _) = try #require(try Eye().picture(frame))
            let tracker = QRTracker()
            _ = picture.withPlane { tracker.read($0) }
            #expect(tracker.aim == nil, "seed \(seed)")
        }
    }

    @Test func aCodeThatIsLostFromSightStaysHidden() throws {
        let eye = Eye()
        let drawing = Drawing { $0.module = 6 }
        let frame = try #require(try drawing.frames(1).first)
        let (first, scale) = try #require(try eye.picture(frame))
        let (second, _) = try #require(try eye.picture(frame, isLocating: false))
        let at = second.height / 2 * second.width + second.width / 2
        let side = Int(6 * 12) / scale
        let tones = Set((at - side..<at + side).map { second.pixels[$0] / 8 })
        #expect(tones.count <= 2 && first.width == second.width)
    }

    @Test func oddSizesAndNoiseGiveAPictureOrNone() throws {
        let maker = SafePictureMaker()
        var random = SplitMix64(seed: 5)
        for (width, height) in [(1, 1), (3, 700), (641, 2), (25, 25), (1281, 721), (1300, 9)] {
            let pixels = (0..<width * height).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let frame = try #require(LumaPicture(width: width, height: height, pixels: pixels))
            let wild = try #require(
                Outline([
                    Place(-1_000_000, 0), Place(1_000_000, 3), Place(9, 1e30), Place(0, 7),
                ]))
            let made = frame.withPlane { maker.picture(of: $0, hiding: [wild]) }
            #expect(made.map { max($0.picture.width, $0.picture.height) <= SafePictureMaker.longestSide } ?? true)
        }
    }
}
