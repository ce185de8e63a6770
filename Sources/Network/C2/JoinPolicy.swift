import SRUP

/// How a device of some type may come in.
public enum JoinPolicy: Sendable, Hashable, RawRepresentable, CaseIterable {
    /// A simple join is enough: whoever registers with this type is let in.
    case simple
    /// The operator must have named the identity (`srup-c2 trust`): for observers, who vouch for others.
    case trusted
    /// An observer must vouch for the device.
    case observed
    /// Several observers must vouch for the device, all of them in the same try.
    case severally(Quorum)
    /// A person must compare what the device shows.
    case human
    /// Never.
    case refuse

    private static let several = "observed by "

    /// As it is written: "simple", "observed", "observed by 2", "observed by camera and tap" and so on.
    public init?(rawValue: String) {
        switch rawValue {
        case "simple": self = .simple
        case "trusted": self = .trusted
        case "observed": self = .observed
        case "human": self = .human
        case "refuse": self = .refuse
        default:
            guard rawValue.hasPrefix(Self.several), let quorum = Quorum(rawValue.dropFirst(Self.several.count)) else {
                return nil
            }
            self = .severally(quorum)
        }
    }

    /// As ``init(rawValue:)`` reads it.
    public var rawValue: String {
        switch self {
        case .simple: "simple"
        case .trusted: "trusted"
        case .observed: "observed"
        case .severally(let quorum): Self.several + quorum.description
        case .human: "human"
        case .refuse: "refuse"
        }
    }

    /// Those that are offered to choose from; of the others there are many.
    public static var allCases: [JoinPolicy] {
        [.simple, .trusted, .observed]
            + ["2", "3", "camera and tap", "camera and person"].compactMap { Quorum($0).map(JoinPolicy.severally) }
            + [.human, .refuse]
    }

    /// How many observers must vouch.
    var quorum: Quorum {
        guard case .severally(let quorum) = self else { return .one }
        return quorum
    }
}

/// What the operator has decided.
public struct C2Rules: Sendable {
    /// By device type, as the key service tells it.
    public var policies: [String: JoinPolicy] = ["observer": .trusted]
    /// For types without a policy of their own.
    public var otherwise: JoinPolicy = .observed
    /// How often an observation is tried before the join fails (docs/protocol.md, "Observed join").
    public var tries = 3
    /// How long an observer may take for its verdict; longer than the observer's own timeout.
    public var observationTimeout: Duration = .seconds(90)
    /// How long after a try that expired an observer with one place is not asked again: it may still be looking, and would
    /// answer about the first device with the token of the second. Both together must be longer than any observer looks.
    /// `nil`: twice as long as the try itself.
    public var observationRest: Duration?
    /// Whether a device that must be observed is told by whom, in a DATA message after the answer. A reference device that
    /// has no handler for DATA stops at it.
    public var tellsObserver = true
    /// How long a join waits for a person; then the device is told to ask again, and shows another value.
    public var moderationTime: Duration = .seconds(3600)
    /// Which zone devices of a type are in; for types without one here, and devices that were not invited to one, none.
    public var zones: [String: String] = [:]
    /// When devices that were seen once are asked to show themselves again.
    public var rollCall = RollCall()
    /// What values (DATA) are, by name; for names without a type here their device's own word counts.
    public var dataTypes: [String: DataType] = [:]
    /// What may be asked of the server.
    public var limits = Limits()

    /// Who asks for more than this pays for it alone.
    public struct Limits: Sendable, Hashable {
        /// Joins under way at once; of one type; by one observer.
        public var joins = 256
        /// How many of them may be of devices of one type.
        public var joinsOfOneType = 160
        /// How many of them may name one observer.
        public var joinsByOneObserver = 96
        /// A join that has not ended after this time does: JOIN_FAIL.
        public var longestJoin: Duration = .seconds(900)
        /// Joins that wait for a person at once.
        public var moderations = 2048
        /// How many of them may be of devices of one type.
        public var moderationsOfOneType = 1536
        /// Values for people to compare that one identity may have drawn: so many at once, and so many an hour. Whoever
        /// could have any number drawn might wait for one that looks like another device's.
        public var valueBurst = 10.0
        /// How many values an hour one identity may have drawn in the long run.
        public var valuesPerHour = 30.0
        /// The same for all devices of one type together.
        public var valueBurstOfOneType = 2048.0
        /// How many values an hour devices of one type may have drawn in the long run.
        public var valuesPerHourOfOneType = 3000.0
        /// Messages of one sender: so many at once, and so many a second, before a signature is checked.
        public var messageBurst = 60.0
        /// How many messages a second one sender may send in the long run.
        public var messagesPerSecond = 10.0
        /// Requests to join of one identity: so many at once, and so many a minute.
        public var joinBurst = 40.0
        /// How many requests to join a minute one identity may send in the long run.
        public var joinsPerMinute = 30.0
        /// How many members may come back in a second when all have lost their connection; 0: all at once.
        public var returnsPerSecond = 250

