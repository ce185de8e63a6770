import Glibc

/// What characters look like through a lens: grey levels of a character, with a module of what stands before and behind it,
/// without their mean and of length 1, so that the product with those of a picture is their correlation.
final class BarTemplates {
    /// So many grey levels are a character.
    static let samples = 64
    /// Modules on each side that count, too.
    static let margin: Float = 1

    /// How soft the edges are and how much wider bars are than they should be.
    struct Look: Hashable {
        /// Deviation of the blur, in modules.
        let blur: Float
        /// In modules.
        let gain: Float

        static let usual = Look(blur: 0.35, gain: 0)
        /// Of all that are told apart.
        static let all = [0.2, 0.45, 0.7, 0.95].flatMap { blur in [0, -0.3, 0.3].map { Look(blur: blur, gain: $0) } }
    }

    let count: Int
    /// In groups of eight, one template after the other.
    private let levels: [SIMD8<Float>]
    private static let groups = samples / 8

    /// - Parameters:
    ///   - patterns: widths of bars and spaces, beginning with a bar.
    ///   - pitch: modules from the first bar to where the next character begins.
    ///   - isLast: light ground follows instead of a bar.
    init(_ patterns: [[Float]], pitch: Float, _ look: Look, isLast: Bool = false) {
        count = patterns.count
        var all: [SIMD8<Float>] = []
        all.reserveCapacity(patterns.count * Self.groups)
        for pattern in patterns { all += Self.template(pattern, pitch, look, isLast) }
        levels = all
    }

    private static func template(_ pattern: [Float], _ pitch: Float, _ look: Look, _ isLast: Bool) -> [SIMD8<Float>] {
        var values = [Float](repeating: 0, count: samples)
        let step = (pitch + 2 * margin) / Float(samples)
        func add(_ edge: Float, _ sign: Float) {
            for index in 0..<samples {
                let place = (Float(index) + 0.5) * step - margin
                values[index] += sign * rise((place - edge) / look.blur)
            }
        }
        var at: Float = 0
        for (index, width) in pattern.enumerated() {
            add(at + (index % 2 == 0 ? -look.gain / 2 : look.gain / 2), index % 2 == 0 ? 1 : -1)
            at += width
        }
        // After an odd number of elements there is a bar to end.
        if pattern.count % 2 == 1 { add(at + look.gain / 2, -1) }
        if !isLast { add(pitch - look.gain / 2, 1) }
        return normal(values)
    }

    /// From 0 to 1, nearly the integral of a normal distribution.
    private static func rise(_ x: Float) -> Float {
        x < -4 ? 0 : x > 4 ? 1 : 1 / (1 + expf(-1.702 * x))
    }

    private static func normal(_ values: [Float]) -> [SIMD8<Float>] {
        let mean = values.reduce(0, +) / Float(samples)
        let length = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }.squareRoot()
        let scale = 1 / max(length, 1e-6)
        return (0..<groups).map { group in
            var eight = SIMD8<Float>()
            for lane in 0..<8 { eight[lane] = (values[8 * group + lane] - mean) * scale }
            return eight
        }
    }

    /// Correlation of one with a window's levels.
    @inline(__always)
    func correlation(_ index: Int, _ window: UnsafePointer<SIMD8<Float>>) -> Float {
        levels.withUnsafeBufferPointer { all in
            var sum = SIMD8<Float>(repeating: 0)
            for group in 0..<Self.groups { sum += all[index &* Self.groups &+ group] * window[group] }
            return sum.sum()
        }
    }

    /// Which fits best, how well, and how well the next best does.
    func best(_ window: UnsafePointer<SIMD8<Float>>) -> (index: Int, first: Float, second: Float) {
        var best = (index: 0, first: -Float.infinity, second: -Float.infinity)
        levels.withUnsafeBufferPointer { all in
            guard var at = all.baseAddress else { return }
            for index in 0..<count {
                var sum = at[0] * window[0]
                for group in 1..<Self.groups { sum += at[group] * window[group] }
                let value = sum.sum()
                if value > best.first {
                    best = (index, value, best.first)
                } else if value > best.second {
                    best.second = value
                }
                at += Self.groups
            }
        }
        return best
    }
}
