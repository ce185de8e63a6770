import Glibc
import Linux

/// The other end of a ``SignalSocket``: follows the words, for a thread of its own.
public final class SignalListener {
    private var descriptor: Int32 = -1
    private var rest: [UInt8] = []
    static let longestWord = 128

    /// Not connected yet.
    public init() {}

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Whether there is a connection; that the other side has gone is noticed by ``words(within:)``.
    public var isConnected: Bool { descriptor >= 0 }

    /// Connects to the first of some paths where somebody listens.
    public func connect(toAny paths: [String]) {
        for path in paths where descriptor < 0 {
            let candidate = ListeningSocket.socket()
            if UnixAddress.with(path, { Glibc.connect(candidate, $0, $1) }) == 0 {
                descriptor = candidate
            } else {
                close(candidate)
            }
        }
    }

    /// Waits for words, `milliseconds` at most; none, and no connection any more, when the other side has gone.
    public func words(within milliseconds: Int32) -> [String] {
        var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&poller, 1, milliseconds) > 0 else { return [] }
        var chunk = [UInt8](repeating: 0, count: 512)
        let count = recv(descriptor, &chunk, chunk.count, SocketFlags.dontWait)
        if count < 0 && (errno == EINTR || errno == EAGAIN) { return [] }
        guard count > 0 else {
            drop()
            return []
        }
        rest += chunk.prefix(count)
        var words: [String] = []
        while let end = rest.firstIndex(of: 10) {
            words.append(String(decoding: rest[..<end], as: UTF8.self))
            rest.removeSubrange(...end)
        }
        // No keeper says so much in one word.
        if rest.count > Self.longestWord { drop() }
        return words
    }

    private func drop() {
        close(descriptor)
        descriptor = -1
        rest = []
    }
}
