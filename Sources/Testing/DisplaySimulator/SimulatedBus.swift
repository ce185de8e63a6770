import Glibc
import Linux
import Synchronization

/// An I2C bus with a ``SimulatedPanel`` on it, behind a Unix socket: programs reach it through the preloaded shim
/// (hardware/pn532-simulator/I2CShim), with `SRUP_I2C_SOCKET` and `SRUP_I2C_CHIP`.
///
/// ```
/// client -> panel   'W' length(2) bytes        one write transaction
///                   'R' length(2)              one read transaction
/// panel -> client   status(1): 0 acknowledged, 1 not; after a read, the bytes
/// ```
public final class SimulatedBus: Sendable {
    /// The socket's path.
    public let path: String
    private let listener: Int32
    private struct State {
        var panel: SimulatedPanel
        var isAbsent = false
    }
    private let state: Mutex<State>

    /// - Parameter path: of the socket, which is made.
    public init(path: String, height: Int = 64) throws {
        self.path = path
        state = Mutex(State(panel: SimulatedPanel(height: height)))
        unlink(path)
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard UnixAddress.with(path, { bind(listener, $0, $1) }) == 0, listen(listener, 8) == 0 else {
            throw OutOfOrder(description: "\(path): \(String(cString: strerror(errno)))")
        }
        let accepting = dup(listener)
        DetachedThread.start { [weak self] in
            while true {
                let client = accept(accepting, nil, nil)
                if client < 0 && errno == EINTR { continue }
                guard client >= 0, let bus = self else {
                    if client >= 0 { close(client) }
                    break
                }
                DetachedThread.start {
                    bus.serve(client)
                    close(client)
                }
            }
            close(accepting)
        }
    }

    /// The socket cannot be made.
    public struct OutOfOrder: Error, CustomStringConvertible {
        /// Which and why.
        public let description: String
    }

    deinit {
        shutdown(listener, SocketFlags.endBoth)
        close(listener)
        unlink(path)
    }

    /// As it is now.
    public var panel: SimulatedPanel { state.withLock { $0.panel } }

    /// Takes the panel off the bus: it acknowledges nothing.
    public func unplug() { state.withLock { $0.isAbsent = true } }

    /// Puts it back, as it is after its power came.
    public func plugIn() {
        state.withLock { state in
            state.panel = SimulatedPanel(height: state.panel.height)
            state.isAbsent = false
        }
    }

    private func serve(_ client: Int32) {
        while let head = Self.bytes(3, from: client) {
            let count = Int(head[1]) << 8 | Int(head[2])
            let isWrite = head[0] == UInt8(ascii: "W")
            guard let bytes = isWrite ? Self.bytes(count, from: client) : [] else { return }
            let isThere = state.withLock { state -> Bool in
                if isWrite && !state.isAbsent { state.panel.receive(bytes) }
                return !state.isAbsent
            }
            // Reading gives the status byte: busy or off.
            let answer = [isThere ? 0 : 1] + (isThere && !isWrite ? [UInt8](repeating: 0x40, count: count) : [])
            guard send(client, answer, answer.count, SocketFlags.noSignal) == answer.count else { return }
        }
    }

    private static func bytes(_ count: Int, from descriptor: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var got = 0
        while got < count {
            let part = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress.map { $0 + got }, count - got) }
            if part < 0 && errno == EINTR { continue }
            guard part > 0 else { return nil }
            got += part
        }
        return bytes
    }
}
