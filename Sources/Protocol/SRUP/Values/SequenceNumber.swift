/// A message's place in the conversation with one peer: an unsigned 64-bit number, least significant byte first on
/// the wire. Zero can be written but no receiver ever accepts it.
public struct SequenceNumber: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The number as an integer.
    public let value: UInt64

    /// Any number can be written; which are accepted, the receiver decides.
    public init(_ value: UInt64) {
        self.value = value
    }

    /// Before anything was sent or received.
    public static let none = SequenceNumber(0)

    /// The highest number that is taken from a peer: above it there is no room for a lifetime of answers (2^32 of them, 16
    /// apart), and a single message would end the conversation for ever.
    public static let highestAccepted = SequenceNumber(.max - 1 << 36)

    /// The number `steps` further on, or `nil` when the 64 bits are used up.
    public func advanced(by steps: UInt64) -> SequenceNumber? {
        let (sum, overflow) = value.addingReportingOverflow(steps)
        return overflow ? nil : SequenceNumber(sum)
    }

    /// The number in decimal digits.
    public var description: String { String(value) }

    /// Compares the numbers.
    public static func < (left: SequenceNumber, right: SequenceNumber) -> Bool { left.value < right.value }
}
