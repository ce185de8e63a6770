import Geometry

/// One of the three nested squares of a QR code (ISO/IEC 18004, 6.3.3), as found in a picture.
struct FinderPattern {
    /// In pixels of the whole picture.
    var centre: Place
    /// Mean size of a module, in pixels of the whole picture.
    var module: Float
    /// Light on dark.
    var isInverted: Bool
    /// Grey levels of what should be dark (light, when inverted) and of the ring around the centre.
    var ink, paper: Float
    /// Of 16 rays from the centre, how many cross the rings where they should.
    var goodRays: Int
    /// How often the search came across it.
    var hits = 1
}

/// Rays from a pattern's centre outwards, and where they cross from ink to paper, to ink, to paper.
struct RingRay {
    /// Distances from the centre, in pixels.
    var inner, middle, outer: Float

    /// Whether the distances stand in about the right proportion (1.5 to 2.5 to 3.5 modules along an axis; the same
    /// along any other direction).
    var isPlausible: Bool {
        inner > 0.26 * outer && inner < 0.62 * outer && middle > 0.54 * outer && middle < 0.88 * outer
    }

    /// The most samples along a ray.
    private static let most = 48

    /// Casts a ray: down from the ink of the centre it climbs to the ring of paper, falls into the ring of ink and climbs
    /// out of it. The crossings are half way between these extremes, because blur leaves of the rings less than of the
    /// centre.
    ///
    /// - Parameters:
    ///   - direction: of length 1.
    ///   - step: in pixels.
    ///   - reach: how far to look, in pixels.
    ///   - contrast: of ink and paper, in grey levels; positive.
    ///   - sign: 1 for dark ink, -1 for light ink.
    @inline(__always)
    static func cast(
        _ sampler: GreySampler, from centre: Place, _ direction: Place, step: Float, reach: Float, contrast: Float,
        sign: Float
    ) -> RingRay? {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: most) { buffer in
            guard let values = buffer.baseAddress else { return nil }
            let delta = contrast * 0.18
            let count = min(most, Int(min(reach / step, 1000)) + 1)
            var (bottom, top, ring, stage) = (Float.infinity, 0, 0, 0)
            var end = count
            var index = 0
            var sampled = 0
            while index < end {
                if index == sampled {
                    let steps = (SIMD4<Float>(0, 1, 2, 3) + Float(index)) * step
                    let four = sampler(x: centre.x + direction.x * steps, y: centre.y + direction.y * steps) * sign
                    UnsafeMutableRawPointer(values + index).storeBytes(of: four, as: SIMD4<Float>.self)
                    sampled = index + 4
                }
                let value = values[index]
                switch stage {
                case 0:
                    bottom = min(bottom, value)
                    if value > bottom + contrast * 0.4 { (stage, top) = (1, index) }
                case 1:
                    if value > values[top] { top = index }
                    if value < values[top] - delta { (stage, ring) = (2, index) }
                case 2:
                    if value < values[ring] { ring = index }
                    if value > values[ring] + delta {
                        stage = 3
                        end = min(count, ring + max(2, ring * 2 / 5) + 1)
                    }
                default: break
                }
                index += 1
            }
            guard stage == 3 else { return nil }
            var outside = -Float.infinity
            for index in ring..<end { outside = max(outside, values[index]) }
            let paper = values[top]
            let level = (values[ring] + min(outside, paper)) / 2
            guard let inner = crossing(values, 0, top, (bottom + paper) / 2),
                let middle = crossing(values, top, ring, level), let outer = crossing(values, ring, end - 1, level)
            else { return nil }
            return RingRay(inner: inner * step, middle: middle * step, outer: outer * step)
        }
    }

    /// Where values first cross a level between two of them, in steps.
    @inline(__always)
    private static func crossing(
        _ values: UnsafeMutablePointer<Float>, _ start: Int, _ end: Int, _ level: Float
    ) -> Float? {
        var index = start
        while index < end {
            let (here, next) = (values[index], values[index &+ 1])
            if (here < level) != (next < level) { return Float(index) + (level - here) / (next - here) }
            index &+= 1
        }
        return nil
    }
}

extension FinderPattern {
    /// 8 directions, each with its opposite. Diagonals first: what looks like a pattern in a row and a column and is none
    /// shows there.
    private static let directions: [Place] = (0..<8).map {
        let cosines: [Float] = [0.70711, -0.70711, 1, 0, 0.92388, 0.38268, -0.38268, -0.92388]
        let sines: [Float] = [0.70711, 0.70711, 0, 1, 0.38268, 0.92388, 0.92388, 0.38268]
        return Place(cosines[$0], sines[$0])
    }

    /// So many rays are cast from a pattern's centre.
    static let rays = 16
    /// How many of them must be right.
    static let minimumGoodRays = 9
    /// And for being taken for one although a ray along a side is not right.
    static let fairGoodRays = 12
    /// And for being shown as one.
    static let manyGoodRays = 14

