import Geometry

/// A symbol's modules in the picture: its four corners, drawn closer until the dashed sides fit best.
struct SymbolGrid {
    let size: SymbolSize
    /// Outer corners: upper left, upper right, lower right, lower left.
    private(set) var corners: [Place]
    private var projection: ProjectiveMap
    /// How well the sides fit, from -1 to 1: dark where they should be, light where not.
    private(set) var fit: Float = -1

    private let sampler: SymbolSampler

    init?(_ size: SymbolSize, corners: [Place], _ sampler: SymbolSampler, _ budget: inout WorkBudget) {
        guard corners.count == 4, let projection = Self.projection(corners) else { return nil }
        self.size = size
        self.corners = corners
        self.projection = projection
        self.sampler = sampler
        fit = agreement(projection, &budget)
    }

    /// Four corners of which three make a smaller triangle are no symbol's, in square pixels.
    private static let minimumTriangle: Float = 2

    private static func projection(_ corners: [Place]) -> ProjectiveMap? {
        ProjectiveMap(
            unitSquareTo: (corners[0], corners[1], corners[2], corners[3]), minimumTriangle: minimumTriangle)
    }

    @inline(__always)
    private func level(_ projection: ProjectiveMap, _ row: Float, _ column: Float) -> Float {
        sampler.level(projection(column / Float(size.columns), row / Float(size.rows)))
    }

    /// Compares the four sides, and the quiet zone half a module beyond the dashed ones, with what they must be.
    private func agreement(_ projection: ProjectiveMap, _ budget: inout WorkBudget) -> Float {
        budget.spend(2 * (size.columns + size.rows))
        var (dark, light): (Float, Float) = (0, 0)
        var spread: Float = 0
        for column in 0..<size.columns {
            let x = Float(column) + 0.5
            let dashed = level(projection, 0.5, x)
            if column % 2 == 0 { dark += dashed } else { light += dashed }
            let solid = level(projection, Float(size.rows) - 0.5, x)
            spread += solid
        }
        for row in 0..<size.rows {
            let y = Float(row) + 0.5
            let dashed = level(projection, y, Float(size.columns) - 0.5)
            if row % 2 == 1 { dark += dashed } else { light += dashed }
            spread += level(projection, y, 0.5)
        }
        let half = Float(size.rows + size.columns) / 2
        // The mean differences of dark dashes and of the solid sides from light dashes, in full range.
        return (2 * light / half - dark / half - spread / (2 * half)) / 510
    }

    /// Moves one corner after the other, in smaller and smaller steps, while the fit gets better.
    ///
    /// - Parameter least: the fit that the first and largest steps must come to, for the others to be worth while.
    mutating func refine(least: Float, _ budget: inout WorkBudget) {
        let module = min(
            (corners[1] - corners[0]).length / Float(size.columns), (corners[3] - corners[0]).length / Float(size.rows))
        for step in [0.7, 0.35, 0.18] as [Float] {
            for round in 0..<3 {
                var moved = false
                for corner in [1, 0, 2, 3] { moved = move(corner, by: step * module, &budget) || moved }
                // Most of what is no symbol is far off even when each corner has been moved once.
                if !moved || round == 0 && fit < least * 0.8 { break }
            }
            guard fit > least else { return }
        }
    }

    private mutating func move(_ corner: Int, by distance: Float, _ budget: inout WorkBudget) -> Bool {
        let before = corners[corner]
        var best: (place: Place, projection: ProjectiveMap, fit: Float)?
        for y in -1...1 {
            for x in -1...1 where x != 0 || y != 0 {
                var moved = corners
                moved[corner] = before + Place(Float(x), Float(y)) * distance
                guard let projection = Self.projection(moved) else { continue }
                let fit = agreement(projection, &budget)
                if fit > max(self.fit, best?.fit ?? -1) { best = (moved[corner], projection, fit) }
            }
        }
        guard let best else { return false }
        corners[corner] = best.place
        projection = best.projection
        fit = best.fit
        return true
    }

