import Addresses
import CLinux
import Glibc
import Linux
import NFCProtocols
import NFCReader
import Synchronization

/// Something that was seen on a reader's serial line, as it was: not yet fit for a file.
public struct LineEvent: Sendable, Hashable {
    /// What it was.
    public enum Content: Sendable, Hashable {
        case frame(HostFrame)
        /// So many bytes in no frame.
        case noise(Int)
    }

    /// Since the tee began, in milliseconds.
    public let ms: Double
    /// Whether the host has sent it; else the chip has.
    public let isFromHost: Bool
    /// What it was.
    public let content: Content

    /// Something at a time.
    public init(ms: Double, isFromHost: Bool, content: Content) {
        self.ms = ms
        self.isFromHost = isFromHost
        self.content = content
    }
}

/// Stands between libnfc and a reader's serial line, and remembers what goes over it. libnfc opens the pseudo terminal at
/// ``path`` and knows of nothing. Its work is done by a thread of its own, in a process that must be another than libnfc's, which
/// ends its process at one garbled byte.
public final class SerialTee: Sendable {
    /// What libnfc is to open.
    public let path: String
    /// What is remembered at most; a busy line has some hundred in a second.
    public static let maximumEvents = Limits.events

    private enum Limits {
        static let events = 18_000
        static let stop = Duration.seconds(5)
    }

    private struct State {
        var events: [LineEvent] = []
        var readers = (host: HostFrameReader(), chip: HostFrameReader())
        var isStopping = false
        var hasEnded = false
        var loss: String?
    }

    private let terminal: Int32
    /// Held open: a pseudo terminal that nobody has open hangs up.
    private let keeper: Int32
    private let line: Int32
    private let state = Mutex(State())
    private let start = ContinuousClock.now

    /// Opens the line and makes the terminal.
    ///
    /// - Parameter speed: of the line, in bits a second.
    /// - Throws: `ReaderError`.
    public init(_ device: String, speed: Int) throws(ReaderError) {
        line = try SerialLine.open(device, speed: speed)
        var name = [CChar](repeating: 0, count: 64)
        terminal = srup_openpt(&name, name.count)
        let slave = name.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        keeper = terminal < 0 ? -1 : open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC)
        path = slave
        guard keeper >= 0 else {
            let code = errno
            if terminal >= 0 { close(terminal) }
            close(line)
            throw .broken("there is no pseudo terminal: \(String(cString: strerror(code)))")
        }
        var settings = termios()
        tcgetattr(keeper, &settings)
        cfmakeraw(&settings)
        tcsetattr(keeper, TCSANOW, &settings)
        DetachedThread.start { self.relay() }
    }

    /// Since it began, in milliseconds, as its events have it.
    public var elapsed: Double { ((ContinuousClock.now - start) / .microseconds(100)).rounded() / 10 }

    /// What the line was lost by; `nil`: it is well.
    public var loss: String? { state.withLock { $0.loss } }

    /// Whether no more is remembered.
    public var isFull: Bool { state.withLock { $0.events.count >= Limits.events } }

    /// Ends it.
    ///
    /// - Returns: what has gone over the line.
    public func stop() -> [LineEvent] {
        state.withLock { $0.isStopping = true }
        let deadline = ContinuousClock.now + Limits.stop
        while !state.withLock({ $0.hasEnded }), ContinuousClock.now < deadline { usleep(5_000) }
        return state.withLock { $0.events }
    }

    private func relay() {
        var bytes = [UInt8](repeating: 0, count: 1024)
        while !state.withLock({ $0.isStopping }) {
            var pollers = [
                pollfd(fd: terminal, events: Int16(POLLIN), revents: 0),
                pollfd(fd: line, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&pollers, 2, 50) > 0 else { continue }
            for (index, poller) in pollers.enumerated() where poller.revents != 0 {
                let isFromHost = index == 0
                let count = read(poller.fd, &bytes, bytes.count)
                if count < 0, errno == EAGAIN || errno == EINTR { continue }
                guard count > 0 else {
                    lose(count < 0 ? String(cString: strerror(errno)) : "it has hung up")
                    return
                }
                note(bytes.prefix(count), isFromHost: isFromHost)
                pass(bytes.prefix(count), to: isFromHost ? line : terminal)
            }
        }
        lose(nil)
    }

    private func lose(_ why: String?) {
        close(keeper)
        close(terminal)
        close(line)
        state.withLock { state in
            state.loss = why
            state.hasEnded = true
        }
    }

    /// A line that takes nothing for a second takes the rest of it away.
    private func pass(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
                continue
            }
            var poller = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard errno == EAGAIN || errno == EINTR, poll(&poller, 1, 1000) > 0 else { return }
        }
    }

    private func note(_ bytes: ArraySlice<UInt8>, isFromHost: Bool) {
        let ms = elapsed
        state.withLock { state in
            var reader = isFromHost ? state.readers.host : state.readers.chip
            let before = reader.noise
            reader.append(bytes)
            var found: [LineEvent.Content] = []
            while let frame = reader.next() { found.append(.frame(frame)) }
            if reader.noise > before { found.insert(.noise(reader.noise - before), at: 0) }
            for content in found where state.events.count < Limits.events {
                state.events.append(LineEvent(ms: ms, isFromHost: isFromHost, content: content))
            }
            if isFromHost { state.readers.host = reader } else { state.readers.chip = reader }
        }
    }
}
