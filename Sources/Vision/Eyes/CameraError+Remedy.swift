import Camera

extension CameraError {
    /// What somebody who points a camera can do about it; `nil` when the error itself says all.
    public var remedy: String? {
        switch self {
        case .busy: "systemctl stop srup-observer, or wait until the watch ends"
        default: nil
        }
    }
}
