import CLinux
import Glibc

/// What systemd, or another service manager with its protocol, tells a program and wants to hear from it
/// (sd_listen_fds(3), sd_notify(3)). Without one, all of this does nothing.
public enum ServiceManager {
    /// The listening socket that was passed to us when the first connection to it came; `nil` when we were started in
    /// another way.
    public static var listeningSocket: Int32? {
        guard text("LISTEN_PID").flatMap({ pid_t($0) }) == getpid(), text("LISTEN_FDS") == "1" else { return nil }
        var listens: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(3, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0, listens != 0 else { return nil }
        return 3
    }

    /// How often to say ``alive()`` at least, half of what the unit allows; `nil` when nobody watches.
    public static var heartbeat: Duration? {
        guard let micros = text("WATCHDOG_USEC").flatMap({ Int64($0) }), micros > 0,
            text("WATCHDOG_PID").flatMap({ pid_t($0) }).map({ $0 == getpid() }) ?? true
        else { return nil }
        return .microseconds(micros / 2)
    }

    /// We have started up and do our work.
    public static func ready() { tell("READY=1") }

    /// We stop because we were asked to.
    public static func stopping() { tell("STOPPING=1") }

    /// We are alive; see ``heartbeat``.
    public static func alive() { tell("WATCHDOG=1") }

    /// One line for `systemctl status`.
    public static func status(_ text: String) {
        tell("STATUS=" + text.withoutControls)
    }

    private static func text(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// One datagram to the manager; what it cannot take is lost, as for everybody.
    private static func tell(_ message: String) {
        guard let path = text("NOTIFY_SOCKET"), let first = path.utf8.first else { return }
        var name = Array(path.utf8)
        // "@" stands for the abstract name space.
        if first == UInt8(ascii: "@") { name[0] = 0 } else if first != UInt8(ascii: "/") { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array(message.utf8)
        _ = UnixAddress.with(name) {
            Int32(sendto(descriptor, bytes, bytes.count, SocketFlags.noSignal | SocketFlags.dontWait, $0, $1))
        }
    }
}
