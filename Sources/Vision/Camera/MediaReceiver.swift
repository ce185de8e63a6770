import Glibc

/// What receives pictures here, by the kernel's own names.
public enum MediaReceiver {
    /// Names of the V4L2 devices, as in /sys/class/video4linux/*/name; at most 64.
    public static var names: [String] { CameraFinder.names(in: folder).sorted().prefix(64).compactMap { name(of: $0) } }

    private static let folder = "/sys/class/video4linux"

    /// Whether a camera module's receiver is there: unicam on models up to 4, the RP1's front end on 5. They make their
    /// nodes when a sensor has answered.
    public static var hasModule: Bool { names.contains { isModule($0) } }

    /// Whether a device file is a camera module's receiver.
    static func isModule(at path: String) -> Bool {
        let node = CameraFinder.resolved(path).split(separator: "/").last.map(String.init) ?? ""
        return name(of: node).map { isModule($0) } ?? false
    }

    private static func isModule(_ name: String) -> Bool {
        ["unicam", "rp1-cfe", "rp1_cfe"].contains { name.hasPrefix($0) }
    }

    private static func name(of device: String) -> String? {
        guard let file = fopen("\(folder)/\(device)/name", "re") else { return nil }
        defer { fclose(file) }
        var text = [UInt8](repeating: 0, count: 128)
        let count = fread(&text, 1, text.count, file)
        return String(decoding: text.prefix(count).prefix { $0 != 10 }, as: UTF8.self)
    }
}
