import CodeReader
import Luma
import CodeWriter
import Testing

@testable import Scene

@Suite struct SceneTests {
    func code() throws -> LumaPicture {
        let hex = Array("00112233445566778899aabbccddeeff".utf8)
        let (side, pixels) = try hex.withUnsafeBytes { try QRMatrix(hex: $0).pixels(scale: 8) }
        return try #require(LumaPicture(width: side, height: side, pixels: pixels))
    }

    func frame(_ picture: LumaPicture?, _ scene: SceneParameters, seed: UInt64 = 1) throws -> LumaPicture {
        var renderer = SceneRenderer(width: 640, height: 480, seed: seed)
        var pixels = [UInt8](repeating: 0, count: 640 * 480)
        renderer.render(picture, scene, into: &pixels)
        return try #require(LumaPicture(width: 640, height: 480, pixels: pixels))
    }

    @Test func theSameSeedDrawsTheSameScene() throws {
        let scene = SceneParameters.severity(3, seed: 9)
        #expect(try frame(code(), scene, seed: 5) == frame(code(), scene, seed: 5))
        #expect(try frame(code(), scene, seed: 5) != frame(code(), scene, seed: 6))
    }

    @Test func easyScenesAreReadAndDarkDisplaysAreNot() throws {
        let reader = CodeReader()
        for seed in 1...5 as ClosedRange<UInt64> {
            let picture = try frame(code(), .severity(0, seed: seed), seed: seed)
            #expect(picture.withPlane { reader.read($0) }.first?.candidate?.count == 16, "seed \(seed)")
            #expect(try frame(nil, .severity(0, seed: seed), seed: seed).withPlane { reader.read($0) }.isEmpty)
        }
    }

    @Test func everySeverityAndMomentCanBeDrawn() throws {
        for grade in -1...6 {
            for seed in 0..<4 as Range<UInt64> { _ = try frame(code(), .severity(grade, seed: seed)) }
        }
        for tenth in stride(from: 0, to: 200, by: 13) { _ = try frame(code(), .demo(at: Double(tenth) / 10)) }
        var edge = SceneParameters()
        edge.yaw = 89
        edge.pitch = 89
        edge.displaySize = 3
        edge.x = -2
        _ = try frame(code(), edge)
    }

    @Test(arguments: Degradation.allCases) func everyDegradationHasItsGradesAndIsTheSameAgain(_ kind: Degradation)
        throws
    {
        for grade in Degradation.grades {
            let scene = try #require(DrawnScene(.qr, kind, grade: grade, width: 320, height: 240, seed: 7))
            let again = try #require(DrawnScene(.qr, kind, grade: grade, width: 320, height: 240, seed: 7))
            #expect(scene.parameters == again.parameters)
            if grade == 3 { #expect(scene.pixels() == again.pixels()) }
            let module = try #require(scene.moduleSize)
            #expect(module > 0.5 && module < 6 && scene.corners?.count == 4)
        }
    }

    @Test func theEasiestGradeIsReadAndTheHardestMostlyNot() throws {
        func share(_ grade: Int) throws -> Int {
            let reader = CodeReader([.qr])
            var count = 0
            for (index, kind) in ([.motion, .defocus, .noise, .banding, .lowContrast, .moire] as [Degradation])
                .enumerated()
            {
                let scene = try #require(
                    DrawnScene(.qr, kind, grade: grade, width: 640, height: 480, seed: UInt64(index)))
                let picture = try #require(LumaPicture(width: 640, height: 480, pixels: scene.pixels()))
                let found = picture.withPlane { reader.read($0) }
                if found.contains(where: { $0.value == Array((scene.symbol?.text ?? "").utf8) }) { count += 1 }
            }
            return count
        }
        #expect(try share(1) > share(5))
    }

    @Test func aLongerListBeginsWithTheShorterOne() throws {
        let short = DrawnScene.standard(.qr, count: 30, width: 320, height: 240, seed: 2)
        let long = DrawnScene.standard(.qr, count: 60, width: 320, height: 240, seed: 2)
        #expect(short.count == 30 && long.count == 60 && zip(short, long).allSatisfy { $0.parameters == $1.parameters })
        #expect(Set(long.map(\.degradation)).count == Degradation.allCases.count)
        #expect(Set(long.map(\.grade)) == Set(Degradation.grades))
    }

    @Test func scenesWithoutACodeHaveNone() {
        for seed in 0..<8 as Range<UInt64> {
            let scene = DrawnScene(emptyWithWidth: 320, height: 240, seed: seed)
            #expect(scene.symbol == nil && scene.corners == nil && scene.moduleSize == nil)
            #expect(scene.pixels().count == 320 * 240)
        }
    }

    @Test func theModuleIsAsLargeAsItWasAskedFor() throws {
        let symbol = try #require(SceneSymbol(.qr, "00112233445566778899AABBCCDDEEFF"))
        var scene = SceneParameters()
        scene.setModule(4, modules: symbol.modules, height: 480)
        #expect(scene.displaySize * 480 == 4 * Float(symbol.modules))
    }

    @Test(arguments: DrawnStream.Story.allCases) func aStreamBecomesReadable(_ story: DrawnStream.Story) throws {
        let stream = try #require(DrawnStream(story, module: 3, width: 640, height: 480, seed: 2))
        let readable = (0..<60).filter { stream.isReadable($0) }
        #expect(!readable.isEmpty)
        if story == .arrives { #expect(!stream.isReadable(0)) }
        for frame in readable { #expect(abs(try #require(stream.moduleSize(frame)) - 3) < 0.5) }
        if story == .arrives { #expect((0..<60).contains { stream.parameters($0).motion > 3 }) }
    }

    @Test func theLensKeepsGreyGreyAndSpreadsAPoint() {
        let lens = Lens(width: 41, height: 31)
        for spread in [PointSpread(disc: 0.6), PointSpread(disc: 3.3), PointSpread(line: 9, degrees: 30)] {
            var grey = [UInt8](repeating: 131, count: 41 * 31)
            lens.blur(&grey, spread)
            #expect(grey.allSatisfy { $0 == 131 })
            var point = [UInt8](repeating: 0, count: 41 * 31)
            point[15 * 41 + 20] = 255
            lens.blur(&point, spread)
            // Each place is rounded to a whole grey level.
            let sum = point.reduce(0) { $0 + Int($1) }
            #expect(point.count { $0 > 0 } > 1 && point[15 * 41 + 20] > 0 && abs(sum - 255) < 30)
        }
    }

    @Test func code128HasItsShape() throws {
        let code = try #require(Code128(Array("A1".utf8)))
        // Start, two characters and the check of 11 modules each, and a stop of 13.
        #expect(code.modules.count == 57 && code.modules.first == true && code.modules.last == true)
        #expect(Code128([]) == nil && Code128([7]) == nil && Code128([UInt8](repeating: 65, count: 81)) == nil)
    }
}
