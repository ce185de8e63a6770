import DataMatrix
import Luma

extension Reading {
    /// The Data Matrix symbols in a picture, each once; of the places that could be one, every so-manieth only.
    static func dataMatrix(_ plane: LumaPlane, part: Int = 0, of parts: Int = 1) -> [Reading] {
        var readings: [Reading] = []
        for symbol in DataMatrixReader.read(plane, part: part, of: parts)
        where symbol.text.count <= CodeReader.maximumLength {
            let corners = symbol.corners.map { Point(x: Int($0.x), y: Int($0.y)) }
            guard !readings.contains(where: { $0.value == symbol.text }) else { continue }
            readings.append(Reading(value: symbol.text, symbology: .dataMatrix, corners: corners))
        }
        return readings
    }
}
