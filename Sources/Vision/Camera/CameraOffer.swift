import Addresses
import CV4L2
import Glibc

/// What a camera's driver tells about itself, before anything is chosen or streamed.
public struct CameraOffer: Sendable, Hashable {
    /// A picture format that the driver offers.
    public struct Format: Sendable, Hashable {
        /// Its FourCC ("YUYV").
        public let name: String
        /// The sizes that the driver lists, as "640x480"; a range as "32x32…1920x1080".
        public let sizes: [String]
        /// Whether this program reads it by itself.
        public let isUnderstood: Bool
    }

    /// The device file, found from an address.
    public let path: String
    /// The driver's own name ("uvcvideo"), in printable ASCII.
    public let driver: String
    /// What the driver calls the camera, in printable ASCII.
    public let card: String
    /// The picture formats in the driver's order, without those that libv4l2 would only convert to.
    public let formats: [Format]
    /// The format, size and rate that would be tried first ("MJPG 1280x720, 30 a second"); `nil` when none is understood.
    public let chosen: String?

    /// Looks at the camera behind an address; `nil` for what is no device (folders, recordings, rpicam-vid).
    ///
    /// - Parameters:
    ///   - width: wanted, in pixels.
    ///   - height: wanted, in pixels.
    /// - Throws: ``CameraError``.
    public init?(_ address: CameraAddress, width: Int, height: Int) throws(CameraError) {
        guard let found = try address.devicePath() else { return nil }
        path = found
        var device = srup_v4l2_device()
        guard srup_v4l2_open(path, 0, &device) == 0 else { throw V4L2Camera.openError(path, errno) }
        defer { srup_v4l2_close(device) }
        var capability = v4l2_capability()
        guard srup_v4l2_query(device, &capability) == 0 else {
            throw .notACamera(path, why: "it does not answer as a V4L2 device")
        }
        guard srup_v4l2_can_capture(&capability) != 0 else { throw .notACamera(path, why: "it captures no video") }
        driver = Self.driver(of: capability)
        card = withUnsafeBytes(of: capability.card) { Self.text($0) }
        let offered = CaptureMode.formats(of: device, emulated: false)
        formats = offered.map { fourCC in
            Format(
                name: Self.harmless(PixelFormat.name(fourCC)), sizes: Self.sizes(device, fourCC),
                isUnderstood: PixelFormat.understood(fourCC) != nil)
        }
        let modes = CaptureMode.modes(of: device, formats: offered, width: width, height: height)
        chosen = CaptureMode.ordered(modes, width: width, height: height).first.map { mode in
            "\(mode.format) \(mode.width)x\(mode.height)"
                + (mode.rate.map { ", \(Int($0.rounded())) a second" } ?? "")
        }
    }

    /// The driver's name.
    static func driver(of capability: v4l2_capability) -> String {
        withUnsafeBytes(of: capability.driver) { Self.text($0) }
    }

    private static func sizes(_ device: srup_v4l2_device, _ fourCC: UInt32) -> [String] {
        var sizes: [String] = []
        var size = v4l2_frmsizeenum()
        for index in 0..<UInt32(64) {
            guard srup_v4l2_size(device, fourCC, index, &size) == 0 else { break }
            if size.type == V4L2_FRMSIZE_TYPE_DISCRETE.rawValue {
                sizes.append("\(size.discrete.width)x\(size.discrete.height)")
            } else {
                let range = size.stepwise
                sizes.append("\(range.min_width)x\(range.min_height)…\(range.max_width)x\(range.max_height)")
                break
            }
        }
        return sizes
    }

    /// Names come from the device.
    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        harmless(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
    }

    private static func harmless(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
