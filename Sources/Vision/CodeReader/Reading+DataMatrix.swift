import DataMatrix
import Luma

extension Reading {
    /// The Data Matrix symbols in a picture, each once; how many places have been looked at when not all have; and symbols
    /// that could not be read.
    static func dataMatrix(
        _ plane: LumaPlane, _ effort: DataMatrixReader.Effort = .init()
    ) -> (readings: [Reading], lookedAt: Int?, unread: [Aim]) {
        let findings = DataMatrixReader.look(plane, effort)
        var readings: [Reading] = []
        for symbol in findings.symbols where symbol.text.count <= CodeReader.maximumLength {
            let corners = symbol.corners.map { Point(x: Int($0.x), y: Int($0.y)) }
            guard !readings.contains(where: { $0.value == symbol.text }) else { continue }
            readings.append(
                Reading(value: symbol.text, symbology: .dataMatrix, corners: corners, isGS1: symbol.isGS1))
        }
        return (readings, findings.lookedAt, findings.unread.map(Aim.init))
    }
}

extension Aim {
    init(_ symbol: UnreadDataMatrix) {
        self.init(
            corners: symbol.corners.map { Reading.Point(x: Int($0.x), y: Int($0.y)) }, module: symbol.module,
            isSymbol: true, sharpness: nil, dark: symbol.dark, light: symbol.light)
    }

    /// The same, seen in a part or in a copy that is so many times smaller.
    func moved(scale: Float, _ move: (Reading.Point) -> Reading.Point) -> Aim {
        Aim(
            corners: corners.map(move), module: module * scale, isSymbol: isSymbol, sharpness: sharpness, dark: dark,
            light: light)
    }
}
