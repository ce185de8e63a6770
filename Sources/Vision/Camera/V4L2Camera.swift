import CV4L2
import Glibc
import Luma

/// A camera that answers as a V4L2 device: memory-mapped streaming, the newest frame wins, frames are borrowed from the
/// driver.
public final class V4L2Camera: FrameSource {
    /// After this long without a frame the camera counts as stalled, in seconds; and as damaged when frames do come.
    static let stallAfter = 5
    /// Fewer damaged frames than this are a bad moment.
    private static let fewestDamaged = 10
    private static let bufferCount: UInt32 = 4
    /// Modes that are tried until one streams.
    private static let maximumModes = 16

    /// The device file, such as "/dev/video0".
    public let path: String
    /// What can be set on the open device, by the thread that reads frames; not to be used after this object has gone.
    public let controls: (any CameraControls)?
    /// Frames that were passed over for newer ones, since the camera was opened.
    public private(set) var dropped = 0
    /// Frames that were empty, broken or could not be decoded, since the camera was opened.
    public private(set) var damaged = 0
    /// Why the last damaged frame could not be read; `nil`: none was damaged.
    public private(set) var damage: String?
    /// Whether a frame that could be read has come.
    public private(set) var isReady = false
    private let device: srup_v4l2_device
    private var converter: LumaConverter?
    private var buffers: [UnsafeMutableRawBufferPointer] = []
    /// When the last frame, and the last that could be read, had been looked at: how long that took is not the camera's fault.
    private var lastFrame = ContinuousClock.now
    private var lastReadable = ContinuousClock.now
    private var damagedInARow = 0

    /// The FourCC of the format that was agreed on ("YUYV"), and the size of the pictures in pixels.
    public var format: (name: String, width: Int, height: Int) {
        guard let converter else { return ("", 0, 0) }
        return (converter.format.name, converter.size.width, converter.size.height)
    }
    /// What is delivered, for people: "YUYV 1280x720 from /dev/video0".
    public var summary: String { "\(format.name) \(format.width)x\(format.height) from \(path)" }

    /// Opens the device, agrees on a format, and starts the stream.
    ///
    /// - Throws: ``CameraError``.
    public init(path: String, width: Int, height: Int) throws(CameraError) {
        self.path = path
        let modes: [CaptureMode]
        do throws(CameraError) {
            (device, modes) = try Self.open(path, width: width, height: height, converting: false)
        } catch .noUsableFormat(let path, let offers) {
            do throws(CameraError) {
                // A vendor's own format: libv4l2 may know how to convert it.
                (device, modes) = try Self.open(path, width: width, height: height, converting: true)
            } catch .notACamera {
                // Not to libv4l2, which calls the kernel past libcamera's layer.
                throw .noUsableFormat(path, offers: offers)
            }
        }
        controls = V4L2Controls(device)
        try start(modes)
    }

    deinit {
        stop()
        srup_v4l2_close(device)
    }

    // MARK: Opening

    private static func open(
        _ path: String, width: Int, height: Int, converting: Bool
    ) throws(CameraError) -> (srup_v4l2_device, [CaptureMode]) {
        var device = srup_v4l2_device()
        guard srup_v4l2_open(path, converting ? 1 : 0, &device) == 0 else { throw openError(path, errno) }
        do throws(CameraError) {
            return (device, try modes(of: device, path, width: width, height: height, converting: converting))
        } catch {
            srup_v4l2_close(device)
            throw error
        }
    }

    static func openError(_ path: String, _ code: Int32) -> CameraError {
        switch code {
        case ENOENT, ENODEV, ENXIO: .absent(path)
        case EBUSY: .busy(path, holder: CameraFinder.holder(of: path))
        case EACCES, EPERM: .noPermission(path)
        case ENOTTY, EINVAL: .notACamera(path, why: String(cString: strerror(code)))
        default: .failed(path, doing: "opening", why: String(cString: strerror(code)))
        }
    }

