import CGPIO
import Glibc

/// Why a LED or a buzzer cannot be used.
public struct SignalError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What cannot be used and why, for people.
    public let description: String

    /// An error in words.
    public init(_ description: String) {
        self.description = description
    }
}

/// Where a light or a buzzer is, as configured.
public enum SignalAddress: Sendable, Hashable {
    case none
    /// The board's own LED, when there is one.
    case auto
    /// A name below /sys/class/leds.
    case led(String)
    /// A line of a GPIO chip: by the chip's file name ("gpiochip1") or label; `nil`: the one behind a Pi's header.
    case gpio(chip: String?, line: UInt32)

    /// "auto", "none", "ACT", "gpio:17", "gpio:gpiochip1/5".
    ///
    /// - Throws: ``SignalError``.
    public init(_ text: String) throws(SignalError) {
        let wrong = SignalError(
            "\"\(text)\" is none of: auto, none, a name below /sys/class/leds, gpio:17, gpio:gpiochip1/5")
        // Names of the kernel's LEDs and chips: "ACT", "input3::numlock", "pinctrl-bcm2711".
        let isName: (Substring) -> Bool = { name in
            (1...64).contains(name.utf8.count) && name != "." && name != ".."
                && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"/\"'\\".utf8.contains($0) }
        }
        switch text {
        case "none": self = .none
        case "auto": self = .auto
        case let text where text.hasPrefix("gpio:"):
            let parts = text.dropFirst(5).split(separator: "/", omittingEmptySubsequences: false)
            // Digits only: Swift's own reading takes a sign, too.
            guard let digits = parts.last, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let line = UInt32(digits), line < 1024
            else { throw wrong }
            switch parts.count {
            case 1: self = .gpio(chip: nil, line: line)
            case 2 where isName(parts[0]): self = .gpio(chip: String(parts[0]), line: line)
            default: throw wrong
            }
        // "Auto", "GPIO17" and "gpio17" are no LED's name, but meant as something else.
        case let text where ["auto", "none"].contains(text.lowercased()) || text.lowercased().hasPrefix("gpio"):
            throw wrong
        case let text where isName(Substring(text)): self = .led(text)
        default: throw wrong
        }
    }

    /// Takes it over, switched off; `nil` for ``none``, and for ``auto`` on a machine without a LED of its own.
    ///
    /// - Parameters:
    ///   - root: "/", or a folder with a /sys of a test's own.
    ///   - isActiveLow: of a GPIO line: off is high.
    /// - Throws: ``SignalError``.
    public func open(root: String = "", isActiveLow: Bool) throws(SignalError) -> (any SignalOutput)? {
        switch self {
        case .none: nil
        case .auto:
            // ACT on today's kernels, led0 on older ones.
            if let name = ["ACT", "led0"].first(where: { access("\(root)/sys/class/leds/\($0)/brightness", F_OK) == 0 })
            {
                try SysfsLED(name, root: root)
            } else {
                nil
            }
        case .led(let name): try SysfsLED(name, root: root)
        case .gpio(let chip, let line): try GPIOLine(chip: chip, line: line, isActiveLow: isActiveLow)
        }
    }
}

/// Something that is on or off.
public protocol SignalOutput: AnyObject {
    /// Switches it on or off.
    func set(_ isOn: Bool)
    /// Gives it back as it was.
    func release()
}

/// A LED of the board. https://docs.kernel.org/leds/leds-class.html
public final class SysfsLED: SignalOutput {
    private let folder: String
    private let trigger: String
    private let brightness: Int32
    private let full: [UInt8]

    /// - Throws: ``SignalError``.
    public init(_ name: String, root: String) throws(SignalError) {
        folder = "\(root)/sys/class/leds/\(name)"
        let triggers = Self.read(folder + "/trigger") ?? ""
        // "none [mmc0] timer": the one in brackets is in force.
        trigger =
            triggers.split(whereSeparator: { $0 == " " || $0 == "\n" }).first { $0.hasPrefix("[") }
            .map { String($0.dropFirst().dropLast()) } ?? "none"
        full = Array((Self.read(folder + "/max_brightness") ?? "1").utf8.filter { $0 > 0x20 })
        guard Self.write(Array("none".utf8), to: folder + "/trigger") else {
            throw SignalError("the LED \(name) (\(folder)) cannot be used: \(String(cString: strerror(errno)))")
        }
        brightness = Glibc.open(folder + "/brightness", O_WRONLY | O_CLOEXEC)
        guard brightness >= 0 else {
            throw SignalError("the LED \(name) (\(folder)) cannot be used: \(String(cString: strerror(errno)))")
        }
        set(false)
    }

    deinit {
        close(brightness)
    }

    /// Full brightness, or dark; a failure is not reported.
    public func set(_ isOn: Bool) {
        let text = (isOn ? full : Array("0".utf8)) + [10]
        _ = pwrite(brightness, text, text.count, 0)
    }

    /// Switches the LED off and gives it back to the trigger that it had.
    public func release() {
        set(false)
        _ = Self.write(Array(trigger.utf8), to: folder + "/trigger")
    }

    private static func read(_ path: String) -> String? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var text = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(descriptor, &text, text.count)
        return count >= 0 ? String(decoding: text.prefix(count), as: UTF8.self) : nil
    }

    private static func write(_ text: [UInt8], to path: String) -> Bool {
        let descriptor = Glibc.open(path, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return Glibc.write(descriptor, text, text.count) == text.count
    }
}

/// A line of a GPIO chip, taken as output.
public final class GPIOLine: SignalOutput {
    /// The chips behind the 40-pin header, by model: 1 to 3 and Zero, 4, 5.
    private static let headers = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"]
    private let descriptor: Int32

    /// - Throws: ``SignalError``.
    public init(chip: String?, line: UInt32, isActiveLow: Bool) throws(SignalError) {
        let path = try Self.path(of: chip)
        descriptor = srup_gpio_output(path, line, isActiveLow ? 1 : 0)
        guard descriptor >= 0 else {
            let why = errno == EBUSY ? "something else uses it" : String(cString: strerror(errno))
            throw SignalError("GPIO line \(line) of \(path) cannot be used: \(why)")
        }
    }

    deinit {
        close(descriptor)
    }

    /// Sets the line: on is high, or low when it is active low; a failure is not reported.
    public func set(_ isOn: Bool) { _ = srup_gpio_set(descriptor, isOn ? 1 : 0) }

    /// The line itself goes back when its descriptor is closed.
    public func release() { set(false) }

    private static func path(of chip: String?) throws(SignalError) -> String {
        if let chip, chip.hasPrefix("gpiochip") { return "/dev/" + chip }
        let wanted = chip.map { [$0] } ?? headers
        for number in 0..<32 {
            let path = "/dev/gpiochip\(number)"
            var label = [CChar](repeating: 0, count: 32)
            var lines: UInt32 = 0
            guard srup_gpio_chip(path, &label, &lines) == 0 else { continue }
            let name = String(decoding: label.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            if wanted.contains(name) { return path }
        }
        throw SignalError(
            "no GPIO chip \(wanted.joined(separator: " or ")) is here that may be opened (/dev/gpiochip*)")
    }
}
