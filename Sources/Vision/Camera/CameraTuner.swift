/// Sets an open camera as ``CameraTuning`` decides; puts everything back at the end.
///
/// For the thread that reads the frames.
public final class CameraTuner {
    private var controls: (any CameraControls)?
    private var tuning: CameraTuning?

    /// Has no camera until ``opened(_:)``.
    public init() {}

    /// Takes a camera that was just opened; `nil` for one that has no controls. What is set by hand on it is taken for what
    /// a run that died has left there, for cameras keep it until they are unplugged, and goes back to the driver's default.
    public func opened(_ controls: (any CameraControls)?) {
        self.controls = controls
        guard let controls else {
            tuning = nil
            return
        }
        Self.forget(controls)
        var ranges: [CameraControl: ClosedRange<Int32>] = [:]
        var values: [CameraControl: Int32] = [:]
        for control in CameraControl.allCases {
            guard let range = controls.range(of: control), let value = controls.value(of: control) else { continue }
            ranges[control] = range
            values[control] = value
        }
        tuning = CameraTuning(ranges: ranges, values: values)
    }

    /// Notes how a code looked in a frame; `nil`: there was none.
    public func saw(_ look: CameraTuning.Look?) {
        for change in tuning?.changes(after: look) ?? [] { controls?.set(change.control, to: change.value) }
    }

    /// Puts everything back; before the camera is closed.
    public func closing() {
        for change in tuning?.restoring() ?? [] { controls?.set(change.control, to: change.value) }
        (controls, tuning) = (nil, nil)
    }

    /// Values first: a mode may forbid setting what it governs.
    private static func forget(_ controls: any CameraControls) {
        let brightness = isByHand(.exposureMode, controls) || isByHand(.automaticGain, controls)
        let gainAlone = controls.range(of: .automaticGain) == nil && !isUsual(.gain, controls)
        var left: [CameraControl] = []
        if brightness || gainAlone { left += [.exposure, .gain, .exposureMode, .automaticGain] }
        if isByHand(.automaticFocus, controls) { left += [.focus, .automaticFocus] }
        for control in left where !isUsual(control, controls) {
            if let usual = controls.usual(of: control) { controls.set(control, to: usual) }
        }
    }

    private static func isUsual(_ control: CameraControl, _ controls: any CameraControls) -> Bool {
        guard let usual = controls.usual(of: control), let value = controls.value(of: control) else { return true }
        return usual == value
    }

    /// Whether a mode is on manual, and not because the driver has it so.
    private static func isByHand(_ mode: CameraControl, _ controls: any CameraControls) -> Bool {
        guard !isUsual(mode, controls), let value = controls.value(of: mode) else { return false }
        return value == (mode == .exposureMode ? CameraControl.manual : 0)
    }
}
