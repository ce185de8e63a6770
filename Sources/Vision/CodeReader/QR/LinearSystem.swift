/// Least squares with a few unknowns: the equations are summed up as they come.
struct LinearSystem {
    let unknowns: Int
    private var matrix: [Double]
    private var right: [Double]
    private(set) var equations = 0

    init(unknowns: Int) {
        self.unknowns = unknowns
        matrix = Array(repeating: 0, count: unknowns * unknowns)
        right = Array(repeating: 0, count: unknowns)
    }

    /// Adds: the sum of `coefficients` times unknowns should be `value`.
    mutating func add(_ coefficients: UnsafePointer<Float>, _ value: Float, weight: Float = 1) {
        equations += 1
        let count = unknowns
        matrix.withUnsafeMutableBufferPointer { matrix in
            for row in 0..<count {
                let scaled = Double(coefficients[row] * weight)
                for column in row..<count { matrix[row &* count &+ column] += scaled * Double(coefficients[column]) }
            }
        }
        for row in 0..<count { right[row] += Double(coefficients[row] * weight * value) }
    }

    /// The unknowns; `towards` and `strength` say which values to keep to where the equations do not tell.
    func solved(towards prior: [Double]? = nil, strength: Double) -> [Float]? {
        let count = unknowns
        var m = matrix
        var x = right
        for row in 0..<count {
            for column in 0..<row { m[row * count + column] = m[column * count + row] }
            m[row * count + row] += strength
            if let prior { x[row] += strength * prior[row] }
        }
        for pivot in 0..<count {
            var best = pivot
            for row in pivot..<count where abs(m[row * count + pivot]) > abs(m[best * count + pivot]) { best = row }
            guard abs(m[best * count + pivot]) > 1e-9 else { return nil }
            if best != pivot {
                for column in 0..<count { m.swapAt(best * count + column, pivot * count + column) }
                x.swapAt(best, pivot)
            }
            for row in pivot + 1..<count {
                let factor = m[row * count + pivot] / m[pivot * count + pivot]
                if factor == 0 { continue }
                for column in pivot..<count { m[row * count + column] -= factor * m[pivot * count + column] }
                x[row] -= factor * x[pivot]
            }
        }
        for row in (0..<count).reversed() {
            for column in row + 1..<count { x[row] -= m[row * count + column] * x[column] }
            x[row] /= m[row * count + row]
        }
        return x.map { Float($0) }
    }
}
