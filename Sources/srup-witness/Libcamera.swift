import Camera
import Glibc
import Linux

/// Camera modules on a Raspberry Pi's ribbon cable give raw sensor data to a media pipeline, which is no plain V4L2
/// camera. libcamera's compatibility layer, a library loaded before all others, makes them one.
enum Libcamera {
    /// Where Debian's package libcamera-v4l2 has it.
    private static let folders = [
        "/usr/libexec/aarch64-linux-gnu/libcamera", "/usr/libexec/x86_64-linux-gnu/libcamera",
    ]

    /// Starts this program again with the layer when it may be needed and is there; returns when not.
    ///
    /// - Parameter device: as on the command line; pictures from files need no layer.
    static func standIn(for device: String) {
        let isFile = ["folder:", "y4m:", "fifo:", "usb:"].contains { device.hasPrefix($0) }
        guard !isFile, getenv("SRUP_LIBCAMERA") == nil, hasSensor,
            let layer = folders.map({ $0 + "/v4l2-compat.so" }).first(where: { access($0, R_OK) == 0 })
        else { return }
        let others = getenv("LD_PRELOAD").map { String(cString: $0) + ":" } ?? ""
        setenv("LD_PRELOAD", others + layer, 1)
        setenv("SRUP_LIBCAMERA", "1", 1)
        // A program started again is still the one that the socket was passed to: exec keeps the process.
        var argv: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
        execv(ChildProcess.executable, &argv)
        unsetenv("LD_PRELOAD")
    }

    /// A camera module's receiver is there: unicam on models up to 4, the RP1's front end on 5.
    private static var hasSensor: Bool {
        MediaReceiver.names.contains { name in ["unicam", "rp1-cfe", "rp1_cfe"].contains { name.hasPrefix($0) } }
    }
}
