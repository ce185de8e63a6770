import Addresses
import Glibc
import Keeper
import Linux
import OLED
import ObservedValue
import Program
import Synchronization
import ValueForms

/// Where the words are shown that an operator compares before this observer is let in: a small display, a console.
final class ValueDisplays: Sendable {
    private let screen: OLEDScreen?
    private let console: String?

    private struct State {
        var shown: ShownValue?
        var nextTry = ContinuousClock.now
        var lastComplaint = ""
    }
    private let state = Mutex(State())

    init(_ settings: SignalSettings) {
        screen = settings.display.map { OLEDScreen($0) }
        console = settings.console
    }

    var areNone: Bool { screen == nil && console == nil }

    /// Follows the keeper's value socket from now on, on a thread of its own.
    ///
    /// - Parameter paths: where it may be.
    func follow(_ paths: [String]) {
        guard !areNone else { return }
        DetachedThread.start {
            let listener = SignalListener()
            while !StopSignals.came {
                if !listener.isConnected { listener.connect(toAny: paths) }
                guard listener.isConnected else {
                    self.show(.nothing)
                    usleep(500_000)
                    continue
                }
                let last = listener.words(within: 500).last.flatMap { ShownValue($0) }
                self.show(listener.isConnected ? last : ShownValue.nothing)
            }
        }
    }

    /// Shows a value, or takes it down; `nil`: as it is. One that could not be shown is tried again every five seconds.
    func show(_ value: ShownValue?) {
        state.withLock { state in
            let isNew = value != nil && value != state.shown
            guard isNew || state.nextTry < .now else { return }
            let wanted = value ?? state.shown ?? .nothing
            // What is there stays there: the screen itself sees to that.
            guard isNew || !state.lastComplaint.isEmpty else { return }
            state.shown = wanted
            state.nextTry = .now + .seconds(5)
            let complaint = failures(wanted)
            if !complaint.isEmpty, complaint != state.lastComplaint { Program.complain(complaint) }
            state.lastComplaint = complaint
        }
    }

    /// A value with which a display can be tried out.
    func showExample() {
        guard !areNone else { return }
        print("the display and the console show words for a few seconds")
        show(.value(hex: "00112233445566778899aabbccddeeff", observer: ""))
        for _ in 0..<50 where !StopSignals.came { usleep(100_000) }
    }

    /// What could not be done.
    private func failures(_ value: ShownValue) -> String {
        var failures: [String] = []
        if let screen {
            do throws(OLEDError) {
                try show(value, on: screen)
            } catch {
                failures.append(error.description)
            }
        }
        if let console, let why = write(value, to: console) { failures.append("\(console) cannot be written: \(why)") }
        return failures.joined(separator: "; ")
    }

    private func show(_ value: ShownValue, on screen: OLEDScreen) throws(OLEDError) {
        if case .text(let lines) = value {
            let size = screen.address.size
            let rasters = ValueDrawing(lines: lines).pages(width: size.width, height: size.height, ground: .dark)
            return try screen.show(rasters.map { raster in screen.page { raster.isLight($0, $1) } })
        }
        guard case .value(let hex, _) = value, let bytes = Hex.decode(Array(hex.utf8)) else {
            return try screen.clear()
        }
        let size = screen.address.size
        let rasters = bytes.withUnsafeBytes {
            ValueDrawing($0, as: .words).pages(width: size.width, height: size.height, ground: .dark)
        }
        try screen.show(rasters.map { raster in screen.page { raster.isLight($0, $1) } })
    }

    /// The terminal is cleared before and after.
    private func write(_ value: ShownValue, to console: String) -> String? {
        // Never our controlling terminal, and never waited for.
        let descriptor = open(console, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        defer { close(descriptor) }
        guard isatty(descriptor) == 1 else { return "it is no terminal" }
        var text = "\u{1B}[2J\u{1B}[H"
        if case .text(let lines) = value { text += lines.map { $0 + "\r\n" }.joined() }
        if case .value(let hex, let observer) = value, let bytes = Hex.decode(Array(hex.utf8)) {
            text += observer.isEmpty ? "This observer" : "The observer \"\(observer)\""
            text += " waits to be let in. Tell the operator of the C2 server these words, in this order:\r\n\r\n"
            let words = bytes.withUnsafeBytes { ValueForm.words.text(of: $0, hasColour: false) }
            for line in words.split(separator: "\n") { text += "    " + line + "\r\n" }
        }
        return writeAll(Array(text.utf8), to: descriptor) ? nil : String(cString: strerror(errno))
    }
}

extension String {
    /// With another end where it has this one, else with one more.
    func replacingSuffix(_ end: String, by other: String) -> String {
        hasSuffix(end) ? dropLast(end.count) + other : self + "." + other
    }
}
