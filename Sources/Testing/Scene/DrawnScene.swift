import SeededRandom

/// One picture of a drawn camera: everything follows from the kind of symbol, the degradation, grade, size and seed.
public struct DrawnScene: Sendable {
    /// Of the picture, in pixels.
    public let width: Int
    /// Of the picture, in pixels.
    public let height: Int
    /// What all that is random in it follows from.
    public let seed: UInt64
    /// What makes it hard to read; ``Degradation/clutter`` for a scene without a code.
    public let degradation: Degradation
    /// How hard it is, from 1 to 5 (``Degradation/grades``); 0 for a scene without a code.
    public let grade: Int
    /// What lies around the device.
    public let clutter: Clutter
    /// How the device stands before the camera, and how well it is seen.
    public let parameters: SceneParameters
    /// `nil` where there is no code at all.
    public let symbol: SceneSymbol?
    private let previous: SceneSymbol?

    /// A scene with a code that holds random hexadecimal digits: 32, or 8 in Code 128, which would not fit otherwise.
    public init?(
        _ kind: SceneSymbol.Kind, _ degradation: Degradation, grade: Int, width: Int, height: Int, seed: UInt64
    ) {
        var random = SplitMix64(seed: seed)
        let digits = kind == .code128 ? 8 : 32
        guard let symbol = SceneSymbol(kind, Self.hex(digits, &random)) else { return nil }
        previous = degradation == .eInk || degradation == .mix ? SceneSymbol(kind, Self.hex(digits, &random)) : nil
        var (scene, module, clutter) = degradation.draw(grade: grade, &random)
        // A long row of bars must stay in the frame.
        let most = 0.9 * Float(height) / Float(symbol.modules)
        scene.setModule(min(module, most), modules: symbol.modules, height: height)
        self.symbol = symbol
        self.width = width
        self.height = height
        self.seed = seed
        self.degradation = degradation
        self.grade = grade
        self.clutter = clutter
        parameters = scene
    }

    /// A cluttered scene without a code, in some of them a device whose display is dark.
    public init(emptyWithWidth width: Int, height: Int, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        clutter = Clutter.allCases[Int(seed % UInt64(Clutter.allCases.count))]
        var scene = SceneParameters()
        scene.hasDevice = random.unit() < 0.4
        scene.roll = random.between(-30, 30)
        scene.defocus = random.between(0.6, 1.2)
        scene.noise = random.between(2, 12)
        scene.shade = random.between(0, 0.5)
        self.width = width
        self.height = height
        self.seed = seed
        degradation = .clutter
        grade = 0
        symbol = nil
        previous = nil
        parameters = scene
    }

    private static func hex(_ count: Int, _ random: inout SplitMix64) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        return String(decoding: (0..<count).map { _ in digits[Int(random.next() & 15)] }, as: UTF8.self)
    }

    /// What a module measures in the picture, with its tilt: the root of its mean area, in pixels.
    public var moduleSize: Float? {
        guard let symbol else { return nil }
        return DisplayMap(parameters, width: width, height: height)?.moduleSize(modules: symbol.modules)
    }

    /// Where the symbol's picture, with its quiet zone, has its corners, in pixels: upper left, upper right, lower right,
    /// lower left.
    public var corners: [(x: Float, y: Float)]? {
        symbol == nil ? nil : DisplayMap(parameters, width: width, height: height)?.displayCorners
    }

    /// The picture's grey levels, `width` × `height` of them.
    public func pixels() -> [UInt8] {
        var renderer = SceneRenderer(width: width, height: height, clutter: clutter, seed: seed)
        var pixels = [UInt8](repeating: 0, count: width * height)
        renderer.render(symbol?.picture, previous: previous?.picture, parameters, into: &pixels)
        return pixels
    }

    /// The standard mix: each degradation in every grade equally often, and as many mixes as a third of the others.
    ///
    /// A longer list begins with the shorter one of the same seed.
    public static func standard(
        _ kind: SceneSymbol.Kind, count: Int, width: Int, height: Int, seed: UInt64,
        only chosen: [Degradation] = Degradation.allCases
    ) -> [DrawnScene] {
        var round: [Degradation] = []
        for (index, degradation) in chosen.filter({ $0 != .mix }).enumerated() {
            round.append(degradation)
            if chosen.contains(.mix), index % 3 == 2 { round.append(.mix) }
        }
        if round.isEmpty { round = chosen }
        guard !round.isEmpty else { return [] }
        return (0..<count).compactMap { index in
            let grades = Degradation.grades
            // Each kind goes through all grades, and each round has all of them.
            let grade = grades.lowerBound + (index % round.count + index / round.count) % grades.count
            return DrawnScene(
                kind, round[index % round.count], grade: grade, width: width, height: height,
                seed: seed &* 1_000_003 &+ UInt64(index))
        }
    }
}
