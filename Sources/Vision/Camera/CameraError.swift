/// Why a camera, or what stands in for one, gives no pictures.
public enum CameraError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The address is none.
    case absent(String)
    case busy(String, holder: String?)
    case noPermission(String)
    case notACamera(String, why: String)
    case noUsableFormat(String, offers: [String])
    /// It was there and has gone.
    case unplugged(String)
    /// It delivers no frames.
    case stalled(String, seconds: Int)
    /// It delivers frames, and none of them can be read.
    case damaged(String, why: String)
    /// Everything that it offers needs more of the USB bus than is left.
    case noBandwidth(String)
    case failed(String, doing: String, why: String)
    case badPicture(String, why: String)
    /// A recording that is played once has been played.
    case ended(String)

    /// For people, in one line: which camera, what is wrong with it and, where something helps, what to do.
    public var description: String {
        switch self {
        case .absent(let path): "\(path) is not there; is the camera plugged in?"
        case .busy(let path, let holder):
            "\(path) is busy" + (holder.map { ": held by \($0)" } ?? ": another program holds it")
        case .noPermission(let path): "no permission for \(path); the user must be in the group that owns it (video)"
        case .notACamera(let path, let why): "\(path) is no camera: \(why)"
        case .noUsableFormat(let path, let offers):
            "\(path) offers no picture format that is understood here (it has \(offers.joined(separator: ", ")))"
        case .unplugged(let path): "\(path) was unplugged"
        case .stalled(let path, let seconds): "\(path) has delivered no frame for \(seconds) s"
        case .damaged(let path, let why): "all frames from \(path) are damaged: \(why)"
        case .noBandwidth(let path):
            "\(path) cannot stream: the USB bus has no bandwidth left for it (another camera or a sound card takes it)"
        case .failed(let path, let doing, let why): "\(path): \(doing) failed: \(why)"
        case .badPicture(let path, let why): "\(path): \(why)"
        case .ended(let path): "\(path) has ended"
        }
    }
}
