import Recording

/// What is in a recording, for people.
enum RecordingText {
    static func summary(_ frames: [RecordedFrame], _ tally: RecordedTally) -> String {
        let tests = frames.count { !$0.tests.isEmpty }
        let rate = tally.ms > 0 ? (Double(tally.read) / tally.ms * 10_000).rounded() / 10 : 0
        return "camera: \(tally.read) frames (\(rate) a second), \(tally.dropped) passed over, \(tally.damaged) damaged"
            + (tally.damage.map { " (\($0))" } ?? "")
            + "; pictures kept: \(tests) of a test sheet's codes, \(frames.count - tests) blanked"
    }

    static func summary(_ line: [RecordedExchange], _ taps: [RecordedTap], blanked: Int) -> String {
        let tests = taps.count { $0.test != nil }
        return
            "reader: \(line.count) frames; \(tests) taps with a test sheet's value; of \(blanked) contacts what was said is blanked"
    }

    /// Everything but the pictures' pixels.
    static func lines(_ recording: Recording) -> [String] {
        var lines = ["recording of version \(Recording.version), made by srup-observer \(recording.program)"]
        if let camera = recording.camera {
            lines.append(
                "camera: \(camera.card.isEmpty ? "no device" : camera.card) (\(camera.driver)), USB \(camera.usb ?? "no"); "
                    + "frames are \(camera.format) \(camera.width)x\(camera.height)")
            for format in camera.formats {
                for size in format.sizes {
                    let rates = size.rates.map { $0 == $0.rounded() ? "\(Int($0))" : "\($0)" }
                    lines.append("  \(format.name) \(size.size): \(rates.joined(separator: ", ")) a second")
                }
            }
            for control in camera.controls {
                lines.append(
                    "  \(control.name) (\(control.id)): \(control.least) to \(control.most), usually \(control.usual), was "
                        + (control.value.map { "\($0)" } ?? "not told"))
            }
        }
        for (index, frame) in recording.frames.enumerated() {
            let what =
                frame.tests.isEmpty
                ? "blanked"
                : "blanked but for a test sheet's codes of " + frame.tests.map { "\($0) mm" }.joined(separator: ", ")
            lines.append("picture \(index + 1) at \(frame.ms) ms: \(frame.picture.count) bytes of PNG, \(what)")
        }
        if let tally = recording.tally { lines.append(summary(recording.frames, tally)) }
        if let reader = recording.reader { lines.append("reader: a serial line of \(reader.speed) bits a second") }
        for exchange in recording.line {
            let who = exchange.isFromHost ? "host" : "chip"
            switch exchange.content {
            case .frame(let bytes): lines.append("  \(exchange.ms) \(who) \(text(bytes))")
            case .acknowledgement: lines.append("  \(exchange.ms) \(who) ack")
            case .refusal: lines.append("  \(exchange.ms) \(who) nack")
            case .noise(let count): lines.append("  \(exchange.ms) \(who) \(count) bytes in no frame")
            }
        }
        for tap in recording.taps {
            lines.append(
                "tap at \(tap.ms) ms: \(tap.role), "
                    + (tap.test.map { "a test sheet's value of \($0) mm" } ?? "something that is not recorded"))
        }
        return lines
    }

    private static func text(_ bytes: [UInt8?]) -> String {
        bytes.map { byte in
            byte.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) } ?? ".."
        }.joined(separator: " ")
    }
}
