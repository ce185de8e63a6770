/// A straight edge: pixels that touch and whose slopes point nearly the same way.
struct EdgeSegment {
    /// Its ends, in no order.
    let ends: (Vector, Vector)
    /// The direction in which it gets lighter, of length 1.
    let lighter: Vector
    let length: Float

    /// At most so many are kept, the longest.
    static let most = 600

    /// Finds the straight edges that are `least` to `most` pixels long, longest first.
    ///
    /// Each pixel is visited once, so the work is bounded by the picture's size. The growing of regions follows the line
    /// segment detector of Grompone von Gioi et al. (2012), without its statistics.
    static func find(_ field: GradientField, least: Float, most longest: Float = .infinity) -> [EdgeSegment] {
        var finder = Finder(field)
        var segments: [EdgeSegment] = []
        for y in 2..<max(2, field.height - 2) {
            for x in 2..<max(2, field.width - 2) {
                guard let segment = finder.grow(x, y), segment.length >= least, segment.length <= longest else {
                    continue
                }
                segments.append(segment)
            }
        }
        segments.sort { $0.length > $1.length }
        return Array(segments.prefix(most))
    }

    private struct Finder {
        let field: GradientField
        /// Directions of the pixels that are in no region yet.
        private var free: [UInt8]
        private var region: [Int32] = []

        init(_ field: GradientField) {
            self.field = field
            free = field.direction
            region.reserveCapacity(1024)
        }

        mutating func grow(_ x: Int, _ y: Int) -> EdgeSegment? {
            let width = field.width
            let start = y * width + x
            guard free[start] != GradientField.flat else { return nil }
            region.removeAll(keepingCapacity: true)
            region.append(Int32(start))
            var sum = GradientField.units[Int(free[start])]
            var mean = free[start]
            free[start] = GradientField.flat
            var next = 0
            free.withUnsafeMutableBufferPointer { free in
                while next < region.count {
                    let at = Int(region[next])
                    next += 1
                    // The directions' border of flat pixels keeps this within the picture.
                    for step in [-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1] {
                        let neighbour = free[at + step]
                        guard neighbour != GradientField.flat else { continue }
                        let turn = (Int(neighbour) - Int(mean) + 48) & 31
                        guard (14...18).contains(turn) else { continue }
                        free[at + step] = GradientField.flat
                        region.append(Int32(at + step))
                        sum += GradientField.units[Int(neighbour)]
                        if region.count & 7 == 0 { mean = Self.nearest(sum) }
                    }
                }
            }
            return region.count < 12 ? nil : fit(sum.unit)
        }

        private static func nearest(_ sum: Vector) -> UInt8 {
            var best = 0
            var most = -Float.infinity
            for (index, unit) in GradientField.units.enumerated() where unit.dot(sum) > most {
                most = unit.dot(sum)
                best = index
            }
            return UInt8(best)
        }

        /// The line through the region's pixels; `nil` when they are not long and narrow.
        private func fit(_ slope: Vector) -> EdgeSegment? {
            let width = field.width
            var mean = Vector.zero
            for at in region { mean += Vector(Float(Int(at) % width), Float(Int(at) / width)) }
            mean /= Float(region.count)
            var (xx, xy, yy): (Float, Float, Float) = (0, 0, 0)
            for at in region {
                let d = Vector(Float(Int(at) % width), Float(Int(at) / width)) - mean
                xx += d.x * d.x
                xy += d.x * d.y
                yy += d.y * d.y
            }
            // The principal axis is the eigenvector of the larger eigenvalue.
            let middle = (xx + yy) / 2
            let root = ((xx - yy) * (xx - yy) / 4 + xy * xy).squareRoot()
            let axis =
                abs(xy) > 1e-3 ? Vector(middle + root - yy, xy).unit : (xx >= yy ? Vector(1, 0) : Vector(0, 1))
            guard middle - root < 0.06 * (middle + root) else { return nil }
            let normal = axis.turned.dot(slope) > 0 ? axis.turned : -axis.turned
            var (low, high): (Float, Float) = (0, 0)
            for at in region {
                let along = (Vector(Float(Int(at) % width), Float(Int(at) / width)) - mean).dot(axis)
                low = min(low, along)
                high = max(high, along)
            }
            return EdgeSegment(ends: (mean + axis * low, mean + axis * high), lighter: normal, length: high - low)
        }
    }
}
