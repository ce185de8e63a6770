/// What to do so that the code is read well: one thing at a time, the most important one first.
public enum Advice: String, Sendable, Codable, CaseIterable {
    case good
    case holdCodeUp, tooDark, overexposed, flat, glare, outOfFocus, moveCloser, moveAway, tiltLess, moveIn, holdStill

    /// In words.
    public var text: String {
        switch self {
        case .good: "good"
        case .holdCodeUp: "no code in view: hold a device that shows one before the camera"
        case .tooDark: "too dark: more light"
        case .overexposed: "overexposed: less light, or a darker display"
        case .flat: "no contrast: is the lens covered or fogged?"
        case .glare: "glare on the code: turn the display or move the lamp"
        case .outOfFocus: "out of focus: turn the lens, or change the distance"
        case .moveCloser: "move closer"
        case .moveAway: "move away: the code fills the picture"
        case .tiltLess: "tilt less: turn the display towards the camera"
        case .moveIn: "move the code into the picture"
        case .holdStill: "seen, not read: hold still, or more light"
        }
    }

    /// Modules smaller than this are read seldom, in pixels.
    public static let leastModule: Float = 2.5

    public init(_ sight: Sight) {
        guard let code = sight.code else {
            self = Self.withoutCode(sight.quality)
            return
        }
        self = Self.problem(of: code, sight) ?? (code.wasRead ? .good : .holdStill)
    }

    private static func withoutCode(_ quality: FrameQuality) -> Advice {
        switch quality.lighting {
        case .tooDark: .tooDark
        case .overexposed: .overexposed
        case .flat: .flat
        case .good: quality.isOutOfFocus ? .outOfFocus : .holdCodeUp
        }
    }

    private static func problem(of code: Sight.Code, _ sight: Sight) -> Advice? {
        let (width, height) = (Float(sight.width), Float(sight.height))
        let isCut = code.corners.contains { $0.x < -1 || $0.y < -1 || $0.x > width || $0.y > height }
        let longest = extent(code)
        if isCut { return longest > 0.9 * min(width, height) ? .moveAway : .moveIn }
        if code.light < 60 { return .tooDark }
        if code.dark > 150 && code.light > 235 { return .overexposed }
        if let around = sight.codeQuality, !code.wasRead, around.white > 15, code.light < 240 { return .glare }
        if code.light - code.dark < 40 { return .glare }
        let isSmall = code.module.map { $0 < leastModule } ?? false
        if let sharpness = code.sharpness, sharpness < (code.wasRead ? 0.15 : 0.3) {
            // Small modules look blurred, too; closer helps both.
            return isSmall ? .moveCloser : .outOfFocus
        }
        if isSmall { return .moveCloser }
        if let squareness = code.squareness, squareness < (code.wasRead ? 0.5 : 0.7) { return .tiltLess }
        return nil
    }

    /// The longer side of the box around the code, in pixels.
    private static func extent(_ code: Sight.Code) -> Float {
        guard let left = code.corners.map(\.x).min(), let right = code.corners.map(\.x).max(),
            let top = code.corners.map(\.y).min(), let bottom = code.corners.map(\.y).max()
        else { return 0 }
        return max(right - left, bottom - top)
    }
}
