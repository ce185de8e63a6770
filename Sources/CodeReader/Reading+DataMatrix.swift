import DataMatrix
import Luma

extension Reading {
    /// The Data Matrix symbols in a picture, each once.
    ///
    /// - Parameter mostPlaces: so many places that could be one are looked at, the largest.
    static func dataMatrix(_ plane: LumaPlane, mostPlaces: Int = DataMatrixReader.mostPlaces) -> [Reading] {
        var readings: [Reading] = []
        for symbol in DataMatrixReader.read(plane, mostPlaces: mostPlaces)
        where symbol.text.count <= CodeReader.maximumLength {
            let corners = symbol.corners.map { Point(x: Int($0.x), y: Int($0.y)) }
            guard !readings.contains(where: { $0.value == symbol.text }) else { continue }
            readings.append(Reading(value: symbol.text, symbology: .dataMatrix, corners: corners))
        }
        return readings
    }
}
