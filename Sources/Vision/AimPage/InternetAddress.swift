import Glibc

/// An IPv4 or IPv6 address, as 4 or 16 bytes.
struct InternetAddress: Hashable, Sendable, CustomStringConvertible {
    let bytes: [UInt8]

    /// - Parameter bytes: an IPv4-mapped address (`::ffff:a.b.c.d`) becomes IPv4; `nil` unless 4 or 16.
    init?(bytes: [UInt8]) {
        switch bytes.count {
        case 4: self.bytes = bytes
        case 16:
            let mapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
            self.bytes = mapped ? Array(bytes[12...]) : bytes
        default: return nil
        }
    }

    /// `192.168.1.2`, `fe80::1`.
    init?(_ text: String) {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 {
            self.init(bytes: Array(bytes[..<4]))
        } else if inet_pton(AF_INET6, text, &bytes) == 1 {
            self.init(bytes: bytes)
        } else {
            return nil
        }
    }

    /// `nil` for other families.
    init?(_ address: UnsafePointer<sockaddr>?) {
        guard let address else { return nil }
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            let bytes = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self).sin_addr
            self.init(bytes: withUnsafeBytes(of: bytes) { Array($0) })
        case AF_INET6:
            let bytes = UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in6.self).sin6_addr
            self.init(bytes: withUnsafeBytes(of: bytes) { Array($0) })
        default: return nil
        }
    }

    var isIPv6: Bool { bytes.count == 16 }

    var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(isIPv6 ? AF_INET6 : AF_INET, bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func begins(_ prefix: [UInt8], bits: Int) -> Bool {
        for (index, byte) in prefix.enumerated() {
            let left = max(0, min(8, bits - 8 * index))
            let mask = UInt8(truncatingIfNeeded: 0xFF00 >> left)
            if (bytes[index] ^ byte) & mask != 0 { return false }
        }
        return true
    }

    var isLoopback: Bool { isIPv6 ? begins([UInt8](repeating: 0, count: 15) + [1], bits: 128) : bytes[0] == 127 }

    /// Only on one's own wire: 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291).
    var isLinkLocal: Bool { isIPv6 ? begins([0xFE, 0x80], bits: 10) : begins([169, 254], bits: 16) }

    /// Of private networks: RFC 1918; fc00::/7 (RFC 4193).
    var isPrivate: Bool {
        if isIPv6 { return begins([0xFC], bits: 7) }
        return begins([10], bits: 8) || begins([172, 16], bits: 12) || begins([192, 168], bits: 16)
    }

    /// Whether both are in a network with such a mask.
    func shares(network other: InternetAddress, mask: InternetAddress) -> Bool {
        guard bytes.count == other.bytes.count, bytes.count == mask.bytes.count else { return false }
        return bytes.indices.allSatisfy { (bytes[$0] ^ other.bytes[$0]) & mask.bytes[$0] == 0 }
    }
}

/// The networks that this machine is on.
enum LocalNetwork {
    struct Interface {
        let address, mask: InternetAddress
    }

    static func interfaces() -> [Interface] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var found: [Interface] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ifa_next
            guard entry.pointee.ifa_flags & UInt32(IFF_UP) != 0,
                let address = InternetAddress(UnsafePointer(entry.pointee.ifa_addr)),
                let mask = InternetAddress(UnsafePointer(entry.pointee.ifa_netmask))
            else { continue }
            found.append(Interface(address: address, mask: mask))
        }
        return found
    }

    /// Whether somebody is on this machine or near it: loopback, a private or link-local address, or an address in a
    /// network that one of our interfaces is in.
    static func holds(_ peer: InternetAddress) -> Bool {
        if peer.isLoopback || peer.isPrivate || peer.isLinkLocal { return true }
        return interfaces().contains { peer.shares(network: $0.address, mask: $0.mask) }
    }
}
