import Geometry

/// A dashed side of a symbol, found from the end of the arm where it begins: dark and light modules in turn.
struct DashedSide {
    /// Modules from the arm to the far corner, the arm's own one and the last light one counted; even.
    let modules: Int
    /// The symbol's far corner.
    let corner: Place
    /// How regular the dashes are; more is better.
    let score: Float
    /// 1 when all dashes are of one length.
    var regularity: Float { score / Float(modules - 1) }

    /// At least so many modules: the smallest side that is dashed.
    private static let least = 8

    /// Looks along rays that fan out from an arm's end.
    ///
    /// - Parameters:
    ///   - start: the arm's far end, on the symbol's outer edge.
    ///   - arm: from that end to the L's corner.
    ///   - along: what the other arm is like: the side's direction and length, but for the tilt.
    ///   - level: half way between dark and light.
    ///   - contrast: from dark to light.
    ///   - isHasty: the first is taken that is regular and about as long as the other arm.
    static func find(
        _ sampler: SymbolSampler, start: Place, arm: Place, along: Place, level: Float, contrast: Float,
        isHasty: Bool, _ budget: inout WorkBudget
    ) -> DashedSide? {
        let inward = arm.unit
        let direction = along.unit
        var fan = Fan(
            sampler: sampler, level: level, contrast: contrast, reach: along.length * 1.7,
            longest: along.length * 0.3)
        func look(_ inset: Float, _ slope: Float) -> DashedSide? {
            let ray = (direction + direction.turned * slope).unit
            return fan.follow(from: start + inward * inset, ray, inset: inward * inset, &budget)
        }
        var best: (side: DashedSide, inset: Float, slope: Float)?
        func keep(_ inset: Float, _ slope: Float) {
            guard let side = look(inset, slope), side.score > best?.side.score ?? 0 else { return }
            best = (side, inset, slope)
        }
        for inset in insets(arm.length, along.length) {
            for slope in slopes {
                keep(inset, slope)
                if isHasty, let side = best?.side, side.isClear(start, along.length) { return side }
            }
        }
        guard !isHasty else { return nil }
        // Small dashes are hit by all of a ray only when it is finer.
        var width: Float = 0.06
        while let (side, inset, slope) = best, width * Float(side.modules) > 0.14 {
            for i in [-1, 0, 1] as [Float] {
                for j in [-1, 0, 1] as [Float] where i != 0 || j != 0 {
                    keep(max(0.5, inset * (1 + i * min(width * 8, 0.3))), slope + j * width)
                }
            }
            width /= 2
        }
        guard let side = best?.side, side.modules >= least else { return nil }
        return side
    }

    /// Whether no other is likely to be better.
    private func isClear(_ start: Place, _ length: Float) -> Bool {
        modules >= Self.least && regularity > 0.9 && abs((corner - start).length / length - 1) < 0.15
    }

    /// From straight on, up to 0.42 either way: 23 degrees.
    private static let slopes: [Float] = [-0.06, 0.06, -0.18, 0.18, -0.3, 0.3, -0.42, 0.42]

    /// Half a module in from the outer edge, for modules that a symbol with such arms can have: from 144 to 8 on a side.
    private static func insets(_ arm: Float, _ along: Float) -> [Float] {
        let most = max(min(arm, along) / 16, 0.7)
        var insets: [Float] = []
        var inset = max(max(arm, along) / 250, 0.7)
        while inset < most * 1.2, insets.count < 8 {
            insets.append(inset)
            inset *= 1.6
        }
        return insets
    }

    /// Rays that begin at one place.
    private struct Fan {
        let sampler: SymbolSampler
        let level, contrast: Float
        /// How far a ray goes, and the longest dash, in pixels.
        let reach, longest: Float
        /// Where a ray turns from dark to light and back, in pixels from its beginning.
        private var turns: [Float] = []

        init(sampler: SymbolSampler, level: Float, contrast: Float, reach: Float, longest: Float) {
            (self.sampler, self.level, self.contrast) = (sampler, level, contrast)
            (self.reach, self.longest) = (reach, longest)
            turns.reserveCapacity(Self.maximumTurns)
        }

