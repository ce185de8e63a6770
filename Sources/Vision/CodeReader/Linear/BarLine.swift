import Luma

/// Grey levels along a line across bars, and where bars may begin and end in it.
///
/// Places are samples from the line's beginning; sample `i` covers `i` to `i + 1`.
final class BarLine {
    /// At most so many samples.
    static let maximumCount = 4096
    /// A code has at least so many bars and spaces: Code 39 with three characters has 49, Code 128 with one has 25.
    static let minimumElements = 25
    /// Light ground beside a code is so many times as wide as the elements beside it are on average: none of a code is so wide;
    /// and when blur has swallowed elements.
    static let (quiet, narrowQuiet): (Float, Float) = (3.2, 2.5)
    /// So many elements make the average.
    private static let near = 12
    private static let maximumSpans = 8
    /// In samples; the contrast that counts at a place is that of so many blocks to each side.
    private static let (block, reach) = (32, 3)
    /// A turn of the line is an edge when it is at least this share of the contrast around, and so many grey levels.
    private static let (swing, minimumSwing): (Float, Float) = (0.14, 4)

    /// From the first bar to the end of the last.
    struct Span: Hashable {
        let start, end: Float
        /// The first edge and the last in ``edges``.
        let first, last: Int
        /// Widths of the ground before and behind it.
        let before, behind: Float

        /// Bars and spaces that were seen.
        var elements: Int { last - first }
    }

    /// Grey levels.
    let values = Scratch<Float>(0)
    private(set) var count = 0
    /// Sums of the values before each sample.
    private let sums = Scratch<Float>(0)
    private let limits = Scratch<Float>(0)
    /// Where dark and light meet.
    private(set) var edges: [Float] = []
    private var isFirstDark = false

    /// Takes the first `count` of ``values``.
    func take(_ count: Int) {
        self.count = count
        let (sums, values) = (sums.atLeast(count + 1), values.atLeast(count))
        var sum: Float = 0
        sums[0] = 0
        for index in 0..<count {
            // About the middle, so that sums stay small and exact.
            sum += values[index] - 128
            sums[index + 1] = sum
        }
        findEdges(values)
    }

    /// The sum of the values up to a place, each less 128.
    @inline(__always)
    private func sum(_ place: Float, _ sums: UnsafeMutablePointer<Float>) -> Float {
        let inside = place > 0 ? (place < Float(count) ? place : Float(count)) : 0
        let index = min(Int(inside), count - 1)
        return sums[index] + (sums[index + 1] - sums[index]) * (inside - Float(index))
    }

    /// Levels of ``BarTemplates/samples`` parts from a place on, without their mean and of length 1, dark ones positive.
    ///
    /// - Parameters:
    ///   - step: width of a part; negative: backwards.
    ///   - isInverted: light ones are positive.
    /// - Returns: false when there is nothing but one level.
    @inline(__always)
    func window(
        from start: Float, step: Float, isInverted: Bool, into window: UnsafeMutablePointer<SIMD8<Float>>
    ) -> Bool {
        let sums = sums.base
        let values = UnsafeMutableRawPointer(window).assumingMemoryBound(to: Float.self)
        var before = sum(start, sums)
        var total: Float = 0
        for index in 0..<BarTemplates.samples {
            let after = sum(start + Float(index + 1) * step, sums)
            values[index] = after - before
            total += after - before
            before = after
        }
        let mean = SIMD8<Float>(repeating: total / Float(BarTemplates.samples))
        var squares = SIMD8<Float>(repeating: 0)
        for group in 0..<BarTemplates.samples / 8 {
            window[group] -= mean
            squares += window[group] * window[group]
        }
        let length = squares.sum().squareRoot()
        // Two grey levels of deviation are hardly bars.
        guard length > 2 * abs(step) * Float(BarTemplates.samples).squareRoot() else { return false }
        let sign: Float = (step < 0) == isInverted ? -1 : 1
        let scale = SIMD8<Float>(repeating: sign / length)
        for group in 0..<BarTemplates.samples / 8 { window[group] *= scale }
        return true
    }

    /// Whether there are as many bars and spaces as a code has.
    var hasElements: Bool { edges.count > Self.minimumElements }

