/// Decides how to set a camera that shows a code which cannot be read: too bright, too dark, or out of focus.
///
/// Pure: it is told what each frame shows and what the camera offers, and says what to set. It changes one thing, waits
/// until the picture has followed, and looks again. It touches nothing while codes are read or nothing is in view, and
/// puts everything back when the code has gone.
public struct CameraTuning: Sendable {
    /// How a code, or what seems to be one, looks in a frame.
    public struct Look: Sendable, Hashable {
        /// Grey levels of its dark and light modules, from 0 to 255.
        public var dark, light: Float
        /// What blur leaves of the contrast of single modules, from 0 to 1; `nil`: not known.
        public var sharpness: Float?
        /// Whether the code was read in this frame.
        public var wasRead: Bool

        /// A code as it looks in a frame.
        ///
        /// - Parameters:
        ///   - dark: grey level of its dark modules, from 0 to 255.
        ///   - light: grey level of its light modules, from 0 to 255.
        ///   - sharpness: from 0 to 1; `nil`: not known.
        public init(dark: Float, light: Float, sharpness: Float?, wasRead: Bool) {
            self.dark = dark
            self.light = light
            self.sharpness = sharpness
            self.wasRead = wasRead
        }
    }

    /// Something to set.
    public struct Change: Sendable, Hashable {
        /// What is to be set.
        public let control: CameraControl
        /// The value to set it to, in the control's own units (see ``CameraControl``).
        public let value: Int32

        /// A control and the value to set it to.
        public init(_ control: CameraControl, _ value: Int32) {
            self.control = control
            self.value = value
        }
    }

    /// Frames with an unread code before anything is touched: the camera's own automatic comes first.
    static let patience = 12
    /// Frames that a camera needs to follow a change.
    static let settling = 6
    /// Frames without a code after which everything is put back.
    static let absence = 60
    /// Light modules this bright are blown out.
    static let brightest: Float = 248
    /// Light modules this dark drown in noise.
    static let darkest: Float = 100
    /// Blur has taken too much below this.
    static let minimumSharpness: Float = 0.35
    /// A longer exposure smears a hand-held device; in units of 100 microseconds.
    static let longestExposure: Int32 = 330
    /// Positions tried over the range of the focus.
    static let focusSteps: Int32 = 12

    private let ranges: [CameraControl: ClosedRange<Int32>]
    private let original: [CameraControl: Int32]
    /// What is set now, where it is no longer what it was.
    private var current: [CameraControl: Int32] = [:]
    private var unread = 0
    private var absent = 0
    private var wait = 0
    private var sweep: Sweep?

    /// A walk through the positions of the focus.
    private struct Sweep {
        var position: Int32
        var best: (position: Int32, sharpness: Float)
    }

    /// - Parameters:
    ///   - ranges: of the controls that the camera has.
    ///   - values: what they are set to.
    public init(ranges: [CameraControl: ClosedRange<Int32>], values: [CameraControl: Int32]) {
        self.ranges = ranges.filter { values[$0.key] != nil }
        original = values.filter { ranges[$0.key] != nil }
    }

    /// What to set after a frame; nothing, mostly.
    ///
    /// - Parameter look: at the code in the frame; `nil`: there is none.
    public mutating func changes(after look: Look?) -> [Change] {
        guard let look else {
            unread = 0
            absent += 1
            return absent == Self.absence ? restoring() : []
        }
        absent = 0
        guard !look.wasRead else {
            (unread, sweep) = (0, nil)
            return []
        }
        unread += 1
        if wait > 0 {
            wait -= 1
            return []
        }
        guard unread >= Self.patience else { return [] }
        let changes = brightness(look) ?? focus(look) ?? []
        if !changes.isEmpty { wait = Self.settling }
        for change in changes { current[change.control] = change.value }
        return changes
    }

