import HTTPServing
import Limits
import SRUP

/// What the key service tells those who register, and what it allows strangers: everybody who reaches it may register.
public struct KeyServicePolicy: Sendable {
    /// As participants reach the broker.
    public var brokerHost: String
    /// The broker's TCP port.
    public var brokerPort: Int
    /// The C2 server to join.
    public var server: DeviceID
    /// Which broker somebody new is given, by the zone of the invitation; `nil`: the one above, for everybody.
    public var cell: (@Sendable (_ zone: String?) throws -> CellPlace?)?
    /// Whether registrations are taken at the start; later ``KeyServiceServer/set(isActive:)`` says so.
    public var isActive = true

    /// How many identities are kept at most.
    public var maximumIdentities = 100_000
    /// How long an identity is kept that has never joined. Well above the time between registering and switching on.
    public var unjoinedLifetime = Duration.seconds(14 * 86400)
    /// When there is no more room, the oldest that have never joined go before that, but none that is younger than this.
    public var unjoinedMinimum = Duration.seconds(3600)

    /// What strangers may take of the server itself.
    public var connections = ConnectionLimits()

    /// How often one address (of IPv6: one /64) may register. A few hundred devices behind one address come at once, some
    /// thousands in an afternoon.
    public var registrations = Rate(burst: 300, perSecond: 0.5)
    /// How often it may prove an identity or have a certificate made, each of which costs a signature.
    public var proofs = Rate(burst: 1000, perSecond: 5)

    /// The usual limits, as above, for a network with this broker and this C2 server.
    public init(brokerHost: String, brokerPort: Int, server: DeviceID) {
        self.brokerHost = brokerHost
        self.brokerPort = brokerPort
        self.server = server
    }

    var broker: String { CellPlace(name: "", host: brokerHost, port: brokerPort).broker }
}

/// A part of the network with a broker of its own.
public struct CellPlace: Sendable, Hashable {
    /// Its name.
    public let name: String
    /// As participants reach its broker.
    public let host: String
    /// The broker's TCP port.
    public let port: Int

    /// A cell, and how its broker is reached.
    public init(name: String, host: String, port: Int) {
        self.name = name
        self.host = host
        self.port = port
    }

    /// A reference client assumes port 8883, so the default is omitted.
    var broker: String { "mqtt://" + host + (port == 8883 ? "" : ":\(port)") }
}
