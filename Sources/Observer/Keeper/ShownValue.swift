/// What the keeper says on its value socket: the value that people compare before an observer is let in, or that there is none.
///
/// One line: `none`; `text` and lines with bars between them, while a mounted box is checked; or 32 hexadecimal digits and, with
/// several observers, a space and the observer's name.
package enum ShownValue: Sendable, Hashable {
    case nothing
    case value(hex: String, observer: String)
    case text([String])

    package init?(hex: String?, name: String) {
        guard let hex, Self.isValue(hex) else { return nil }
        self = .value(hex: hex, observer: name)
    }

    /// What display and console say: at most 4 lines of 24 printable ASCII characters; nothing where there are none.
    package init(lines: [String]) {
        let lines = lines.prefix(4).map { line in
            String(decoding: line.utf8.filter { (0x20...0x7E).contains($0) && $0 != 0x7C }.prefix(24), as: UTF8.self)
        }
        self = lines.isEmpty ? .nothing : .text(lines)
    }

    /// Reads a line; `nil` when it is none of these.
    package init?(_ word: String) {
        if word.hasPrefix("text "), word.utf8.count <= 128 {
            self.init(
                lines: word.dropFirst(5).split(separator: "|", omittingEmptySubsequences: false).map(String.init))
            return
        }
        let parts = word.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let name = parts.count == 2 ? parts[1] : ""
        guard name.utf8.count <= 32, name.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        if word == "none" {
            self = .nothing
        } else if let found = parts.first, Self.isValue(found) {
            self = .value(hex: found, observer: name)
        } else {
            return nil
        }
    }

    private static func isValue(_ text: String) -> Bool {
        text.utf8.count == 32
            && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    package var word: String {
        switch self {
        case .nothing: "none"
        case .text(let lines): "text " + lines.joined(separator: "|")
        case .value(let hex, let observer): observer.isEmpty ? hex : hex + " " + observer
        }
    }
}
