extension Unicode.Scalar {
    /// Whether a terminal shows it as a mark or a gap of its own, in its place: no direction mark, nothing of no width, no
    /// line or paragraph separator, byte order mark, tag or variation selector, and nothing that means something else
    /// elsewhere (private use) or later (unassigned).
    var isPlain: Bool {
        if value < 0x7F { return value >= 0x20 }
        // A braille pattern without dots is a drawn character that shows nothing.
        guard !properties.isDefaultIgnorableCodePoint, value != 0x2800 else { return false }
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: return false
        default: return true
        }
    }

    private var isControl: Bool { value < 0x20 || (0x7F...0x9F).contains(value) }

    /// What stands for it in text for people.
    fileprivate var harmless: String {
        if isPlain { return String(self) }
        return isControl ? " " : "\\u{\(String(value, radix: 16, uppercase: true))}"
    }

    /// What stands for it inside a JSON string: itself or its escapes, which mean the same.
    fileprivate var escapedInJSON: String {
        guard !isPlain else { return String(self) }
        return UTF16.encode(self).map { units in
            units.map { unit in
                let digits = String(unit, radix: 16)
                return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }.joined()
        } ?? ""
    }
}

extension String {
    /// Text from elsewhere for a log or a terminal: with a space for each control character (C0, DEL, C1), so that it neither
    /// steers a terminal nor begins a line of its own, and with an escape such as `\u{202E}` for what is not seen or changes
    /// how the rest is seen. It gets at most four times as long, in bytes.
    public var withoutControls: String {
        guard !isPlain else { return self }
        return unicodeScalars.lazy.map(\.harmless).joined()
    }

    /// The same of a text of any length: at most `limit` bytes of it are looked at, and "..." says that there was more.
    public func withoutControls(atMost limit: Int) -> String {
        guard utf8.count > limit else { return withoutControls }
        return String(decoding: utf8.prefix(limit), as: UTF8.self).withoutControls + "..."
    }

    /// As it may stand in HTML, SVG and other XML, between tags and in attributes with double quotes: a space for each control
    /// character of ASCII.
    public var escapedForMarkup: String {
        unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: result += " "
            default: result.unicodeScalars.append(scalar)
            }
        }
    }

    /// A line of JSON with escapes for all that is not plainly seen: the same JSON, harmless to a terminal. At most three
    /// times as long, in bytes (and six times where it has DEL).
    public var withEscapesInJSON: String {
        guard !isPlain else { return self }
        return unicodeScalars.lazy.map(\.escapedInJSON).joined()
    }

    private var isPlain: Bool {
        // Nearly all text is; this is much faster.
        utf8.allSatisfy { (0x20..<0x7F).contains($0) } || unicodeScalars.allSatisfy(\.isPlain)
    }
}

extension String {
    /// Printable ASCII of the first bytes of a text from elsewhere, with a space for any white space, "?" for other bytes.
    public init(printable bytes: some Sequence<UInt8>, atMost limit: Int) {
        self.init(
            decoding: bytes.prefix(limit).map { byte in
                switch byte {
                case 0x09...0x0D: 0x20
                case 0x20...0x7E: byte
                default: UInt8(ascii: "?")
                }
            }, as: UTF8.self)
    }
}
