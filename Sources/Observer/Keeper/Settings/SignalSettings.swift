import Addresses
import Settings
import Signals

/// What shows the observer's state to people.
package struct SignalSettings {
    package var led = SignalAddress.auto
    package var buzzer = SignalAddress.none
    package var isActiveLow = false
    /// Where the value is shown that an operator compares before this observer is let in.
    package var display: OLEDAddress?
    /// A terminal for the same, as text.
    package var console: String?

    package init() {}

    /// Reads `[signal]`.
    ///
    /// - Throws: ``SettingsError``.
    package init(_ file: inout SettingsFile) throws(SettingsError) {
        led = try Self.address("signal.led", &file) ?? led
        buzzer = try Self.address("signal.buzzer", &file) ?? buzzer
        if buzzer == .auto {
            throw file.problem("signal.buzzer", "must be \"none\", \"gpio:27\" or \"gpio:gpiochip1/5\"")
        }
        isActiveLow = try file.boolean("signal.active_low", default: isActiveLow)
        let display = try file.string("signal.display", allowed: "\"none\" or \(OLEDAddress.forms)") {
            $0 == "none" || (try? OLEDAddress($0)) != nil
        }
        self.display = display.flatMap { try? OLEDAddress($0) }
        let console = try file.string("signal.console", allowed: "\"none\" or a terminal: \"/dev/tty1\"") { text in
            let name = text.dropFirst("/dev/".count)
            return text == "none"
                || text.hasPrefix("/dev/") && (1...64).contains(name.utf8.count)
                    && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ".") }
        }
        self.console = console == "none" ? nil : console
    }

    private static func address(_ key: String, _ file: inout SettingsFile) throws(SettingsError) -> SignalAddress? {
        guard let text = try file.string(key) else { return nil }
        do throws(SignalError) {
            return try SignalAddress(text)
        } catch {
            throw file.problem(key, error.description)
        }
    }
}
