import Addresses
import Luma

/// Something that gives grey pictures one after the other: a camera, a folder, a recording, a pipe.
///
/// For one thread; blocking. `interrupt` (an eventfd) makes a waiting call return early.
public protocol FrameSource: AnyObject {
    /// What it is and what it delivers, for people ("YUYV 1280x720 from /dev/video0").
    var summary: String { get }
    /// The name of the picture format, and its size in pixels.
    var format: (name: String, width: Int, height: Int) { get }

    /// Waits for the newest frame and lends it; the frame must not be kept.
    ///
    /// - Returns: `false` when none came within `timeout` milliseconds or the wait was interrupted.
    /// - Throws: ``CameraError``; the source must then be opened anew.
    func next(timeout: Int32, interrupt: Int32, _ body: (LumaPlane) -> Void) throws(CameraError) -> Bool

    /// Frames that were passed over for newer ones, and frames that were damaged.
    var dropped: Int { get }
    var damaged: Int { get }
    /// Why the last damaged frame could not be read; `nil`: not known, or there was none.
    var damage: String? { get }

    /// Whether it has shown that it works: a camera by its first frame that could be read; what has none for now (a folder,
    /// a pipe) by being there.
    var isReady: Bool { get }

    /// What can be set on it; `nil` when nothing can. Not to be used after the source has gone.
    var controls: (any CameraControls)? { get }
}

extension FrameSource {
    /// Nothing can be set on a source that does not say otherwise.
    public var controls: (any CameraControls)? { nil }
    /// A source that does not say otherwise does not know why a frame was damaged.
    public var damage: String? { nil }
    /// A source that does not say otherwise works as soon as it is there.
    public var isReady: Bool { true }
}

extension CameraAddress {
    /// Opens it.
    ///
    /// - Parameters:
    ///   - width: wanted; a camera may give another.
    ///   - height: wanted.
    /// - Throws: ``CameraError``.
    public func open(width: Int, height: Int) throws(CameraError) -> any FrameSource {
        switch self {
        case .automatic:
            var automatic = AutomaticCamera()
            return try automatic.open(width: width, height: height)
        case .module: return try RPiCamera(width: width, height: height)
        case .device, .stable, .usb:
            let path = try CameraFinder.path(of: self)
            if RPiCamera.takes(path) { return try RPiCamera(width: width, height: height) }
            return try V4L2Camera(path: path, width: width, height: height)
        case .folder(let path): return try FolderSource(path)
        case .recording(let path): return try Y4MSource(path, isPipe: false)
        case .fifo(let path): return try Y4MSource(path, isPipe: true)
        }
    }

    /// Whether the program that reads camera modules is installed.
    public static var hasModuleProgram: Bool { RPiCamera.isInstalled }

    /// The device file that it leads to now; `nil`: none is opened by this program (folders, recordings, rpicam-vid).
    ///
    /// - Throws: ``CameraError/absent(_:)``.
    func devicePath() throws(CameraError) -> String? {
        switch self {
        case .module, .folder, .recording, .fifo: return nil
        case .automatic where RPiCamera.isPossible: return nil
        case .automatic, .device, .stable, .usb:
            let path = try CameraFinder.path(of: self)
            return RPiCamera.takes(path) ? nil : path
        }
    }
}
