import DataMatrix
import Geometry
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
            guard !readings.contains(where: { $0.value == symbol.text }) else { continue }
            readings.append(
                Reading(value: symbol.text, symbology: .dataMatrix, corners: symbol.corners, isGS1: symbol.isGS1))
        }
        return (readings, findings.lookedAt, findings.unread.map(Aim.init))
    }
}

extension Aim {
    init(_ symbol: UnreadDataMatrix) {
        self.init(
            corners: symbol.corners.map(\.bounded), module: symbol.module, isSymbol: true, sharpness: nil,
            dark: symbol.dark, light: symbol.light)
    }

    /// The same in the whole, when it was seen in a part or in a copy of it.
    ///
    /// - Parameters:
    ///   - scale: pixels of the whole for a pixel of the copy.
    ///   - origin: where the part begins in the whole.
    func moved(scale: Float, to origin: Place) -> Aim {
        Aim(
            corners: corners.map { ($0 * scale + origin).bounded }, module: module * scale, isSymbol: isSymbol,
            sharpness: sharpness, dark: dark, light: light)
    }
}
