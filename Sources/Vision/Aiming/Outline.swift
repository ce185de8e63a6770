import CodeReader
import Glibc

/// The four corners of a code in a walk around it, in pixels of the frame.
public struct Outline: Sendable, Hashable {
    /// The four corners, one after the other; they may lie outside of the frame.
    public let corners: [Reading.Point]

    /// `nil` unless there are four corners that enclose something.
    public init?(_ corners: [Reading.Point]) {
        guard corners.count == 4 else { return nil }
        self.corners = corners
        guard abs(area) >= 16 else { return nil }
    }

    /// The box around points, widened by `margin` pixels on every side; `nil` for no points.
    public init?(around points: [Reading.Point], margin: Int = 0) {
        guard let first = points.first else { return nil }
        var (left, top, right, bottom) = (first.x, first.y, first.x, first.y)
        for point in points {
            (left, right) = (min(left, point.x), max(right, point.x))
            (top, bottom) = (min(top, point.y), max(bottom, point.y))
        }
        self.init([
            .init(x: left - margin, y: top - margin), .init(x: right + margin, y: top - margin),
            .init(x: right + margin, y: bottom + margin), .init(x: left - margin, y: bottom + margin),
        ])
    }

    private func edge(_ from: Int, _ to: Int) -> (x: Float, y: Float) {
        (Float(corners[to].x - corners[from].x), Float(corners[to].y - corners[from].y))
    }

    /// In square pixels, with the sign of the walk's direction.
    private var area: Float {
        let (a, b) = (edge(0, 2), edge(1, 3))
        return (a.x * b.y - a.y * b.x) / 2
    }

    /// The mean of the four corners, in pixels of the frame.
    public var centre: (x: Float, y: Float) {
        let sum = corners.reduce((0, 0)) { ($0.0 + $1.x, $0.1 + $1.y) }
        return (Float(sum.0) / 4, Float(sum.1) / 4)
    }

    /// The longest side, in pixels.
    public var length: Float { (0..<4).map { hypotf(edge($0, ($0 + 1) % 4).x, edge($0, ($0 + 1) % 4).y) }.max() ?? 0 }

    /// How far a square that looks like this is turned out of the picture's plane, in degrees: the angle whose cosine is
    /// the proportion of the shortest to the longest diameter of a circle that is drawn in it.
    public var tilt: Float {
        let (top, bottom, left, right) = (edge(0, 1), edge(3, 2), edge(0, 3), edge(1, 2))
        let across = ((top.x + bottom.x) / 2, (top.y + bottom.y) / 2)
        let down = ((left.x + right.x) / 2, (left.y + right.y) / 2)
        let squares = across.0 * across.0 + across.1 * across.1 + down.0 * down.0 + down.1 * down.1
        let product = across.0 * down.1 - across.1 * down.0
        let root = max(0, squares * squares - 4 * product * product).squareRoot()
        guard squares > 0 else { return 90 }
        let ratio = (max(0, squares - root) / (squares + root)).squareRoot()
        return acosf(min(1, ratio)) * 180 / .pi
    }

    /// A place in it, by shares of its width and height from 0 to 1.
    func place(_ u: Float, _ v: Float) -> (x: Float, y: Float) {
        func mix(_ of: (Reading.Point) -> Int) -> Float {
            let upper = Float(of(corners[0])) * (1 - u) + Float(of(corners[1])) * u
            let lower = Float(of(corners[3])) * (1 - u) + Float(of(corners[2])) * u
            return upper * (1 - v) + lower * v
        }
        return (mix { $0.x }, mix { $0.y })
    }

    /// Larger by a factor about its centre.
    public func scaled(by factor: Float) -> Outline? {
        let middle = centre
        func whole(_ value: Float) -> Int { Int(min(max(value.rounded(), -1e6), 1e6)) }
        return Outline(
            corners.map {
                .init(
                    x: whole(middle.x + (Float($0.x) - middle.x) * factor),
                    y: whole(middle.y + (Float($0.y) - middle.y) * factor))
            })
    }

    /// Whether it reaches over the edge of a frame, or to within `margin` pixels of it.
    func touchesEdge(width: Int, height: Int, margin: Int) -> Bool {
        corners.contains {
            $0.x < margin || $0.y < margin || $0.x >= width - margin || $0.y >= height - margin
        }
    }
}
