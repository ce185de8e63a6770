import Glibc
import Linux
import Program

/// Whether the supply holds, by whoever on this machine knows.
///
/// The firmware knows most: what is so now, and what has been since the start. `vcgencmd get_throttled` asks it (Raspberry Pi OS:
/// package raspi-utils). The kernel's driver raspberrypi-hwmon asks it every two seconds and keeps only the last answer, in
/// `in0_lcrit_alarm` of the monitor `rpi_volt`; of what was before, its log tells (Documentation/hwmon/raspberrypi-hwmon.rst). The
/// firmware driver's own file `soc:firmware/get_throttled` is not asked: it repeats that driver's last answer, is deprecated, and reading it
/// makes the kernel print a warning.
public struct PowerCheck: Sendable {
    /// What was found out.
    public struct State: Sendable, Hashable {
        /// Undervoltage now; `nil` when nobody can tell.
        public var isLow: Bool?
        /// Undervoltage at some time since the start.
        public var wasLow = false
        /// The firmware keeps the processor slow now, because of the supply or of heat.
        public var isSlowed = false
        /// It has done so since the start.
        public var wasSlowed = false
        /// Who told: "vcgencmd", "rpi_volt", "rpi_volt and the kernel's log".
        public var source = ""
        /// Why somebody who is there told nothing.
        public var trouble: String?
        /// A Zero has no circuit that notices undervoltage: its firmware says "none" whatever happens.
        public var isBlind = false
    }

    private let root: FakeableRoot
    private let patience: Duration

    /// Looks below a root: "/" for the machine itself.
    ///
    /// - Parameter patience: after which vcgencmd, which talks to the firmware, is killed.
    public init(_ root: FakeableRoot, patience: Duration = .seconds(5)) {
        (self.root, self.patience) = (root, patience)
    }

    /// Asks everybody; blocks no longer than ``init(_:patience:)`` says.
    public func state() -> State {
        var state = State()
        state.isBlind = root.text("/proc/device-tree/model")?.hasPrefix("Raspberry Pi Zero") ?? false
        let alarm = alarm
        do throws(Trouble) {
            if let bits = try firmware() {
                state = Self.reading(bits, state)
                if alarm == true { state.isLow = true }
                return state
            }
        } catch {
            state.trouble = error.words
        }
        guard let alarm else { return state }
        let log = kernelTold
        state.isLow = alarm
        state.wasLow = alarm || log == true
        state.source = log == nil ? "rpi_volt" : "rpi_volt and the kernel's log"
        return state
    }

    private static let supply = "use the model's own power supply and a short cable (Pi 4: 5.1 V 3 A, Pi 5: 5 V 5 A)"

    /// For the doctor.
    public func finding() -> Finding {
        let state = state()
        if state.isLow == true { return Finding("power", .problem, "undervoltage now", remedy: Self.supply) }
        if state.wasLow {
            return Finding(
                "power", .warning, "undervoltage since the start, not now (\(state.source))", remedy: Self.supply)
        }
        if state.isSlowed {
            return Finding(
                "power", .warning, "the processor is slowed down now", remedy: "see temperature and power supply")
        }
        if state.wasSlowed {
            return Finding(
                "power", .warning, "the processor was slowed down since the start, without undervoltage: by heat",
                remedy: "give the machine air")
        }
        guard state.isLow == nil || state.isBlind else { return Finding("power", .ok, state.words) }
        return Finding(
            "power", .skipped, state.words,
            remedy: root.exists("/proc/device-tree/model") ? "a USB power meter tells (hardware/boxes.md, Power)" : nil)
    }

    /// The firmware's bits: 0 undervoltage, 1 frequency capped, 2 throttled, 3 soft temperature limit; 16 to 19 the same
    /// since the start. https://www.raspberrypi.com/documentation/computers/os.html (vcgencmd)
    static func reading(_ bits: UInt32, _ start: State = State()) -> State {
        var state = start
        state.isLow = bits & 1 != 0
        state.wasLow = bits & (1 | 1 << 16) != 0
        state.isSlowed = bits & 0b1110 != 0
        state.wasSlowed = bits & (0b1110 | 0b1110 << 16) != 0
        state.source = "vcgencmd"
        return state
    }

    // MARK: Who is asked

    private struct Trouble: Error {
        let words: String
    }

    /// `nil`: there is no vcgencmd.
    private func firmware() throws(Trouble) -> UInt32? {
        let path = "/usr/bin/vcgencmd"
        guard root.exists(path) else { return nil }
        let output: ChildProcess.Output
        do throws(ChildProcess.Failure) {
            output = try ChildProcess.output(
                of: root.path(path), ["get_throttled"], until: .now + patience, atMost: 4096)
        } catch {
            throw Trouble(words: "vcgencmd cannot be started")
        }
        switch output.end {
        case nil: throw Trouble(words: "vcgencmd gives no answer")
        case .exited(0): break
        case .some(let end): throw Trouble(words: "vcgencmd failed: \(end)")
        }
        guard let bits = Self.bits(output.bytes) else { throw Trouble(words: "vcgencmd says something else") }
        return bits
    }

    /// `throttled=0x50005` and a line's end, and nothing besides.
    static func bits(_ output: [UInt8]) -> UInt32? {
        let text = String(decoding: output, as: UTF8.self)
        let line = text.hasSuffix("\n") ? text.dropLast() : text[...]
        let begin = "throttled=0x"
        guard line.hasPrefix(begin) else { return nil }
        let digits = line.dropFirst(begin.count)
        // A sign is no digit.
        guard (1...8).contains(digits.utf8.count), digits.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
            return nil
        }
        return UInt32(digits, radix: 16)
    }

    /// Of the last two seconds; `nil`: no such monitor, or it says something else.
    private var alarm: Bool? {
        let folder = "/sys/class/hwmon"
        let alarms = root.names(in: folder).filter { root.text("\(folder)/\($0)/name") == "rpi_volt" }
            .compactMap { root.number("\(folder)/\($0)/in0_lcrit_alarm") }.filter { $0 == 0 || $0 == 1 }
        return alarms.max().map { $0 == 1 }
    }

    /// Whether the kernel has told of undervoltage since the start, as far back as its log reaches; `nil`: it may not be read.
    private var kernelTold: Bool? {
        root.kernelLog().map { messages in
            messages.contains { $0.hasPrefix("hwmon ") && $0.hasSuffix(": Undervoltage detected!") }
        }
    }
}

extension PowerCheck.State {
    /// What is so where nothing is wrong.
    public var words: String {
        if isBlind { return "this model does not notice undervoltage" }
        let why = trouble.map { " (\($0))" } ?? ""
        guard isLow != nil else { return "this machine does not tell about undervoltage" + why }
        let since = source == "rpi_volt" ? "now; what was before is not told" : "since the start"
        return "no undervoltage \(since) (\(source))" + why
    }
}