    /// What to set so that all is as it was; modes last, since they may forbid setting the rest.
    public mutating func restoring() -> [Change] {
        defer {
            (current, sweep) = ([:], nil)
            (unread, wait) = (0, 0)
        }
        return current.keys.sorted { !$0.isMode && $1.isMode }
            .compactMap { control in original[control].map { Change(control, $0) } }
    }

    private func value(_ control: CameraControl) -> Int32? { current[control] ?? original[control] }

    // MARK: Light

    private func brightness(_ look: Look) -> [Change]? {
        if look.light >= Self.brightest { return dimmed() }
        if look.light < Self.darkest { return brightened() }
        return nil
    }

    /// First the gain, which costs noise, then the exposure.
    private func dimmed() -> [Change]? {
        if let changes = moved(.gain, by: 0.7, most: .max) { return changes }
        return moved(.exposure, by: 0.7, most: .max)
    }

    /// First the exposure, as far as a hand is still, then the gain.
    private func brightened() -> [Change]? {
        if let changes = moved(.exposure, by: 1.4, most: Self.longestExposure) { return changes }
        return moved(.gain, by: 1.4, most: .max)
    }

    /// A value made larger or smaller by a factor, measured from the lower end of its range; with the mode that allows it.
    private func moved(_ control: CameraControl, by factor: Double, most: Int32) -> [Change]? {
        guard let range = ranges[control], let now = value(control) else { return nil }
        let top = min(range.upperBound, most)
        let span = Double(range.upperBound) - Double(range.lowerBound)
        let height = max(Double(now) - Double(range.lowerBound), span / 50)
        // Small steps do not show: from near the lower end straight to it.
        let isLast = factor < 1 && height <= span / 25
        let wanted = isLast ? Double(range.lowerBound) : (Double(range.lowerBound) + height * factor).rounded()
        let target = Int32(min(max(wanted, Double(range.lowerBound)), Double(max(top, range.lowerBound))))
        guard factor > 1 ? target > now : target < now else { return nil }
        let mode: Change? =
            control == .exposure ? manual(.exposureMode, CameraControl.manual) : manual(.automaticGain, 0)
        return (mode.map { [$0] } ?? []) + [Change(control, target)]
    }

    /// The change that takes a mode from the camera, unless it is ours or there is none.
    private func manual(_ mode: CameraControl, _ value: Int32) -> Change? {
        guard ranges[mode] != nil, self.value(mode) != value else { return nil }
        return Change(mode, value)
    }

    // MARK: Focus

    /// Walks through the focus from one end to the other and stays where it was sharpest. A camera that can only focus by
    /// itself is made to do so anew.
    private mutating func focus(_ look: Look) -> [Change]? {
        guard let sharpness = look.sharpness else { return nil }
        guard let range = ranges[.focus] else { return refocused(sharpness) }
        let step = max(1, (range.upperBound - range.lowerBound) / Self.focusSteps)
        guard var sweep else {
            guard sharpness < Self.minimumSharpness else { return nil }
            sweep = Sweep(position: range.lowerBound, best: (value(.focus) ?? range.lowerBound, sharpness))
            return (manual(.automaticFocus, 0).map { [$0] } ?? []) + [Change(.focus, range.lowerBound)]
        }
        if sharpness > sweep.best.sharpness { sweep.best = (sweep.position, sharpness) }
        let (next, isOver) = sweep.position.addingReportingOverflow(step)
        if isOver || next > range.upperBound {
            let best = sweep.best.position
            self.sweep = nil
            // What was sharpest and still could not be read is not tried again for a while.
            unread = -4 * Self.absence
            return [Change(.focus, best)]
        }
        sweep.position = next
        self.sweep = sweep
        return [Change(.focus, next)]
    }

    private mutating func refocused(_ sharpness: Float) -> [Change]? {
        guard ranges[.automaticFocus] != nil, sharpness < Self.minimumSharpness else { return nil }
        unread = -Self.absence
        return [Change(.automaticFocus, 0), Change(.automaticFocus, 1)]
    }
}
