import Glibc
import Linux

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Waits for an invitation before a camera or on a tag. What decodes them runs in processes of its own (`srup-witness`): this
/// one is about to hold keys.
public struct InvitationWatch: Sendable {
    /// What to look with.
    public enum Eye: Sendable, Hashable {
        /// A camera's address, and its picture size as the witness takes it ("1280x720"); `nil`: its own default.
        case camera(String, size: String?)
        /// A reader's address.
        case reader(String)

        var arguments: [String] {
            switch self {
            case .camera(let device, let size):
                ["capture", "--json", "--device", device] + (size.map { ["--size", $0] } ?? [])
            case .reader(let device): ["nfc", "read", "--json", "--any", "--device", device]
            }
        }

        var name: String {
            switch self {
            case .camera: "camera"
            case .reader: "reader"
            }
        }
    }

    private let eyes: [Eye]
    private let hosts: Set<String>
    private let executable: String

    /// - Parameters:
    ///   - hosts: whose invitations count; empty: anybody's.
    ///   - executable: of srup-witness.
    public init(
        _ eyes: [Eye], hosts: [String], executable: String = ChildProcess.sibling("srup-witness")
    ) {
        self.eyes = eyes
        self.hosts = Set(hosts.map { $0.lowercased() })
        self.executable = executable
    }

    /// Why none came.
    public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
        case none(Duration)
        /// No eye could be started, or all have ended.
        case blind(String)

        /// What is wrong, for people.
        public var description: String {
            switch self {
            case .none(let patience): "no invitation came into view in \(Int(patience / .seconds(1))) s"
            case .blind(let why): "there is nothing to look with: \(why)"
            }
        }
    }

    /// Waits until one invitation, and no other beside it, has been in view for two seconds. Blocks.
    ///
    /// - Parameters:
    ///   - patience: how long it waits.
    ///   - progress: told in words what is seen and what is wrong.
    /// - Throws: ``Failure``.
    public func wait(patience: Duration, progress: (String) -> Void) throws(Failure) -> Invitation {
        var running: [RunningEye] = []
        defer { for eye in running { eye.end() } }
        var last = "no camera and no reader is configured"
        for eye in eyes {
            do throws(ChildProcess.Failure) {
                running.append(try RunningEye(eye, executable))
            } catch {
                last = error.description
            }
        }
        var choice = InvitationChoice(hosts: hosts)
        let start = ContinuousClock.now
        while ContinuousClock.now - start < patience {
            guard !running.allSatisfy(\.hasEnded) else { throw .blind(last) }
            for event in Self.events(of: running) {
                switch event {
                case .text(let text):
                    if let words = choice.saw(text, at: .now - start) { progress(words) }
                case .ready(let eye): progress("the \(eye) is ready: show it the invitation")
                case .lost(let eye, let why):
                    let words = "the \(eye) cannot see: \(why)"
                    if words != last { progress(words) }
                    last = words
                }
            }
            let (chosen, words) = choice.chosen(at: .now - start)
            if let words { progress(words) }
            if let chosen { return chosen }
        }
        throw .none(patience)
    }

    private static func events(of eyes: [RunningEye]) -> [EyeEvent] {
        var pollers = eyes.map { pollfd(fd: $0.hasEnded ? -1 : $0.descriptor, events: Int16(POLLIN), revents: 0) }
        guard poll(&pollers, nfds_t(pollers.count), 200) > 0 else { return [] }
        return zip(eyes, pollers).flatMap { $1.revents != 0 ? $0.read() : [] }
    }
}

/// What an eye has said.
enum EyeEvent: Hashable {
    case text(String)
    case ready(String)
    case lost(String, String)

    /// A line of `capture --json` or `nfc read --json`; none for what does not matter here.
    static func read(_ line: [UInt8], from eye: String) -> [EyeEvent] {
        struct Line: Decodable {
            struct Record: Decodable {
                let text, uri: String?
            }
            let event: String
            let value, reason: String?
            let records: [Record]?
        }
        guard let said = try? JSONDecoder().decode(Line.self, from: Data(line)) else { return [] }
        switch said.event {
        case "opened", "ready": return [.ready(eye)]
        case "lost": return [.lost(eye, String(printable: (said.reason ?? "").utf8, atMost: 200))]
        case "sighting": return said.value.map { [.text($0)] } ?? []
        // A URI record, or a text that is an address.
        case "tap": return (said.records ?? []).prefix(16).compactMap { ($0.uri ?? $0.text).map { .text($0) } }
        default: return []
        }
    }
}

/// An eye's process, and what it prints.
private final class RunningEye {
    let descriptor: Int32
    private let eye: InvitationWatch.Eye
    private let process: pid_t
    private var rest: [UInt8] = []
    private var skips = false
    private(set) var hasEnded = false
    /// No line of an eye is longer: a tag holds 32 KiB, in hexadecimal.
    private static let longestLine = 256 << 10

    init(_ eye: InvitationWatch.Eye, _ executable: String) throws(ChildProcess.Failure) {
        self.eye = eye
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ChildProcess.Failure(eye.name, errno) }
        defer { close(ends[1]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        defer { if null >= 0 { close(null) } }
        do throws(ChildProcess.Failure) {
            process = try ChildProcess.start(
                executable, eye.arguments, descriptors: [0: null, 1: ends[1], 2: null])
        } catch {
            close(ends[0])
            throw error
        }
        descriptor = ends[0]
    }

    deinit { close(descriptor) }

    func read() -> [EyeEvent] {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = Glibc.read(descriptor, &chunk, chunk.count)
        if count < 0 && (errno == EINTR || errno == EAGAIN) { return [] }
        guard count > 0 else {
            hasEnded = true
            return [.lost(eye.name, "its program has ended")]
        }
        var events: [EyeEvent] = []
        for byte in chunk[..<count] {
            guard byte == 10 else {
                if rest.count < Self.longestLine { rest.append(byte) } else { skips = true }
                continue
            }
            if !skips { events += EyeEvent.read(rest, from: eye.name) }
            rest.removeAll(keepingCapacity: true)
            skips = false
        }
        return events
    }

    /// In good order: a camera gets its settings back.
    func end() {
        kill(process, SIGTERM)
        _ = ChildProcess.wait(process, until: .now + .seconds(5), killsGroup: true)
    }
}
