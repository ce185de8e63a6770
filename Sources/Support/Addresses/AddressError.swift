/// A text that is no address of a camera or a reader.
public struct AddressError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was given.
    public let text: String
    /// What is wrong and what is allowed, for people.
    public let description: String

    init(_ text: String, _ kind: String, _ forms: String) {
        self.text = text
        description = "\"\(text)\" is no \(kind): it must be \(forms)"
    }

    /// Of a path's length, without control characters.
    static func isPlausible(_ text: String) -> Bool {
        (1..<4096).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}
