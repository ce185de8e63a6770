import Glibc
import Linux
import Luma

/// A camera module on a Raspberry Pi's ribbon cable, through the Pi's own program: its exposure, gain, white balance and
/// autofocus, which libcamera's V4L2 layer leaves at their defaults.
///
/// `rpicam-vid --codec yuv420` writes frames without any header, one after the other: the luma plane, then the two planes of
/// colour. Its lines are as long as the image processor makes them, a multiple of 64 bytes on all models
/// (raspberrypi/rpicam-apps issue 188, raspberrypi/linux pull request 4419): at widths that are such a multiple nothing
/// is filled up, and no other is asked for.
/// https://www.raspberrypi.com/documentation/computers/camera_software.html
final class RPiCamera: FrameSource {
    /// What it is called in addresses and messages.
    static let name = "rpicam"
    /// The program, by its name since 2023 and before.
    private static let programs = ["rpicam-vid", "libcamera-vid"]
    private static let lineUnit = 64
    private static let framesPerSecond = 15
    /// The camera stack takes its time until the first frame; afterwards it counts as stalled sooner.
    private static let firstFrame = Duration.seconds(15)
    private static let stallAfter = Duration.seconds(V4L2Camera.stallAfter)
    /// A frame comes in one piece; a pause inside of it is a mishap, and one in each a wrong size.
    private static let longestPause = Duration.seconds(2)
    private static let suspiciousPause = Duration.milliseconds(20)
    private static let maximumPaused = 100
    /// After a frame that had been waiting: how long to look whether a newer one waits behind it.
    private static let nextBehind = Duration.milliseconds(10)
    private static let maximumTaken = 8

    let format: (name: String, width: Int, height: Int)
    private(set) var dropped = 0
    let damaged = 0
    private(set) var isReady = false
    private let program: String
    private let process: pid_t
    private let pictures: Int32
    private var words: RPiWords
    private var filling: [UInt8]
    private var newest: [UInt8]
    /// Bytes of `filling` that are there.
    private var filled = 0
    private var hadPause = false
    private var pausedInARow = 0
    private var lastBytes = ContinuousClock.now
    private var lastFrame: ContinuousClock.Instant?
    private let started = ContinuousClock.now

    var summary: String { "YU12 \(format.width)x\(format.height) from \(Self.name) (\(program))" }

    /// Whether a camera module and the program are there.
    static var isPossible: Bool { isInstalled && MediaReceiver.hasModule }

    static var isInstalled: Bool { program(in: searchPath) != nil }

    /// Whether a device file is a camera module's receiver that the program, rather than libcamera's layer, can read.
    static func takes(_ path: String) -> Bool { isInstalled && MediaReceiver.isModule(at: path) }

    private static var searchPath: String {
        guard let path = getenv("PATH") else { return "/usr/local/bin:/usr/bin:/bin" }
        return String(cString: path)
    }

    /// The program's path.
    static func program(in path: String) -> String? {
        let folders = path.split(separator: ":").filter { $0.hasPrefix("/") }
        let paths = programs.flatMap { program in folders.map { "\($0)/\(program)" } }
        return paths.first { access($0, X_OK) == 0 }
    }

    /// Starts the program.
    ///
    /// - Parameters:
    ///   - width: wanted, in pixels; the nearest multiple of 64 is taken.
    ///   - height: wanted, in pixels; even.
    ///   - path: where the program is looked for; as `PATH`.
    /// - Throws: ``CameraError``.
    init(width: Int, height: Int, path: String? = nil) throws(CameraError) {
        guard let program = Self.program(in: path ?? Self.searchPath) else {
            throw .failed(
                Self.name, doing: "starting", why: "there is no rpicam-vid, the Pi's program for camera modules")
        }
        let size = Self.size(width: width, height: height)
        self.program = program
        format = ("YU12", size.width, size.height)
        let bytes = size.width * size.height * 3 / 2
        filling = [UInt8](repeating: 0, count: bytes)
        newest = filling
        (process, pictures, words) = try RPiProcess.start(
            program,
            [
                "--codec", "yuv420", "--width", "\(size.width)", "--height", "\(size.height)", "--framerate",
                "\(Self.framesPerSecond)", "--timeout", "0", "--nopreview", "--flush", "--verbose", "0", "--output",
                "-",
            ])
    }

