/// What the keeper says on its value socket: the value that people compare before an observer is let in, or that there is none.
///
/// One line: `none`, or 32 hexadecimal digits and, with several observers, a space and the observer's name.
package enum ShownValue: Sendable, Hashable {
    case nothing
    case value(hex: String, observer: String)

    package init?(hex: String?, name: String) {
        guard let hex, Self.isValue(hex) else { return nil }
        self = .value(hex: hex, observer: name)
    }

    /// Reads a line; `nil` when it is none of these.
    package init?(_ word: String) {
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
        case .value(let hex, let observer): observer.isEmpty ? hex : hex + " " + observer
        }
    }
}
