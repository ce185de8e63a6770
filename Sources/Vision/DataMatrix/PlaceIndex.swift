import Geometry

/// Numbers by places in a picture, so that those near one are found without looking at all.
struct PlaceIndex {
    /// Of a square of the picture, in pixels.
    private static let cell: Float = 24
    /// Squares to a row of squares, more than a picture has.
    private static let rowSize = 4096

    private var cells: [Int: [Int]] = [:]

    private static func cell(_ coordinate: Float) -> Int {
        Int((coordinate / cell).clamped(to: 0, Float(rowSize - 1)))
    }

    mutating func add(_ number: Int, at place: Place) {
        cells[Self.cell(place.y) * Self.rowSize + Self.cell(place.x), default: []].append(number)
    }

    /// The numbers of all places within a distance, and of some that are farther.
    func visit(_ place: Place, within distance: Float, _ body: (Int) -> Void) {
        let (left, right) = (Self.cell(place.x - distance), Self.cell(place.x + distance))
        for row in Self.cell(place.y - distance)...Self.cell(place.y + distance) {
            for column in left...right {
                for number in cells[row * Self.rowSize + column] ?? [] { body(number) }
            }
        }
    }
}

extension Float {
    /// What is no number becomes the least.
    fileprivate func clamped(to low: Float, _ high: Float) -> Float { self > low ? (self < high ? self : high) : low }
}
