import Glibc
import Linux
import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What happens, as one JSON object per line, for programs that follow along (the demo, tests, a status display).
/// Never holds a nonce.
public final class EventLog: Sendable {
    private let descriptor: Int32
    private let lock = Mutex(())
    private let common: [String: String]

    /// - Parameters:
    ///   - path: appended to; `nil` for none.
    ///   - common: what every event says besides.
    /// - Throws: ``PartyError`` when the file cannot be opened.
    public init(path: String?, common: [String: String] = [:]) throws {
        self.common = common
        guard let path else {
            descriptor = -1
            return
        }
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw PartyError.cannotWrite("\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Writes one event; `t` is CLOCK_MONOTONIC in seconds, the same for all processes of a machine.
    public func record(_ event: String, _ details: [String: String] = [:]) {
        guard descriptor >= 0 else { return }
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        var line = details.merging(common) { own, _ in own }
        line["event"] = event
        line["t"] = "\(time.tv_sec).\(String(1_000_000 + time.tv_nsec / 1000).dropFirst())"
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let json = try? encoder.encode(line) else { return }
        let bytes = Array((String(decoding: json, as: UTF8.self).withEscapesInJSON + "\n").utf8)
        // One write for the line, so that lines of several processes in one file do not mix.
        lock.withLock { _ in _ = write(descriptor, bytes, bytes.count) }
    }
}
