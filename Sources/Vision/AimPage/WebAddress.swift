import Glibc

/// Where a page is served: `[ADDRESS:]PORT`.
public struct WebAddress: Sendable, Hashable, CustomStringConvertible {
    /// `nil`: all interfaces.
    let address: InternetAddress?
    /// 0: any that is free.
    let port: UInt16

    /// `8080`, `192.168.1.2:8080`, `[fd00::1]:8080`; `nil` when it is no such thing.
    public init?(_ text: String) {
        let colon = text.lastIndex(of: ":")
        let digits = colon.map { text[text.index(after: $0)...] } ?? text[...]
        guard (1...5).contains(digits.count), digits.allSatisfy({ $0.isASCII && $0.isNumber }),
            let port = UInt16(digits)
        else { return nil }
        self.port = port
        guard let colon else {
            address = nil
            return
        }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        guard let address = InternetAddress(String(host)), isBracketed == host.contains(":") else { return nil }
        self.address = address
    }

    /// The address for people: "port 8080" for all interfaces, else "192.168.1.2:8080" or "[fd00::1]:8080".
    public var description: String {
        guard let address else { return "port \(port)" }
        return address.isIPv6 ? "[\(address)]:\(port)" : "\(address):\(port)"
    }

    /// All interfaces.
    var isAny: Bool { address == nil }

    /// Whether to try IPv6, IPv4 or one after the other.
    var families: [Bool] { address.map { [$0.isIPv6] } ?? [true, false] }

    /// Lends it as the socket calls want it.
    ///
    /// - Parameter isIPv6: of all interfaces, whether IPv6's, which take IPv4, too.
    func withSocketAddress<Result>(isIPv6: Bool, _ body: (UnsafePointer<sockaddr>) -> Result) -> Result {
        if address?.isIPv6 ?? isIPv6 {
            var socket = sockaddr_in6()
            socket.sin6_family = sa_family_t(AF_INET6)
            socket.sin6_port = port.bigEndian
            if let address { withUnsafeMutableBytes(of: &socket.sin6_addr) { $0.copyBytes(from: address.bytes) } }
            return withUnsafePointer(to: &socket) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
            }
        }
        var socket = sockaddr_in()
        socket.sin_family = sa_family_t(AF_INET)
        socket.sin_port = port.bigEndian
        if let address { withUnsafeMutableBytes(of: &socket.sin_addr) { $0.copyBytes(from: address.bytes) } }
        return withUnsafePointer(to: &socket) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
    }

    /// The addresses under which it is reached, those for other machines first.
    func reachable() -> [InternetAddress] {
        if let address, !address.bytes.allSatisfy({ $0 == 0 }) { return [address] }
        let all = LocalNetwork.interfaces().map(\.address)
        // Link-local IPv6 needs an interface's name, which browsers do not take.
        let others = all.filter { !$0.isLoopback && !($0.isIPv6 && $0.isLinkLocal) }
        let ordered = others.filter { !$0.isIPv6 } + others.filter { $0.isIPv6 }
        return ordered.isEmpty ? all.filter { $0.isLoopback && !$0.isIPv6 } : ordered
    }
}
