import Geometry

/// A symbol's modules in the picture: its four corners, drawn closer until the dashed sides fit best.
struct SymbolGrid {
    let shape: SymbolShape
    /// Outer corners: upper left, upper right, lower right, lower left.
    private(set) var corners: [Place]
    private var projection: ProjectiveMap
    /// How well the sides fit, from -1 to 1: dark where they should be, light where not.
    private(set) var fit: Float = -1

    private let sampler: SymbolSampler

    init?(_ shape: SymbolShape, corners: [Place], _ sampler: SymbolSampler, _ budget: inout WorkBudget) {
        guard corners.count == 4, let projection = Self.projection(corners) else { return nil }
        self.shape = shape
        self.corners = corners
        self.projection = projection
        self.sampler = sampler
        fit = agreement(projection, &budget)
    }

    /// Four corners of which three make a smaller triangle are no symbol's, in square pixels.
    private static let minimumTriangle: Float = 2

    /// Of the sides' modules; see ``share(_:)``.
    private static let minimumShare: Float = 0.78
    /// Of the contrast: corners are less than half a module off.
    private static let goodFit: Float = 0.85

    private static func projection(_ corners: [Place]) -> ProjectiveMap? {
        ProjectiveMap(
            unitSquareTo: (corners[0], corners[1], corners[2], corners[3]), minimumTriangle: minimumTriangle)
    }

    @inline(__always)
    private func level(_ projection: ProjectiveMap, _ row: Float, _ column: Float) -> Float {
        sampler.level(projection(column / Float(shape.columns), row / Float(shape.rows)))
    }

    /// Of four places in a row of the picture's modules, or in a column: from one on, a module farther each.
    @inline(__always)
    private func levels(_ projection: ProjectiveMap, row: Float, columns: Float) -> SIMD4<Float> {
        let u = (SIMD4<Float>(0, 1, 2, 3) + columns) / Float(shape.columns)
        let (x, y) = projection(u, SIMD4(repeating: row / Float(shape.rows)))
        return sampler.levels(x: x, y: y)
    }

    @inline(__always)
    private func levels(_ projection: ProjectiveMap, rows: Float, column: Float) -> SIMD4<Float> {
        let v = (SIMD4<Float>(0, 1, 2, 3) + rows) / Float(shape.rows)
        let (x, y) = projection(SIMD4(repeating: column / Float(shape.columns)), v)
        return sampler.levels(x: x, y: y)
    }

    /// With nothing for those that are beyond the end.
    @inline(__always)
    private static func kept(_ levels: SIMD4<Float>, _ count: Int) -> SIMD4<Float> {
        count >= 4 ? levels : levels.replacing(with: 0, where: SIMD4<Int32>(0, 1, 2, 3) .>= Int32(count))
    }

    /// Compares the four sides, and the quiet zone half a module beyond the dashed ones, with what they must be.
    private func agreement(_ projection: ProjectiveMap, _ budget: inout WorkBudget) -> Float {
        budget.spend(2 * (shape.columns + shape.rows))
        // Sums of every fourth module: dashes that are dark come first in a row, in a column those that are light.
        var (upper, right, solid) = (SIMD4<Float>(), SIMD4<Float>(), SIMD4<Float>())
        for column in stride(from: 0, to: shape.columns, by: 4) {
            let (x, count) = (Float(column) + 0.5, shape.columns - column)
            upper += Self.kept(levels(projection, row: 0.5, columns: x), count)
            solid += Self.kept(levels(projection, row: Float(shape.rows) - 0.5, columns: x), count)
        }
        for row in stride(from: 0, to: shape.rows, by: 4) {
            let (y, count) = (Float(row) + 0.5, shape.rows - row)
            right += Self.kept(levels(projection, rows: y, column: Float(shape.columns) - 0.5), count)
            solid += Self.kept(levels(projection, rows: y, column: 0.5), count)
        }
        let dark = upper[0] + upper[2] + right[1] + right[3]
        let light = upper[1] + upper[3] + right[0] + right[2]
        let spread = solid.sum()
        let half = Float(shape.rows + shape.columns) / 2
        // The mean differences of dark dashes and of the solid sides from light dashes, in full range.
        return (2 * light / half - dark / half - spread / (2 * half)) / 510
    }

