import Addresses
import Camera
import Glibc
import Linux

/// Camera modules on a Raspberry Pi's ribbon cable give raw sensor data to a media pipeline, which is no plain V4L2
/// camera. libcamera's compatibility layer, a library loaded before all others, makes them one.
enum Libcamera {
    /// Where Debian's package libcamera-v4l2 has it, in 13 and in 12.
    private static let places = [
        "/usr/libexec/\(triplet)/libcamera/v4l2-compat.so", "/usr/lib/\(triplet)/v4l2-compat.so",
    ]

    #if arch(arm64)
    private static let triplet = "aarch64-linux-gnu"
    #elseif arch(arm)
    private static let triplet = "arm-linux-gnueabihf"
    #else
    private static let triplet = "x86_64-linux-gnu"
    #endif

    /// Starts this program again with the layer when it may be needed and is there; returns when not.
    ///
    /// - Parameter device: as on the command line; pictures from files need no layer, nor does rpicam-vid.
    static func standIn(for device: CameraAddress) {
        let isOther =
            switch device {
            case .folder, .recording, .fifo, .usb, .module: true
            case .automatic, .device, .stable: false
            }
        guard !isOther, getenv("SRUP_LIBCAMERA") == nil, MediaReceiver.hasModule, !CameraAddress.hasModuleProgram,
            let layer = places.first(where: { access($0, R_OK) == 0 })
        else { return }
        let others = getenv("LD_PRELOAD").map { String(cString: $0) + ":" } ?? ""
        setenv("LD_PRELOAD", others + layer, 1)
        setenv("SRUP_LIBCAMERA", "1", 1)
        // It says much of what goes well.
        setenv("LIBCAMERA_LOG_LEVELS", "*:ERROR", 0)
        // A program started again is still the one that the socket was passed to: exec keeps the process.
        var argv: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
        execv(ChildProcess.executable, &argv)
        setenv("LD_PRELOAD", String(others.dropLast()), 1)
    }
}
