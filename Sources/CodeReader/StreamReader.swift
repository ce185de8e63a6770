import Luma

/// Reads a stream of frames: QR codes in every frame, linear codes in every fourth and only where no QR code is.
///
/// A QR code that is in view is followed from frame to frame; what a single frame does not give, several together may.
/// Looking for linear codes costs many times as much; a device that shows one shows it for seconds.
///
/// Not safe to use from several threads.
public final class StreamReader {
    private let tracker: QRTracker?
    private let linear: CodeReader?
    private var number = 0

    /// - Parameter symbologies: what to look for.
    public init(_ symbologies: Set<Symbology>) {
        let others = symbologies.subtracting([.qr])
        tracker = symbologies.contains(.qr) ? QRTracker() : nil
        linear = others.isEmpty ? nil : CodeReader(others)
    }

    /// Where a QR code seems to be in the frame that was read last, whether it could be read or not; `nil`: nowhere.
    public var aim: Aim? { tracker?.aim }

    /// The codes in the next frame.
    public func read(_ plane: LumaPlane) -> [Reading] {
        number &+= 1
        if let readings = tracker?.read(plane), !readings.isEmpty { return readings }
        guard let linear, tracker == nil || number % 4 == 0 else { return [] }
        return linear.read(plane)
    }
}
