import Settings
import Signals

/// What shows the observer's state to people.
package struct SignalSettings {
    package var led = SignalAddress.auto
    package var buzzer = SignalAddress.none
    package var isActiveLow = false

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
