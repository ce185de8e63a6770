/// Where a small display with an SSD1306 is: its I2C bus, its address there, and its size.
public struct OLEDAddress: Sendable, Hashable, CustomStringConvertible {
    /// How many pixels it has.
    public enum Size: String, Sendable, CaseIterable {
        case large = "128x64"
        case small = "128x32"

        /// In pixels.
        public var width: Int { 128 }
        /// In pixels.
        public var height: Int { self == .large ? 64 : 32 }
    }

    /// Of the bus.
    public var path = "/dev/i2c-1"
    /// On the bus, 7 bits; these displays have 0x3C or 0x3D.
    public var address: UInt8 = 0x3C
    /// In pixels.
    public var size = Size.large

    /// How it may be written, for messages.
    public static let forms =
        "oled, with what differs from oled:/dev/i2c-1:0x3C:128x64 (bus, address, size; 128x32 is the other one)"

    /// The display at `/dev/i2c-1`, address 0x3C, of 128 x 64 pixels.
    public init() {}

    /// Reads what ``description`` writes, and parts of it.
    ///
    /// - Throws: ``AddressError``.
    public init(_ text: String) throws(AddressError) {
        let wrong = AddressError(text, "display", Self.forms)
        guard AddressError.isPlausible(text) else { throw wrong }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts[0] == "oled" else { throw wrong }
        var places: [Int] = []
        for part in parts.dropFirst() {
            if part.hasPrefix("/dev/"), part.utf8.count > 5 {
                path = part
                places.append(0)
            } else if part.hasPrefix("0x"), part.utf8.count == 4, let number = UInt8(part.dropFirst(2), radix: 16),
                (0x08...0x77).contains(number)
            {
                address = number
                places.append(1)
            } else if let found = Size(rawValue: part) {
                size = found
                places.append(2)
            } else {
                throw wrong
            }
        }
        // Each once, in order.
        guard places == Set(places).sorted() else { throw wrong }
    }

    /// The whole address, as ``init(_:)`` reads it.
    public var description: String {
        "oled:\(path):0x\(String(address, radix: 16, uppercase: true)):\(size.rawValue)"
    }
}
