import CodeReader
import Luma

/// Looks at frames as the witness does, and keeps of a code where and how it was seen: never what it says.
public final class Onlooker {
    private let reader: StreamReader

    public init(_ symbologies: Set<Symbology>) {
        reader = StreamReader(symbologies)
    }

    public func look(at plane: LumaPlane) -> Sight {
        let readings = reader.read(plane)
        var sight = Sight(width: plane.width, height: plane.height, quality: FrameQuality(plane))
        // Of a linear code the corners lie along scan lines: how high it is, they do not tell.
        sight.allCodes =
            readings.contains { $0.symbology != .qr || $0.corners.count != 4 }
            ? nil : readings.map { reading in reading.corners.map { Sight.Point(x: Float($0.x), y: Float($0.y)) } }
        guard let reading = readings.first(where: { $0.candidate != nil }) ?? readings.first else { return sight }
        let corners = reading.corners.map { Sight.Point(x: Float($0.x), y: Float($0.y)) }
        let around = Self.area(around: corners)
        let quality = FrameQuality(plane, in: around)
        sight.codeQuality = quality
        sight.code = Sight.Code(
            corners: corners, module: Self.module(reading, corners), wasRead: true, sharpness: nil,
            dark: Float(quality.dark), light: Float(quality.light))
        return sight
    }

    private static func area(around corners: [Sight.Point]) -> (columns: Range<Int>, rows: Range<Int>) {
        func range(_ values: [Float]) -> Range<Int> {
            let low = max(values.min() ?? 0, -10_000)
            let high = min(max(values.max() ?? 0, low), 20_000)
            return Int(low)..<Int(high) + 1
        }
        return (range(corners.map(\.x)), range(corners.map(\.y)))
    }

    /// The modules of a side follow from how much a code says: 32 characters are a version 2 or 3, with hyphens a 3.
    /// Only a decoder that samples the symbol knows better.
    private static func module(_ reading: Reading, _ corners: [Sight.Point]) -> Float? {
        guard corners.count == 4, reading.symbology == .qr else { return nil }
        var around: Float = 0
        for index in 0..<4 {
            let (from, to) = (corners[index], corners[(index + 1) % 4])
            around += ((to.x - from.x) * (to.x - from.x) + (to.y - from.y) * (to.y - from.y)).squareRoot()
        }
        // Bytes that a version takes at level M, ISO/IEC 18004 table 7.
        let capacities = [14, 26, 42, 62, 84, 106, 122, 152, 180, 213]
        let version = (capacities.firstIndex { $0 >= reading.value.count } ?? 9) + 1
        return around / 4 / Float(17 + 4 * version)
    }
}
