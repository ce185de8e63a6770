import Luma

/// Reads a stream of frames: QR codes in every frame, others a piece at a time (see `OtherCodes`), in every other frame as
/// long as no QR code is read; beside one only where something has changed, and more rarely elsewhere.
///
/// A QR code that is in view is followed from frame to frame; what a single frame does not give, several together may. No
/// code ends the search for others: all in view are read within a second or so, each again several times a second, but not
/// each in every frame.
///
/// Not safe to use from several threads.
public final class StreamReader {
    private let tracker: QRTracker?
    /// Where QR codes are looked for, too.
    private let others: OtherCodes?
    /// Where they are not, or are by zbar alone: in each frame.
    private let alone: CodeReader?
    private var change = SceneChange()
    private var number = 0
    /// A change of the last so many frames is of late: 1.5 s.
    private static let late = 45

    /// - Parameters:
    ///   - symbologies: what to look for.
    ///   - readers: of QR codes; at least one.
    public init(_ symbologies: Set<Symbology>, readers: Set<QRReader> = Set(QRReader.allCases)) {
        let others = symbologies.subtracting([.qr])
        let isOwn = symbologies.contains(.qr) && readers.contains(.own)
        tracker = isOwn ? QRTracker(second: readers.contains(.zbar) ? SecondReader() : nil) : nil
        self.others = tracker == nil || others.isEmpty ? nil : OtherCodes(others)
        alone = tracker == nil ? CodeReader(symbologies, readers: readers, isStream: true) : nil
    }

    /// Where a QR code seems to be in the frame that was read last, whether it could be read or not; `nil`: nowhere.
    public var aim: Aim? { tracker?.aim }

    /// Where symbols were seen in the last second that could not be read in it: not places that merely look a little like
    /// one.
    public var unread: [Aim] { (tracker?.unread ?? []) + (others?.unread ?? []) }

    /// The codes in the next frame.
    public func read(_ plane: LumaPlane) -> [Reading] {
        number &+= 1
        guard let tracker else { return alone?.read(plane) ?? [] }
        // Looking harder for a QR code and looking for other codes take turns.
        let isTurnOfOthers = others != nil && number % 2 == 0
        change.look(at: plane, frame: number, without: tracker.grounds)
        var readings = tracker.read(plane, isHarder: !isTurnOfOthers, changed: change.box(since: number - Self.late))
        guard let others else { return readings }
        let isBeside = !readings.isEmpty
        readings.add(
            others.read(
                plane, change, isTurn: isBeside || isTurnOfOthers, isBeside: isBeside, without: tracker.grounds))
        return readings
    }
}
