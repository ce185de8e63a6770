import SRUP

/// The tokens of what has to do with groups. A message names nobody whom it is for, and the topic that it comes on is not
/// signed; the token is. So what was said to a group cannot be said again to another, or to one device, nor the other way
/// round (docs/protocol.md, "Groups").
///
/// ```
/// group/<group>/<uuid>      of a message to a group
/// since/<number>/<uuid>     of GROUP_ADD: only what has a higher number counts for who comes in with it
/// ```
public enum GroupToken {
    /// A fresh token for a message to a group.
    public static func message(to group: GroupID) -> Token { make("group/\(group)/") }

    /// The group that a message was said to; `nil`: to a single participant.
    public static func group(of token: Token) -> GroupID? {
        guard let parts = parts(token, "group") else { return nil }
        return GroupID(parts)
    }

    /// Whether it is a group's, well-formed or not.
    static func isGroups(_ token: Token) -> Bool { token.bytes.starts(with: Array("group/".utf8)) }

    /// A fresh token that lets a device into a group.
    ///
    /// - Parameter number: the highest that was used in the group.
    public static func addition(after number: SequenceNumber) -> Token { make("since/\(number)/") }

    /// The number above which a group's messages count; that of another server's token is 0.
    static func start(_ token: Token) -> SequenceNumber {
        SequenceNumber(parts(token, "since").flatMap { UInt64($0) } ?? 0)
    }

    private static func make(_ start: String) -> Token {
        let random = Token.random()
        return Token(Array(start.utf8) + random.bytes) ?? random
    }

    private static func parts(_ token: Token, _ word: String) -> String? {
        guard token.bytes.count <= 128, let text = token.text else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0] == word ? String(parts[1]) : nil
    }
}
