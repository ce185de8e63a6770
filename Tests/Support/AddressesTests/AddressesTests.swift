import Addresses
import Testing

@Suite struct CameraAddressTests {
    @Test(arguments: [
        ("auto", CameraAddress.automatic), ("rpicam", .module), ("/dev/video0", .device("/dev/video0")),
        ("by-id:usb-cam", .stable("usb-cam")),
        ("usb:046d:0825", .usb(vendor: 0x046D, product: 0x0825)), ("folder:/a b", .folder("/a b")),
        ("/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1", .device("/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1")),
        ("y4m:x.y4m", .recording("x.y4m")), ("fifo:/tmp/f", .fifo("/tmp/f")),
    ])
    func addressesAreReadAndWritten(_ text: String, _ address: CameraAddress) throws {
        #expect(try CameraAddress(text) == address)
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", "video0", "auto:1", "rpicam:1", "usb:1:2", "usb:046d", "usb:zzzz:0000", "usb::046d:0825", "usb:+46d:0825",
        "/dev/video\u{0}", "folder:", "by-id:../x", "http://x",
    ])
    func otherTextIsRefusedWithAdvice(_ text: String) {
        let error = #expect(throws: AddressError.self) { try CameraAddress(text) }
        #expect(error?.description.contains("/dev/video0") == true)
    }

    @Test func aPathBesideTheConfigurationIsPlacedAndNoOther() throws {
        for (text, placed) in [
            ("folder:a", "folder:/etc/a"), ("y4m:b", "y4m:/etc/b"), ("fifo:c", "fifo:/etc/c"), ("auto", "auto"),
            ("by-id:x", "by-id:x"), ("usb:046d:0825", "usb:046d:0825"), ("rpicam", "rpicam"),
            ("/dev/video1", "/dev/video1"),
        ] {
            let address = try CameraAddress(text)
            #expect(address.placed { "/etc/" + $0 }.description == placed)
            #expect(address.isFile == (text != placed))
        }
    }

    @Test func aTextAsLongAsAFileIsNoAddress() {
        #expect(throws: AddressError.self) { try CameraAddress("/" + String(repeating: "x", count: 5000)) }
        #expect(throws: AddressError.self) { try ReaderAddress("by-id:" + String(repeating: "x", count: 5000)) }
    }
}

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
        let error = #expect(throws: AddressError.self) { try ReaderAddress(text) }
        #expect(error?.text == text && error?.description.contains("pn532_i2c:/dev/i2c-1") == true)
    }
}
