/// The first byte of every message. The two differ in nothing else, but the byte is signed, so that a message cannot
/// be carried over from one to the other.
public enum ProtocolVersion: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    /// Reference releases 2.0 to 4.0.
    case v4 = 4
    /// Reference release 5.0 and later.
    case v5 = 5

    /// What is spoken to a peer that has not spoken yet.
    public static let preferred = ProtocolVersion.v5

    /// The number alone: "4" or "5".
    public var description: String { String(rawValue) }
}
