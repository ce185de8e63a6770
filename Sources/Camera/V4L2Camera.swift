import CV4L2
import Glibc
import Luma

/// A camera through libv4l2: memory-mapped streaming, the newest frame wins, frames are borrowed from the driver.
public final class V4L2Camera: FrameSource {
    /// After this long without a frame the camera counts as stalled, in seconds.
    static let stallAfter = 5
    private static let bufferCount: UInt32 = 4
    private static let framesPerSecond: UInt32 = 30

    public let path: String
    public let controls: (any CameraControls)?
    public private(set) var dropped = 0
    public private(set) var damaged = 0
    private let descriptor: Int32
    private let converter: LumaConverter
    private var buffers: [UnsafeMutableRawBufferPointer] = []
    /// When the last frame had been looked at: how long that took is not the camera's fault.
    private var lastFrame = ContinuousClock.now

    public var format: (name: String, width: Int, height: Int) {
        (converter.format.name, converter.width, converter.height)
    }
    public var summary: String { "\(converter.format.name) \(converter.width)x\(converter.height) from \(path)" }

    /// Opens the device, agrees on a format, and starts the stream.
    ///
    /// - Throws: ``CameraError``.
    public init(path: String, width: Int, height: Int) throws(CameraError) {
        self.path = path
        do throws(CameraError) {
            (descriptor, converter) = try Self.open(path, width: width, height: height, converting: false)
        } catch .noUsableFormat {
            // A vendor's own format: libv4l2 may know how to convert it.
            (descriptor, converter) = try Self.open(path, width: width, height: height, converting: true)
        }
        controls = V4L2Controls(descriptor: descriptor)
        // Not every driver can be told; then it delivers what it delivers.
        _ = srup_v4l2_set_rate(descriptor, Self.framesPerSecond)
        try start()
    }

    deinit {
        _ = srup_v4l2_stream(descriptor, 0)
        unmap()
        v4l2_close(descriptor)
    }

