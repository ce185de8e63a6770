/// The values on a printed test sheet: the ASCII characters `SRUPTESTSHEET` and three decimal digits, the code's edge in
/// millimetres. No watch is ever decided by one (`Watches`): it is neither the nonce nor another device's value. All of its
/// hexadecimal digits are decimal, so that an observer that knows no test sheet does not take a printed one for another
/// device's, either. A random nonce is one in 10³¹ cases.
public struct TestValue: Sendable, Hashable {
    private static let prefix = Array("SRUPTESTSHEET".utf8)

    /// Of the code's dark part, in millimetres, 0 to 999.
    public let edge: Int

    /// `nil` unless the edge is from 0 to 999 millimetres.
    public init?(edge: Int) {
        guard (0...999).contains(edge) else { return nil }
        self.edge = edge
    }

    /// `nil` when the 16 bytes are another value.
    public init?(_ bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        guard bytes.count == ObservedValue.size, bytes.starts(with: Self.prefix) else { return nil }
        var edge = 0
        for digit in bytes[Self.prefix.count...] {
            guard (0x30...0x39).contains(digit) else { return nil }
            edge = edge * 10 + Int(digit - 0x30)
        }
        self.edge = edge
    }

    /// The 16 bytes.
    public var bytes: [UInt8] { Self.prefix + [edge / 100, edge / 10 % 10, edge % 10].map { UInt8($0) + 0x30 } }
}
