import Geometry

/// A straight edge: pixels that touch and whose slopes point nearly the same way.
struct EdgeSegment {
    /// Its ends, in no order.
    let ends: (Place, Place)
    /// The direction in which it gets lighter, of length 1.
    let lighter: Place
    let length: Float

    /// At most so many are kept, the longest.
    static let most = 8000

    /// Finds the straight edges that are `least` to `most` pixels long, longest first.
    ///
    /// Each pixel is visited once, so the work is bounded by the picture's size. The growing of regions follows the line
    /// segment detector of Grompone von Gioi et al. (2012), without its statistics.
    ///
    /// - Parameter field: the directions of pixels that have been visited are flat afterwards.
    static func find(_ field: inout GradientField, least: Float, most longest: Float = .infinity) -> [EdgeSegment] {
        var segments: [EdgeSegment] = []
        let (width, count) = (field.width, field.width * field.height)
        field.visit { free in
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: Finder.maximumRegion) { region in
                GradientField.units.withUnsafeBufferPointer { units in
                    guard let region = region.baseAddress, let units = units.baseAddress else { return }
                    let finder = Finder(width: width, free: free, region: region, units: units)
                    // The directions have a border of flat pixels.
                    var at = 0
                    while at < count {
                        if at + 8 <= count,
                            UnsafeRawPointer(free).loadUnaligned(fromByteOffset: at, as: UInt64.self) == .max
                        {
                            at += 8  // all of them flat
                            continue
                        }
                        if free[at] != GradientField.flat, let segment = finder.grow(at), segment.length >= least,
                            segment.length <= longest
                        {
                            segments.append(segment)
                        }
                        at += 1
                    }
                }
            }
        }
        segments.sort { $0.length > $1.length }
        return Array(segments.prefix(most))
    }

    private struct Finder {
        let width: Int
        /// Directions of the pixels that are in no region yet.
        let free: UnsafeMutablePointer<UInt8>
        /// The pixels of a region; there is room for ``maximumRegion``.
        let region: UnsafeMutablePointer<Int32>
        /// ``GradientField/units``.
        let units: UnsafePointer<Place>

        /// Pixels of the longest edge, 8192 pixels long and eight wide.
        static let maximumRegion = 1 << 16

        func grow(_ start: Int) -> EdgeSegment? {
            region[0] = Int32(start)
            var count = 1
            var mean = free[start]
            var sum = units[Int(mean)]
            free[start] = GradientField.flat
            var next = 0
            while next < count {
                let at = Int(region[next])
                next += 1
                // The directions' border of flat pixels keeps this within the picture.
                var first = at &- width &- 1
                for _ in 0..<3 {
                    let three = UInt32(
                        littleEndian: UnsafeRawPointer(free).loadUnaligned(fromByteOffset: first, as: UInt32.self))
                    var alike = Self.alike(three, mean)
                    while alike != 0, count < Self.maximumRegion {
                        let number = alike.trailingZeroBitCount >> 3
                        let place = first &+ number
                        let neighbour = free[place]
                        free[place] = GradientField.flat
                        region[count] = Int32(truncatingIfNeeded: place)
                        count &+= 1
                        sum += units[Int(neighbour)]
                        alike &= alike &- 1
                        guard count & 7 == 0 else { continue }
                        mean = nearest(sum, to: mean)
                        // Those that are left are compared with the new one.
                        let left = UInt32.max << UInt32(8 * (number + 1))
                        alike = Self.alike(three, mean) & left
                    }
                    first &+= width
                }
            }
            return count < 12 ? nil : fit(count, sum.unit)
        }

        /// Which of the lowest three bytes are directions within two of one: the highest bit of each of them.
        @inline(__always)
        private static func alike(_ bytes: UInt32, _ mean: UInt8) -> UInt32 {
            // Directions are less than 32, and what is flat has all bits; nothing is carried from a byte to the next.
            let turns = ((bytes & 0x7F7F_7F7F) &+ UInt32(34 &- mean) &* 0x0101_0101) & 0x1F1F_1F1F
            return ~(turns &+ 0x7B7B_7B7B) & ~bytes & 0x0080_8080
        }

        /// The direction of a sum, which has turned little since it was the one that is known.
        private func nearest(_ sum: Place, to known: UInt8) -> UInt8 {
            var best = known
            var most = units[Int(known)].dot(sum)
            for turn in 29...35 {
                let direction = (Int(known) + turn) & 31
                let share = units[direction].dot(sum)
                if share > most { (best, most) = (UInt8(direction), share) }
            }
            return best
        }

        @inline(__always)
        private func place(_ index: Int) -> Place {
            let (y, x) = region[index].quotientAndRemainder(dividingBy: Int32(width))
            return Place(pixel: Int(x), Int(y))
        }

        /// The line through the region's pixels; `nil` when they are not long and narrow.
        private func fit(_ count: Int, _ slope: Place) -> EdgeSegment? {
            // From the first pixel on, so that nothing is lost in large numbers.
            let first = place(0)
            var sum = Place.zero
            var squares = Place.zero
            var product: Float = 0
            for index in 1..<count {
                let d = place(index) - first
                sum += d
                squares += d * d
                product += d.x * d.y
            }
            let offset = sum / Float(count)
            let mean = first + offset
            let (xx, yy) = (squares.x - sum.x * offset.x, squares.y - sum.y * offset.y)
            let xy = product - sum.x * offset.y
            // The principal axis is the eigenvector of the larger eigenvalue.
            let middle = (xx + yy) / 2
            let root = ((xx - yy) * (xx - yy) / 4 + xy * xy).squareRoot()
            let axis =
                abs(xy) > 1e-3 ? Place(middle + root - yy, xy).unit : (xx >= yy ? Place(1, 0) : Place(0, 1))
            guard middle - root < 0.06 * (middle + root) else { return nil }
            let normal = axis.turned.dot(slope) > 0 ? axis.turned : -axis.turned
            var (low, high): (Float, Float) = (0, 0)
            for index in 0..<count {
                let along = (place(index) - mean).dot(axis)
                low = min(low, along)
                high = max(high, along)
            }
            return EdgeSegment(ends: (mean + axis * low, mean + axis * high), lighter: normal, length: high - low)
        }
    }
}