    private static func modes(
        of device: srup_v4l2_device, _ path: String, width: Int, height: Int, converting: Bool
    ) throws(CameraError) -> [CaptureMode] {
        var capability = v4l2_capability()
        guard srup_v4l2_query(device, &capability) == 0 else {
            throw .notACamera(path, why: "it does not answer as a V4L2 device")
        }
        guard srup_v4l2_can_capture(&capability) != 0 else { throw .notACamera(path, why: "it captures no video") }
        // What libv4l2 would convert for us costs more than reading the original.
        let offered = CaptureMode.formats(of: device, emulated: converting)
        let modes = CaptureMode.modes(of: device, formats: offered, width: width, height: height)
        guard !modes.isEmpty else { throw .noUsableFormat(path, offers: offered.map(PixelFormat.name)) }
        return CaptureMode.ordered(modes, width: width, height: height)
    }

    // MARK: Starting

    /// Starts the first of the modes that goes: a USB bus may have no bandwidth left for one, and enough for the next.
    private func start(_ modes: [CaptureMode]) throws(CameraError) {
        var problem: CameraError?
        var bandwidth = Double.infinity
        var tries = 0
        for mode in modes where mode.bandwidth < bandwidth && tries < Self.maximumModes {
            tries += 1
            do throws(CameraError) {
                return try start(mode)
            } catch {
                stop()
                switch error {
                case .busy, .unplugged, .noPermission: throw error
                case .noBandwidth:
                    bandwidth = mode.bandwidth
                    problem = error
                default: problem = problem ?? error
                }
            }
        }
        throw problem ?? .noUsableFormat(path, offers: modes.map(\.format))
    }

    private func start(_ mode: CaptureMode) throws(CameraError) {
        try agree(on: mode)
        // Not every driver can be told; then it delivers what it delivers.
        _ = srup_v4l2_set_rate(device, UInt32(CaptureMode.usualRate))
        let count = srup_v4l2_request(device, Self.bufferCount)
        guard count > 0 else { throw failure("asking for buffers") }
        for index in 0..<UInt32(count) {
            var length: UInt32 = 0
            guard let start = srup_v4l2_map(device, index, &length) else { throw failure("mapping buffers") }
            buffers.append(UnsafeMutableRawBufferPointer(start: start, count: Int(length)))
            guard srup_v4l2_queue(device, index) == 0 else { throw failure("queueing buffers") }
        }
        guard srup_v4l2_stream(device, 1) == 0 else {
            throw errno == ENOSPC ? .noBandwidth(path) : failure("starting the stream")
        }
        (lastFrame, lastReadable) = (.now, .now)
    }

    private func agree(on mode: CaptureMode) throws(CameraError) {
        guard let format = PixelFormat.table.first(where: { $0.name == mode.format }) else { return }
        var picture = srup_v4l2_picture()
        guard srup_v4l2_set_format(device, format.fourCC, UInt32(mode.width), UInt32(mode.height), &picture) == 0 else {
            throw failure("choosing \(mode.format) \(mode.width)x\(mode.height)")
        }
        guard let given = PixelFormat.understood(picture.fourcc),
            (16...LumaPlane.maximumSide).contains(Int(picture.width)),
            (16...LumaPlane.maximumSide).contains(Int(picture.height)), picture.stride < 1 << 20
        else { throw .noUsableFormat(path, offers: [PixelFormat.name(picture.fourcc)]) }
        converter = LumaConverter(
            given, width: Int(picture.width), height: Int(picture.height), stride: Int(picture.stride))
    }

    /// What `errno` says of something that did not work.
    private func failure(_ doing: String) -> CameraError {
        let code = errno
        return switch code {
        case EBUSY: .busy(path, holder: CameraFinder.holder(of: path))
        case ENODEV: .unplugged(path)
        default: .failed(path, doing: doing, why: String(cString: strerror(code)))
        }
    }

    private func stop() {
        guard !buffers.isEmpty else { return }
        _ = srup_v4l2_stream(device, 0)
        for buffer in buffers { srup_v4l2_unmap(device, buffer.baseAddress, buffer.count) }
        buffers.removeAll()
        _ = srup_v4l2_request(device, 0)
    }

    // MARK: Frames

