/// Where a PN532 is.
///
/// ``auto`` looks for `/dev/srup/pn532-usb` and `/dev/srup/pn532-i2c` (the udev rules' names), then at the I2C buses:
/// serial ports of other people's are never probed, since a byte sent to the wrong machine can do anything.
public enum ReaderAddress: Sendable, Hashable, CustomStringConvertible {
    case auto
    case serial(path: String, speed: Int)
    case i2c(path: String)

    /// Of a serial reader, when nothing else is said, in bits a second.
    public static let defaultSpeed = 115_200
    private static let speeds = [9600, 19200, 38400, 57600, 115_200, 230_400, 460_800]

    /// How it may be written, for messages.
    public static let forms =
        "auto, pn532_uart:/dev/ttyUSB0 (with :SPEED, if it is not 115200), pn532_i2c:/dev/i2c-1, or by-id:NAME (of "
        + "/dev/serial/by-id)"

    /// Reads what ``description`` writes.
    ///
    /// - Throws: ``AddressError``.
    public init(_ text: String) throws(AddressError) {
        guard AddressError.isPlausible(text) else { throw AddressError(text, "reader", Self.forms) }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        switch (parts.first ?? "", parts.count) {
        case ("auto", 1): self = .auto
        case ("pn532_uart", 2) where parts[1].hasPrefix("/"):
            self = .serial(path: parts[1], speed: Self.defaultSpeed)
        case ("pn532_uart", 3) where parts[1].hasPrefix("/"):
            guard let speed = Int(parts[2]), Self.speeds.contains(speed)
            else { throw AddressError(text, "reader", Self.forms) }
            self = .serial(path: parts[1], speed: speed)
        case ("pn532_i2c", 2) where parts[1].hasPrefix("/"): self = .i2c(path: parts[1])
        case ("by-id", 2) where !parts[1].isEmpty && !parts[1].contains("/"):
            self = .serial(path: "/dev/serial/by-id/" + parts[1], speed: Self.defaultSpeed)
        default: throw AddressError(text, "reader", Self.forms)
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
}
