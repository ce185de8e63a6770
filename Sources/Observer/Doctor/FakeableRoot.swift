import Glibc
import Linux

/// The machine's own files (/proc, /sys, /etc, /run, /dev), below a folder that tests fill by themselves.
public struct FakeableRoot: Sendable {
    private let prefix: String

    /// - Parameter path: "/" for the machine itself.
    public init(_ path: String = "/") {
        var path = path
        while path.hasSuffix("/") { path.removeLast() }
        prefix = path
    }

    /// Where an absolute path of the machine's really lies.
    public func path(_ path: String) -> String { prefix + path }

    /// Whether there is something at a path, behind symbolic links.
    public func exists(_ path: String) -> Bool { access(self.path(path), F_OK) == 0 }

    /// The first bytes of a file; `nil` when it cannot be read.
    public func bytes(_ path: String, atMost limit: Int = 65536) -> [UInt8]? {
        // Not blocking: a file of the kernel's that waits for something must not stop the doctor.
        let descriptor = open(self.path(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = bytes.withUnsafeMutableBytes { readAll(into: $0, from: descriptor) }
        return count < 0 ? nil : Array(bytes.prefix(count))
    }

    /// A text without the white space and NUL at its ends.
    public func text(_ path: String) -> String? {
        guard let bytes = bytes(path) else { return nil }
        let blank: (UInt8) -> Bool = { $0 <= 0x20 }
        guard let last = bytes.lastIndex(where: { !blank($0) }) else { return "" }
        return String(decoding: bytes[...last].drop(while: blank), as: UTF8.self)
    }

    /// The whole number in a file, in decimal; `nil` when it cannot be read or holds anything else.
    public func number(_ path: String) -> Int? { text(path).flatMap { Int($0) } }

    /// What is in a folder, in order; empty when it is none.
    public func names(in folder: String) -> [String] {
        guard let directory = opendir(path(folder)) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory), names.count < 65536 {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Where a symbolic link leads, its text as it is.
    public func link(_ path: String) -> String? {
        var target = [CChar](repeating: 0, count: 4096)
        let count = readlink(self.path(path), &target, target.count - 1)
        return count > 0 ? String(decoding: target.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }

    /// What the kernel itself has logged since the start, oldest first, as far back as its buffer reaches; `nil` when it may not be read.
    /// Messages that programs have put there are left out: anybody may who can write to /dev/kmsg.
    /// Documentation/ABI/testing/dev-kmsg: "6,339,5140900,-;text", then lines with a blank before them.
    public func kernelLog() -> [String]? {
        let descriptor = open(path("/dev/kmsg"), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var (log, record) = ([UInt8](), [UInt8](repeating: 0, count: 16 << 10))
        while log.count < 16 << 20 {
            // One message each time; EPIPE: older ones are gone meanwhile. At its end the file says EAGAIN.
            let count = read(descriptor, &record, record.count)
            if count < 0, errno == EPIPE || errno == EINTR { continue }
            if count < 0, errno != EAGAIN { return nil }
            guard count > 0 else { break }
            log += record.prefix(count)
        }
        return log.split(separator: 10).compactMap { line in
            guard let mark = line.firstIndex(of: UInt8(ascii: ";")) else { return nil }
            let fields = line[..<mark].split(separator: UInt8(ascii: ","))
            // Priority and, above it, whose message it is: the kernel's number is 0.
            guard fields.count >= 3, let priority = Int(String(decoding: fields[0], as: UTF8.self)),
                (0..<8).contains(priority)
            else { return nil }
            return String(decoding: line[(mark + 1)...], as: UTF8.self)
        }
    }

    /// Programs that run, by the name that the kernel has for them (15 characters).
    public func processes(named name: String) -> [Int] {
        names(in: "/proc").compactMap { Int($0) }.filter { text("/proc/\($0)/comm") == String(name.prefix(15)) }
    }
}
