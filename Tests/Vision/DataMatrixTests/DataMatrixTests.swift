import Luma
import Scene
import SeededRandom
import Testing

@testable import DataMatrix

@Suite struct DataMatrixTests {
    static let digits = "00112233445566778899AABBCCDDEEFF"

    func frame(
        _ text: String = digits, seed: UInt64 = 1, width: Int = 640, height: Int = 480, clutter: Clutter = .desk,
        module: Float = 4, _ change: (inout SceneParameters) -> Void = { _ in }
    ) throws -> LumaPicture {
        let symbol = try #require(SceneSymbol(.dataMatrix, text))
        var scene = SceneParameters()
        scene.defocus = 0.6
        scene.setModule(module, modules: symbol.modules, height: height)
        change(&scene)
        var renderer = SceneRenderer(width: width, height: height, clutter: clutter, seed: seed)
        var pixels = [UInt8](repeating: 0, count: width * height)
        renderer.render(symbol.picture, scene, into: &pixels)
        return try #require(LumaPicture(width: width, height: height, pixels: pixels))
    }

    func texts(_ picture: LumaPicture) -> [String] {
        picture.withPlane { DataMatrixReader.read($0).symbols }.map { String(decoding: $0.text, as: UTF8.self) }
    }

    @Test(arguments: Array(stride(from: Float(0), to: 360, by: 30)))
    func aSymbolIsReadAtAnyAngle(_ roll: Float) throws {
        #expect(texts(try frame { $0.roll = roll }) == [Self.digits])
    }

    @Test(arguments: [(35, 0), (-35, 0), (0, 35), (0, -35), (25, 25), (-25, 25)] as [(Float, Float)])
    func aTiltedSymbolIsRead(_ yaw: Float, _ pitch: Float) throws {
        let picture = try frame {
            $0.yaw = yaw
            $0.pitch = pitch
            $0.roll = 20
        }
        #expect(texts(picture) == [Self.digits])
    }

    @Test func lightOnDarkIsRead() throws {
        #expect(texts(try frame { $0.isInverted = true }) == [Self.digits])
    }

    @Test(arguments: Clutter.allCases) func clutterDoesNotHideASymbol(_ clutter: Clutter) throws {
        #expect(texts(try frame(clutter: clutter)) == [Self.digits])
    }

    /// From 10 × 10 modules to several data regions.
    @Test(arguments: [1, 6, 12, 20, 32, 60, 120, 200]) func textsOfManySizesAreRead(_ count: Int) throws {
        let text = String(String(repeating: "AZ5-x/", count: 40).prefix(count))
        #expect(texts(try frame(text, width: 800, height: 600, module: 5) { $0.roll = 10 }) == [text])
    }

    @Test func smallModulesAndCornersAreFound() throws {
        let picture = try frame(module: 2.2) { $0.roll = 30 }
        let symbol = try #require(picture.withPlane { DataMatrixReader.read($0).symbols }.first)
        // Without its quiet zone of two modules.
        let modules = Float(try #require(SceneSymbol(.dataMatrix, Self.digits)).modules - 4)
        for (a, b) in zip(symbol.corners, symbol.corners[1...]) { #expect(abs((b - a).length - 2.2 * modules) < 1.5) }
    }

    @Test func damageIsCorrected() throws {
        #expect(
            texts(
                try frame {
                    $0.occlusion = 0.015
                    $0.occlusionSeed = 3
                    $0.glare = 0.8
                }) == [Self.digits])
    }

    @Test(arguments: Clutter.allCases) func clutterAloneGivesNothing(_ clutter: Clutter) throws {
        for seed in 0..<2 as Range<UInt64> {
            #expect(
                texts(try frame(seed: seed, width: 480, height: 360, clutter: clutter) { $0.hasDevice = false }).isEmpty
            )
        }
    }

    @Test func tinyFlatAndNoisyPicturesGiveNothing() throws {
        var random = SplitMix64(seed: 5)
        for (width, height) in [(1, 1), (1, 700), (700, 1), (2, 2), (15, 15), (16, 16), (17, 300), (320, 240)] {
            for isFlat in [true, false] {
                let pixels = (0..<width * height).map { _ in isFlat ? 7 : UInt8(truncatingIfNeeded: random.next()) }
                #expect(texts(try #require(LumaPicture(width: width, height: height, pixels: pixels))).isEmpty)
            }
        }
    }

    @Test func paddedRowsAreReadAsOthers() throws {
        let picture = try frame()
        var padded: [UInt8] = []
        for row in 0..<picture.height {
            padded += picture.pixels[row * picture.width..<(row + 1) * picture.width] + [255, 0, 255]
        }
        let found = padded.withUnsafeBufferPointer {
            DataMatrixReader.read(
                LumaPlane(
                    base: $0.baseAddress!, width: picture.width, height: picture.height, stride: picture.width + 3)
            ).symbols
        }
        #expect(found.map(\.text) == [Array(Self.digits.utf8)])
    }

    /// With little work allowed at a time, going on where the last frame has ended, every place is looked at all the same.
    @Test func theWorkSharedOutOverFramesIsTheSame() throws {
        let picture = try frame(clutter: .mixed)
        var effort = DataMatrixReader.Effort()
        effort.samples = 20_000
        var texts: [[UInt8]] = []
        var frames = 0
        repeat {
            let (symbols, lookedAt) = picture.withPlane { DataMatrixReader.read($0, effort) }
            texts += symbols.map(\.text)
            frames += 1
            guard let lookedAt else { break }
            #expect(lookedAt > effort.skipped, "each frame looks at one place at least")
            effort.skipped = lookedAt
        } while frames < 100
        #expect(texts.contains(Array(Self.digits.utf8)))
        #expect((2..<100).contains(frames))
    }

    @Test func largeSymbolsAreLeftToASmallerCopy() throws {
        let picture = try frame()
        var effort = DataMatrixReader.Effort()
        effort.longestSide = 20
        #expect(picture.withPlane { DataMatrixReader.read($0, effort) }.symbols.isEmpty)
    }

    @Test func smallSymbolsAreLeftToParts() throws {
        let picture = try frame()
        var effort = DataMatrixReader.Effort()
        let side = try #require(
            picture.withPlane { DataMatrixReader.read($0) }.symbols.first.map {
                ($0.corners[1] - $0.corners[0]).length
            })
        effort.shortestSide = side * 0.7
        #expect(picture.withPlane { DataMatrixReader.read($0, effort) }.symbols.count == 1)
        effort.shortestSide = side * 1.3
        #expect(picture.withPlane { DataMatrixReader.read($0, effort) }.symbols.isEmpty)
    }

    /// Thousands of L shapes: the candidates are limited, and so is what follows.
    @Test func aPictureFullOfCornersIsBounded() throws {
        let (width, height) = (1280, 720)
        var pixels = [UInt8](repeating: 230, count: width * height)
        for y in 0..<height {
            for x in 0..<width {
                let (u, v) = (x % 18, y % 18)
                if (u >= 2 && u < 5 && v >= 2) || (v >= 14 && u >= 2) { pixels[y * width + x] = 20 }
            }
        }
        let picture = try #require(LumaPicture(width: width, height: height, pixels: pixels))
        picture.withPlane { plane in
            let segments = EdgeTests.edges(plane, least: 12)
            #expect(segments.count <= EdgeSegment.most)
            #expect(FinderL.find(segments, most: 60).count <= 60)
            #expect(DataMatrixReader.read(plane).symbols.count <= DataMatrixReader.most)
        }
    }
}
