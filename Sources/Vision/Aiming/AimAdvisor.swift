import CodeReader
import Geometry

/// Advice after a frame.
public struct AimReport: Sendable, Hashable {
    /// The frame's.
    public var glance: Glance
    /// What to do about it, from this frame and those before.
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
/// Pure: the same glances give the same advice. The limits are measured on drawn scenes (Tests/Vision/AimTests).
public struct AimAdvisor: Sendable {
    /// Frames that count.
    public static let window = 10
    /// It is good when so many of ten frames are read.
    static let wellRead: Float = 0.7
    /// And not before so many were looked at.
    static let fewest = 5
    /// Finder patterns alone are taken for a code when so many of ten frames show some: things look like one by chance.
    private static let likely = 4
    /// After so many frames a stream has been searched for codes other than QR codes, a piece at a time.
    private static let otherPeriod = 16
    /// A code that has gone is remembered for so many frames: what was bad about it is why.
    private static let memory = 40
    /// Share of the picture that changes from frame to frame when somebody moves a device in it.
    private static let muchChange: Float = 0.006
    /// Of the whole frame: sharp edges have more than the first, out of focus there are none above the second.
    private static let edges: (sharp: Float, blurred: Float) = (0.6, 0.3)

    private var glances: [Glance] = []
    private var changes: [Float] = []
    private var other: (code: Glance.Code, age: Int)?
    private var last: (code: Glance.Code, age: Int)?

    /// Begins anew: no frame has been seen yet.
    public init() {}

    /// Takes the next frame's.
    public mutating func add(_ glance: Glance) -> AimReport {
        var glance = glance
        carryOther(&glance)
        if let before = glances.last { changes.append(glance.light.changed(since: before.light)) }
        glances.append(glance)
        if glances.count > Self.window { glances.removeFirst() }
        if changes.count > Self.window { changes.removeFirst() }
        if let code = glance.code, code.isWhole, !code.isTooSmall {
            last = (code, 0)
        } else if let (code, age) = last {
            last = age < Self.memory ? (code, age + 1) : nil
        }
        let read = glances.count { $0.code?.wasRead == true }
        return AimReport(glance: glance, advice: advice(read), read: read, frames: glances.count)
    }

    /// A code that is no QR code counts for the frames in which nobody has looked for it.
    private mutating func carryOther(_ glance: inout Glance) {
        if let code = glance.code {
            other = code.kind == .qr ? nil : (code, 0)
        } else if var carried = other {
            carried.age += 1
            other = carried.age < Self.otherPeriod ? carried : nil
            glance.code = other?.code
        }
    }

    private func advice(_ read: Int) -> Advice {
        if glances.count >= Self.fewest, Float(read) >= Self.wellRead * Float(glances.count), glances.last?.code != nil
        {
            return .good
        }
        let codes = glances.compactMap(\.code).filter { !$0.isTooSmall }
        if let code = codes.last(where: { $0.isWhole && !$0.wasRead }) ?? codes.last(where: \.isWhole) {
            return problem(of: code, .unread) ?? ofFrame ?? .holdStill
        }
        if let advice = ofFrame { return advice }
        if let (code, _) = last, let advice = problem(of: code, .lost) { return advice }
        guard codes.count >= Self.likely, let part = codes.last else { return .noCode }
        return problem(of: part, .unread) ?? .wholeCode
    }

    /// What the whole frame says.
    private var ofFrame: Advice? {
        guard let light = glances.last?.light else { return nil }
        if light.light < 60 { return .tooDark }
        if light.dark > 225 { return .tooBright }
        let (least, most) = (min(light.edges.across, light.edges.down), max(light.edges.across, light.edges.down))
        if light.light - light.dark >= 40, least < Self.edges.blurred {
            if most < Self.edges.blurred { return .outOfFocus }
            if most > Self.edges.sharp { return .holdStill }
        }
        let change = changes.reduce(0, +) / Float(max(changes.count, 1))
        return change > Self.muchChange ? .holdStill : nil
    }

    /// What hinders most, the surest first.
    private func problem(of code: Glance.Code, _ limits: CodeLimits) -> Advice? {
        if let dark = code.dark, let light = code.light {
            let contrast = light - dark
            if light < limits.darkest { return .tooDark }
            if light >= limits.blown.light, contrast < limits.blown.contrast { return .tooBright }
        }
        if code.washedOut > limits.maximumGlare(code) { return .glare }
        if let tilt = code.tilt, tilt > limits.maximumTilt { return .tiltLess }
        if let module = code.module, module < limits.smallestModule { return .moveCloser }
        if motion > limits.maximumMotion { return .holdStill }
        if let dark = code.dark, let light = code.light, light - dark < limits.minimumContrast { return .lowContrast }
        if let sharpness = code.sharpness, sharpness < limits.minimumSharpness { return .outOfFocus }
        return code.touchesEdge ? .wholeCode : nil
    }

    /// How far a code moves from a frame to the next, in modules, on average.
    private var motion: Float {
        var (sum, steps): (Float, Float) = (0, 0)
        for (before, after) in zip(glances, glances.dropFirst()) {
            guard let a = before.code, let b = after.code, a.isWhole, b.isWhole, let module = b.module, module > 0
            else { continue }
            sum += (b.outline.centre - a.outline.centre).length / module
            steps += 1
        }
        return steps > 0 ? sum / steps : 0
    }
}

/// From where on something about a code is taken for the reason why it is not read. Measured on drawn scenes, made worse
/// until the reader failed (Tests/Vision/AimTests).
private struct CodeLimits {
    /// Grey levels of light modules that drown in noise.
    var darkest: Float
    /// Light modules this bright with so little contrast are blown out.
    var blown: (light: Float, contrast: Float)
    /// Share of the code.
    var glare: Float
    /// In degrees.
    var maximumTilt: Float
    /// In pixels.
    var smallestModule: Float
    /// From frame to frame, in modules.
    var maximumMotion: Float
    /// In grey levels.
    var minimumContrast: Float
    var minimumSharpness: Float

    /// Of parts of a code only what is blown out around them is known.
    func maximumGlare(_ code: Glance.Code) -> Float { code.isWhole ? glare : 0.15 }

    /// For a code that is seen and not read.
    static let unread = CodeLimits(
        darkest: 55, blown: (247, 130), glare: 0.05, maximumTilt: 55, smallestModule: 1.4, maximumMotion: 1,
        minimumContrast: 16, minimumSharpness: 0.35)
    /// For what a code was like before it was lost: what is bad about it is a little less so than where it gets lost.
    static let lost = CodeLimits(
        darkest: 40, blown: (247, 130), glare: 0.03, maximumTilt: 50, smallestModule: 1.7, maximumMotion: 1,
        minimumContrast: 30, minimumSharpness: 0.5)
}
