/// The name of a group of devices, which is also the last part of its topic, `SRUP/groups/<id>`: 1 to 32 lower-case letters,
/// digits and hyphens, so that no wildcard and no second level can be in it.
public struct GroupID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The name.
    public let text: String

    /// `nil` for what can be no group's name.
    public init?(_ text: some StringProtocol) {
        self.init(Array(text.utf8))
    }

    /// Reads the name as a message carries it; `nil` for what can be none.
    public init?(_ bytes: [UInt8]) {
        let isName = bytes.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "-")
        }
        guard isName, (1...32).contains(bytes.count) else { return nil }
        text = String(decoding: bytes, as: UTF8.self)
    }

    /// The form in words, behind "must be".
    public static let form = "1 to 32 lower-case letters, digits and hyphens"

    /// As a message carries it.
    public var bytes: [UInt8] { Array(text.utf8) }
    /// The name.
    public var description: String { text }

    /// Compares the names.
    public static func < (left: GroupID, right: GroupID) -> Bool { left.text < right.text }
}
