import Keeper
import Settings

/// The configuration file of the boot partition: what it says, and the same without its Wi-Fi passphrase.
struct BootConfiguration {
    /// How the file is called in errors: whoever reads them sees it beside them.
    static let name = "srup-observer.toml"

    let settings: ObserverSettings
    /// What was read, and what is to be written over it: as long, with stars for the passphrase.
    let bytes: [UInt8]
    let cleanBytes: [UInt8]
    /// The same as UTF-8.
    let cleanText: String

    /// - Throws: ``SettingsError`` when the file is wrong, and when its passphrase cannot be told apart from the rest:
    ///   then nothing may be taken over, since a copy would hold it.
    init(_ bytes: [UInt8]) throws(SettingsError) {
        let text = try SettingsText(bytes, name: Self.name)
        var file = try SettingsFile(text: text.text, name: Self.name)
        let settings = try ObserverSettings(&file)
        let clean = SecretWipe(text, file).cleaned
        let cleanBytes = text.bytes(of: clean)
        guard cleanBytes.count == bytes.count, let wiped = try? Self.settings(clean),
            wiped.appliance?.wifi == settings.appliance?.wifi?.withoutPassphrase
        else {
            throw file.problem(
                "wifi.passphrase",
                "could not be made unreadable in the file; write it on a line of its own: passphrase = \"…\"")
        }
        self.settings = settings
        self.bytes = bytes
        self.cleanBytes = cleanBytes
        cleanText = clean
    }

    /// What such a text says.
    ///
    /// - Throws: ``SettingsError``.
    static func settings(_ text: String) throws(SettingsError) -> ObserverSettings {
        var file = try SettingsFile(text: text, name: name)
        return try ObserverSettings(&file)
    }
}

extension ApplianceSettings.WiFi {
    fileprivate var withoutPassphrase: Self {
        var copy = self
        copy.passphrase = nil
        return copy
    }
}

/// Stars for the Wi-Fi passphrase, as many bytes as it had, so that nothing moves: wherever the parser has found it,
/// however its key and its quotes are written. What stands in comments is wiped, too: people keep the old one there.
private struct SecretWipe {
    private let encoding: SettingsText.Encoding
    private let scalars: [Unicode.Scalar]
    /// Where each line begins.
    private let lines: [Int]
    private var isSecret: [Bool]

    init(_ text: SettingsText, _ file: SettingsFile) {
        encoding = text.encoding
        let scalars = Array(text.text.unicodeScalars)
        self.scalars = scalars
        lines = [0] + scalars.indices.filter { scalars[$0] == "\n" }.map { $0 + 1 }
        isSecret = [Bool](repeating: false, count: scalars.count)
        var texts: [Range<Int>] = []
        for place in file.textPlaces { texts.append(range(place.begin, place.end)) }
        if let place = file.place(of: "wifi.passphrase") {
            mark(text: range(place.begin, place.end))
        }
        let passphraseLine = file.place(of: "wifi.passphrase")?.end.line
        for line in lines.indices {
            guard let comment = comment(line, outside: texts) else { continue }
            wipe(comment: comment, isBesideSecret: line + 1 == passphraseLine)
        }
    }

    var cleaned: String {
        var cleaned = String.UnicodeScalarView()
        for (scalar, isSecret) in zip(scalars, isSecret) {
            guard isSecret else {
                cleaned.append(scalar)
                continue
            }
            let count =
                switch encoding {
                case .utf8: Unicode.UTF8.width(scalar)
                case .utf16: Unicode.UTF16.width(scalar)
                case .windows1252: 1
                }
            cleaned.append(contentsOf: repeatElement("*", count: count))
        }
        return String(cleaned)
    }

    private func range(_ begin: SettingsFile.Place, _ end: SettingsFile.Place) -> Range<Int> {
        let (from, to) = (index(begin), index(end))
        return from..<max(from, to)
    }

