import Luma

/// Reads a stream of frames: QR codes in every frame, linear codes in every fourth and only where no QR code is.
///
/// Looking for linear codes costs as much again as looking for QR codes (zbar, 1280x720); a device that shows one shows
/// it for seconds.
public final class StreamReader {
    private let everyFrame: CodeReader?
    private let linear: CodeReader?
    private var number = 0

    /// - Parameter symbologies: what to look for.
    public init(_ symbologies: Set<Symbology>) {
        let others = symbologies.subtracting([.qr])
        everyFrame = symbologies.contains(.qr) ? CodeReader([.qr]) : nil
        linear = others.isEmpty ? nil : CodeReader(others)
    }

    /// The codes in the next frame.
    public func read(_ plane: LumaPlane) -> [Reading] {
        number &+= 1
        if let readings = everyFrame?.read(plane), !readings.isEmpty { return readings }
        guard let linear, everyFrame == nil || number % 4 == 0 else { return [] }
        return linear.read(plane)
    }
}