        /// The usual limits, as above.
        public init() {}
    }

    /// The usual rules: observers must be trusted, all others observed.
    public init() {}

    /// The policy for a device type: its own, or ``otherwise``.
    public func policy(for type: String) -> JoinPolicy { policies[type] ?? otherwise }

    /// When devices that belong are asked to show a fresh nonce again, and what becomes of those that do not.
    public struct RollCall: Sendable, Hashable {
        /// How long after it was seen last, by device type; `*` for types without an entry here. Without one: only when an
        /// operator says so.
        public var every: [String: Duration] = [:]
        /// After how many roll calls in a row that it has failed a device is put out; 0: never, it is only shown. Another value
        /// that was shown in its place counts for all of them.
        public var failures = 0
        /// So many are under way at once.
        public var atOnce = 4

        /// None by themselves.
        public init() {}

        /// How long after it was seen last a device of a type is called; `nil`: never by itself.
        func interval(for type: String) -> Duration? { every[type] ?? every["*"] }
    }

    /// The same rules with what was set beside the configuration: `*` stands for ``otherwise``.
    func with(_ set: [C2State.SetPolicy], _ zones: [C2State.SetZone] = []) -> C2Rules {
        var rules = self
        for zone in zones { rules.zones[zone.type] = zone.zone }
        for policy in set {
            if policy.type == "*" {
                rules.otherwise = policy.policy
            } else {
                rules.policies[policy.type] = policy.policy
            }
        }
        return rules
    }

    /// What the operator should know about types that are let in by their word alone; one sentence each.
    public var warnings: [String] {
        var warnings = policies.filter { $0.value == .simple }.keys.sorted().map { type in
            "policy \(type) = \"simple\": whoever registers as \"\(type)\" is let in, and everybody can register"
                + (type.lowercased().hasPrefix("obs") ? "; for observers use \"trusted\"" : "")
        }
        if otherwise == .simple {
            warnings.append(
                "policy otherwise = \"simple\": whoever registers is let in, with any type that has no policy of its own"
            )
        }
        return warnings
    }
}

/// What the key service knows of an identity.
public struct DirectoryEntry: Sendable {
    /// The public key that checks its signatures.
    public let key: PublicKey
    /// The device type that it has chosen at registration.
    public let type: String
    /// The zone that it was invited to; `nil`: none.
    public let zone: String?

    /// An identity as the key service knows it.
    public init(key: PublicKey, type: String, zone: String? = nil) {
        self.key = key
        self.type = type
        self.zone = zone
    }
}

/// Where the server learns keys and types of identities it has not met: the key service.
public protocol KeyDirectory: Sendable {
    /// What is known of a registered identity; `nil` when it is not registered.
    ///
    /// - Throws: when the key service cannot be asked.
    func lookUp(_ id: DeviceID) async throws -> DirectoryEntry?
    /// Identities belong to the network: they are kept, while others that never come in make room.
    func belong(_ ids: [DeviceID])

    /// Ends an identity for good: neither its key nor a certificate is given from now on. On disk when the call returns; that it
    /// has ended already is no error.
    ///
    /// - Parameters:
    ///   - why: in words for the operator.
    ///   - name: the operator who decides; `nil`: the identity's own wish.
    ///   - since: seconds since 1970.
    /// - Throws: when that cannot be stored.
    func end(_ id: DeviceID, why: String, by name: String?, since: Double) throws
    /// Has the broker refuse all that have ended, at their next handshake and with whatever they send.
    ///
    /// - Throws: when the broker's files cannot be made.
    func revoke() throws
    /// Those that have ended and whose connection is not known to be closed.
    ///
    /// - Throws: when they cannot be read.
    func openEndings() throws -> [EndedIdentity]
    /// All that have ended.
    ///
    /// - Throws: when they cannot be read.
    func ended() throws -> [EndedIdentity]
    /// The broker has closed its connection.
    ///
    /// - Parameters:
    ///   - confirmed: whether the device has said that its keys are gone.
    ///   - at: seconds since 1970.
    /// - Throws: when that cannot be stored.
    func closed(_ id: DeviceID, confirmed: Bool, at: Double) throws
}

/// An identity that has ended for good.
public struct EndedIdentity: Sendable, Hashable {
    /// Who it was.
    public let id: DeviceID
    /// When it was decided, in seconds since 1970.
    public let since: Double
    /// The reason, in words for the operator.
    public let why: String
    /// The operator who decided; `nil`: the identity's own wish.
    public let by: String?

    /// An identity that has ended for good.
    public init(id: DeviceID, since: Double, why: String, by: String?) {
        self.id = id
        self.since = since
        self.why = why
        self.by = by
    }
}