    /// The share of the sides' modules that are dark or light as they must be; what is no symbol mostly has two thirds.
    private func share(_ budget: inout WorkBudget) -> Float {
        let (rows, columns) = (shape.rows, shape.columns)
        budget.spend(2 * (rows + columns))
        var (dark, light): ([Float], [Float]) = ([], [])
        dark.reserveCapacity(2 * (rows + columns))
        light.reserveCapacity(rows + columns)
        for column in 0..<columns {
            dark.append(level(projection, Float(rows) - 0.5, Float(column) + 0.5))
            let dash = level(projection, 0.5, Float(column) + 0.5)
            if column % 2 == 0 { dark.append(dash) } else { light.append(dash) }
        }
        for row in 0..<rows {
            dark.append(level(projection, Float(row) + 0.5, 0.5))
            let dash = level(projection, Float(row) + 0.5, Float(columns) - 0.5)
            if row % 2 == 1 { dark.append(dash) } else { light.append(dash) }
        }
        let middle = (dark.reduce(0, +) / Float(dark.count) + light.reduce(0, +) / Float(light.count)) / 2
        let right = dark.count { $0 < middle } + light.count { $0 >= middle }
        return Float(right) / Float(dark.count + light.count)
    }

    /// The symbol: what it says as the corners are; or after they have been moved, one after the other, in smaller and
    /// smaller steps, for as long as the sides fit better.
    ///
    /// - Parameters:
    ///   - contrast: of the solid sides, in grey levels.
    ///   - isHasty: only what is clear at once, or after each corner has been moved a little.
    mutating func read(contrast: Float, isHasty: Bool, _ budget: inout WorkBudget) -> DataMatrixSymbol? {
        let symbol = symbol(contrast: contrast, isHasty: isHasty, &budget)
        guard let symbol else { return nil }
        // What is read need not lie exactly: its corners are drawn closer yet.
        let isMirrored = symbol.corners[0] != corners[0]
        let module = (corners[1] - corners[0]).length / Float(shape.columns)
        for step in [0.18, 0.09] as [Float] {
            for corner in [1, 0, 2, 3] { _ = move(corner, by: step * module, &budget) }
        }
        let exact = isMirrored ? [corners[2], corners[1], corners[0], corners[3]] : corners
        return DataMatrixSymbol(text: symbol.text, corners: exact, isGS1: symbol.isGS1)
    }

    private mutating func symbol(
        contrast: Float, isHasty: Bool, _ budget: inout WorkBudget
    ) -> DataMatrixSymbol? {
        let least = contrast * 0.35 / 255
        let module = min(
            (corners[1] - corners[0]).length / Float(shape.columns),
            (corners[3] - corners[0]).length / Float(shape.rows))
        if fit * 255 > contrast * 0.5, let symbol = quickly(&budget) { return symbol }
        if isHasty {
            guard fit * 255 > contrast * Self.goodFit else { return nil }
            for corner in [1, 0, 2, 3] { _ = move(corner, by: 0.3 * module, &budget) }
            return quickly(&budget)
        }
        let steps: [Float] = fit * 255 > contrast * Self.goodFit ? [0.35, 0.18] : [0.7, 0.35, 0.18]
        for step in steps {
            for round in 0..<4 {
                var moved = false
                for corner in [1, 0, 2, 3] { moved = move(corner, by: step * module, &budget) || moved }
                // Most of what is no symbol is far off even when each corner has been moved once.
                if !moved || round == 0 && fit < least * 0.8 { break }
            }
            guard fit > least, share(&budget) > Self.minimumShare else { return nil }
            if step > 0.2, fit * 255 > contrast * 0.5, let symbol = quickly(&budget) { return symbol }
        }
        return fit * 255 > contrast * 0.5 ? thoroughly(&budget) : nil
    }

    private mutating func move(_ corner: Int, by distance: Float, _ budget: inout WorkBudget) -> Bool {
        let before = corners[corner]
        var best: (place: Place, projection: ProjectiveMap, fit: Float)?
        for way in [Place(1, 0), Place(-1, 0), Place(0, 1), Place(0, -1)] {
            var moved = corners
            moved[corner] = before + way * distance
            guard let projection = Self.projection(moved) else { continue }
            let fit = agreement(projection, &budget)
            if fit > max(self.fit, best?.fit ?? -1) { best = (moved[corner], projection, fit) }
        }
        guard let best else { return false }
        corners[corner] = best.place
        projection = best.projection
        fit = best.fit
        return true
    }

