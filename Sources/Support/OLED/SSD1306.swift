import Addresses
import CLinux
import Glibc

/// Why a small display cannot be used.
public struct OLEDError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Which display and what is wrong, for people.
    public let description: String

    init(_ address: OLEDAddress, _ code: Int32) {
        let why =
            switch code {
            case EREMOTEIO, ENXIO, ENODEV:
                "nothing answers there (is it wired, and is its address the right one: 0x3C or 0x3D?)"
            case ENOENT: "there is no such bus (on a Raspberry Pi: dtparam=i2c_arm=on)"
            case EACCES, EPERM: "it may not be opened (group i2c)"
            case EBUSY: "a driver of the kernel has it; use its framebuffer"
            case ENOTTY, EINVAL: "this is no I2C bus"
            default: String(cString: strerror(code))
            }
        description = "the display \(address) cannot be used: \(why)"
    }
}

/// The SSD1306's commands, and how they go over I2C (Solomon Systech, SSD1306 data sheet, rev 1.1, sections 8.1.5 and 10).
///
/// ```
/// start, address, control byte 0x00, commands ..., stop
/// start, address, control byte 0x40, bytes of the display's memory ..., stop
/// ```
///
/// The memory has pages of eight rows; a byte is a column of a page, with its lowest bit at the top.
enum SSD1306 {
    static let (commands, memory): (UInt8, UInt8) = (0x00, 0x40)
    /// Bytes in one transaction: every adapter takes so many.
    static let chunk = 32

    /// All settings; what is shown stays.
    static func settings(_ size: OLEDAddress.Size) -> [UInt8] {
        [
            0xD5, 0x80,  // oscillator
            0xA8, UInt8(size.height - 1),  // rows
            0xD3, 0x00,  // no offset
            0x40,  // first row
            0x8D, 0x14,  // charge pump on
            0x20, 0x00,  // memory column by column, then page by page
            0xA1, 0xC8,  // the connector's side is the upper one
            0xDA, size == .large ? 0x12 : 0x02,  // how the rows are wired
            0x81, 0x8F,  // contrast
            0xD9, 0xF1,  // charging
            0xDB, 0x40,  // level between
            0x2E,  // no scrolling
            0xA4, 0xA6,  // from memory, not inverted
        ]
    }

    /// The memory's window is the whole display.
    static func window(_ size: OLEDAddress.Size) -> [UInt8] {
        [0x21, 0, UInt8(size.width - 1), 0x22, 0, UInt8(size.height / 8 - 1)]
    }

    static let (on, off): (UInt8, UInt8) = (0xAF, 0xAE)

    /// Pixels as the memory has them.
    static func memory(_ size: OLEDAddress.Size, isLit: (_ x: Int, _ y: Int) -> Bool) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size.width * size.height / 8)
        for y in 0..<size.height {
            for x in 0..<size.width where isLit(x, y) { bytes[y / 8 * size.width + x] |= 1 << UInt8(y % 8) }
        }
        return bytes
    }

    /// A connection to the display, for one picture.
    struct Bus: ~Copyable {
        private let descriptor: Int32
        private let address: OLEDAddress

        /// - Throws: ``OLEDError``.
        init(_ address: OLEDAddress) throws(OLEDError) {
            let opened = open(address.path, O_RDWR | O_CLOEXEC | O_NOCTTY)
            guard opened >= 0 else { throw OLEDError(address, errno) }
            guard srup_i2c_choose(opened, Int32(address.address)) == 0 else {
                let code = errno
                close(opened)
                throw OLEDError(address, code)
            }
            // Both at the end: Swift 6.2 fails on what throws when a part of it is set already.
            self.address = address
            descriptor = opened
        }

        deinit { close(descriptor) }

        /// One transaction.
        func write(_ kind: UInt8, _ bytes: ArraySlice<UInt8>) throws(OLEDError) {
            var message = [kind] + bytes
            defer { explicit_bzero(&message, message.count) }
            var count = Glibc.write(descriptor, message, message.count)
            while count < 0 && errno == EINTR { count = Glibc.write(descriptor, message, message.count) }
            guard count == message.count else { throw OLEDError(address, count < 0 ? errno : EIO) }
        }

        func command(_ bytes: [UInt8]) throws(OLEDError) { try write(SSD1306.commands, bytes[...]) }

        /// The whole memory.
        func fill(_ bytes: [UInt8]) throws(OLEDError) {
            try command(SSD1306.window(address.size))
            for start in stride(from: 0, to: bytes.count, by: SSD1306.chunk) {
                try write(SSD1306.memory, bytes[start..<min(start + SSD1306.chunk, bytes.count)])
            }
        }
    }
}