    /// Waits for the newest frame and lends it; the frame must not be kept. Blocks.
    ///
    /// - Parameters:
    ///   - timeout: in milliseconds.
    ///   - interrupt: an eventfd that ends the wait when it becomes readable.
    /// - Returns: `false` when none came in time or the wait was interrupted.
    /// - Throws: ``CameraError`` when it was unplugged, or for 5 s no frame came or only damaged ones; the camera must
    ///   then be opened anew.
    public func next(timeout: Int32, interrupt: Int32, _ body: (LumaPlane) -> Void) throws(CameraError) -> Bool {
        let deadline = ContinuousClock.now + .milliseconds(Int(timeout))
        while true {
            let left = Int32(max(0, (deadline - .now) / .milliseconds(1)))
            var pollers = [
                pollfd(fd: device.fd, events: Int16(POLLIN), revents: 0),
                pollfd(fd: interrupt, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&pollers, 2, left)
            if ready < 0 && errno == EINTR { continue }
            guard pollers[1].revents == 0 else { return false }
            if ready > 0, try newest(body, pollers[0].revents) { return true }
            // Asked only when nothing is waiting: this process may itself have been held up for longer.
            if ContinuousClock.now - lastFrame > .seconds(Self.stallAfter) {
                throw .stalled(path, seconds: Self.stallAfter)
            }
            if damagedInARow >= Self.fewestDamaged, ContinuousClock.now - lastReadable > .seconds(Self.stallAfter) {
                throw .damaged(path, why: damage ?? "")
            }
            if ContinuousClock.now >= deadline { return false }
        }
    }

    private var hasFrame: Bool {
        var poller = pollfd(fd: device.fd, events: Int16(POLLIN), revents: 0)
        return poll(&poller, 1, 0) > 0 && poller.revents & Int16(POLLIN) != 0
    }

    /// Takes all frames that are ready, gives the older ones back unread, and lends the newest.
    private func newest(_ body: (LumaPlane) -> Void, _ events: Int16) throws(CameraError) -> Bool {
        var held: (index: UInt32, used: UInt32)?
        // Asked for before each frame: libv4l2, where it converts, complains on standard error when none is there.
        var taken = 0
        // A camera that is faster than we are must not keep us here.
        while hasFrame, taken < 2 * buffers.count {
            taken += 1
            var index: UInt32 = 0
            var used: UInt32 = 0
            var isDamaged: Int32 = 0
            if srup_v4l2_dequeue(device, &index, &used, &isDamaged) != 0 {
                let code = errno
                if code == EAGAIN || code == EINTR { break }
                if let held { _ = srup_v4l2_queue(device, held.index) }
                throw code == ENODEV || code == EIO && access(path, F_OK) != 0
                    ? .unplugged(path) : .failed(path, doing: "taking a frame", why: String(cString: strerror(code)))
            }
            guard Int(index) < buffers.count else { continue }
            if isDamaged != 0 || used == 0 {
                noteDamage(isDamaged != 0 ? "the driver marks them as broken" : "they are empty")
                _ = srup_v4l2_queue(device, index)
                continue
            }
            if let old = held {
                dropped += 1
                _ = srup_v4l2_queue(device, old.index)
            }
            held = (index, used)
        }
        guard let held else {
            // Readable and yet nothing there: the device has gone.
            if events & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { throw .unplugged(path) }
            return false
        }
        defer {
            _ = srup_v4l2_queue(device, held.index)
            lastFrame = .now
        }
        let buffer = buffers[Int(held.index)]
        let frame = UnsafeBufferPointer(
            start: buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), count: min(Int(held.used), buffer.count))
        guard let converter else { return false }
        let wasRead: Void? = converter.withLuma(of: frame) { plane in
            isReady = true
            body(plane)
        }
        guard wasRead != nil else {
            noteDamage(converter.damage)
            return false
        }
        damagedInARow = 0
        lastReadable = .now
        return true
    }

    private func noteDamage(_ why: String) {
        damaged += 1
        damagedInARow += 1
        damage = why
        lastFrame = .now
    }
}
