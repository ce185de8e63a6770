import CodeReader
import Glibc

/// Advice after a frame.
public struct AimReport: Sendable, Hashable {
    /// The frame's.
    public var glance: Glance
    public var advice: Advice
    /// Of the last ``frames`` frames, in how many a code was read.
    public var read: Int
    /// ``AimAdvisor/window`` at most; fewer at the beginning.
    public var frames: Int

    /// "move closer", "good: read 9 of the last 10 frames".
    public var text: String {
        advice == .good ? "good: read \(read) of the last \(frames) frames" : advice.text
    }
}

/// Says what to do so that a code can be read, from what the last frames have shown.
///
/// Pure: the same glances give the same advice. The limits are measured on drawn scenes (Tests/AimTests).
public struct AimAdvisor: Sendable {
    /// Frames that count.
    public static let window = 10
    /// It is good when so many of ten frames are read.
    static let wellRead: Float = 0.7
    /// Light modules darker than this drown in noise; so do those that are a little lighter but have little contrast.
    static let darkest: Float = 55
    static let dim: (light: Float, contrast: Float) = (100, 45)
    /// Light modules this bright with so little contrast are blown out.
    static let blown: (light: Float, contrast: Float) = (247, 110)
    static let leastContrast: Float = 24
    /// Share of the code that reflections may cover.
    static let mostGlare: Float = 0.07
    /// In degrees.
    static let mostTilt: Float = 50
    /// In pixels: hardly ever read below the first, not always below the second.
    static let smallModule: (never: Float, seldom: Float) = (1.7, 2.4)
    /// From frame to frame, in modules.
    static let mostMotion: Float = 1
    static let leastSharpness: Float = 0.35
    /// Finder patterns alone are taken for a code when so many of ten frames show some: things look like one by chance.
    private static let likely = 4
    /// Linear codes are looked for in every fourth frame only.
    private static let linearPeriod = 4

    private var glances: [Glance] = []
    private var linear: (code: Glance.Code, age: Int)?

    public init() {}

    /// Takes the next frame's.
    public mutating func add(_ glance: Glance) -> AimReport {
        var glance = glance
        carryLinear(&glance)
        glances.append(glance)
        if glances.count > Self.window { glances.removeFirst() }
        let read = glances.count { $0.code?.wasRead == true }
        return AimReport(glance: glance, advice: advice(read), read: read, frames: glances.count)
    }

    /// A linear code that was read counts for the frames in which nobody has looked for it.
    private mutating func carryLinear(_ glance: inout Glance) {
        if let code = glance.code {
            linear = code.kind == .qr ? nil : (code, 0)
        } else if var carried = linear {
            carried.age += 1
            linear = carried.age < Self.linearPeriod ? carried : nil
            glance.code = linear?.code
        }
    }

    private func advice(_ read: Int) -> Advice {
        if Float(read) >= Self.wellRead * Float(glances.count), glances.last?.code != nil { return .good }
        let codes = glances.compactMap(\.code)
        guard read > 0 || codes.contains(where: \.isWhole) || codes.count >= Self.likely,
            let code = codes.last(where: { !$0.wasRead }) ?? codes.last
        else { return withoutCode }
        return problem(of: code) ?? (read > 0 ? .holdStill : code.isWhole ? .holdStill : .wholeCode)
    }

    private var withoutCode: Advice {
        guard let light = glances.last?.light else { return .noCode }
        if light.light < 40 { return .tooDark }
        if light.dark > 225 { return .tooBright }
        return .noCode
    }

    /// What hinders most, the surest first.
    private func problem(of code: Glance.Code) -> Advice? {
        if let dark = code.dark, let light = code.light {
            if light < Self.darkest || (light < Self.dim.light && light - dark < Self.dim.contrast) { return .tooDark }
            if light >= Self.blown.light, light - dark < Self.blown.contrast { return .tooBright }
        }
        if code.washedOut > Self.mostGlare { return .glare }
        if let tilt = code.tilt, tilt > Self.mostTilt { return .tiltLess }
        if let module = code.module, module < Self.smallModule.never { return .moveCloser }
        if motion > Self.mostMotion { return .holdStill }
        if let dark = code.dark, let light = code.light, light - dark < Self.leastContrast { return .lowContrast }
        if let sharpness = code.sharpness, sharpness < Self.leastSharpness { return .outOfFocus }
        if let module = code.module, module < Self.smallModule.seldom { return .moveCloser }
        if code.touchesEdge { return .wholeCode }
        return nil
    }

    /// How far a code moves from a frame to the next, in modules, on average.
    private var motion: Float {
        var (sum, steps): (Float, Float) = (0, 0)
        for (before, after) in zip(glances, glances.dropFirst()) {
            guard let a = before.code, let b = after.code, a.isWhole, b.isWhole, let module = b.module, module > 0
            else { continue }
            let (from, to) = (a.outline.centre, b.outline.centre)
            sum += hypotf(to.x - from.x, to.y - from.y) / module
            steps += 1
        }
        return steps > 0 ? sum / steps : 0
    }
}
