import Glibc
import Linux
import Synchronization

/// What happens, as one JSON object per line, for programs that follow along (the demo, tests, a status display).
/// Never holds a nonce. A file above 64 MiB is moved to FILE.old and begun anew: others cause these lines, and must not fill
/// the disk.
///
/// The file is one's own, and no symbolic link; a FIFO with a reader, a terminal and `/dev/null` will do, too
/// (``OutputFile``). What does not fit into a FIFO at once is dropped.
public final class EventLog: Sendable {
    private struct File {
        var descriptor: Int32
        var size: Int
    }
    private let path: String
    private let file: Mutex<File>
    private static let maximumSize = 64 << 20
    private let common: [String: String]
    /// When what happens in a transaction has happened; `nil`: at once.
    private let afterwards = Mutex<Afterwards?>(nil)

    /// - Parameters:
    ///   - path: appended to; `nil` for none.
    ///   - common: what every event says besides.
    /// - Throws: ``ParticipantError`` when the file cannot be opened.
    public init(path: String?, common: [String: String] = [:]) throws {
        self.common = common
        self.path = path ?? ""
        guard let path else {
            file = Mutex(File(descriptor: -1, size: 0))
            return
        }
        let opened: File
        do throws(OutputFile.Failure) {
            opened = try Self.opened(path)
        } catch {
            throw ParticipantError.events(error.description)
        }
        file = Mutex(opened)
    }

    private static func opened(_ path: String) throws(OutputFile.Failure) -> File {
        let (descriptor, kind) = try OutputFile.open(path, O_APPEND)
        var status = stat()
        // Only files are moved: a device or a pipe stays what it is, however much goes through it.
        let isFile = kind == .file && fstat(descriptor, &status) == 0
        return File(descriptor: descriptor, size: isFile ? Int(status.st_size) : .min)
    }

    /// Moves a file that has grown large, unless something else has taken its place, or that of the old one.
    private func beginAnew(_ file: inout File) {
        let old = path + ".old"
        guard (try? OutputFile.checkReplaceable(path)) == true, (try? OutputFile.checkReplaceable(old)) != nil,
            rename(path, old) == 0, let opened = try? Self.opened(path)
        else {
            // It is full, and says no more.
            close(file.descriptor)
            file = File(descriptor: -1, size: 0)
            return
        }
        close(file.descriptor)
        file = opened
    }

    deinit {
        file.withLock { if $0.descriptor >= 0 { close($0.descriptor) } }
    }

    /// From now on events are written once what they tell of is stored.
    public func tell(_ afterwards: Afterwards) { self.afterwards.withLock { $0 = afterwards } }

    /// Writes one event; `t` is CLOCK_MONOTONIC in seconds, the same for all processes of a machine.
    public func record(_ event: String, _ details: [String: String] = [:]) {
        guard !path.isEmpty else { return }
        guard let afterwards = afterwards.withLock({ $0 }) else { return write(event, details) }
        afterwards.run { self.write(event, details) }
    }

    private func write(_ event: String, _ details: [String: String]) {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        var line = details.merging(common) { own, _ in own }
        line["event"] = event
        line["t"] = "\(time.tv_sec).\(String(1_000_000 + time.tv_nsec / 1000).dropFirst())"
        let bytes = Array((line.jsonLine + "\n").utf8)
        file.withLock { file in
            if file.size > Self.maximumSize { beginAnew(&file) }
            // One write for the line, so that lines of several processes in one file do not mix.
            if file.descriptor >= 0 { file.size += max(0, Glibc.write(file.descriptor, bytes, bytes.count)) }
        }
    }
}
