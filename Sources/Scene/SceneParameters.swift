/// How the device stands before the drawn camera.
public struct SceneParameters: Sendable, Hashable {
    /// Width of the device's display in the frame, as a share of the frame's height.
    public var displaySize: Float = 0.55
    /// Centre of the device, as shares of the frame's width and height.
    public var x: Float = 0.5
    public var y: Float = 0.5
    /// Turned in the picture's plane, in degrees.
    public var roll: Float = 0
    /// Turned out of the picture's plane about its vertical and horizontal axes, in degrees.
    public var yaw: Float = 0
    public var pitch: Float = 0
    /// Deviation of the sensor's noise, in grey levels.
    public var noise: Float = 2
    /// Radius of the defocus, in pixels; 0 is sharp.
    public var defocus = 0
    /// How much darker the right side is than the left, from 0 to 1.
    public var shade: Float = 0.1
    /// Brightness of a reflection on the display, from 0 to 1.
    public var glare: Float = 0
    /// From 0 (uniform grey) to 1.
    public var contrast: Float = 0.9
    /// Light on dark.
    public var isInverted = false
    /// Without it there is only the desk.
    public var hasDevice = true

    public init() {}

    /// From 0 (a scan of the display, nearly) to 5 (hardly readable).
    public static func severity(_ grade: Int, seed: UInt64) -> SceneParameters {
        var random = SplitMix64(seed: seed)
        let share = Float(max(0, min(grade, 5))) / 5
        func spread(_ most: Float) -> Float { (random.unit() * 2 - 1) * most * share }
        var scene = SceneParameters()
        scene.displaySize = 0.7 - 0.45 * share
        scene.roll = spread(30)
        scene.yaw = spread(35)
        scene.pitch = spread(35)
        scene.x = 0.5 + spread(0.15)
        scene.y = 0.5 + spread(0.1)
        scene.noise = 1 + 14 * share
        scene.defocus = Int(share * 2)
        scene.shade = 0.6 * share
        scene.glare = 0.5 * share
        scene.contrast = 1 - 0.55 * share
        return scene
    }

    /// The demo's story, by seconds since its beginning: an empty desk; the device comes in; it tilts to and fro; the
    /// light goes and the picture turns noisy.
    public static func demo(at time: Double) -> SceneParameters {
        var scene = SceneParameters()
        let t = Float(time)
        scene.hasDevice = t >= 0.5
        let arrival = min(max((t - 0.5) / 0.8, 0), 1)
        let eased = arrival * arrival * (3 - 2 * arrival)
        scene.x = -0.3 + 0.8 * eased
        scene.displaySize = 0.42
        if t > 1.3 {
            scene.roll = 14 * wave(t - 1.3, period: 5)
            scene.yaw = 22 * wave(t - 1.3, period: 3.7)
            scene.pitch = 16 * wave(t - 1.3, period: 4.6)
            scene.x = 0.5 + 0.05 * wave(t - 1.3, period: 6.1)
        }
        let dusk = min(max((t - 4) / 3, 0), 1)
        scene.noise = 2 + 8 * dusk
        scene.shade = 0.1 + 0.3 * dusk
        scene.contrast = 0.95 - 0.25 * dusk
        return scene
    }

    private static func wave(_ time: Float, period: Float) -> Float {
        // A sine by its polynomial is exact enough for a picture and the same everywhere.
        let turns = time / period
        let phase = (turns - turns.rounded(.down)) * 2 - 1
        return -4 * phase * (1 - abs(phase))
    }
}
