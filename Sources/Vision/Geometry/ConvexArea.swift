/// The ground that a symbol, or anything else that is convex, covers in a picture.
public struct ConvexArea: Sendable {
    /// In a walk around it.
    @usableFromInline let corners: [Place]
    /// Of the box around it.
    public let low, high: Place

    /// - Parameters:
    ///   - corners: in a walk around it.
    ///   - origin: where the part of the frame begins that ``contains(_:)`` is asked about.
    public init(corners: [Place], origin: Place = .zero) {
        self.corners = corners.map { $0 - origin }
        (low, high) = self.corners.bounds ?? (.zero, .zero)
    }

    /// Whether a place lies on it, or on its rim.
    @inlinable
    public func contains(_ place: Place) -> Bool {
        guard place.x >= low.x, place.y >= low.y, place.x <= high.x, place.y <= high.y else { return false }
        var (isLeft, isRight) = (false, false)
        for index in corners.indices {
            let (a, b) = (corners[index], corners[(index + 1) % corners.count])
            let side = (b - a).cross(place - a)
            if side > 0 { isLeft = true } else if side < 0 { isRight = true }
        }
        return !(isLeft && isRight)
    }
}
