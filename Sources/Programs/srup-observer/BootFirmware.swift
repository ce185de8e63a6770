import Glibc
import Linux

/// Firmware that the image may not bring along (Wi-Fi chips of some boards): what lies in the folder `firmware` of the boot
/// partition goes to where the kernel looks for it, at each start, since the system's own folder is in memory.
struct BootFirmware {
    /// The boot partition.
    let boot: String
    /// The system's root, ending in a slash.
    let root: String

    private static let maximumFiles = 64
    private static let maximumSize = 8 << 20

    /// Copies `firmware/FOLDER/NAME`, and `firmware/NAME` but for `.txt`; what is there already and equal is left.
    ///
    /// - Returns: the files that are new, from the folder on: "brcm/brcmfmac43430b0-sdio.bin".
    /// - Throws: ``OutputFile/Failure``.
    func copy() throws -> [String] {
        var new: [String] = []
        for name in files().prefix(Self.maximumFiles) {
            guard let content = Self.content(boot + "/firmware/" + name), !content.isEmpty else { continue }
            let place = root + "usr/lib/firmware/" + name
            guard Self.content(place) != content else { continue }
            var folder = root
            for part in ("usr/lib/firmware/" + name).utf8.split(separator: UInt8(ascii: "/")).dropLast() {
                folder += String(decoding: part, as: UTF8.self) + "/"
                mkdir(folder, 0o755)
            }
            try OutputFile.write(content, to: place, mode: 0o644)
            new.append(name)
        }
        return new
    }

    private func files() -> [String] {
        let top = boot + "/firmware"
        return Self.names(top).flatMap { name in
            if Self.isFolder("\(top)/\(name)") { return Self.names("\(top)/\(name)").map { "\(name)/\($0)" } }
            // What is to be read by people.
            return name.lowercased().hasSuffix(".txt") ? [] : [name]
        }
    }

    /// At most a thousand, and no hidden ones: macOS leaves "._" beside each file.
    private static func names(_ folder: String) -> [String] {
        guard let entries = opendir(folder) else { return [] }
        defer { closedir(entries) }
        var found: [String] = []
        while let entry = readdir(entries), found.count < 1000 {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { found.append(name) }
        }
        return found.sorted()
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// `nil` for what is no file, cannot be read or is too large.
    private static func content(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= maximumSize else {
            return nil
        }
        var content = [UInt8](repeating: 0, count: Int(status.st_size))
        var filled = 0
        while filled < content.count {
            let count = content.withUnsafeMutableBytes {
                read(descriptor, UnsafeMutableRawBufferPointer(rebasing: $0[filled...]).baseAddress, $0.count - filled)
            }
            guard count > 0 else { return nil }
            filled += count
        }
        return content
    }
}
