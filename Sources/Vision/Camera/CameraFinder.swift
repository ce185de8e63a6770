import Addresses
import CV4L2
import Glibc

/// Finds the device file of a camera.
enum CameraFinder {
    /// - Throws: ``CameraError/absent(_:)``.
    static func path(of address: CameraAddress) throws(CameraError) -> String {
        switch address {
        case .device(let path): return path
        case .stable(let name):
            for folder in ["/dev/v4l/by-id", "/dev/v4l/by-path"] where access("\(folder)/\(name)", F_OK) == 0 {
                return "\(folder)/\(name)"
            }
            throw .absent("/dev/v4l/by-id/\(name)")
        case .usb(let vendor, let product):
            let path = devices().first { device in
                let base = "/sys/class/video4linux/\(device)/device/../"
                return number(base + "idVendor") == vendor && number(base + "idProduct") == product
                    && canCapture("/dev/\(device)")
            }
            guard let path else { throw .absent(address.description) }
            return "/dev/\(path)"
        default:
            guard let path = candidates().first else { throw .absent(anyCamera) }
            return path
        }
    }

    /// What is not there when nothing is.
    static let anyCamera = "any camera (/dev/video*)"

    // MARK: Any camera

    /// Device files that may be cameras, the best first: those whose pictures are read here before those that are grey
    /// alone (infrared ones, mostly) and those that libv4l2 may convert; those that udev has named before the others.
    static func candidates() -> [String] {
        let named = names(in: "/dev/srup").filter { $0.hasPrefix("camera") }
            .sorted { (Int($0.dropFirst(6)) ?? 0) < (Int($1.dropFirst(6)) ?? 0) }.map { "/dev/srup/\($0)" }
        var seen: Set<String> = []
        let paths = (named + devices().map { "/dev/\($0)" }).filter { seen.insert(resolved($0)).inserted }
        return paths.compactMap { path in usefulness(of: path).map { (path, $0) } }
            .enumerated().sorted { ($0.element.1, $0.offset) < ($1.element.1, $1.offset) }.map(\.element.0)
    }

    /// Where links lead; the path itself when they lead nowhere.
    static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    /// Drivers whose nodes capture and are no cameras by themselves: a Pi's image processors and codecs, and the receivers
    /// of its camera modules, whose raw data only libcamera makes pictures of.
    private static let helpers = ["bcm2835-isp", "bcm2835-codec", "pispbe", "unicam", "rp1-cfe"]

    /// 0 is best; `nil`: no camera.
    private static func usefulness(of path: String) -> Int? {
        var device = srup_v4l2_device()
        guard srup_v4l2_open(path, 0, &device) == 0 else { return errno == EBUSY || errno == EACCES ? 0 : nil }
        defer { srup_v4l2_close(device) }
        var capability = v4l2_capability()
        guard srup_v4l2_query(device, &capability) == 0, srup_v4l2_can_capture(&capability) != 0,
            !helpers.contains(CameraOffer.driver(of: capability))
        else { return nil }
        let formats = CaptureMode.formats(of: device, emulated: false)
        let understood = formats.compactMap { PixelFormat.understood($0) }
        if understood.contains(where: { $0.name != "GREY" }) { return 0 }
        return understood.isEmpty ? 2 : 1
    }

    /// video0, video1 … in order of their numbers.
    private static func devices() -> [String] {
        names(in: "/sys/class/video4linux").filter { $0.hasPrefix("video") }
            .sorted { (Int($0.dropFirst(5)) ?? 0) < (Int($1.dropFirst(5)) ?? 0) }
    }

    static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    private static func number(_ path: String) -> UInt16? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var text = [UInt8](repeating: 0, count: 16)
        let count = fread(&text, 1, text.count, file)
        return UInt16(String(decoding: text.prefix(count).prefix { $0 != 10 }, as: UTF8.self), radix: 16)
    }

    /// "046d:082d", the vendor's and the product's number of the camera behind a device file; `nil` when it is not on USB.
    static func usb(of path: String) -> String? {
        let name = resolved(path).split(separator: "/").last.map(String.init) ?? ""
        let base = "/sys/class/video4linux/\(name)/device/../"
        guard let vendor = number(base + "idVendor"), let product = number(base + "idProduct") else { return nil }
        func digits(_ number: UInt16) -> String {
            let text = String(number, radix: 16)
            return String(repeating: "0", count: 4 - text.count) + text
        }
        return "\(digits(vendor)):\(digits(product))"
    }

    /// A camera has a second device file for metadata, which captures nothing.
    private static func canCapture(_ path: String) -> Bool {
        var device = srup_v4l2_device()
        guard srup_v4l2_open(path, 0, &device) == 0 else { return errno == EBUSY }
        defer { srup_v4l2_close(device) }
        var capability = v4l2_capability()
        return srup_v4l2_query(device, &capability) == 0 && srup_v4l2_can_capture(&capability) != 0
    }

    /// "pid 412 (ffmpeg)" for the first process that has the device file open.
    static func holder(of path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        let target = String(cString: real)
        for process in names(in: "/proc") where process.allSatisfy(\.isNumber) && Int32(process) != getpid() {
            for descriptor in names(in: "/proc/\(process)/fd") {
                var link = [CChar](repeating: 0, count: 256)
                let count = readlink("/proc/\(process)/fd/\(descriptor)", &link, link.count - 1)
                guard count > 0,
                    String(decoding: link.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self) == target
                else { continue }
                var name = [UInt8](repeating: 0, count: 64)
                var length = 0
                if let file = fopen("/proc/\(process)/comm", "re") {
                    length = fread(&name, 1, name.count, file)
                    fclose(file)
                }
                return "pid \(process) (\(String(decoding: name.prefix(length).prefix { $0 != 10 }, as: UTF8.self)))"
            }
        }
        return nil
    }
}
