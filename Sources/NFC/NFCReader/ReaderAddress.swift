import CI2C
import Glibc

/// Where a PN532 is.
///
/// ``auto`` looks for `/dev/srup/pn532-usb` and `/dev/srup/pn532-i2c` (the udev rules' names), then at the I2C buses:
/// serial ports of other people's are never probed, since a byte sent to the wrong machine can do anything.
public enum ReaderAddress: Sendable, Hashable, CustomStringConvertible {
    case auto
    case serial(path: String, speed: Int)
    case i2c(path: String)

    static let chipAddress: Int32 = 0x24
    static let defaultSpeed = 115_200

    /// - Throws: ``ReaderError/badAddress(_:)``.
    public init(_ text: String) throws(ReaderError) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        switch (parts.first ?? "", parts.count) {
        case ("auto", 1): self = .auto
        case ("pn532_uart", 2) where parts[1].hasPrefix("/"):
            self = .serial(path: parts[1], speed: Self.defaultSpeed)
        case ("pn532_uart", 3) where parts[1].hasPrefix("/"):
            guard let speed = Int(parts[2]), [9600, 19200, 38400, 57600, 115_200, 230_400, 460_800].contains(speed)
            else { throw .badAddress(text) }
            self = .serial(path: parts[1], speed: speed)
        case ("pn532_i2c", 2) where parts[1].hasPrefix("/"): self = .i2c(path: parts[1])
        case ("by-id", 2) where !parts[1].isEmpty && !parts[1].contains("/"):
            self = .serial(path: "/dev/serial/by-id/" + parts[1], speed: Self.defaultSpeed)
        default: throw .badAddress(text)
        }
    }

    /// The address as ``init(_:)`` reads it; all but ``auto`` is also how libnfc names the device.
    public var description: String {
        switch self {
        case .auto: "auto"
        case .serial(let path, Self.defaultSpeed): "pn532_uart:\(path)"
        case .serial(let path, let speed): "pn532_uart:\(path):\(speed)"
        case .i2c(let path): "pn532_i2c:\(path)"
        }
    }

    /// The device's path; `nil` for ``auto``.
    public var path: String? {
        switch self {
        case .auto: nil
        case .serial(let path, _), .i2c(let path): path
        }
    }

    /// The reader to open now.
    ///
    /// - Throws: ``ReaderError/absent(_:)``.
    public func resolved() throws(ReaderError) -> ReaderAddress {
        guard self == .auto else { return self }
        if access("/dev/srup/pn532-usb", F_OK) == 0 {
            return .serial(path: "/dev/srup/pn532-usb", speed: Self.defaultSpeed)
        }
        for bus in ["/dev/srup/pn532-i2c"] + (0..<16).map({ "/dev/i2c-\($0)" }) {
            guard access(bus, R_OK | W_OK) == 0 else { continue }
            if srup_i2c_probe(bus, Self.chipAddress) == 1 { return .i2c(path: bus) }
        }
        throw .absent("a reader (/dev/srup/pn532-usb, or anything at 0x24 of an I2C bus)")
    }

    /// Whether a reader can be there, told apart as well as can be: libnfc would only say that it failed.
    ///
    /// - Throws: ``ReaderError``.
    func check() throws(ReaderError) {
        guard let path else { return }
        // A preloaded bus is no file; the probe below tells.
        if case .i2c = self {
            switch srup_i2c_probe(path, Self.chipAddress) {
            case 1: return
            case 0: throw .noChip(description)
            default: throw Self.failure(path, errno)
            }
        }
        if access(path, R_OK | W_OK) != 0 { throw Self.failure(path, errno) }
    }

    static func failure(_ path: String, _ code: Int32) -> ReaderError {
        switch code {
        case ENOENT, ENODEV, ENXIO: .absent(path)
        case EACCES, EPERM: .noPermission(path)
        case EBUSY: .busy(path)
        default: .broken("\(path): \(String(cString: strerror(code)))")
        }
    }
}
