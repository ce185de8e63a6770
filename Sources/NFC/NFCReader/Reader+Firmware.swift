import CNFC
import Glibc

extension Reader {
    /// What the chip says that it is ("PN532 v1.6"); `nil` when libnfc cannot tell.
    public func firmware() -> String? {
        var text: UnsafeMutablePointer<CChar>?
        let code = call("asking for the firmware") { nfc_device_get_information_about($0, &text) }
        guard code >= 0, let text else { return nil }
        defer { nfc_free(text) }
        // "chip: PN532 v1.6", then what it can do.
        let line = String(cString: text).split(separator: "\n").first { $0.hasPrefix("chip:") }
        return line.map { String($0.dropFirst(5).drop { $0 == " " }.prefix(64)) }
    }
}