        /// A ray half a module in from the edge meets no dash that is so many times as long; seen aslant and with blur.
        private static let longestDash: Float = 6
        /// The longest side has 144 modules.
        private static let maximumTurns = 150

        /// Counts the dashes on one ray.
        mutating func follow(from origin: Place, _ ray: Place, inset: Place, _ budget: inout WorkBudget) -> DashedSide?
        {
            turns.removeAll(keepingCapacity: true)
            var isDark = true
            // The first module's half is as wide as the ray is far in.
            let step = max(0.5, inset.length * 0.4)
            let longest = min(self.longest, inset.length * Self.longestDash)
            // Not at the module's edge: as far in as the ray is.
            var at = inset.length
            var previous = sampler.level(origin + ray * at)
            guard previous < level + contrast * 0.1 else { return nil }
            // A turn is a change from the last extreme by a part of what the last changes were: light may fall off.
            var extreme = previous
            var turned = extreme
            var swing = contrast
            var next = SIMD4<Float>()
            var number = 0
            while at < reach, at - (turns.last ?? 0) < longest, turns.count < Self.maximumTurns {
                if number & 3 == 0 {
                    // Step by step, as they are gone.
                    let second = at + step + step
                    let third = second + step
                    let places = SIMD4<Float>(at + step, second, third, third + step)
                    next = sampler.levels(x: origin.x + ray.x * places, y: origin.y + ray.y * places)
                }
                at += step
                let value = next[number & 3]
                number &+= 1
                let change = isDark ? value - extreme : extreme - value
                if change > swing * 0.35 {
                    let last = abs(value - previous)
                    turns.append(last < 1e-3 ? at : at - step * min(1, (change - swing * 0.35) / last))
                    isDark.toggle()
                    // From this extreme to the one before: half of it comes from the waves before.
                    if turns.count > 1 { swing = max((swing + abs(extreme - turned)) / 2, contrast * 0.12) }
                    turned = extreme
                    extreme = value
                    // A pitch that does not go on ends the row of dashes.
                    if turns.count >= 4, !DashedSide.goesOn(turns) {
                        turns.removeLast()
                        break
                    }
                } else if change < 0 {
                    extreme = value
                }
                previous = value
            }
            budget.spend(Int((at - inset.length) / step))
            return DashedSide.side(turns, origin, ray, inset)
        }
    }

    /// Whether the last dash is about as long as the ones before. Blur makes dark and light unequal: pairs are compared.
    private static func goesOn(_ turns: [Float]) -> Bool {
        let count = turns.count
        let last = turns[count - 1] - turns[count - 3]
        let before =
            count >= 6
            ? (turns[count - 2] - turns[count - 6]) / 2 : turns[count - 2] - (count >= 4 ? turns[count - 4] : 0)
        return last > 0.62 * before && last < 1.6 * before
    }

    private static func side(_ found: [Float], _ origin: Place, _ ray: Place, _ inset: Place) -> DashedSide? {
        var turns = found
        // The last module is light: the row ends with a turn to light, an odd one.
        if turns.count % 2 == 0, !turns.isEmpty { turns.removeLast() }
        let count = turns.count
        guard count >= 5, let last = turns.last else { return nil }
        let early = turns[2] - turns[0]
        let late = turns[count - 1] - turns[count - 3]
        // The first dash begins at the arm's outer edge.
        guard turns[0] > 0.15 * early, turns[0] < 1.2 * early, late > 0 else { return nil }
        var unevenness: Float = 0
        for index in 3..<count {
            let (a, b) = (turns[index] - turns[index - 2], turns[index - 1] - turns[index - 3])
            unevenness += abs(a - b) / max(a, b)
        }
        unevenness /= Float(max(count - 3, 1))
        guard unevenness < 0.3 else { return nil }
        return DashedSide(
            modules: count + 1, corner: origin + ray * (last + late / 2) - inset,
            score: Float(count) * (1 - 2 * unevenness))
    }
}
