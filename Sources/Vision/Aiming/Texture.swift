import Luma

/// Where a picture is patterned as finely as codes and writing are, whatever the pattern.
///
/// Along each row and column the turns between light and dark are counted that are larger than the noise. A thing's edge
/// gives one turn or none; in a code there is one every other module. Windows of ``window`` pixels with more turns to a
/// line than things have are finely patterned. That is done in the picture and in its copies of half and quarter size, so
/// that it is found for modules of one to twenty pixels.
struct Texture {
    /// Of the grid on which turns are counted, in pixels.
    static let unit = 8
    /// Sides of a window, in units.
    private static let window = (picture: 3, copies: 4)
    /// More turns than so many for each line of a window are no thing's. In the smaller copies in rows and in columns: a
    /// linear code that large does not fit into a picture.
    private static let turns = (picture: 2, copies: 5)
    /// Units around a window that belong to it: in the picture, and in its copies.
    private static let margin = (picture: 2, copies: 1)
    private static let levels = 3
    /// Turns count from this difference in grey levels: at least, and at most, however noisy the picture is.
    private static let minimumTurn = 8
    private static let maximumTurn = 14

    /// Of the grid.
    private(set) var columns = 0
    private(set) var rows = 0
    private var grains: [UInt8] = []

    /// In how many copies, counted from the picture to the smallest in which it shows, the picture is finely patterned in a
    /// unit of the grid: 0 nowhere, 1 in itself only. The modules of a code have 3 pixels of the smallest one at most.
    func grain(_ column: Int, _ row: Int) -> Int { Int(grains[row * columns + column]) }

    mutating func measure(_ pixels: [UInt8], width: Int, height: Int) {
        columns = (width + Self.unit - 1) / Self.unit
        rows = (height + Self.unit - 1) / Self.unit
        grains = [UInt8](repeating: 0, count: columns * rows)
        var level = GreyLevels(width: width, height: height, pixels: pixels)
        for number in 0..<Self.levels {
            if number > 0 {
                guard let half = level.halved() else { return }
                level = half
            }
            mark(TurnCounts(level, unit: Self.unit, least: Self.minimumDifference(level)), level: number)
        }
    }

    /// Five times the noise, estimated from how much pixels differ from the mean of their neighbours, as the median.
    private static func minimumDifference(_ picture: GreyLevels) -> Int {
        var histogram = [Int](repeating: 0, count: 256)
        var count = 0
        for y in stride(from: 0, to: picture.height, by: 3) {
            for x in stride(from: 1, to: picture.width - 1, by: 3) {
                let at = y * picture.width + x
                let (left, here, right) = (picture.pixels[at - 1], picture.pixels[at], picture.pixels[at + 1])
                histogram[abs(2 * Int(here) - Int(left) - Int(right)) / 2] += 1
                count += 1
            }
        }
        let median = histogram.greyLevel(ofRank: count / 2)
        // Half the second difference has 1.22 times the noise's deviation; its median is 0.67 of that.
        let noise = (Float(median) + 0.25) / 0.82
        return min(max(Int((5 * noise).rounded()), minimumTurn), maximumTurn)
    }

    /// Marks the windows with many turns.
    private mutating func mark(_ counts: TurnCounts, level: Int) {
        let window = level == 0 ? Self.window.picture : Self.window.copies
        let (width, height) = (min(window, counts.columns), min(window, counts.rows))
        // A picture may be smaller than a window.
        let turns = level == 0 ? Self.turns.picture : Self.turns.copies
        let limit = turns * Self.unit * width * height / window
        for top in 0...counts.rows - height {
            for left in 0...counts.columns - width {
                var (across, down) = (0, 0)
                for row in top..<top + height {
                    for at in row * counts.columns + left..<row * counts.columns + left + width {
                        across += Int(counts.inRows[at])
                        down += Int(counts.inColumns[at])
                    }
                }
                guard level == 0 ? max(across, down) >= limit : min(across, down) >= limit else { continue }
                mark(left, top, width, height, level: level)
            }
        }
    }

    private mutating func mark(_ left: Int, _ top: Int, _ width: Int, _ height: Int, level: Int) {
        let margin = level == 0 ? Self.margin.picture : Self.margin.copies
        let grain = UInt8(level + 1)
        let across = max(0, (left - margin) << level)..<min(columns, (left + width + margin) << level)
        let down = max(0, (top - margin) << level)..<min(rows, (top + height + margin) << level)
        guard !across.isEmpty else { return }
        for row in down {
            for column in across where grains[row * columns + column] < grain {
                grains[row * columns + column] = grain
            }
        }
    }
}

/// A picture while its texture is measured.
private struct GreyLevels {
    let width, height: Int
    var pixels: [UInt8]

    /// Means of two by two pixels; `nil` when nothing is left.
    func halved() -> GreyLevels? {
        let (w, h) = (width / 2, height / 2)
        guard w > 0, h > 0 else { return nil }
        var half = [UInt8](repeating: 0, count: w * h)
        for y in 0..<h {
            let (upper, lower) = (2 * y * width, (2 * y + 1) * width)
            for x in 0..<w {
                let above = UInt16(pixels[upper + 2 * x]) + UInt16(pixels[upper + 2 * x + 1])
                let below = UInt16(pixels[lower + 2 * x]) + UInt16(pixels[lower + 2 * x + 1])
                half[y * w + x] = UInt8((above + below + 2) / 4)
            }
        }
        return GreyLevels(width: w, height: h, pixels: half)
    }
}

/// How many turns between light and dark lie in each unit of a grid, along rows and along columns.
private struct TurnCounts {
    let columns, rows: Int
    private(set) var inRows: [UInt16]
    private(set) var inColumns: [UInt16]

    init(_ picture: GreyLevels, unit: Int, least: Int) {
        columns = (picture.width + unit - 1) / unit
        rows = (picture.height + unit - 1) / unit
        inRows = [UInt16](repeating: 0, count: columns * rows)
        inColumns = inRows
        var places: [Int] = []
        for y in 0..<picture.height {
            Self.turns(picture.pixels, y * picture.width, picture.width, apart: 1, least, &places)
            for x in places { inRows[y / unit * columns + x / unit] += 1 }
        }
        for x in 0..<picture.width {
            Self.turns(picture.pixels, x, picture.height, apart: picture.width, least, &places)
            for y in places { inColumns[y / unit * columns + x / unit] += 1 }
        }
    }

    /// Walks along a line: where its direction changes, by more than the least difference before and after, is a turn.
    private static func turns(
        _ pixels: [UInt8], _ start: Int, _ length: Int, apart: Int, _ least: Int, _ places: inout [Int]
    ) {
        places.removeAll(keepingCapacity: true)
        var (low, high) = (Int(pixels[start]), Int(pixels[start]))
        var (lowAt, highAt, direction) = (0, 0, 0)
        for index in 0..<length {
            let value = Int(pixels[start + index * apart])
            if value > high { (high, highAt) = (value, index) }
            if value < low { (low, lowAt) = (value, index) }
            if direction >= 0, value < high - least {
                if direction > 0 { places.append(highAt) }
                (direction, low, lowAt) = (-1, value, index)
            } else if direction <= 0, value > low + least {
                if direction < 0 { places.append(lowAt) }
                (direction, high, highAt) = (1, value, index)
            }
        }
    }
}
