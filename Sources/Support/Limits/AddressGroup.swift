import Glibc

/// Who counts as one when a stranger's requests are limited: an IPv4 address, or the 64 bits of an IPv6 address that a
/// network has been given (RFC 6177), whose holder has all addresses below them.
public struct AddressGroup: Hashable, Sendable {
    private let isV6: Bool
    private let value: UInt64

    /// What an address could not be read from: all of that is one group.
    public static let unknown = AddressGroup(isV6: true, value: 0)

    private init(isV6: Bool, value: UInt64) {
        self.isV6 = isV6
        self.value = value
    }

    /// The group that an address belongs to.
    ///
    /// - Parameter text: an address in numbers, without port.
    public init(_ text: String?) {
        guard let text else {
            self = .unknown
            return
        }
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            self.init(isV6: false, value: UInt64(UInt32(bigEndian: four.s_addr)))
            return
        }
        var six = in6_addr()
        // A scope ("fe80::1%eth0") is no part of the address.
        guard inet_pton(AF_INET6, String(text.prefix { $0 != "%" }), &six) == 1 else {
            self = .unknown
            return
        }
        let bytes = withUnsafeBytes(of: six) { Array($0) }
        func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        // ::ffff:192.0.2.1 is the IPv4 address (RFC 4291, 2.5.5.2).
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        self.init(isV6: !isMapped, value: isMapped ? number(12..<16) : number(0..<8))
    }
}
