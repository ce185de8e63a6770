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
            guard let device = devices().first(where: { canCapture("/dev/\($0)") }) else {
                throw .absent("any camera (/dev/video*)")
            }
            return "/dev/\(device)"
        }
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

    /// A camera has a second device file for metadata, which captures nothing.
    private static func canCapture(_ path: String) -> Bool {
        let descriptor = srup_v4l2_open(path, 0)
        guard descriptor >= 0 else { return errno == EBUSY }
        defer { v4l2_close(descriptor) }
        var capability = v4l2_capability()
        return srup_v4l2_query(descriptor, &capability) == 0 && srup_v4l2_can_capture(&capability) != 0
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
