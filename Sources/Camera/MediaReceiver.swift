import Glibc

/// What receives pictures here, by the kernel's own names.
public enum MediaReceiver {
    /// Names of the V4L2 devices, as in /sys/class/video4linux/*/name; at most 64.
    public static var names: [String] {
        let folder = "/sys/class/video4linux"
        return CameraFinder.names(in: folder).sorted().prefix(64).compactMap { device in
            guard let file = fopen("\(folder)/\(device)/name", "re") else { return nil }
            defer { fclose(file) }
            var text = [UInt8](repeating: 0, count: 128)
            let count = fread(&text, 1, text.count, file)
            return String(decoding: text.prefix(count).prefix { $0 != 10 }, as: UTF8.self)
        }
    }
}
