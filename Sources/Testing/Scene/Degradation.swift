import SeededRandom

/// One way in which a picture gets harder to read; ``mix`` is some of all.
public enum Degradation: String, Sendable, CaseIterable {
    case moduleSize = "module-size"
    case rotation, tilt, defocus, motion, noise
    case unevenLight = "uneven-light"
    case glare
    case lowContrast = "low-contrast"
    case inversion, moire, occlusion
    case pixelGrid = "pixel-grid"
    case banding
    case eInk = "e-ink"
    case clutter, mix

    /// The grades of severity: 1 is easy, at 5 hardly any reader succeeds.
    public static let grades = 1...5

    /// A comfortable scene, harder in this one way.
    ///
    /// - Returns: the parameters, the module's size in pixels where it faces the camera, and what lies around.
    func draw(grade: Int, _ random: inout SplitMix64) -> (scene: SceneParameters, module: Float, clutter: Clutter) {
        let share = Float(max(1, min(grade, 5)) - 1) / 4
        var draft = Draft(&random)
        switch self {
        case .moduleSize: draft.module = [2.6, 2, 1.6, 1.35, 1.2][Int(share * 4)]
        case .rotation:
            draft.scene.roll = random.either(8, 180)
            draft.module = 3.4 - 1.7 * share
        case .tilt: draft.tilt(30 + 34 * share, &random)
        case .defocus: draft.scene.defocus = draft.module * (0.35 + 0.5 * share)
        case .motion: draft.move(0.7 + 1.2 * share, &random)
        case .noise:
            draft.scene.noise = 10 + 34 * share
            draft.scene.contrast = 0.7
        case .unevenLight:
            draft.scene.shadow = 0.35 + 0.5 * share
            draft.scene.shadowAngle = random.between(0, 360)
            draft.scene.shade = 0.4
        case .glare: draft.shine(share, &random)
        case .lowContrast: draft.scene.contrast = 0.28 - 0.22 * share
        case .inversion:
            draft.scene.isInverted = true
            draft.module = 3.6 - 2.2 * share
        case .moire:
            draft.scene.gridPitch = 1 + random.either(0.02, 0.08)
            draft.scene.gridDepth = 0.2 + 0.45 * share
        case .occlusion: draft.stain(0.008 + 0.05 * share, &random)
        case .pixelGrid:
            draft.scene.gridPitch = draft.module / random.between(1, 2)
            draft.scene.gridDepth = 0.3 + 0.6 * share
            draft.scene.defocus = 0.5
        case .banding: draft.band(0.2 + 0.6 * share, &random)
        case .eInk:
            draft.scene.contrast = 0.4
            draft.scene.ghost = 0.15 + 0.31 * share
        case .clutter:
            draft.clutter = [.text, .posters, .checkers, .finders, .bars, .mixed][Int(random.next() % 6)]
            draft.module = 3.4 - 1.4 * share
        case .mix: draft.mix(0.2 + 0.6 * share, &random)
        }
        return (draft.scene, draft.module, draft.clutter)
    }
}

/// A scene while it is being made harder.
private struct Draft {
    var scene = SceneParameters()
    /// In pixels.
    var module: Float
    var clutter: Clutter = .desk

    init(_ random: inout SplitMix64) {
        module = random.between(3.8, 5)
        scene.roll = random.between(-8, 8)
        scene.yaw = random.between(-8, 8)
        scene.pitch = random.between(-8, 8)
        scene.x = random.between(0.4, 0.6)
        scene.y = random.between(0.45, 0.55)
        scene.contrast = 0.85
        // No lens is sharper.
        scene.defocus = 0.6
        scene.noise = 3
    }

    mutating func tilt(_ degrees: Float, _ random: inout SplitMix64) {
        if random.unit() < 0.5 {
            scene.yaw = random.either(degrees - 4, degrees + 4)
        } else {
            scene.pitch = random.either(degrees - 4, degrees + 4)
        }
        scene.roll = random.either(0, 40)
    }

    mutating func move(_ modules: Float, _ random: inout SplitMix64) {
        scene.motion = module * modules
        scene.motionAngle = random.between(0, 180)
    }

    mutating func shine(_ share: Float, _ random: inout SplitMix64) {
        scene.glare = min(1, 0.7 + 0.4 * share)
        scene.glareX = random.between(0.15, 0.85)
        scene.glareY = random.between(0.15, 0.85)
        scene.glareRadius = 0.14 + 0.24 * share
    }

    mutating func stain(_ share: Float, _ random: inout SplitMix64) {
        scene.occlusion = share
        scene.occlusionSeed = random.next()
    }

    mutating func band(_ depth: Float, _ random: inout SplitMix64) {
        scene.bandDepth = depth
        scene.bandPeriod = random.between(16, 90)
        scene.bandPhase = random.unit()
    }

    /// Everything a little, and one to three of the rarer things.
    mutating func mix(_ share: Float, _ random: inout SplitMix64) {
        clutter = Clutter.allCases[Int(random.next() % UInt64(Clutter.allCases.count))]
        module = 4.2 - 1.9 * share * random.unit()
        scene.roll = random.either(0, 20 + 100 * share)
        scene.yaw = random.either(0, 35 * share)
        scene.pitch = random.either(0, 35 * share)
        scene.x = random.between(0.35, 0.65)
        scene.defocus = max(0.6, module * random.between(0.1, 0.2 + 0.4 * share))
        scene.noise = 3 + 13 * share * random.unit()
        scene.contrast = random.between(0.85 - 0.5 * share, 0.9)
        scene.shade = 0.5 * share * random.unit()
        for _ in 0..<1 + Int(random.next() % 3) {
            switch random.next() % 8 {
            case 0: shine(0.5 * share, &random)
            case 1: move(0.9 * share, &random)
            case 2: stain(0.03 * share, &random)
            case 3: band(0.6 * share, &random)
            case 4: scene.isInverted = true
            case 5:
                scene.shadow = 0.7 * share
                scene.shadowAngle = random.between(0, 360)
            case 6:
                scene.gridPitch = random.between(0.9, 3)
                scene.gridDepth = 0.5 * share
            default: scene.ghost = 0.25 * share
            }
        }
    }
}