    deinit {
        close(pictures)
        words.close()
        RPiProcess.stop(process)
    }

    /// The size to ask for.
    static func size(width: Int, height: Int) -> (width: Int, height: Int) {
        let units = (width + lineUnit / 2) / lineUnit
        let most = LumaPlane.maximumSide
        return (min(max(units, 1) * lineUnit, most), min(max(height & ~1, 2), most))
    }

    func next(timeout: Int32, interrupt: Int32, _ body: (LumaPlane) -> Void) throws(CameraError) -> Bool {
        let deadline = ContinuousClock.now + .milliseconds(Int(timeout))
        // Bytes that were waiting are of a frame that is late: a newer one may wait behind it.
        let isLate = hasBytes
        var taken = 0
        var until = deadline
        while taken == 0 || isLate && taken < Self.maximumTaken {
            let ready = try wait(until: until, interrupt)
            if ready == .interrupted { return false }
            if ready == .bytes, try read() {
                dropped += taken > 0 ? 1 : 0
                taken += 1
                swap(&filling, &newest)
                until = .now + Self.nextBehind
                continue
            }
            if ready == .nothing, taken == 0 { try judge() }
            if ContinuousClock.now >= until { break }
        }
        guard taken > 0 else { return false }
        isReady = true
        newest.withUnsafeBufferPointer {
            guard let base = $0.baseAddress else { return }
            body(LumaPlane(base: base, width: format.width, height: format.height, stride: format.width))
        }
        // How long that took is not the camera's fault.
        (lastFrame, lastBytes) = (.now, .now)
        return true
    }

    // MARK: Reading

    private enum Ready { case bytes, nothing, interrupted }

    private var hasBytes: Bool {
        var poller = pollfd(fd: pictures, events: Int16(POLLIN), revents: 0)
        return poll(&poller, 1, 0) > 0
    }

    private func wait(until deadline: ContinuousClock.Instant, _ interrupt: Int32) throws(CameraError) -> Ready {
        let left = Int32(max(0, ((deadline - .now) / .milliseconds(1)).rounded(.up)))
        var pollers = [
            pollfd(fd: pictures, events: Int16(POLLIN), revents: 0),
            pollfd(fd: words.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0),
        ]
        let ready = poll(&pollers, 3, left)
        if pollers[2].revents != 0 { return .interrupted }
        guard ready > 0 else { return .nothing }
        if pollers[1].revents != 0 { words.take() }
        return pollers[0].revents != 0 ? .bytes : .nothing
    }

    /// Reads what is there; `true` when `filling` is a whole frame.
    private func read() throws(CameraError) -> Bool {
        let count = filling.withUnsafeMutableBytes { buffer in
            buffer.baseAddress.map { Glibc.read(pictures, $0 + filled, buffer.count - filled) } ?? 0
        }
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return false }
        guard count > 0 else { throw ended() }
        if filled > 0, ContinuousClock.now - lastBytes > Self.suspiciousPause { hadPause = true }
        lastBytes = .now
        filled += count
        guard filled == filling.count else { return false }
        filled = 0
        pausedInARow = hadPause ? pausedInARow + 1 : 0
        hadPause = false
        if pausedInARow >= Self.maximumPaused {
            throw .damaged(
                Self.name, why: "\(program) sends frames of another size than \(format.width)x\(format.height)")
        }
        return true
    }

    // MARK: When it goes wrong

    /// Asked only when nothing is waiting: this process may itself have been held up for longer.
    private func judge() throws(CameraError) {
        if filled > 0, ContinuousClock.now - lastBytes > Self.longestPause {
            throw .failed(Self.name, doing: "reading a frame", why: "it ends after \(filled) of \(filling.count) bytes")
        }
        let limit = lastFrame == nil ? Self.firstFrame : Self.stallAfter
        guard ContinuousClock.now - (lastFrame ?? started) > limit else { return }
        if let last = words.last { throw .failed(Self.name, doing: program, why: "no frame comes; it says: \(last)") }
        throw .stalled(Self.name, seconds: Int(limit / .seconds(1)))
    }

    private func ended() -> CameraError {
        words.take()
        let end = RPiProcess.end(of: process)
        let last = words.last.map { "; it says: \($0)" } ?? ""
        return .failed(Self.name, doing: program, why: "\(end)\(last)")
    }
}
