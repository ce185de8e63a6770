import Geometry
import Luma

/// Finds finder patterns: rows are cut into runs of dark and light, runs in the proportion 1 : 1 : 3 : 1 : 1 are looked
/// at in their column, what passes there is looked at all around. Both polarities at once.
final class FinderSearch {
    private let maker = ThresholdMaker()
    private let edges = Scratch<Float>(0)
    private let rejected = Scratch<UInt16>(0)

    /// Adds the patterns of one level of a picture to those found.
    ///
    /// - Parameters:
    ///   - plane: at least 24 pixels on each side.
    ///   - scale: pixels of `plane` for a pixel of the picture.
    ///   - isSharpened: `plane` has been sharpened, its noise with it.
    ///   - start: which part of the rows is above where it begins, 0 to 1: those above come last, and not at all when the
    ///     budget does not last for them.
    ///   - known: where nothing is looked for.
    ///   - limits: of the rays of a pattern at least so many of 16 must be right; and more patterns than this in a picture are
    ///     a trick or a texture: the best are kept.
    func search(
        _ plane: LumaPlane, scale: Float, _ rays: RaySource, isSharpened: Bool, from start: Float = 0,
        without known: [ConvexArea] = [], _ limits: (goodRays: Int, most: Int), _ budget: inout WorkBudget,
        _ patterns: inout [FinderPattern]
    ) {
        guard budget.spend(plane.width * plane.height / 16) else { return }
        let most = limits.most
        let thresholds = maker.thresholds(plane, maximumNoise: isSharpened ? 150 : 56)
        let step = 2
        let edges = edges.atLeast(plane.width + 80)
        let memory = RejectedPlaces(plane, rejected)
        let column = ColumnCheck(
            plane: plane, thresholds: thresholds, rays: rays, scale: 1 / scale, rejected: memory, known: known,
            goodRays: limits.goodRays)
        let rows = plane.height / step
        let first = Int(Float(rows) * min(max(start, 0), 1))
        for row in 0..<rows {
            let y = (row + first) % rows * step + step / 2
            let (count, isFirstDark) = Self.edges(plane, y, thresholds, edges)
            var index = 0
            var passing = Self.arePatterns(edges)
            while index + 5 < count {
                if index & 3 == 0 { passing = Self.arePatterns(edges + index) }
                if passing[index & 3] {
                    guard budget.spend(20 + (patterns.count + known.count) / 8) else {
                        return Self.keepBest(&patterns, most)
                    }
                    let isDark = (index & 1 == 0) == isFirstDark
                    column.look(y, edges + index, isDark: isDark, &budget, &patterns)
                    if patterns.count >= 2 * most { Self.keepBest(&patterns, most) }
                }
                index &+= 1
            }
        }
        Self.keepBest(&patterns, most)
    }

    /// Those come first that look most like one, and of too many only they remain.
    private static func keepBest(_ patterns: inout [FinderPattern], _ most: Int) {
        patterns.sort { $0.quality > $1.quality }
        patterns.removeLast(max(patterns.count - most, 0))
    }

    /// Whether five runs stand in the proportion 1 : 1 : 3 : 1 : 1, roughly: those from an edge on, and from the three after it.
    @inline(__always)
    private static func arePatterns(_ edges: UnsafeMutablePointer<Float>) -> SIMDMask<SIMD4<Int32>> {
        func from(_ number: Int) -> SIMD4<Float> {
            UnsafeRawPointer(edges + number).loadUnaligned(as: SIMD4<Float>.self)
        }
        let (first, second, third) = (from(0), from(1), from(2))
        let (fourth, fifth, sixth) = (from(3), from(4), from(5))
        let total = sixth - first
        let centre = fourth - third
        let (a, b, c, d) = (second - first, third - second, fifth - fourth, sixth - fifth)
        // The generic minimum of vectors takes their numbers one by one.
        func lower(_ x: SIMD4<Float>, _ y: SIMD4<Float>) -> SIMD4<Float> { x.replacing(with: y, where: y .< x) }
        func higher(_ x: SIMD4<Float>, _ y: SIMD4<Float>) -> SIMD4<Float> { x.replacing(with: y, where: y .> x) }
        let (low, high) = (lower(lower(a, b), lower(c, d)), higher(higher(a, b), higher(c, d)))
        // The centre 1.7 to 4.4 of 7. One step after the other: as one expression it is too much for some compilers.
        typealias Mask = SIMDMask<SIMD4<Int32>>
        let (middle, least, most): (SIMD4<Float>, SIMD4<Float>, SIMD4<Float>) = (centre * 70, low * 70, high * 70)
        let isLarge: Mask = total .>= 7
        let isWide: Mask = middle .>= total * 17
        let isNarrow: Mask = middle .<= total * 44
        let isThick: Mask = least .>= total * 3
        let isThin: Mask = most .<= total * 22
        let isBelow: Mask = high .<= centre
        return isLarge .& isWide .& isNarrow .& isThick .& isThin .& isBelow
    }

