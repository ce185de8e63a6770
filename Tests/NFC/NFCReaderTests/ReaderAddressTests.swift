import NFCReader
import Testing

@Suite struct ReaderAddressTests {
    static let right: [(String, ReaderAddress, String)] = [
        ("auto", .auto, "auto"),
        ("pn532_uart:/dev/ttyUSB0", .serial(path: "/dev/ttyUSB0", speed: 115_200), "pn532_uart:/dev/ttyUSB0"),
        ("pn532_uart:/dev/ttyACM0:9600", .serial(path: "/dev/ttyACM0", speed: 9600), "pn532_uart:/dev/ttyACM0:9600"),
        ("pn532_i2c:/dev/i2c-1", .i2c(path: "/dev/i2c-1"), "pn532_i2c:/dev/i2c-1"),
        (
            "by-id:usb-1a86_USB_Serial-if00-port0",
            .serial(path: "/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0", speed: 115_200),
            "pn532_uart:/dev/serial/by-id/usb-1a86_USB_Serial-if00-port0"
        ),
    ]

    @Test(arguments: right)
    func addressesAreReadAndGivenToLibnfc(_ text: String, _ address: ReaderAddress, _ connstring: String) throws {
        #expect(try ReaderAddress(text) == address)
        #expect(address.description == connstring)
    }

    @Test(arguments: [
        "", "usb", "pn53x_usb", "pn532_uart", "pn532_uart:ttyUSB0", "pn532_uart:/dev/ttyUSB0:1", "pn532_uart:/a:9600:b",
        "pn532_i2c:", "by-id:", "by-id:../../etc/passwd", "auto:1",
    ])
    func anythingElseIsNoReader(_ text: String) {
        #expect(throws: ReaderError.badAddress(text)) { try ReaderAddress(text) }
    }
}