    private func index(_ place: SettingsFile.Place) -> Int {
        guard (1...lines.count).contains(place.line) else { return scalars.count }
        return min(lines[place.line - 1] + max(place.column - 1, 0), scalars.count)
    }

    private static func isQuote(_ scalar: Unicode.Scalar) -> Bool { scalar == "\"" || scalar == "'" }

    /// One quote, or three.
    private func delimiter(at place: Int) -> Int {
        place + 2 < scalars.count && scalars[place] == scalars[place + 1] && scalars[place] == scalars[place + 2]
            ? 3 : 1
    }

    private mutating func mark(text: Range<Int>) {
        guard let first = text.first, Self.isQuote(scalars[first]) else { return mark(text) }
        // "" begins with one quote, and has no content.
        let quotes = text.count >= 6 ? delimiter(at: first) : 1
        mark(first + quotes..<max(first + quotes, text.upperBound - quotes))
    }

    private mutating func mark(_ range: Range<Int>) {
        for place in range.clamped(to: isSecret.indices) { isSecret[place] = true }
    }

    /// The comment of a line, behind its "#".
    private func comment(_ line: Int, outside texts: [Range<Int>]) -> Range<Int>? {
        let end = line + 1 < lines.count ? lines[line + 1] : scalars.count
        let start = (lines[line]..<end).first { place in
            scalars[place] == "#" && !texts.contains { $0.contains(place) }
        }
        return start.map { $0 + 1..<end }
    }

    /// - Parameter isBesideSecret: the passphrase stands before it on its line.
    private mutating func wipe(comment: Range<Int>, isBesideSecret: Bool) {
        let text = comment.map { scalars[$0].properties.lowercaseMapping.unicodeScalars.first ?? " " }
        let word = ["passphrase", "password", "psk"].compactMap { Self.find(Array($0.unicodeScalars), in: text) }.min()
        guard isBesideSecret || word != nil else { return }
        let equals = (comment.lowerBound + (word ?? 0)..<comment.upperBound).first { scalars[$0] == "=" }
        guard let start = isBesideSecret ? comment.lowerBound : equals.map({ $0 + 1 }) else { return }
        guard (start..<comment.upperBound).contains(where: { Self.isQuote(scalars[$0]) }) else {
            // Without quotes: to the next comment, but for the spaces around it.
            if let equals { mark(trimmed(equals + 1..<comment.upperBound)) }
            return
        }
        wipeQuoted(start..<comment.upperBound)
    }

    private mutating func wipeQuoted(_ range: Range<Int>) {
        var next = range.lowerBound
        while let open = (next..<range.upperBound).first(where: { Self.isQuote(scalars[$0]) }) {
            let quotes = min(delimiter(at: open), range.upperBound - open)
            next = open + quotes
            while next < range.upperBound, scalars[next] != "\n",
                scalars[next] != scalars[open] || quotes == 3 && delimiter(at: next) != 3
            {
                let isEscape = scalars[next] == "\\" && scalars[open] == "\""
                mark(next..<min(next + (isEscape ? 2 : 1), range.upperBound))
                next += isEscape ? 2 : 1
            }
            next = min(next + quotes, range.upperBound)
        }
    }

    private func trimmed(_ range: Range<Int>) -> Range<Int> {
        let end = range.first { scalars[$0] == "#" || scalars[$0] == "\n" || scalars[$0] == "\r" } ?? range.upperBound
        let isSpace = { (place: Int) in scalars[place].properties.isWhitespace }
        guard let first = (range.lowerBound..<end).first(where: { !isSpace($0) }),
            let last = (first..<end).last(where: { !isSpace($0) })
        else { return end..<end }
        return first..<last + 1
    }

    private static func find(_ word: [Unicode.Scalar], in text: [Unicode.Scalar]) -> Int? {
        guard text.count >= word.count else { return nil }
        return (0...text.count - word.count).first { text[$0..<$0 + word.count].elementsEqual(word) }
    }
}