    private static func open(
        _ path: String, width: Int, height: Int, converting: Bool
    ) throws(CameraError) -> (Int32, LumaConverter) {
        let descriptor = srup_v4l2_open(path, converting ? 1 : 0)
        guard descriptor >= 0 else { throw openError(path, errno) }
        do throws(CameraError) {
            return (descriptor, try negotiate(descriptor, path, width: width, height: height, converting: converting))
        } catch {
            v4l2_close(descriptor)
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

    private static func negotiate(
        _ descriptor: Int32, _ path: String, width: Int, height: Int, converting: Bool
    ) throws(CameraError) -> LumaConverter {
        var capability = v4l2_capability()
        guard srup_v4l2_query(descriptor, &capability) == 0 else {
            throw .notACamera(path, why: "it does not answer as a V4L2 device")
        }
        guard srup_v4l2_can_capture(&capability) != 0 else { throw .notACamera(path, why: "it captures no video") }
        var offered: [UInt32] = []
        for index in 0..<UInt32(64) {
            var emulated: Int32 = 0
            let fourCC = srup_v4l2_format(descriptor, index, &emulated)
            if fourCC == 0 { break }
            // What libv4l2 would convert for us costs more than reading the original.
            if emulated == 0 || converting { offered.append(fourCC) }
        }
        guard let best = PixelFormat.best(of: offered) else {
            throw .noUsableFormat(path, offers: offered.map(PixelFormat.name))
        }
        var picture = srup_v4l2_picture()
        guard srup_v4l2_set_format(descriptor, best.fourCC, UInt32(width), UInt32(height), &picture) == 0 else {
            let code = errno
            throw code == EBUSY
                ? .busy(path, holder: CameraFinder.holder(of: path))
                : .failed(path, doing: "choosing \(best.name) \(width)x\(height)", why: String(cString: strerror(code)))
        }
        guard let given = PixelFormat.table.first(where: { $0.fourCC == picture.fourcc }),
            (16...LumaPlane.maximumSide).contains(Int(picture.width)),
            (16...LumaPlane.maximumSide).contains(Int(picture.height)), picture.stride < 1 << 20
        else { throw .noUsableFormat(path, offers: [PixelFormat.name(picture.fourcc)]) }
        return LumaConverter(
            given, width: Int(picture.width), height: Int(picture.height), stride: Int(picture.stride))
    }

    private func start() throws(CameraError) {
        let count = srup_v4l2_request(descriptor, Self.bufferCount)
        guard count > 0 else {
            let code = errno
            throw code == EBUSY
                ? .busy(path, holder: CameraFinder.holder(of: path))
                : .failed(path, doing: "asking for buffers", why: String(cString: strerror(code)))
        }
        for index in 0..<UInt32(count) {
            var length: UInt32 = 0
            guard let start = srup_v4l2_map(descriptor, index, &length) else {
                throw .failed(path, doing: "mapping buffers", why: String(cString: strerror(errno)))
            }
            buffers.append(UnsafeMutableRawBufferPointer(start: start, count: Int(length)))
            guard srup_v4l2_queue(descriptor, index) == 0 else {
                throw .failed(path, doing: "queueing buffers", why: String(cString: strerror(errno)))
            }
        }
        guard srup_v4l2_stream(descriptor, 1) == 0 else {
            let code = errno
            throw code == EBUSY
                ? .busy(path, holder: CameraFinder.holder(of: path))
                : .failed(path, doing: "starting the stream", why: String(cString: strerror(code)))
        }
        lastFrame = .now
    }

    private func unmap() {
        for buffer in buffers { v4l2_munmap(buffer.baseAddress, buffer.count) }
        buffers.removeAll()
    }

    public func next(timeout: Int32, interrupt: Int32, _ body: (LumaPlane) -> Void) throws(CameraError) -> Bool {
        let deadline = ContinuousClock.now + .milliseconds(Int(timeout))
        while true {
            let left = Int32(max(0, (deadline - .now) / .milliseconds(1)))
            var pollers = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
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
            if ContinuousClock.now >= deadline { return false }
        }
    }

    private var hasFrame: Bool {
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&poller, 1, 0) > 0 && poller.revents & Int16(POLLIN) != 0
    }

    /// Takes all frames that are ready, gives the older ones back unread, and lends the newest.
    private func newest(_ body: (LumaPlane) -> Void, _ events: Int16) throws(CameraError) -> Bool {
        var held: (index: UInt32, used: UInt32)?
        // Asked for before each frame: libv4l2 complains on standard error when none is there.
        while hasFrame {
            var index: UInt32 = 0
            var used: UInt32 = 0
            var isDamaged: Int32 = 0
            if srup_v4l2_dequeue(descriptor, &index, &used, &isDamaged) != 0 {
                let code = errno
                if code == EAGAIN || code == EINTR { break }
                if let held { _ = srup_v4l2_queue(descriptor, held.index) }
                throw code == ENODEV || code == EIO && access(path, F_OK) != 0
                    ? .unplugged(path) : .failed(path, doing: "taking a frame", why: String(cString: strerror(code)))
            }
            guard Int(index) < buffers.count else { continue }
            if isDamaged != 0 || used == 0 {
                damaged += 1
                _ = srup_v4l2_queue(descriptor, index)
                continue
            }
            if let old = held {
                dropped += 1
                _ = srup_v4l2_queue(descriptor, old.index)
            }
            held = (index, used)
        }
        guard let held else {
            // Readable and yet nothing there: the device has gone.
            if events & Int16(POLLERR | POLLHUP | POLLNVAL) != 0 { throw .unplugged(path) }
            return false
        }
        defer {
            _ = srup_v4l2_queue(descriptor, held.index)
            lastFrame = .now
        }
        let buffer = buffers[Int(held.index)]
        let frame = UnsafeBufferPointer(
            start: buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), count: min(Int(held.used), buffer.count))
        guard converter.withLuma(of: frame, body) != nil else {
            damaged += 1
            return false
        }
        return true
    }
}
