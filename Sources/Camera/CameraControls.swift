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
    func value(of control: CameraControl) -> Int32?
    /// - Returns: whether the camera took it.
    @discardableResult func set(_ control: CameraControl, to value: Int32) -> Bool
}

/// The controls of a V4L2 device, through libv4l2.
final class V4L2Controls: CameraControls {
    private let descriptor: Int32

    /// - Parameter descriptor: of libv4l2; stays the camera's, which must outlive this.
    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    func range(of control: CameraControl) -> ClosedRange<Int32>? {
        var (least, most, step): (Int32, Int32, Int32) = (0, 0, 0)
        guard srup_v4l2_control(descriptor, control.identifier, &least, &most, &step) != 0, least < most else {
            return nil
        }
        return least...most
    }

    func value(of control: CameraControl) -> Int32? {
        var value: Int32 = 0
        return srup_v4l2_get(descriptor, control.identifier, &value) == 0 ? value : nil
    }

    func set(_ control: CameraControl, to value: Int32) -> Bool {
        srup_v4l2_set(descriptor, control.identifier, value) == 0
    }
}
