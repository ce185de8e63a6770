import CodeReader
import Luma
import Presentation
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
}
