/// What the figures about a code should be, so that it is read at once also when a lamp is switched on or somebody's hand is
/// less still: a little more than where advice begins (``AimAdvisor``).
public enum AimTargets {
    /// Pixels.
    public static let smallestModule: Float = 3
    /// From 0 to 1.
    public static let smallestSharpness: Float = 0.5
    /// Grey levels of light modules, or of the picture's light parts.
    public static let brightness: ClosedRange<Int> = 60...245
    /// Grey levels.
    public static let smallestContrast = 40

    /// For people, by the names that ``AimReport/off`` has.
    public static let texts = [
        "module": "\(Int(smallestModule)) px or more",
        "sharpness": "\(Int(smallestSharpness * 100)) % or more",
        "brightness": "\(brightness.lowerBound) to \(brightness.upperBound)",
        "contrast": "\(smallestContrast) or more",
    ]
}

extension AimReport {
    /// The code, without what is so small that anything may look like it: nothing is said about that.
    public var code: Glance.Code? { glance.code.flatMap { $0.isTooSmall ? nil : $0 } }

    /// Grey levels of light modules, or of the picture's light parts where no code is.
    public var brightness: Int { code?.light.map { Self.whole($0) } ?? glance.light.light }

    /// How much darker dark modules are, or the picture's dark parts.
    public var contrast: Int {
        guard let dark = code?.dark, let light = code?.light else { return glance.light.light - glance.light.dark }
        return Self.whole(light - dark)
    }

    /// Names of the figures that are not as they should be: module, sharpness, brightness, contrast.
    public var off: [String] {
        var off: [String] = []
        if let module = code?.module, module < AimTargets.smallestModule { off.append("module") }
        if let sharpness = code?.sharpness, sharpness < AimTargets.smallestSharpness { off.append("sharpness") }
        if !AimTargets.brightness.contains(brightness) { off.append("brightness") }
        if contrast < AimTargets.smallestContrast { off.append("contrast") }
        return off
    }

    private static func whole(_ level: Float) -> Int { Int(min(max(level, -255), 255).rounded()) }
}
