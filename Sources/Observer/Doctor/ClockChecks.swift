import CLinux
import Glibc
import Program

/// Whether the time can be believed: certificates are refused when it is wrong.
public enum ClockChecks {
    /// Seconds since 1970 of the beginning of 2026: no clock that is right is before it.
    static let earliest = 1_767_225_600
    /// Of the year 2100.
    static let latest = 4_102_444_800

    /// Whether the machine's clock can be right, and whether a time server has set it.
    public static func clock() -> Finding {
        judge(now: time(nil), isSynchronised: srup_clock_is_synchronised())
    }

    /// - Parameter isSynchronised: 1 yes, 0 no, anything else: the kernel does not tell.
    static func judge(now: Int, isSynchronised: Int32) -> Finding {
        let date = text(now)
        guard (earliest..<latest).contains(now) else {
            return Finding(
                "clock", .problem, "it is \(date): that cannot be",
                remedy:
                    "let a time server set it (\"timedatectl set-ntp true\", UDP port 123), or \"date -s\"; every TLS "
                    + "connection fails until then")
        }
        return switch isSynchronised {
        case 1: Finding("clock", .ok, "\(date), set by a time server")
        case 0:
            Finding(
                "clock", .warning, "\(date), not set by a time server",
                remedy:
                    "\"timedatectl set-ntp true\"; is UDP port 123 open? A Pi without a clock battery starts with a wrong "
                    + "time")
        default: Finding("clock", .skipped, "\(date); the kernel does not tell whether a time server set it")
        }
    }

    /// "2026-11-21 19:28 UTC".
    static func text(_ seconds: Int) -> String {
        var seconds = seconds
        var parts = tm()
        guard gmtime_r(&seconds, &parts) != nil else { return "unknown" }
        func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + String(number) }
        return
            "\(Int(parts.tm_year) + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) \(two(parts.tm_hour)):\(two(parts.tm_min)) UTC"
    }
}
