import CV4L2

/// What can be set on a camera, as far as it matters for reading codes.
/// https://docs.kernel.org/userspace-api/media/v4l/ext-ctrls-camera.html
public enum CameraControl: Sendable, Hashable, CaseIterable {
    /// Who chooses the exposure; 1 is "we do", the camera's other values are its own.
    case exposureMode
    /// In units of 100 microseconds.
    case exposure
    /// 1: the camera chooses the gain.
    case automaticGain
    /// In units of the camera's own.
    case gain
    /// 1: the camera focuses by itself.
    case automaticFocus
    /// In units of the camera's own; larger is nearer, mostly.
    case focus

    /// Of ``exposureMode``.
    public static let manual: Int32 = Int32(srup_exposure_manual)

    /// Modes are restored after the values that they govern.
    var isMode: Bool {
        switch self {
        case .exposureMode, .automaticGain, .automaticFocus: true
        case .exposure, .gain, .focus: false
        }
    }

    var identifier: UInt32 {
        switch self {
        case .exposureMode: UInt32(srup_exposure_auto)
        case .exposure: UInt32(srup_exposure_absolute)
        case .automaticGain: UInt32(srup_autogain)
        case .gain: UInt32(srup_gain)
        case .automaticFocus: UInt32(srup_focus_auto)
        case .focus: UInt32(srup_focus_absolute)
        }
    }
}

/// The controls of one open camera; to be used on the thread that reads its frames.
public protocol CameraControls: AnyObject {
    /// What values a control takes; `nil` when the camera has no such control.
    func range(of control: CameraControl) -> ClosedRange<Int32>?
    /// What the driver sets it to by itself; `nil` when the camera has no such control.
    func usual(of control: CameraControl) -> Int32?
    /// What a control is set to; `nil` when it cannot be read.
    func value(of control: CameraControl) -> Int32?
    /// - Returns: whether the camera took it.
    @discardableResult func set(_ control: CameraControl, to value: Int32) -> Bool
}

/// The controls of a V4L2 device.
final class V4L2Controls: CameraControls {
    private let device: srup_v4l2_device

    /// - Parameter device: stays the camera's, which must outlive this.
    init(_ device: srup_v4l2_device) {
        self.device = device
    }

    private func limits(of control: CameraControl) -> (least: Int32, most: Int32, usual: Int32)? {
        var (least, most, usual): (Int32, Int32, Int32) = (0, 0, 0)
        guard srup_v4l2_control(device, control.identifier, &least, &most, &usual) != 0, least < most else {
            return nil
        }
        return (least, most, usual)
    }

    func range(of control: CameraControl) -> ClosedRange<Int32>? {
        limits(of: control).map { $0.least...$0.most }
    }

    func usual(of control: CameraControl) -> Int32? { limits(of: control)?.usual }

    func value(of control: CameraControl) -> Int32? {
        var value: Int32 = 0
        return srup_v4l2_get(device, control.identifier, &value) == 0 ? value : nil
    }

    func set(_ control: CameraControl, to value: Int32) -> Bool {
        srup_v4l2_set(device, control.identifier, value) == 0
    }
}
