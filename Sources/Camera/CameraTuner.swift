/// Sets an open camera as ``CameraTuning`` decides; puts everything back at the end.
///
/// For the thread that reads the frames.
public final class CameraTuner {
    private var controls: (any CameraControls)?
    private var tuning: CameraTuning?

    public init() {}

    /// Takes a camera that was just opened; `nil` for one that has no controls.
    public func opened(_ controls: (any CameraControls)?) {
        self.controls = controls
        guard let controls else {
            tuning = nil
            return
        }
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
}
