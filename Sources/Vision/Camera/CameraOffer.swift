import Addresses
import CV4L2
import Glibc

/// What a camera's driver tells about itself, before anything is chosen or streamed.
public struct CameraOffer: Sendable, Hashable {
    /// A picture format that the driver offers.
    public struct Format: Sendable, Hashable {
        /// Its FourCC ("YUYV").
        public let name: String
        /// The sizes that the driver lists.
        public let sizes: [Size]
        /// Whether this program reads it by itself.
        public let isUnderstood: Bool
    }

    /// A picture size of a format.
    public struct Size: Sendable, Hashable {
        /// In pixels, as "640x480"; a range as "32x32...1920x1080".
        public let name: String
        /// Frames a second, in the driver's order; of a range of rates both ends. None when it does not tell.
        public let rates: [Double]
    }

    /// A number that can be set on the camera.
    public struct Control: Sendable, Hashable {
        /// The driver's name for it, in printable ASCII.
        public let name: String
        /// V4L2's number for it.
        public let id: UInt32
        /// What it takes.
        public let range: ClosedRange<Int>
        /// What the driver sets it to by itself.
        public let usual: Int
        /// What it is set to; `nil` when it cannot be read.
        public let value: Int?
    }

    /// The device file, found from an address.
    public let path: String
    /// The driver's own name ("uvcvideo"), in printable ASCII.
    public let driver: String
    /// What the driver calls the camera, in printable ASCII.
    public let card: String
    /// The picture formats in the driver's order, without those that libv4l2 would only convert to.
    public let formats: [Format]
    /// What can be set, in the driver's order.
    public let controls: [Control]
    /// Vendor and product on USB ("046d:082d"); `nil` elsewhere.
    public let usb: String?
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
        controls = Self.controls(device)
        usb = CameraFinder.usb(of: path)
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

    private static func sizes(_ device: srup_v4l2_device, _ fourCC: UInt32) -> [Size] {
        var sizes: [Size] = []
        var size = v4l2_frmsizeenum()
        for index in 0..<UInt32(64) {
            guard srup_v4l2_size(device, fourCC, index, &size) == 0 else { break }
            if size.type == V4L2_FRMSIZE_TYPE_DISCRETE.rawValue {
                let (width, height) = (size.discrete.width, size.discrete.height)
                sizes.append(Size(name: "\(width)x\(height)", rates: rates(device, fourCC, width, height)))
            } else {
                let range = size.stepwise
                sizes.append(
                    Size(
                        name: "\(range.min_width)x\(range.min_height)...\(range.max_width)x\(range.max_height)",
                        rates: rates(device, fourCC, range.max_width, range.max_height)))
                break
            }
        }
        return sizes
    }

    private static func rates(_ device: srup_v4l2_device, _ fourCC: UInt32, _ width: UInt32, _ height: UInt32)
        -> [Double]
    {
        func rate(_ interval: v4l2_fract) -> Double? {
            interval.numerator > 0 && interval.denominator > 0
                ? (Double(interval.denominator) / Double(interval.numerator) * 100).rounded() / 100 : nil
        }
        var rates: [Double] = []
        var interval = v4l2_frmivalenum()
        for index in 0..<UInt32(64) {
            guard srup_v4l2_interval(device, fourCC, width, height, index, &interval) == 0 else { break }
            guard interval.type == V4L2_FRMIVAL_TYPE_DISCRETE.rawValue else {
                return [interval.stepwise.max, interval.stepwise.min].compactMap(rate)
            }
            if let rate = rate(interval.discrete) { rates.append(rate) }
        }
        return rates
    }

    private static func controls(_ device: srup_v4l2_device) -> [Control] {
        var controls: [Control] = []
        var (least, most, usual): (Int32, Int32, Int32) = (0, 0, 0)
        func add(_ id: UInt32, _ name: String) {
            guard least <= most else { return }
            var value: Int32 = 0
            controls.append(
                Control(
                    name: name, id: id, range: Int(least)...Int(most), usual: Int(usual),
                    value: srup_v4l2_get(device, id, &value) == 0 ? Int(value) : nil))
        }
        var id: UInt32 = 0
        var name = [CChar](repeating: 0, count: 33)
        for _ in 0..<64 {
            id = srup_v4l2_next_control(device, id, &name, &least, &most, &usual)
            if id == 0 { break }
            add(id, name.withUnsafeBytes { text($0) })
        }
        // An old driver lists none, and is asked for each.
        if controls.isEmpty {
            for known in CameraControl.allCases
            where srup_v4l2_control(device, known.identifier, &least, &most, &usual) != 0 {
                add(known.identifier, "\(known)")
            }
        }
        return controls
    }

    /// Names come from the device.
    private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
        harmless(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
    }

    private static func harmless(_ text: String) -> String {
        String(decoding: text.utf8.map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
