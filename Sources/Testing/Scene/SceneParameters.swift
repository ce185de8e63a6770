import SeededRandom

/// How the device stands before the drawn camera, and how well the camera sees it.
public struct SceneParameters: Sendable, Hashable {
    // MARK: The device

    /// Without it there is only the desk.
    public var hasDevice = true
    /// Width of the device's display in the frame, as a share of the frame's height, when it faces the camera.
    public var displaySize: Float = 0.55
    /// Centre of the device, as shares of the frame's width and height.
    public var x: Float = 0.5
    /// Centre of the device from the top, as a share of the frame's height.
    public var y: Float = 0.5
    /// Turned in the picture's plane, in degrees.
    public var roll: Float = 0
    /// Turned out of the picture's plane about its vertical and horizontal axes, in degrees.
    public var yaw: Float = 0
    /// Turned out of the picture's plane about its horizontal axis, in degrees.
    public var pitch: Float = 0
    /// From 0 (uniform grey) to 1.
    public var contrast: Float = 0.9
    /// Light on dark.
    public var isInverted = false

    // MARK: The kind of display

    /// Width of one of the display's own pixels, in pixels of the frame; 0: none to be seen. Near 1 it beats with the
    /// sensor's grid (moiré), above 2 it is a grid.
    public var gridPitch: Float = 0
    /// How much darker the gaps between the display's pixels are, from 0 to 1.
    public var gridDepth: Float = 0
    /// How much darker the backlight's pulses leave some rows of a rolling shutter, from 0 to 1.
    public var bandDepth: Float = 0
    /// From one such band to the next, in rows, and where the first one is, in bands.
    public var bandPeriod: Float = 60
    /// How far the bands are moved up, as a share of ``bandPeriod``.
    public var bandPhase: Float = 0
    /// How much of the picture before is still there (electronic ink), from 0 to 1.
    public var ghost: Float = 0

    // MARK: What is in the way, and light

    /// Share of the display that stains cover.
    public var occlusion: Float = 0
    /// What places, shapes and tones of the stains follow from.
    public var occlusionSeed: UInt64 = 0
    /// How much darker the right side is than the left, from 0 to 1.
    public var shade: Float = 0.1
    /// How much darker it is behind the edge of a shadow that goes over the display, from 0 to 1.
    public var shadow: Float = 0
    /// The direction in which it gets darker, in degrees.
    public var shadowAngle: Float = 0
    /// Brightness of a reflection on the display, from 0 to 1.
    public var glare: Float = 0
    /// Centre and radius of the reflection, as shares of the display's width.
    public var glareX: Float = 0.7
    /// Centre of the reflection from the display's top, as a share of the display's width.
    public var glareY: Float = 0.3
    /// Radius of the reflection, as a share of the display's width.
    public var glareRadius: Float = 0.29

    // MARK: The camera

    /// Radius of the disc that a point becomes, in pixels; 0 is sharp.
    public var defocus: Float = 0
    /// How far everything moves while the shutter is open, in pixels, and in which direction, in degrees.
    public var motion: Float = 0
    /// The direction of the motion, in degrees: 0 is along rows, 90 along columns.
    public var motionAngle: Float = 0
    /// Deviation of the sensor's noise, in grey levels.
    public var noise: Float = 2

    /// A device that is near, faces the camera, and is seen well.
    public init() {}

    /// Makes a symbol's module so large that it covers `pixels` where it faces the camera.
    ///
    /// - Parameters:
    ///   - modules: on a side of the displayed picture, with its quiet zone.
    ///   - height: of the frame, in pixels.
    public mutating func setModule(_ pixels: Float, modules: Int, height: Int) {
        displaySize = pixels * Float(modules) / Float(max(height, 1))
    }

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
        scene.defocus = 2 * share
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

    /// From -1 to 1 and back in `period`.
    static func wave(_ time: Float, period: Float) -> Float {
        // A sine by its polynomial is exact enough for a picture and the same everywhere.
        let turns = time / period
        let phase = (turns - turns.rounded(.down)) * 2 - 1
        return -4 * phase * (1 - abs(phase))
    }
}