    /// The places in a row where dark and light meet, the row's ends among them.
    private static func edges(
        _ plane: LumaPlane, _ y: Int, _ thresholds: BlockThresholds, _ edges: UnsafeMutablePointer<Float>
    ) -> (count: Int, isFirstDark: Bool) {
        let row = plane.base + y * plane.stride
        let limits = thresholds.values + (y >> 3) * thresholds.columns
        var count = 1
        edges[0] = 0
        var carry: UInt64 = row[0] < limits[0] ? 1 : 0
        let isFirstDark = carry == 1
        var x = 0
        while x < plane.width {
            var bits: UInt64 = 0
            let blocks = min(8, (plane.width - x) >> 3)
            for block in 0..<blocks {
                let pixels = UnsafeRawPointer(row + x + 8 * block).loadUnaligned(as: SIMD8<UInt8>.self)
                let limit = SIMD8<UInt8>(repeating: limits[(x >> 3) + block])
                bits |= eight(pixels .< limit) << UInt64(8 * block)
            }
            var width = 8 * blocks
            if blocks < 8 {
                while x + width < plane.width {
                    if row[x + width] < limits[(x + width) >> 3] { bits |= 1 << UInt64(width) }
                    width += 1
                }
            }
            var changes = bits ^ (bits << 1 | carry)
            if width < 64 { changes &= (1 << UInt64(width)) &- 1 }
            carry = bits >> 63
            while changes != 0 {
                edges[count] = Float(Int32(truncatingIfNeeded: x &+ changes.trailingZeroBitCount))
                count &+= 1
                changes &= changes &- 1
            }
            x += 64
        }
        edges[count] = Float(plane.width)
        return (count + 1, isFirstDark)
    }

    /// A mask's eight bits.
    @inline(__always)
    private static func eight(_ mask: SIMDMask<SIMD8<Int8>>) -> UInt64 {
        let bytes = SIMD8<UInt8>(repeating: 0).replacing(with: 1, where: mask)
        // Gathers the lowest bit of each byte in the topmost byte.
        return (unsafeBitCast(bytes, to: UInt64.self) &* 0x0102_0408_1020_4080) >> 56
    }
}

/// Where something was looked at closer and was no pattern: the rows below come across it again.
private struct RejectedPlaces {
    /// The width of what was rejected, for each four by four pixels; 0: nothing.
    private let widths: UnsafeMutablePointer<UInt16>
    private let columns, rows: Int

    init(_ plane: LumaPlane, _ memory: Scratch<UInt16>) {
        (columns, rows) = (plane.width / 4 + 1, plane.height / 4 + 1)
        widths = memory.atLeast(columns * rows)
        widths.update(repeating: 0, count: columns * rows)
    }

    private func cell(_ x: Int, _ y: Float) -> Int {
        let row = min(max(Int(y) >> 2, 0), rows - 1)
        return row * columns + min(max(x >> 2, 0), columns - 1)
    }

    /// Whether something of nearly this width has been rejected there.
    func contains(_ x: Int, _ y: Float, _ width: Int32) -> Bool {
        let known = Int32(widths[cell(x, y)])
        return abs(known - width) * 4 <= width
    }

    func insert(_ x: Int, _ y: Float, _ width: Int32) {
        widths[cell(x, y)] = UInt16(clamping: width)
    }
}

/// Looks at a row's five runs in the column through their middle.
private struct ColumnCheck {
    let plane: LumaPlane
    let thresholds: BlockThresholds
    let rays: RaySource
    /// Pixels of the picture for a pixel of the plane.
    let scale: Float
    let rejected: RejectedPlaces
    let known: [ConvexArea]
    let goodRays: Int

