/// Where a picture is patterned as finely as codes and writing are, whatever the pattern.
///
/// Along each row and column the turns between light and dark are counted that are larger than the noise. A thing's edge
/// gives one turn or none; in a code there is one every other module. Windows of several sizes with more turns than
/// things have are taken for finely patterned, so that codes of all sizes are.
struct Texture {
    /// Of the grid on which turns are counted, in pixels.
    private static let unit = 8
    /// Sides of windows, in units, and turns for each line of it that make it fine; in the larger ones in rows and columns
    /// at once, since a code so large is no linear one.
    private static let windows: [(side: Int, turns: Float, both: Bool)] = [
        (3, 1.2, false), (6, 1.4, false), (12, 1.4, true), (24, 1.4, true),
    ]
    /// So many units around are taken for fine, too.
    private static let margin = 2
    /// Turns count from this difference in grey levels: at least, and at most, however noisy the picture is.
    private static let (leastTurn, mostTurn): (Int32, Int32) = (4, 12)

    private var columns = 0
    private var rows = 0
    private var inRows: [Int32] = []
    private var inColumns: [Int32] = []
    private var fine: [Bool] = []

    /// Whether the picture that was measured is finely patterned at a pixel.
    func isFine(x: Int, y: Int) -> Bool { fine[y / Self.unit * columns + x / Self.unit] }

    /// Share of the picture that is, from 0 to 1.
    var share: Float { Float(fine.count { $0 }) / Float(max(1, fine.count)) }

    mutating func measure(_ pixels: [UInt8], width: Int, height: Int) {
        columns = (width + Self.unit - 1) / Self.unit
        rows = (height + Self.unit - 1) / Self.unit
        let least = Self.leastDifference(pixels, width, height)
        inRows = [Int32](repeating: 0, count: columns * rows)
        inColumns = inRows
        pixels.withUnsafeBufferPointer { pixels in
            guard let base = pixels.baseAddress else { return }
            for y in 0..<height {
                count(base + y * width, width, apart: 1, least) {
                    (y / Self.unit) * columns + $0 / Self.unit
                } add: {
                    inRows[$0] += 1
                }
            }
            for x in 0..<width {
                count(base + x, height, apart: width, least) {
                    ($0 / Self.unit) * columns + x / Self.unit
                } add: {
                    inColumns[$0] += 1
                }
            }
        }
        mark()
    }

    /// Walks along a line; where its direction changes after more than the least difference is a turn.
    @inline(__always)
    private func count(
        _ line: UnsafePointer<UInt8>, _ length: Int, apart: Int, _ least: Int32, place: (Int) -> Int,
        add: (Int) -> Void
    ) {
        var (low, high) = (Int32(line[0]), Int32(line[0]))
        var (lowAt, highAt, direction) = (0, 0, 0)
        for index in 1..<max(length, 1) {
            let value = Int32(line[index &* apart])
            if value > high { (high, highAt) = (value, index) }
            if value < low { (low, lowAt) = (value, index) }
            if direction >= 0, value < high &- least {
                if direction > 0 { add(place(highAt)) }
                (direction, low, lowAt) = (-1, value, index)
            } else if direction <= 0, value > low &+ least {
                if direction < 0 { add(place(lowAt)) }
                (direction, high, highAt) = (1, value, index)
            }
        }
    }

    /// Five times the noise, estimated from how much pixels differ from the mean of their neighbours, as the median.
    private static func leastDifference(_ pixels: [UInt8], _ width: Int, _ height: Int) -> Int32 {
        var histogram = [Int](repeating: 0, count: 256)
        var count = 0
        for y in stride(from: 0, to: height, by: 3) {
            for x in stride(from: 1, to: max(width - 1, 1), by: 3) {
                let at = y * width + x
                guard x + 1 < width else { break }
                histogram[abs(2 * Int(pixels[at]) - Int(pixels[at - 1]) - Int(pixels[at + 1])) / 2] += 1
                count += 1
            }
        }
        var (median, below) = (0, 0)
        while median < 255, below + histogram[median] <= count / 2 {
            below += histogram[median]
            median += 1
        }
        // Half the second difference has 1.22 times the noise's deviation, its median 0.67 of that.
        return min(max(Int32((5 * (Float(median) + 0.25) / 0.82).rounded()), leastTurn), mostTurn)
    }

    /// Marks the windows with many turns.
    private mutating func mark() {
        fine = [Bool](repeating: false, count: columns * rows)
        let (rowSums, columnSums) = (sums(inRows), sums(inColumns))
        var marks = [Int32](repeating: 0, count: (columns + 1) * (rows + 1))
        for window in Self.windows {
            let (w, h) = (min(window.side, columns), min(window.side, rows))
            let lines = Float(window.side * Self.unit)
            // A window larger than the picture is cut, and so is what it must hold.
            let limits = (window.turns * lines * Float(h * w) / Float(window.side * window.side))
            for top in 0...(rows - h) {
                for left in 0...(columns - w) {
                    let across = Float(total(rowSums, left, top, w, h))
                    let down = Float(total(columnSums, left, top, w, h))
                    let isFine = window.both ? min(across, down) >= limits : max(across, down) >= limits
                    guard isFine else { continue }
                    let (x0, y0) = (max(0, left - Self.margin), max(0, top - Self.margin))
                    let (x1, y1) = (min(columns, left + w + Self.margin), min(rows, top + h + Self.margin))
                    marks[y0 * (columns + 1) + x0] += 1
                    marks[y0 * (columns + 1) + x1] -= 1
                    marks[y1 * (columns + 1) + x0] -= 1
                    marks[y1 * (columns + 1) + x1] += 1
                }
            }
        }
        // The marks' running sums over both axes tell how many windows cover a unit.
        for y in 0..<rows {
            var run: Int32 = 0
            for x in 0..<columns {
                run += marks[y * (columns + 1) + x]
                marks[y * (columns + 1) + x] = run
                let above = y > 0 ? marks[(y - 1) * (columns + 1) + x] : 0
                marks[y * (columns + 1) + x] += above
                fine[y * columns + x] = marks[y * (columns + 1) + x] > 0
            }
        }
    }

    /// Sums over all units above and to the left.
    private func sums(_ counts: [Int32]) -> [Int32] {
        var sums = [Int32](repeating: 0, count: (columns + 1) * (rows + 1))
        for y in 0..<rows {
            var run: Int32 = 0
            for x in 0..<columns {
                run += counts[y * columns + x]
                sums[(y + 1) * (columns + 1) + x + 1] = sums[y * (columns + 1) + x + 1] + run
            }
        }
        return sums
    }

    private func total(_ sums: [Int32], _ left: Int, _ top: Int, _ w: Int, _ h: Int) -> Int32 {
        let row = columns + 1
        return sums[(top + h) * row + left + w] - sums[top * row + left + w] - sums[(top + h) * row + left]
            + sums[top * row + left]
    }
}