    /// By the levels in the middle of the modules, and one threshold for all.
    private func quickly(_ budget: inout WorkBudget) -> DataMatrixSymbol? {
        budget.spend(2 * shape.rows * shape.columns)
        let levels = moduleLevels([(0.5, 0.5)])
        return symbol(
            levels, [middle(levels, 0...shape.rows - 1, 0...shape.columns - 1)], isMirrored: shape.isTransposed)
    }

    /// By the modules' mean levels and thresholds of several kinds, upright and mirrored.
    private func thoroughly(_ budget: inout WorkBudget) -> DataMatrixSymbol? {
        budget.spend(5 * shape.rows * shape.columns)
        let levels = moduleLevels()
        for radius in [shape.rows + shape.columns, 3, 2] {
            // Thresholds of surroundings are means of up to 49 modules.
            budget.spend(8 * shape.rows * shape.columns)
            let threshold = thresholds(levels, radius: radius)
            for isMirrored in [false, true] where isMirrored ? shape.mayBeMirrored : !shape.isTransposed {
                if let symbol = symbol(levels, threshold, isMirrored: isMirrored) { return symbol }
            }
        }
        return nil
    }

    /// - Parameter thresholds: one for all modules, or one for each.
    private func symbol(_ levels: [Float], _ thresholds: [Float], isMirrored: Bool) -> DataMatrixSymbol? {
        let (rows, columns) = (shape.rows, shape.columns)
        let text = ModuleDecoder.text(shape.size) { row, column in
            let place = shape.size.place(row: row, column: column)
            let (y, x) = isMirrored ? (rows - 1 - place.column, columns - 1 - place.row) : (place.row, place.column)
            let at = y * columns + x
            return levels[at] < (thresholds.count == 1 ? thresholds[0] : thresholds[at])
        }
        guard let text else { return nil }
        let corners = isMirrored ? [corners[2], corners[1], corners[0], corners[3]] : corners
        return DataMatrixSymbol(text: text.bytes, corners: corners, isGS1: text.isGS1)
    }

    /// The symbol as one that cannot be read, when its sides are as clear as a symbol's and its modules are dark and light
    /// by turns: clutter with dashes around it mostly is not.
    ///
    /// - Parameter contrast: of its solid sides.
    func unread(_ contrast: Float) -> UnreadDataMatrix? {
        guard fit * 255 > contrast * 0.75 else { return nil }
        let levels = moduleLevels()
        let threshold = middle(levels, 0...shape.rows - 1, 0...shape.columns - 1)
        var (darks, clear, count) = (0, 0, 0)
        for row in 1..<shape.rows - 1 {
            for column in 1..<shape.columns - 1 {
                let level = levels[row * shape.columns + column]
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
            corners: corners, module: (corners[1] - corners[0]).length / Float(shape.columns),
            dark: min(turned(dark), turned(light)), light: max(turned(dark), turned(light)))
    }

    /// The mean of some places within each module.
    private func moduleLevels(
        _ places: [(Float, Float)] = [(0.5, 0.5), (0.35, 0.35), (0.65, 0.35), (0.35, 0.65), (0.65, 0.65)]
    ) -> [Float] {
        var levels = [Float](repeating: 0, count: shape.rows * shape.columns)
        for row in 0..<shape.rows {
            for column in stride(from: 0, to: shape.columns, by: 4) {
                var sum = SIMD4<Float>()
                for (x, y) in places {
                    sum += self.levels(projection, row: Float(row) + y, columns: Float(column) + x)
                }
                sum /= Float(places.count)
                for number in 0..<min(4, shape.columns - column) {
                    levels[row * shape.columns + column + number] = sum[number]
                }
            }
        }
        return levels
    }

    /// For each module, half way between what is dark and what is light around it: the means of the levels below and above
    /// the mean.
    private func thresholds(_ levels: [Float], radius: Int) -> [Float] {
        let (rows, columns) = (shape.rows, shape.columns)
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
            for column in columns { sum += levels[row * shape.columns + column] }
        }
        let mean = sum / Float(rows.count * columns.count)
        var (dark, light): (Float, Float) = (0, 0)
        var (darks, lights): (Float, Float) = (0, 0)
        for row in rows {
            for column in columns {
                let level = levels[row * shape.columns + column]
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