    func look(
        _ y: Int, _ edges: UnsafeMutablePointer<Float>, isDark: Bool, _ budget: inout WorkBudget,
        _ patterns: inout [FinderPattern]
    ) {
        let width = Int32(edges[5] - edges[0])
        let x = Int(edges[2] + edges[3]) / 2
        let place = Place((edges[2] + edges[3]) / 2, Float(y) + 0.5) * scale
        let module = Float(width) / 7 * scale
        guard !known.contains(where: { $0.contains(place) }) else { return }
        for index in patterns.indices {
            let near = patterns[index].centre - place
            if abs(near.x) < 1.6 * patterns[index].module, abs(near.y) < 1.6 * patterns[index].module {
                patterns[index].hits += 1
                return
            }
        }
        // Most of what is no pattern ends here, after a few pixels.
        guard budget.spend(Int(width)), let (middle, height) = runs(x, y, isDark, most: Int(width)) else { return }
        guard !rejected.contains(x, middle, width) else { return }
        guard budget.spend(FinderPattern.glance), let sampler = rays.sampler(module: module) else { return }
        let found = FinderPattern(
            at: Place(place.x, middle * scale), module: Place(module, height / 7 * scale), isInverted: !isDark,
            least: goodRays, sampler)
        guard let found else { return rejected.insert(x, middle, width) }
        _ = budget.spend(FinderPattern.cost - FinderPattern.glance)
        for index in patterns.indices where (patterns[index].centre - found.centre).length < 2 * found.module {
            if patterns[index].goodRays < found.goodRays { patterns[index] = found }
            return
        }
        patterns.append(found)
    }

    /// The middle and the height of five runs through a pixel in its column, when they have the proportion.
    private func runs(_ x: Int, _ y: Int, _ ink: Bool, most: Int) -> (middle: Float, height: Float)? {
        guard let (top, a, b) = ends(x, y, ink, -1, most), let (bottom, c, d) = ends(x, y, ink, 1, most) else {
            return nil
        }
        let centre = top + bottom - 1
        let total = centre + a + b + c + d
        guard centre * 70 >= total * 17, centre * 70 <= total * 44 else { return nil }
        let (low, high) = (min(min(a, b), min(c, d)), max(max(a, b), max(c, d)))
        guard low * 70 >= total * 3, high * 70 <= total * 22, total * 3 >= most, total <= most * 3 else { return nil }
        return (Float(y) + 0.5 + Float(bottom - top) / 2, Float(total))
    }

    /// From a pixel up or down: the lengths of the run it is in, of the next, and of the one after that.
    private func ends(_ x: Int, _ y: Int, _ ink: Bool, _ step: Int, _ most: Int) -> (Int, Int, Int)? {
        var at = y
        let first = run(x, &at, ink, step, most)
        guard first > 0, first <= most else { return nil }
        let second = run(x, &at, !ink, step, most)
        guard second > 0, second <= most else { return nil }
        let third = run(x, &at, ink, step, most)
        guard third > 0, third <= most else { return nil }
        return (first, second, third)
    }

    /// How many pixels of a column are dark, or light, from one on; of more than `most` it does not matter how many.
    ///
    /// - Parameter at: the pixel; afterwards the one after them.
    @inline(__always)
    private func run(_ x: Int, _ at: inout Int, _ isDark: Bool, _ step: Int, _ most: Int) -> Int {
        let last = step > 0 ? min(plane.height - 1, at + most) : max(0, at - most)
        guard step > 0 ? at <= last : at >= last else { return 0 }
        let start = at
        var pixel = plane.base + (at &* plane.stride &+ x)
        let stride = step > 0 ? plane.stride : -plane.stride
        var limit = thresholds.at(x: x, y: at)
        // The threshold changes where a block begins.
        let edge = step > 0 ? 0 : BlockThresholds.side - 1
        while (pixel.pointee < limit) == isDark {
            at &+= step
            if at == last &+ step { break }
            pixel += stride
            if at & (BlockThresholds.side - 1) == edge { limit = thresholds.at(x: x, y: at) }
        }
        return abs(at &- start)
    }
}
