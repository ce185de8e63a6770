import Glibc
import CodeWriter
import Synchronization

/// The terminal, as `aim` uses it: one line that is kept up to date, or lines of JSON, or, where the output is no
/// terminal, a line whenever the advice changes.
final class AimScreen: Sendable {
    private let json: Bool
    private let isTerminal = isatty(1) == 1
    private let state = Mutex(State())

    private struct State {
        var advice = ""
        /// The cursor stands behind the line that is kept up to date.
        var isOnLine = false
    }

    init(json: Bool) {
        self.json = json
    }

    func page(_ urls: [String]) {
        show(AimLine(event: "page", urls: urls), "page: " + urls.joined(separator: "\n      "))
        guard !json, isTerminal, let url = urls.first else { return }
        let code = Array(url.utf8).withUnsafeBytes { try? QRMatrix($0, level: .low) }
        if let code { show(AimLine(event: "page"), code.terminal()) }
    }

    func opened(_ summary: String, device: String, format: String, width: Int, height: Int) {
        show(
            AimLine(event: "opened", camera: summary, width: width, height: height, device: device, format: format),
            "opened: \(summary)\n\(AimLine.targets)")
    }

    func lost(_ reason: String) { show(AimLine(event: "lost", text: reason), "lost: \(reason)") }

    func end(frames: Int, read: Int) {
        show(
            AimLine(event: "end", readOfLast: read, frames: frames),
            "end: \(frames) frames, \(read) with a code that was read")
    }

    func aim(_ line: AimLine) {
        if json || !isTerminal {
            let isNews = state.withLock { state -> Bool in
                defer { state.advice = line.advice ?? "" }
                return state.advice != line.advice
            }
            if json || isNews { tell(line, line.sentence, asJSON: json) }
            return
        }
        state.withLock { $0.isOnLine = true }
        // Cut to the terminal's width: a line that wraps cannot be written over.
        let text = String(line.sentence.prefix(max(20, Self.width - 1)))
        write("\r\u{1B}[2K\(text)")
    }

    private func show(_ line: AimLine, _ text: String) {
        let wasOnLine = state.withLock { state -> Bool in
            defer { state = State() }
            return state.isOnLine
        }
        if wasOnLine { write("\n") }
        tell(line, text, asJSON: json)
    }

    private func write(_ text: String) {
        print(text, terminator: "")
        fflush(nil)
    }

    private static var width: Int {
        var size = winsize()
        return ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }
}