    /// Where bars begin and end with light ground beside them.
    ///
    /// - Parameters:
    ///   - isInverted: bars are light and the ground is dark.
    ///   - quiet: how wide the ground is, in elements.
    func spans(isInverted: Bool, quiet: Float = quiet) -> [Span] {
        guard edges.count > Self.minimumElements else { return [] }
        // A bar begins where light ends.
        let parity = isFirstDark == isInverted ? 0 : 1
        var starts: [Int] = []
        var found: [Span] = []
        func mean(_ from: Int, _ to: Int) -> Float { (edges[to] - edges[from]) / Float(to - from) }
        // What lies beside the line is nobody's bar.
        func before(_ edge: Int) -> Float { edge == 0 ? .infinity : edges[edge] - edges[edge - 1] }
        func behind(_ edge: Int) -> Float { edge == edges.count - 1 ? .infinity : edges[edge + 1] - edges[edge] }
        for edge in edges.indices {
            guard edge % 2 != parity else {
                if edge + Self.near < edges.count, before(edge) > quiet * mean(edge, edge + Self.near) {
                    starts.append(edge)
                }
                continue
            }
            guard edge >= Self.near, behind(edge) > quiet * mean(edge - Self.near, edge) else { continue }
            // The nearest begin is the likeliest; one before may be the true one when a stain made a gap.
            for start in starts.suffix(2).reversed()
            where edge - start >= Self.minimumElements && found.count < Self.maximumSpans {
                found.append(
                    Span(
                        start: edges[start], end: edges[edge], first: start, last: edge, before: before(start),
                        behind: behind(edge)))
            }
        }
        return found
    }

    /// Edges lie half way between a dark place and a light one.
    private func findEdges(_ values: UnsafeMutablePointer<Float>) {
        edges.removeAll(keepingCapacity: true)
        guard count > 2 * Self.block else { return }
        let blocks = (count + Self.block - 1) / Self.block
        let limits = limits.atLeast(3 * blocks)
        for block in 0..<blocks {
            var (low, high) = (values[block * Self.block], values[block * Self.block])
            for index in block * Self.block..<min((block + 1) * Self.block, count) {
                low = min(low, values[index])
                high = max(high, values[index])
            }
            (limits[block], limits[blocks + block]) = (low, high)
        }
        for block in 0..<blocks {
            var (low, high) = (limits[block], limits[blocks + block])
            for other in max(block - Self.reach, 0)...min(block + Self.reach, blocks - 1) {
                low = min(low, limits[other])
                high = max(high, limits[blocks + other])
            }
            limits[2 * blocks + block] = max(Self.swing * (high - low), Self.minimumSwing)
        }
        walk(values, limits + 2 * blocks)
    }

    private func walk(_ values: UnsafeMutablePointer<Float>, _ swings: UnsafeMutablePointer<Float>) {
        // The extreme since the last turn, and the one before it.
        var (extreme, before) = (0, 0)
        var direction: Float = 0
        var lowest = 0
        for index in 1..<count {
            let swing = swings[index / Self.block]
            if direction == 0 {
                if values[index] < values[lowest] { lowest = index }
                if values[index] > values[extreme] { extreme = index }
                if values[index] - values[lowest] > swing {
                    (before, extreme, direction) = (lowest, index, 1)
                    isFirstDark = true
                } else if values[extreme] - values[index] > swing {
                    (before, extreme, direction) = (extreme, index, -1)
                    isFirstDark = false
                }
                continue
            }
            if (values[index] - values[extreme]) * direction > 0 { extreme = index }
            guard (values[extreme] - values[index]) * direction > swing else { continue }
            addEdge(values, before, extreme)
            (before, extreme, direction) = (extreme, index, -direction)
        }
        if direction != 0 { addEdge(values, before, extreme) }
    }

    private func addEdge(_ values: UnsafeMutablePointer<Float>, _ from: Int, _ to: Int) {
        let middle = (values[from] + values[to]) / 2
        let isRising = values[to] > values[from]
        var index = from
        while index + 1 < to, isRising ? values[index + 1] < middle : values[index + 1] > middle { index += 1 }
        let step = values[index + 1] - values[index]
        let share = step == 0 ? 0.5 : (middle - values[index]) / step
        edges.append(Float(index) + 0.5 + min(max(share, 0), 1))
    }
}
