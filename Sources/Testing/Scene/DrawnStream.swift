import Glibc
import SeededRandom

/// Frames of a drawn camera, 30 per second: what a still picture does not have.
public struct DrawnStream: Sendable {
    /// What happens in a stream.
    public enum Story: String, Sendable, CaseIterable {
        /// An empty desk; a hand brings the device in and holds it.
        case arrives
        /// The hand is never still.
        case sways
        /// The lens looks for its focus for a second and finds it.
        case focuses
    }

    /// How many frames are a second; times in the story go by it.
    public static let framesPerSecond = 30

    /// What happens.
    public let story: Story
    /// Of the frames, in pixels.
    public let width: Int
    /// Of the frames, in pixels.
    public let height: Int
    /// What all that is random in it follows from.
    public let seed: UInt64
    /// The code that the device shows: 32 random hexadecimal digits, or 8 in Code 128.
    public let symbol: SceneSymbol
    /// What lies around the device.
    public let clutter: Clutter
    /// A module where it faces the camera, in pixels.
    public let module: Float
    private let base: SceneParameters
    private let sway: (roll: Float, yaw: Float, pitch: Float, place: Float, phase: Float)

    /// `nil` when the symbol cannot be made.
    ///
    /// - Parameters:
    ///   - module: where it faces the camera, in pixels.
    ///   - width: of the frames, in pixels.
    ///   - height: of the frames, in pixels.
    ///   - seed: the same seed gives the same frames.
    public init?(
        _ story: Story, _ kind: SceneSymbol.Kind = .qr, module: Float, width: Int, height: Int, seed: UInt64
    ) {
        var random = SplitMix64(seed: seed)
        let digits = Array("0123456789ABCDEF".utf8)
        let text = String(
            decoding: (0..<(kind == .code128 ? 8 : 32)).map { _ in digits[Int(random.next() & 15)] }, as: UTF8.self)
        guard let symbol = SceneSymbol(kind, text) else { return nil }
        self.symbol = symbol
        self.story = story
        self.width = width
        self.height = height
        self.seed = seed
        self.module = module
        clutter = Clutter.allCases[Int(random.next() % UInt64(Clutter.allCases.count))]
        var scene = SceneParameters()
        scene.setModule(module, modules: symbol.modules, height: height)
        scene.roll = random.between(-10, 10)
        scene.yaw = random.between(-10, 10)
        scene.pitch = random.between(-10, 10)
        scene.contrast = random.between(0.6, 0.9)
        scene.noise = random.between(3, 7)
        scene.shade = random.between(0, 0.3)
        scene.defocus = 0.6
        base = scene
        let size: Float = story == .sways ? 4 : 1
        sway = (2 * size, 3 * size, 2 * size, 0.004 * size, random.unit())
    }

    /// How the device stands in a frame, counted from 0.
    public func parameters(_ frame: Int) -> SceneParameters {
        var scene = pose(Float(frame) / Float(Self.framesPerSecond))
        // A shutter that is open for a third of the time between two frames.
        let next = pose((Float(frame) + 1 / 3) / Float(Self.framesPerSecond))
        let (dx, dy) = ((next.x - scene.x) * Float(width), (next.y - scene.y) * Float(height))
        scene.motion = hypotf(dx, dy)
        scene.motionAngle = atan2f(dy, dx) * 180 / .pi
        return scene
    }

    private func pose(_ time: Float) -> SceneParameters {
        var scene = base
        func wave(_ period: Float) -> Float { SceneParameters.wave(time + sway.phase * 7, period: period) }
        scene.roll += sway.roll * wave(2.3)
        scene.yaw += sway.yaw * wave(1.9)
        scene.pitch += sway.pitch * wave(2.9)
        scene.x += sway.place * (wave(1.3) + 0.5 * wave(0.37))
        scene.y += sway.place * (wave(1.7) + 0.5 * wave(0.41))
        switch story {
        case .arrives:
            let arrival = min(time / 0.7, 1)
            scene.x -= 0.8 * (1 - arrival * arrival * (3 - 2 * arrival))
        case .focuses:
            let hunt = max(0, 1 - time) * (1 + SceneParameters.wave(time, period: 0.6)) / 2
            scene.defocus = max(0.6, module * 2.2 * hunt)
        case .sways: break
        }
        return scene
    }

    /// Whether a person who looks at this one frame, enlarged, would make out the modules: the whole symbol in view, moved
    /// by less than 0.8 and out of focus by a radius of less than 0.6 modules.
    public func isReadable(_ frame: Int) -> Bool {
        let scene = parameters(frame)
        guard scene.motion < 0.8 * module, scene.defocus < max(0.6 * module, 0.61),
            let corners = DisplayMap(scene, width: width, height: height)?.displayCorners
        else { return false }
        return corners.allSatisfy { $0.x >= 0 && $0.y >= 0 && $0.x < Float(width) && $0.y < Float(height) }
    }

    /// What a module measures in a frame: the root of its mean area, in pixels.
    public func moduleSize(_ frame: Int) -> Float? {
        DisplayMap(parameters(frame), width: width, height: height)?.moduleSize(modules: symbol.modules)
    }

    /// To draw the frames with, one after the other.
    public func renderer() -> SceneRenderer {
        SceneRenderer(width: width, height: height, clutter: clutter, seed: seed)
    }
}