    /// What casting the rays costs at first, and in all.
    static let (glance, cost) = (160, 600)

    /// Of the rays in the first directions; a function, because an array would be made anew each time.
    @inline(__always)
    private static func minimumSoFar(_ number: Int) -> Int { number == 0 ? 1 : number == 1 ? 2 : number == 2 ? 4 : 6 }

    /// For comparing: good rays first, then contrast.
    var quality: Float { Float(goodRays) + min(abs(paper - ink), 60) / 30 + (hits > 1 ? 1 : 0) }

    /// Looks closer at a place where a row and a column cross rings.
    ///
    /// - Parameters:
    ///   - place: in pixels of the picture.
    ///   - module: width and height, in pixels of the picture.
    ///   - least: so many rays of 16 must be right, at least ``minimumGoodRays``.
    /// - Returns: `nil` when there are no rings around it.
    init?(at place: Place, module: Place, isInverted: Bool, least: Int, _ sampler: GreySampler) {
        let sign: Float = isInverted ? -1 : 1
        self.isInverted = isInverted
        (ink, paper) = Self.levels(sampler, place, module)
        guard (paper - ink) * sign >= 6 else { return nil }
        var centre = place
        var sum: Float = 0
        goodRays = 0
        for round in 0..<2 {
            let contrast = (paper - ink) * sign
            var shift = Place.zero
            var chords: Float = 0
            goodRays = 0
            sum = 0
            // The four directions along rows, columns and diagonals sort out most of what is no pattern.
            let directions = round == 0 ? Self.directions[0..<4] : Self.directions[...]
            for (number, direction) in directions.enumerated() {
                // The size along the ray, were the pattern an ellipse.
                let along = (module * direction).length
                let step = max(along * 0.3, 0.4 / sampler.scale)
                let ahead = RingRay.cast(
                    sampler, from: centre, direction, step: step, reach: along * 8, contrast: contrast, sign: sign)
                let back = RingRay.cast(
                    sampler, from: centre, -direction, step: step, reach: along * 8, contrast: contrast, sign: sign)
                let (isAheadGood, isBackGood) = (ahead?.isPlausible ?? false, back?.isPlausible ?? false)
                goodRays += (isAheadGood ? 1 : 0) + (isBackGood ? 1 : 0)
                if round == 0, goodRays < Self.minimumSoFar(number) { return nil }
                // Not all that are left can make up for those that were wrong.
                if round == 1, goodRays + 2 * (directions.count - 1 - number) < least { return nil }
                guard let ahead, let back, isAheadGood, isBackGood else { continue }
                shift += direction * ((ahead.inner - back.inner + ahead.outer - back.outer) / 4)
                sum += (ahead.middle + back.middle + ahead.outer + back.outer) / 12
                chords += 1
            }
            guard chords >= 2 else { return nil }
            // A shift shows in full only in the chords along it: in half of them, on average.
            let move = shift / chords * 2
            guard move.length < 2 * max(module.x, module.y) else { return nil }
            centre += move
            sum /= chords
            if round == 0 { (ink, paper) = Self.levels(sampler, centre, module) }
        }
        guard goodRays >= least else { return nil }
        self.centre = centre
        // Rays in all directions are longer than the module along the axes by 1.12 on average.
        self.module = sum / 1.12
    }

    /// Grey levels at the centre and on the ring around it.
    private static func levels(_ sampler: GreySampler, _ centre: Place, _ module: Place) -> (ink: Float, paper: Float) {
        var ink = sampler(centre)
        for step in [Place(0.6, 0), Place(-0.6, 0), Place(0, 0.6), Place(0, -0.6)] {
            ink += sampler(centre + step * module)
        }
        var paper: Float = 0
        for step in [Place(2, 0), Place(-2, 0), Place(0, 2), Place(0, -2)] { paper += sampler(centre + step * module) }
        return (ink / 5, paper / 4)
    }

    /// The size of a module along a direction, in pixels: over the pattern's width, with dark and light edges in equal
    /// numbers, so that it does not depend on where dark ends and light begins.
    func module(along direction: Place, _ sampler: GreySampler) -> Float? {
        let length = direction.length
        guard length > 0 else { return nil }
        let unit = direction / length
        let sign: Float = isInverted ? -1 : 1
        let contrast = max((paper - ink) * sign, 1)
        let step = max(module * 0.2, 0.3 / sampler.scale)
        guard
            let ahead = RingRay.cast(
                sampler, from: centre, unit, step: step, reach: module * 8, contrast: contrast, sign: sign),
            let back = RingRay.cast(
                sampler, from: centre, -unit, step: step, reach: module * 8, contrast: contrast, sign: sign),
            ahead.isPlausible, back.isPlausible
        else { return nil }
        return (ahead.middle + back.middle + ahead.outer + back.outer) / 12
    }
}
