import DataMatrix
import Luma

extension Reading {
    /// The Data Matrix symbols in a picture, each once; and how many places have been looked at when not all have.
    static func dataMatrix(
        _ plane: LumaPlane, _ effort: DataMatrixReader.Effort = .init()
    ) -> (readings: [Reading], lookedAt: Int?) {
        let (symbols, lookedAt) = DataMatrixReader.read(plane, effort)
        var readings: [Reading] = []
        for symbol in symbols where symbol.text.count <= CodeReader.maximumLength {
            let corners = symbol.corners.map { Point(x: Int($0.x), y: Int($0.y)) }
            guard !readings.contains(where: { $0.value == symbol.text }) else { continue }
            readings.append(
                Reading(value: symbol.text, symbology: .dataMatrix, corners: corners, isGS1: symbol.isGS1))
        }
        return (readings, lookedAt)
    }
}
