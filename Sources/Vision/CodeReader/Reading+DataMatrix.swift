import DataMatrix
import Geometry
import Luma

extension Reading {
    /// The Data Matrix symbols in a picture that comes alone, each text once; and symbols that could not be read.
    static func dataMatrix(_ plane: LumaPlane) -> (readings: [Reading], unread: [Aim]) {
        let findings = DataMatrixReader.search(plane)
        return (findings.readings, findings.unread.map(Aim.init))
    }

    /// The same of one frame of many, which is looked at once.
    static func dataMatrixOfFrame(_ plane: LumaPlane) -> (readings: [Reading], unread: [Aim]) {
        let (readings, _, unread) = dataMatrix(plane, .init())
        return (readings, unread)
    }

    /// The same with little work; and how many places have been looked at when not all have.
    static func dataMatrix(
        _ plane: LumaPlane, _ effort: DataMatrixReader.Effort
    ) -> (readings: [Reading], lookedAt: Int?, unread: [Aim]) {
        let findings = DataMatrixReader.look(plane, effort)
        return (findings.readings, findings.lookedAt, findings.unread.map(Aim.init))
    }
}

extension DataMatrixReader.Findings {
    fileprivate var readings: [Reading] {
        var readings: [Reading] = []
        for symbol in symbols where symbol.text.count <= CodeReader.maximumLength {
            readings.append(
                Reading(value: symbol.text, symbology: .dataMatrix, corners: symbol.corners, isGS1: symbol.isGS1))
        }
        var distinct: [Reading] = []
        distinct.add(readings.withoutContradictions)
        return distinct
    }
}

extension [Reading] {
    /// Without Data Matrix readings that lie on one another and say different things: one of them is wrong at least.
    var withoutContradictions: [Reading] {
        let areas = map { $0.symbology == .dataMatrix ? ConvexArea(corners: $0.corners) : nil }
        return indices.filter { index in
            guard let area = areas[index] else { return true }
            return !indices.contains { other in
                guard let otherArea = areas[other], self[other].value != self[index].value else { return false }
                return area.contains(self[other].corners.middle) || otherArea.contains(self[index].corners.middle)
            }
        }.map { self[$0] }
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
