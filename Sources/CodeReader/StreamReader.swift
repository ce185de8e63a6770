import Luma

/// Reads a stream of frames: QR codes in every frame, others where no QR code is, a piece at a time (see `OtherCodes`).
///
/// A QR code that is in view is followed from frame to frame; what a single frame does not give, several together may.
///
/// Not safe to use from several threads.
public final class StreamReader {
    private let tracker: QRTracker?
    /// Where QR codes are looked for, too.
    private let others: OtherCodes?
    /// Where they are not.
    private let alone: CodeReader?
    private var number = 0

    /// - Parameter symbologies: what to look for.
    public init(_ symbologies: Set<Symbology>) {
        let others = symbologies.subtracting([.qr])
        tracker = symbologies.contains(.qr) ? QRTracker() : nil
        self.others = tracker == nil || others.isEmpty ? nil : OtherCodes(others)
        alone = tracker == nil ? CodeReader(others) : nil
    }

    /// Where a QR code seems to be in the frame that was read last, whether it could be read or not; `nil`: nowhere.
    public var aim: Aim? { tracker?.aim }

    /// The codes in the next frame.
    public func read(_ plane: LumaPlane) -> [Reading] {
        guard let tracker else { return alone?.read(plane) ?? [] }
        number &+= 1
        // Looking harder for a QR code and looking for other codes take turns.
        let isTurnOfOthers = others != nil && number % 2 == 0
        let readings = tracker.read(plane, isHarder: !isTurnOfOthers)
        guard readings.isEmpty, isTurnOfOthers, let others else { return readings }
        return others.read(plane)
    }
}
