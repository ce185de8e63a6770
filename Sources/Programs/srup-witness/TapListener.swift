import Glibc
import Linux
import NFCReader
import ReaderRecording

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Runs "nfc read" at the far side of a tee, in a process of its own: libnfc may end it, and that is then in the recording.
final class TapListener {
    /// A tap as it was told.
    struct Told {
        let ms: Double
        let role: String
        let test: Int?
    }

    private struct Line: Decodable {
        let event: String
        let role: String?
        let test: Int?
        let reason: String?
    }

    /// How often it is started.
    private static let maximumStarts = 20

    private let tee: SerialTee
    private let address: String
    private(set) var taps: [Told] = []
    /// What is to be said about how it went.
    private(set) var problems: [String] = []
    /// Why the reader could not be opened, or was lost, the last time.
    private(set) var failure: ReaderError?

    init(_ tee: SerialTee, speed: Int) {
        self.tee = tee
        address = "pn532_uart:\(tee.path):\(speed)"
    }

    func run(for limit: Duration, while isWanted: () -> Bool) {
        let deadline = ContinuousClock.now + limit
        var starts = 0
        func goesOn() -> Bool { isWanted() && ContinuousClock.now < deadline && tee.loss == nil && !tee.isFull }
        while goesOn(), starts < Self.maximumStarts {
            starts += 1
            guard let end = listen(while: goesOn) else { break }
            // What was told to end, or has nothing to do any more.
            if case .exited = end, !goesOn() { break }
            if case .killed = end, goesOn() { problems.append("libnfc has ended its process; that is recorded") }
        }
        if tee.isFull {
            problems.append("the line was busy: after \(SerialTee.maximumEvents) frames no more is recorded")
        }
        if let loss = tee.loss { problems.append("the reader's line was lost (\(loss)); what came before is recorded") }
    }

    private func listen(while goesOn: () -> Bool) -> ChildProcess.End? {
        var ends: [Int32] = [-1, -1]
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer { close(null) }
        guard pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let process = try? ChildProcess.start(
            ChildProcess.executable, ["nfc", "read", "--json", "--device", address],
            descriptors: [0: null, 1: ends[1], 2: 2])
        close(ends[1])
        defer { close(ends[0]) }
        guard let process else { return nil }
        var buffer: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while goesOn() {
            var poller = pollfd(fd: ends[0], events: Int16(POLLIN), revents: 0)
            guard poll(&poller, 1, 50) > 0 else { continue }
            let count = read(ends[0], &chunk, chunk.count)
            guard count > 0 else { break }
            buffer += chunk.prefix(count)
            while let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                take(Array(buffer[..<end]))
                buffer.removeSubrange(...end)
            }
            if buffer.count > 1 << 20 { break }
        }
        kill(process, SIGTERM)
        return ChildProcess.wait(process, until: .now + .seconds(6))
    }

    private func take(_ bytes: [UInt8]) {
        guard let line = try? JSONDecoder().decode(Line.self, from: Data(bytes)) else { return }
        switch line.event {
        case "lost": failure = .broken(line.reason ?? "lost")
        case "tap", "refused":
            taps.append(Told(ms: tee.elapsed, role: line.role ?? "", test: line.test))
            let what = line.test == nil ? "something that will not be recorded" : "a test sheet's value"
            print("reader: a tap gave \(what)")
            fflush(nil)
        default: break
        }
    }
}
