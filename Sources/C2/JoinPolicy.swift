import SRUP

/// How a device of some type may come in.
public enum JoinPolicy: String, Sendable, CaseIterable {
    /// A simple join is enough.
    case simple
    /// An observer must vouch for the device.
    case observed
    /// A person must compare what the device shows.
    case human
    /// Never.
    case refuse
}

/// What the operator has decided.
public struct C2Rules: Sendable {
    /// By device type, as the key service tells it.
    public var policies: [String: JoinPolicy] = [:]
    /// For types without a policy of their own.
    public var otherwise: JoinPolicy = .observed
    /// How often an observation is tried before the join fails (srup-wire section 9.8).
    public var tries = 3
    /// How long an observer may take for its verdict; longer than the observer's own timeout.
    public var observationTimeout: Duration = .seconds(90)
    /// How many joins may be under way at once.
    public var mostPending = 256

    public init() {}

    public func policy(for type: String) -> JoinPolicy { policies[type] ?? otherwise }
}

/// Where the server learns keys and types of identities it has not met: the key service.
public protocol KeyDirectory: Sendable {
    /// The key and the type of a registered identity; `nil` when it is not registered.
    ///
    /// - Throws: when the key service cannot be asked.
    func lookUp(_ id: DeviceID) async throws -> (key: PublicKey, type: String)?
}
