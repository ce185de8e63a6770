/// The ground that a symbol covers in a picture: nothing else is looked for there.
struct SymbolArea {
    /// In a walk around it.
    private let corners: [Place]
    /// Of the box around it.
    let low, high: Place

    /// - Parameters:
    ///   - corners: of the symbol, in a walk around it.
    ///   - origin: where the part of the frame begins that ``contains(_:)`` is asked about.
    init(corners: [Place], origin: Place = .zero) {
        self.corners = corners.map { $0 - origin }
        low = self.corners.reduce(self.corners.first ?? .zero) { pointwiseMin($0, $1) }
        high = self.corners.reduce(self.corners.first ?? .zero) { pointwiseMax($0, $1) }
    }

    /// Whether a place lies on it.
    func contains(_ place: Place) -> Bool {
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
