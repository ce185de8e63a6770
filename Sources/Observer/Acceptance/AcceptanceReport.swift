import Linux

/// The one page that is signed: as text, and as HTML that prints on one sheet and needs no other file.
public struct AcceptanceReport: Sendable {
    private let record: AcceptanceRecord

    /// The report of a check.
    public init(_ record: AcceptanceRecord) { self.record = record }

    /// One line: accepted or not, and what that leaves out.
    public var verdict: String {
        switch record.exitCode {
        case 0: "ACCEPTED: every step has passed" + reserve
        case 1: "NOT ACCEPTED: a step has failed"
        default: "NOT COMPLETE: steps are open or were skipped"
        }
    }

    /// What "every step" leaves out.
    private var reserve: String {
        let results = AcceptanceStep.allCases.map { record[$0] }
        let parts = [
            (results.count { $0?.state == AcceptanceResult.State.none }, "not applicable here"),
            (results.count { $0?.weakness == .seen }, "by somebody's word"),
            (results.count { $0?.weakness == .shortened }, "shortened"),
        ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        return parts.isEmpty ? "" : " (of \(results.count), " + parts.joined(separator: ", ") + ")"
    }

    private static func time(_ result: AcceptanceResult) -> String {
        time(result.time) + (result.attempt.map { " (attempt \($0))" } ?? "")
    }

    /// "2026-11-30 21:23 UTC" for "2026-11-30T21:23:04Z"; anything else as it is.
    private static func time(_ text: String) -> String {
        let text = text.withoutBreaks
        guard text.count == 20, text.hasSuffix("Z") else { return text }
        return text.prefix(16).replacing("T", with: " ") + " UTC"
    }

    private static func word(_ result: AcceptanceResult?) -> String {
        switch result?.state {
        case .passed: "passed"
        case .failed: "FAILED"
        case .skipped: "skipped"
        case AcceptanceResult.State.none?: "n/a"
        case nil: "open"
        }
    }

    private var facts: [(String, String)] {
        [
            ("box", record.host), ("observer", record.identity.isEmpty ? "not registered" : record.identity),
            ("program", "srup-observer \(record.version)"), ("looks with", record.eyes),
            ("began", Self.time(record.began)),
        ]
    }

    /// In lines of at most 100 characters, but for long names.
    public var text: String {
        var lines = ["ACCEPTANCE OF AN OBSERVER", ""]
        lines += facts.map { Self.padded($0.0, 12) + $0.1.withoutBreaks }
        lines += ["", verdict, ""]
        for step in AcceptanceStep.allCases {
            let result = record[step]
            let title = "[\(Self.padded(Self.word(result), 7))] \(step.title)"
            lines.append(result.map { Self.padded(title, 60) + Self.time($0) } ?? title)
            if let result { lines += Self.wrapped(result.says.withoutBreaks, 86).map { "          " + $0 } }
        }
        lines += ["", "Checked by ______________________    Date ____________    Signature ______________________", ""]
        return lines.joined(separator: "\n")
    }

    /// A page in one file; pictures are in it.
    public var html: String {
        let rows = AcceptanceStep.allCases.map { step in
            let result = record[step]
            let state = result?.state.rawValue ?? "open"
            return "<tr class=\"\(state)\"><td>\(Self.word(result))</td><td>"
                + "<span class=\"time\">\((result.map(Self.time) ?? "").escapedForMarkup)</span><b>\(step.title)</b><br>"
                + "\((result?.says ?? "").withoutBreaks.escapedForMarkup)</td></tr>"
        }
        let pictures = record.pictures.sorted { $0.key < $1.key }.filter { Self.isBase64($0.value) }.map { name, data in
            "<figure><img alt=\"where the camera looks, codes blanked\" src=\"data:image/jpeg;base64,\(data)\">"
                + "<figcaption>\(Self.caption(name).escapedForMarkup); codes and writing blanked</figcaption></figure>"
        }
        return """
            <!DOCTYPE html>
            <html lang="en"><head><meta charset="utf-8"><title>Acceptance of \(record.host.escapedForMarkup)</title>
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
            <style>
            @page { margin: 12mm }
            body { font: 9pt/1.2 Helvetica, Arial, sans-serif; max-width: 186mm; margin: auto; color: #000; background: #fff }
            h1 { font-size: 16pt; margin: 3mm 0 } .facts td { border: 0; padding: 0 4mm 0 0 } .facts td:first-child { white-space: nowrap }
            .verdict { font-size: 12pt; font-weight: bold; border: 2px solid #000; padding: 2mm; margin: 3mm 0 }
            table { border-collapse: collapse; width: 100%; margin: 3mm 0; overflow-wrap: anywhere }
            td { border: 1px solid #888; padding: .8mm 2mm; vertical-align: top } tr { break-inside: avoid }
            .steps td:first-child { white-space: nowrap } .time { float: right; padding-left: 4mm }
            .failed td:first-child { font-weight: bold; text-decoration: underline } .open td, .skipped td { font-style: italic }
            figure { display: inline-block; margin: 0 4mm 0 0 } img { height: 30mm } figcaption { font-size: 8pt }
            .sign td { border: 0; border-top: 1px solid #000; padding: 1mm 0 0 } .sign .gap { border: 0; width: 6mm }
            .sign { margin-top: 12mm } .last { break-inside: avoid }
            </style></head><body>
            <h1>Acceptance of an observer</h1>
            <table class="facts">\(facts.map { "<tr><td>\($0.0)</td><td>\($0.1.escapedForMarkup)</td></tr>" }.joined())</table>
            <p class="verdict">\(verdict)</p>
            <table class="steps">\(rows.joined(separator: "\n"))</table>
            <div class="last">\(pictures.joined(separator: "\n"))
            <table class="sign"><tr><td>checked by</td><td class="gap"></td><td>date</td><td class="gap"></td><td>signature</td></tr></table>
            </div>
            </body></html>

            """
    }

    private static func caption(_ name: String) -> String {
        let parts = name.split(separator: " ", maxSplits: 1).map(String.init)
        let time =
            switch AcceptanceStep(rawValue: parts.first ?? "") {
            case .day: "by day"
            case .lamp: "by lamplight"
            default: name
            }
        return parts.count == 2 ? "\(parts[1]) \(time)" : time
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func wrapped(_ text: String, _ width: Int) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + word.count < width {
                lines[lines.count - 1] = last + " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }

    private static func isBase64(_ text: String) -> Bool {
        text.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0)
                || "+/=".utf8.contains($0)
        }
    }
}

extension String {
    fileprivate var withoutBreaks: String {
        String(String.UnicodeScalarView(unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
    }
}
