import Geometry
import Glibc

/// The four corners of a code in a walk around it, in pixels of the frame.
public struct Outline: Sendable, Hashable {
    /// The four corners, one after the other; they may lie outside of the frame, at most a million pixels away.
    public let corners: [Place]
    /// What encloses less is no code, in square pixels.
    private static let minimumArea: Float = 16

    /// `nil` unless there are four corners that enclose something.
    public init?(_ corners: [Place]) {
        guard corners.count == 4 else { return nil }
        self.corners = corners.map(\.bounded)
        guard abs(edge(0, 2).cross(edge(1, 3))) / 2 >= Self.minimumArea else { return nil }
    }

    /// The box around places, widened by `margin` pixels on every side; `nil` for no places.
    public init?(around places: [Place], margin: Float = 0) {
        guard let box = places.bounds else { return nil }
        self.init(.box(from: box.low - margin, to: box.high + margin))
    }

    private func edge(_ from: Int, _ to: Int) -> Place { corners[to] - corners[from] }

    /// The mean of the four corners, in pixels of the frame.
    public var centre: Place { corners.middle }

    /// The longest side, in pixels.
    public var length: Float { (0..<4).map { edge($0, ($0 + 1) % 4).length }.max() ?? 0 }

    /// How far a square that looks like this is turned out of the picture's plane, in degrees: the angle whose cosine is
    /// the proportion of the shortest to the longest diameter of a circle that is drawn in it.
    public var tilt: Float {
        let (top, bottom, left, right) = (edge(0, 1), edge(3, 2), edge(0, 3), edge(1, 2))
        let (across, down) = ((top + bottom) / 2, (left + right) / 2)
        let squares = across.dot(across) + down.dot(down)
        let product = across.cross(down)
        let root = max(0, squares * squares - 4 * product * product).squareRoot()
        guard squares > 0 else { return 90 }
        let ratio = (max(0, squares - root) / (squares + root)).squareRoot()
        return acosf(min(1, ratio)) * 180 / .pi
    }

    /// From shares of the code's own width and height, from 0 to 1, to the frame; `nil` when three corners lie on a line,
    /// or the outline has a dent: no square looks like that.
    var map: ProjectiveMap? {
        ProjectiveMap(unitSquareTo: (corners[0], corners[1], corners[2], corners[3])).flatMap {
            $0.covers(1) ? $0 : nil
        }
    }

    /// Larger by a factor about its centre.
    public func scaled(by factor: Float) -> Outline? {
        let middle = centre
        return Outline(corners.map { middle + ($0 - middle) * factor })
    }

    /// Whether it reaches over the edge of a frame, or to within `margin` pixels of it.
    func touchesEdge(width: Int, height: Int, margin: Float) -> Bool {
        let high = Place(corner: width, height) - margin
        return corners.contains { $0.x < margin || $0.y < margin || $0.x >= high.x || $0.y >= high.y }
    }
}
