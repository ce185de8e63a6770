import Aiming
import CodeReader
import Luma
import Testing

@testable import Scene

/// A drawn camera that looks at a code, frame by frame.
struct Drawing {
    static let text = "00112233445566778899AABBCCDDEEFF"

    var scene = SceneParameters()
    /// In pixels.
    var module: Float = 4
    var clutter: Clutter = .desk
    var kind: SceneSymbol.Kind = .qr
    var size = (width: 1280, height: 720)
    /// Pixels that the device moves from frame to frame.
    var speed: Float = 0
    /// Of the time from frame to frame, how long the shutter is open.
    var shutter: Float = 0.33
    /// What the camera makes of light: multiplied, then cut at 255.
    var exposure: Float = 1

    init() {
        scene.defocus = 0.6
        scene.noise = 3
        scene.contrast = 0.85
    }

    /// - Parameter change: what is bad about the scene.
    init(_ change: (inout Drawing) -> Void) {
        self.init()
        change(&self)
    }

    func frames(_ count: Int, seed: UInt64 = 7) throws -> [LumaPicture] {
        let text = kind == .code128 ? String(Self.text.prefix(8)) : Self.text
        let symbol = try #require(SceneSymbol(kind, text))
        var renderer = SceneRenderer(width: size.width, height: size.height, clutter: clutter, seed: seed)
        var scene = scene
        scene.setModule(module, modules: symbol.modules, height: size.height)
        return try (0..<count).map { index in
            var moved = scene
            let way = speed * (Float(index) - Float(count) / 2)
            moved.x += way / Float(size.width)
            moved.motion = max(scene.motion, speed * shutter)
            var pixels = [UInt8](repeating: 0, count: size.width * size.height)
            renderer.render(symbol.picture, moved, into: &pixels)
            if exposure != 1 {
                for index in pixels.indices { pixels[index] = UInt8(min(255, Float(pixels[index]) * exposure)) }
            }
            return try #require(LumaPicture(width: size.width, height: size.height, pixels: pixels))
        }
    }

    /// What the real reader sees in such frames, and what is advised after the last.
    func report(frames count: Int = 12, seed: UInt64 = 7) throws -> AimReport {
        try Self.report(try frames(count, seed: seed))
    }

    /// The same for frames that get worse, one after the other.
    static func report(_ drawings: [Drawing], seed: UInt64 = 7) throws -> AimReport {
        try report(try drawings.flatMap { try $0.frames(1, seed: seed) })
    }

    private static func report(_ frames: [LumaPicture]) throws -> AimReport {
        let reader = StreamReader(Set(Symbology.allCases))
        var advisor = AimAdvisor()
        var report: AimReport?
        for frame in frames {
            report = frame.withPlane { plane in
                let readings = reader.read(plane)
                return advisor.add(Glance(plane, readings: readings, aim: reader.aim))
            }
        }
        return try #require(report)
    }
}
