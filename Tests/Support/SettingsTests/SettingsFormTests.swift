import Camera
import NFCReader
import Settings
import Testing

@Suite struct SettingsFormTests {
    @Test(arguments: [
        "https://c2.example.net:8443", "https://c2", "https://192.0.2.7:1", "https://[::1]:8443",
        "https://[2001:db8::1]",
        "https://c2.example.net/", "https://c2_x.example.net:8443/KeyEx", "https://localhost:65535/a/b%20c",
    ]) func addressesOfAKeyServiceAreTaken(_ text: String) { #expect(SettingsForm.isHTTPS(text)) }

    @Test(arguments: [
        "", "https://", "http://c2", "c2.example.net", "https://:8443", "https://c2:0", "https://c2:65536",
        "https://c2:",
        "https://c2:8443x", "https://c2:+1", "https://::1:8443", "https://[::1", "https://[]:1", "https://[::1]8443",
        "https://[c2]:1", "https://[192.0.2.7]", "https://user@c2", "https://c2?x", "https://c2#x", "https://c2 x",
        "https://c2\n", "https://256.1.1.1", "https://1.2.3", "https://-c2", "https://c2-.net", "https://c2..net",
        "https://c2.", "https://é.net", "HTTPS://c2", "https:///KeyEx", "https://\(String(repeating: "a", count: 64))",
    ]) func othersAreNot(_ text: String) { #expect(!SettingsForm.isHTTPS(text)) }

    @Test func hostsStandInAddressesAsTheyMust() {
        #expect(SettingsForm.inURL("::1") == "[::1]" && SettingsForm.inURL("c2") == "c2")
        #expect(SettingsForm.withoutBrackets("[::1]") == "::1" && SettingsForm.withoutBrackets("[c2]") == "[c2]")
        #expect(SettingsForm.isHost("[::1]") && SettingsForm.isHost("::1") && !SettingsForm.isHost("[c2]"))
    }

    @Test func identitiesAreHexadecimal() {
        for text in ["0", "b9d077e223834cf6"] { #expect(SettingsForm.isIdentity(text)) }
        for text in ["", "B9D077E223834CF6", "b9d077e223834cf60", "0x1", "g", " 1"] {
            #expect(!SettingsForm.isIdentity(text))
        }
    }

    /// What the keeper lets through is what the witness takes: the keeper has neither of its rooms.
    @Test(arguments: [
        "auto", "auto:", "Auto", "/dev/video0", "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0",
        "dev/video0", "/dev/vide o", "by-id:usb-x_y-index0", "by-id:",
        "by-id:a/b",
        "by-id:a:b", "usb:046d:0825", "usb:046d", "usb:46d:0825", "usb:046d:0825:1", "usb:046g:0825", "usb::046d:0825",
        "folder:/a", "folder:", "y4m:a.y4m", "fifo:/x:y", "nonsense", "nonsense:/dev/video0", "pn532_uart:/dev/ttyUSB0",
        "pn532_uart:/dev/ttyUSB0:115200", "pn532_uart:/dev/ttyUSB0:1", "pn532_uart:ttyUSB0", "pn532_i2c:/dev/i2c-1",
        "pn532_i2c:/dev/i2c-1:1", "pn532_spi:/dev/spidev0.0", "pn532_uart", "by-id", "rpicam:", "video0", "0",
    ]) func theKeeperAndTheWitnessTakeTheSameAddresses(_ text: String) {
        // Stricter here: "usb::046d:0825" has an empty part that is passed over there.
        #expect(SettingsForm.isCamera(text) == ((try? CameraAddress(text)) != nil) || text == "usb::046d:0825")
        #expect(SettingsForm.isReader(text) == ((try? ReaderAddress(text)) != nil))
    }
}