    /// The text, by the modules' levels and thresholds of several kinds.
    func decode(_ budget: inout WorkBudget) -> CodewordText? {
        let levels = moduleLevels()
        let (rows, columns) = (size.rows, size.columns)
        for radius in [rows + columns, 3, 2] {
            // Thresholds of surroundings are means of up to 49 modules.
            budget.spend(8 * rows * columns)
            let threshold = thresholds(levels, radius: radius)
            let text = ModuleDecoder.text(size) { row, column in
                let place = size.place(row: row, column: column)
                let at = place.row * columns + place.column
                return place.row < rows && place.column < columns && levels[at] < threshold[at]
            }
            if let text { return text }
        }
        return nil
    }

    /// The symbol as one that cannot be read, when its sides are as clear as a symbol's and its modules are dark and light
    /// by turns: clutter with dashes around it mostly is not.
    ///
    /// - Parameter contrast: of its solid sides.
    func unread(_ contrast: Float) -> UnreadDataMatrix? {
        guard fit * 255 > contrast * 0.75 else { return nil }
        let levels = moduleLevels()
        let threshold = middle(levels, 0...size.rows - 1, 0...size.columns - 1)
        var (darks, clear, count) = (0, 0, 0)
        for row in 1..<size.rows - 1 {
            for column in 1..<size.columns - 1 {
                let level = levels[row * size.columns + column]
                count += 1
                if level < threshold { darks += 1 }
                if abs(level - threshold) > contrast * 0.2 { clear += 1 }
            }
        }
        guard darks * 4 > count, darks * 4 < count * 3, clear * 3 > count * 2 else { return nil }
        let dark = levels.filter { $0 < threshold }.reduce(0, +) / Float(max(levels.count { $0 < threshold }, 1))
        let light = levels.filter { $0 >= threshold }.reduce(0, +) / Float(max(levels.count { $0 >= threshold }, 1))
        let turned: (Float) -> Float = { sampler.isInverted ? 255 - $0 : $0 }
        return UnreadDataMatrix(
            corners: corners, module: (corners[1] - corners[0]).length / Float(size.columns),
            dark: min(turned(dark), turned(light)), light: max(turned(dark), turned(light)))
    }

    /// The mean of five places within each module.
    private func moduleLevels() -> [Float] {
        var levels = [Float](repeating: 0, count: size.rows * size.columns)
        let places: [(Float, Float)] = [(0.5, 0.5), (0.35, 0.35), (0.65, 0.35), (0.35, 0.65), (0.65, 0.65)]
        for row in 0..<size.rows {
            for column in 0..<size.columns {
                var sum: Float = 0
                for (x, y) in places { sum += level(projection, Float(row) + y, Float(column) + x) }
                levels[row * size.columns + column] = sum / Float(places.count)
            }
        }
        return levels
    }

    /// For each module, half way between what is dark and what is light around it: the means of the levels below and above
    /// the mean.
    private func thresholds(_ levels: [Float], radius: Int) -> [Float] {
        let (rows, columns) = (size.rows, size.columns)
        if radius >= rows + columns {
            return [Float](repeating: middle(levels, 0...rows - 1, 0...columns - 1), count: levels.count)
        }
        var result = [Float](repeating: 0, count: levels.count)
        for row in 0..<rows {
            let nearRows = max(0, row - radius)...min(rows - 1, row + radius)
            for column in 0..<columns {
                let nearColumns = max(0, column - radius)...min(columns - 1, column + radius)
                result[row * columns + column] = middle(levels, nearRows, nearColumns)
            }
        }
        return result
    }

    private func middle(_ levels: [Float], _ rows: ClosedRange<Int>, _ columns: ClosedRange<Int>) -> Float {
        var sum: Float = 0
        for row in rows {
            for column in columns { sum += levels[row * size.columns + column] }
        }
        let mean = sum / Float(rows.count * columns.count)
        var (dark, light): (Float, Float) = (0, 0)
        var (darks, lights): (Float, Float) = (0, 0)
        for row in rows {
            for column in columns {
                let level = levels[row * size.columns + column]
                if level < mean {
                    dark += level
                    darks += 1
                } else {
                    light += level
                    lights += 1
                }
            }
        }
        return darks > 0 && lights > 0 ? (dark / darks + light / lights) / 2 : mean
    }
}
