import Luma

/// Reads a stream of frames: QR codes in every frame, others where no QR code is, a piece at a time (see `OtherCodes`).
public final class StreamReader {
    private let everyFrame: CodeReader?
    /// Where QR codes are looked for, too.
    private let others: OtherCodes?
    /// Where they are not.
    private let alone: CodeReader?

    /// - Parameter symbologies: what to look for.
    public init(_ symbologies: Set<Symbology>) {
        let others = symbologies.subtracting([.qr])
        everyFrame = symbologies.contains(.qr) ? CodeReader([.qr]) : nil
        self.others = everyFrame == nil || others.isEmpty ? nil : OtherCodes(others)
        alone = everyFrame == nil ? CodeReader(others) : nil
    }

    /// The codes in the next frame.
    public func read(_ plane: LumaPlane) -> [Reading] {
        if let readings = everyFrame?.read(plane), !readings.isEmpty { return readings }
        return others?.read(plane) ?? alone?.read(plane) ?? []
    }
}
