import Glibc
import Linux

/// Counters and gauges in Prometheus' text format, 0.0.4.
/// https://prometheus.io/docs/instrumenting/exposition_formats/
public struct Metrics: Sendable {
    /// What a family of samples is.
    public enum Kind: String, Sendable {
        /// Only grows, until the program is started anew.
        case counter
        /// Goes up and down.
        case gauge
    }

    private var lines: [String] = []
    private var names: Set<String> = []

    /// Nothing yet.
    public init() {}

    /// The whole text.
    public var text: String { lines.joined(separator: "\n") + (lines.isEmpty ? "" : "\n") }

    /// Adds samples of one name, in the order of their labels. Without a sample there is only its head.
    ///
    /// - Parameters:
    ///   - name: letters, digits and `_`; a counter's ends in `_total`. A name that was added already is left out.
    ///   - rows: labels, whose values may be any text, and the value.
    public mutating func family(_ name: String, _ help: String, _ kind: Kind, _ rows: [([(String, String)], Double)]) {
        guard names.insert(name).inserted else { return }
        lines.append("# HELP \(name) \(Self.escaped(help, quote: false))")
        lines.append("# TYPE \(name) \(kind.rawValue)")
        lines += rows.map { labels, value in name + Self.labels(labels) + " " + Self.number(value) }.sorted()
    }

    /// Adds one value that goes up and down.
    public mutating func gauge(_ name: String, _ help: String, _ value: Double) {
        family(name, help, .gauge, [([], value)])
    }

    private static func labels(_ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return "" }
        return "{" + labels.map { "\($0)=\"\(escaped($1, quote: true))\"" }.joined(separator: ",") + "}"
    }

    private static func escaped(_ text: String, quote: Bool) -> String {
        var found = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": found += "\\\\"
            case "\n": found += "\\n"
            case "\"" where quote: found += "\\\""
            default: found.unicodeScalars.append(scalar)
            }
        }
        return found
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return String(value)
    }

    /// Version, start, memory, processor time and open files of this program, under the names that Prometheus' own libraries
    /// use.
    public mutating func process() {
        family("srup_build_info", "The version, in a label.", .gauge, [([("version", Release.version)], 1)])
        guard let stat = Self.read("/proc/self/stat"), let end = stat.lastIndex(of: ")") else { return }
        // proc_pid_stat(5): the third field comes after the name.
        let fields = stat[end...].dropFirst(2).split(separator: " ")
        guard fields.count > 21 else { return }
        let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        if let user = Double(fields[11]), let system = Double(fields[12]) {
            family(
                "process_cpu_seconds_total", "Processor time that was used, in seconds.", .counter,
                [([], (user + system) / ticks)])
        }
        if let pages = Double(fields[21]) {
            gauge(
                "process_resident_memory_bytes", "Resident memory, in bytes.",
                pages * Double(sysconf(Int32(_SC_PAGESIZE))))
        }
        if let begin = Double(fields[19]) {
            // Since boot; the kernel tells no other.
            var (boot, wall) = (timespec(), timespec())
            clock_gettime(CLOCK_BOOTTIME, &boot)
            clock_gettime(CLOCK_REALTIME, &wall)
            let age = Double(boot.tv_sec) + Double(boot.tv_nsec) / 1e9 - begin / ticks
            let now = Double(wall.tv_sec) + Double(wall.tv_nsec) / 1e9
            gauge(
                "process_start_time_seconds", "When the program was started, in seconds since 1970.",
                (100 * (now - age)).rounded() / 100)
        }
        if let folder = opendir("/proc/self/fd") {
            defer { closedir(folder) }
            var count = 0
            while readdir(folder) != nil { count += 1 }
            // Without ".", ".." and the one that is read.
            gauge("process_open_fds", "Open file descriptors.", Double(max(0, count - 3)))
        }
    }

    private static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = buffer.withUnsafeMutableBytes { readAll(into: $0, from: descriptor) }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
