import ObservedValue
import Participant
import SRUP

/// Why something that an operator asked for was not done. What it says is for the operator.
public enum OperationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// No such identity is known here.
    case unknown(DeviceID)
    /// The join has been decided, or has ended.
    case ended(DeviceID)
    /// The identity has ended for good already.
    case hasEnded(DeviceID)
    /// The device shows another value by now.
    case replaced(DeviceID)
    /// The letters are not those of the words; the device shows another value when `triesLeft` is 0.
    case wrongWords(triesLeft: Int)
    /// Who does not belong obeys nothing.
    case notAMember(DeviceID)
    /// A value from outside that cannot be used; which, and why.
    case invalid(String)
    /// It could not be stored or sent.
    case failed(String)

    /// What is wrong and, where that is known, what to do.
    public var description: String {
        switch self {
        case .unknown(let id): "\(id) is not known here"
        case .ended(let id): "\(id) does not wait any more: its join has been decided or has ended"
        case .hasEnded(let id): "\(id) has ended already"
        case .replaced(let id): "\(id) shows another value by now: compare again"
        case .wrongWords(let left) where left > 0:
            "these are not the words that the device shows; \(left) more \(left == 1 ? "try" : "tries")"
        case .wrongWords: "these are not the words that the device shows; it shows others now: compare again"
        case .notAMember(let id): "\(id) does not belong to the network"
        case .invalid(let why), .failed(let why): why
        }
    }
}

/// What an operator can ask of the running server and tell it: the pages, the API and the commands all go through this.
/// What is shown comes from stored state; only the value that a waiting device shows is in memory alone.
extension C2Server {
    /// A device that waits for a person.
    public struct Waiting: Sendable {
        /// Who wants to join.
        public let device: DeviceID
        /// The device's type, as the key service tells it: a claim of the device's own.
        public let type: String
        /// When it asked, in seconds since 1970.
        public let since: Double
        /// How many values it was sent in this join.
        public let tries: Int
        /// How often it has asked within what is kept of its joins, with this one.
        public let requests: Int
        /// What the device shows. The page's copy; not to be logged, stored or put into a URL.
        public let value: Nonce
        /// Stands for the value, in a decision about it.
        public let ticket: UInt64
        /// Which of its eleven words the person is asked for, from 0.
        public let question: [Int]
        /// Whether letting it in lets it vouch for others, too.
        public let wouldBeTrusted: Bool
        /// What an operator has noted about it.
        public let note: String?
    }

    /// How a person has compared.
    public enum Comparison: Sendable, Hashable {
        /// What was typed of the words in ``Waiting/question``, in that order.
        case words([String])
        /// Both were looked at, side by side.
        case sideBySide
    }

    // MARK: Who waits

    /// How many devices wait for a person.
    public var waitingCount: Int { moderations.count }

    /// Who waits for a person.
    public func waitingIDs() -> Set<DeviceID> { Set(moderations.entries.keys) }

    /// Of how many words the first letters are asked for.
    public static var questionCount: Int { ModerationBook.questionCount }

    /// The devices that wait for a person, who asked first first.
    ///
    /// - Parameters:
    ///   - after: not this one and none before it: where the page before ended.
    ///   - since: when that one asked, in seconds since 1970, so that its place is known when it has gone; `nil`: then the
    ///     list begins anew.
    ///   - limit: how many at most.
    /// - Throws: ``OperationError``.
    public func waiting(
        after: DeviceID? = nil, since: Double? = nil, limit: Int
    ) throws(OperationError) -> [Waiting] {
        let order = moderations.entries.values.sorted {
            ($0.moderation.created, $0.moderation.device) < ($1.moderation.created, $1.moderation.device)
        }
        var rest = order[...]
        if let after, let since = since ?? moderations[after]?.moderation.created {
            let place = (since, after)
            rest = order.drop { ($0.moderation.created, $0.moderation.device) <= place }[...]
        }
        var found: [Waiting] = []
        for entry in rest.prefix(limit) { found.append(try waiting(entry)) }
        return found
    }

    /// A device that waits for a person; `nil` when it does not.
    ///
    /// - Throws: ``OperationError``.
    public func waiting(_ device: DeviceID) throws(OperationError) -> Waiting? {
        guard let entry = moderations[device] else { return nil }
        return try waiting(entry)
    }

    private func waiting(_ entry: ModerationBook.Entry) throws(OperationError) -> Waiting {
        let moderation = entry.moderation
        return try stored { () in
            Waiting(
                device: moderation.device, type: moderation.type, since: moderation.created, tries: entry.tries,
                requests: try state.joins(of: moderation.device, limit: 50).count, value: entry.nonce,
                ticket: entry.ticket, question: entry.question,
                wouldBeTrusted: rules.policy(for: moderation.type) == .trusted,
                note: try participant.state.peer(moderation.device)?.note)
        }
    }

    /// Lets in a device that waits, since what it shows has been compared.
    ///
    /// - Parameters:
    ///   - ticket: of the value that was compared.
    ///   - name: the operator who decides.
    /// - Throws: ``OperationError``.
    public func approve(
        _ device: DeviceID, ticket: UInt64, _ comparison: Comparison, by name: String
    ) throws(OperationError) {
        let entry = try entry(device, ticket)
        if case .words(let typed) = comparison, !Self.answers(typed, entry) {
            throw try wrong(entry, by: name)
        }
        let isTrusted = rules.policy(for: entry.moderation.type) == .trusted
        try stored {
            if isTrusted { try state.trust(device, now: participant.wallClock()) }
            let how = comparison == .sideBySide ? "compared side by side" : "by its words"
            causedLog.log(.notice, about: device, "\(name) lets \(device) in (\(how))")
            try conclude(entry.moderation, .joinSuccess, why: "a person has compared it, \(how)", by: name)
            if isTrusted { changed(.device, device) }
        }
    }

    /// Does not let a device in: JOIN_FAIL.
    ///
    /// - Throws: ``OperationError``.
    public func refuse(_ device: DeviceID, ticket: UInt64, by name: String) throws(OperationError) {
        let entry = try entry(device, ticket)
        try stored {
            causedLog.log(.notice, about: device, "\(name) does not let \(device) in")
            participant.audit("refused", "\(device): by a person", about: device, by: name)
            try conclude(entry.moderation, .joinFail, why: "refused by a person", by: name)
        }
    }

    private func entry(_ device: DeviceID, _ ticket: UInt64) throws(OperationError) -> ModerationBook.Entry {
        guard let entry = moderations[device] else { throw .ended(device) }
        guard entry.ticket == ticket else { throw .replaced(device) }
        return entry
    }

    /// So often an answer may be wrong before the device shows another value.
    private static let maximumWrongAnswers = 3

    private func wrong(_ entry: ModerationBook.Entry, by name: String) throws(OperationError) -> OperationError {
        let device = entry.moderation.device
        participant.audit("wrong words", "\(device): its words were typed wrongly", about: device, by: name)
        let left = Self.maximumWrongAnswers - moderations.answeredWrongly(device)
        changed(.waiting, device)
        guard left <= 0 else { return .wrongWords(triesLeft: left) }
        try stored { try drawAgain(entry) }
        return .wrongWords(triesLeft: 0)
    }

    // MARK: The operator's word

    /// Keeps a note about an identity; empty removes it.
    ///
    /// - Throws: ``OperationError``.
    public func note(_ text: String, about id: DeviceID, by name: String) throws(OperationError) {
        let text = text.withoutControls
        guard text.count <= 500 else { throw .invalid("a note has 500 characters at most") }
        try known(id)
        try stored {
            try participant.state.note(text.isEmpty ? nil : text, about: id)
            participant.audit("note", "\(id): \(text.debugDescription)", about: id, by: name)
            changed(.device, id)
        }
    }

    /// Lets an observer in and lets it vouch for devices, or takes that back.
    ///
    /// - Throws: ``OperationError``.
    public func setTrust(_ isTrusted: Bool, of id: DeviceID, by name: String) throws(OperationError) {
        guard id != participant.id else { throw .invalid("a server does not vouch for devices") }
        try stored {
            if isTrusted {
                try state.trust(id, now: participant.wallClock())
                try letInWhomTheOperatorHasNamed()
            } else {
                try state.distrust(id)
            }
            participant.audit(isTrusted ? "trusted" : "distrusted", "\(id)", about: id, by: name)
            changed(.device, id)
        }
    }

    /// Puts a device or an observer out of the network (TERMINATE); it stays registered and may ask to come in again.
    ///
    /// - Throws: ``OperationError``.
    public func remove(_ id: DeviceID, by name: String) throws(OperationError) {
        try known(id)
        try stored {
            try state.distrust(id)
            try putOut(id, by: name)
        }
    }

    /// Ends an identity for good: the device is told, its certificates are revoked, the broker closes its connection within a
    /// second, and its name is nobody's any more. Who was never heard here is ended at the key service all the same.
    ///
    /// - Throws: ``OperationError``; ``OperationError/invalid(_:)`` for the server itself.
    public func deregister(_ id: DeviceID, by name: String) throws(OperationError) {
        guard id != participant.id else { throw .invalid("a server does not end this way") }
        try stored {
            guard try !directory.ended().contains(where: { $0.id == id }) else { throw OperationError.hasEnded(id) }
            try directory.end(id, why: "as an operator says", by: name, since: participant.wallClock())
            watchEndings(time.now())
        }
    }

    /// Tells a device or an observer to ask to be let in (JOIN_COMMAND); the policy decides when it does.
    ///
    /// - Throws: ``OperationError``.
    public func callToJoin(_ id: DeviceID, by name: String) throws(OperationError) {
        guard try stored({ try participant.state.peer(id)?.key }) != nil else { throw .unknown(id) }
        try stored {
            try send(.joinCommand(device: id), to: id)
            participant.audit("sent", "\(id): called to join", about: id, by: name)
            changed(.device, id)
        }
    }

    /// The identities that have ended, in the order in which they did.
    ///
    /// - Throws: ``OperationError``.
    public func ended() throws(OperationError) -> [EndedIdentity] { try stored { try directory.ended() } }

    // MARK: Policies

    /// How devices of a type come in, and who said so.
    public struct Policy: Sendable, Hashable {
        /// The device type; `*` for all that have no policy of their own.
        public let type: String
        /// What holds.
        public let policy: JoinPolicy
        /// What the configuration says; `nil` when it says nothing of this type.
        public let configured: JoinPolicy?
        /// Who has set it while the server ran, and when in seconds since 1970; `nil` when it is the configuration's.
        public let set: C2State.SetPolicy?
    }

    /// All policies, "*" first.
    ///
    /// - Throws: ``OperationError``.
    public func policies() throws(OperationError) -> [Policy] {
        let set = Dictionary(
            try stored { try state.policies() }.map { ($0.type, $0) }, uniquingKeysWith: { $1 })
        let types = Set(rules.policies.keys).union(set.keys).subtracting(["*"]).sorted()
        return [Policy(type: "*", policy: rules.otherwise, configured: configured.otherwise, set: set["*"])]
            + types.map {
                Policy(type: $0, policy: rules.policy(for: $0), configured: configured.policies[$0], set: set[$0])
            }
    }

    /// Sets a policy beside the configuration; joins under way keep what they were promised.
    ///
    /// - Parameters:
    ///   - type: a device type, or `*`.
    ///   - policy: `nil` goes back to the configuration.
    /// - Throws: ``OperationError``.
    public func setPolicy(_ policy: JoinPolicy?, for type: String, by name: String) throws(OperationError) {
        try Self.check(type: type)
        try stored {
            guard try policy == nil || state.policies().count < C2State.maximumPolicies else {
                throw OperationError.invalid("no more than \(C2State.maximumPolicies) policies can be set here")
            }
            try state.set(policy, for: type, by: name, now: participant.wallClock())
            participant.audit("policy", "\(type): \(policy?.rawValue ?? "as configured")", by: name)
            use(configured)
            changed(.policy, nil)
        }
    }

    /// What was set beside the configuration; nothing when it cannot be read, which is logged.
    func setPolicies() -> [C2State.SetPolicy] {
        do {
            return try state.policies()
        } catch {
            causedLog.log(.error, about: "the state file", "policies set on the page cannot be read: \(error)")
            return []
        }
    }

    // MARK: Devices and observers

    /// How an observer is doing.
    public struct ObserverSummary: Sendable {
        /// The observer's identity, membership and what it has told of itself; `nil` when it has never been heard.
        public let peer: ParticipantStore.Peer?
        /// The observer's identity.
        public let id: DeviceID
        /// Whether it may vouch.
        public let isTrusted: Bool
        /// How many devices it can look at at once.
        public let places: Int
        /// Whom it is looking at.
        public let looksAt: [DeviceID]
        /// Who waits for it.
        public let queue: [DeviceID]
    }

    /// All that are trusted, and those that are members of type "observer".
    ///
    /// - Throws: ``OperationError``.
    public func observers() throws(OperationError) -> [ObserverSummary] {
        let (trusted, members) = try stored {
            var query = ParticipantStore.PeerQuery()
            query.isJoined = true
            query.type = "observer"
            return (Set(try state.trusted()), try participant.state.peers(query, limit: 1000).map(\.id))
        }
        var found: [ObserverSummary] = []
        for id in trusted.union(members).sorted() {
            let entries = joins.joins(by: id)
            found.append(
                ObserverSummary(
                    peer: try stored { try participant.state.peer(id) }, id: id, isTrusted: trusted.contains(id),
                    places: roster.capacity(of: id),
                    looksAt: entries.filter { $0.deadline != nil }.map(\.join.device).sorted(),
                    queue: entries.filter { $0.deadline == nil }.map(\.join.device).sorted()))
        }
        return found
    }

    /// Peers as the store knows them: devices, observers and whoever has asked to join.
    public nonisolated var peers: ParticipantStore { participant.state }

    /// What the server keeps of joins, trust and policies.
    public nonisolated var store: C2State { state }

    /// The server's own identity.
    public nonisolated var id: DeviceID { participant.id }

    /// Whether the broker is there.
    public nonisolated var isConnected: Bool { participant.link.isConnected }

    /// Messages that were not acted on, by reason.
    public nonisolated var rejected: [String: UInt64] { participant.rejections.counts }

    // MARK: Helpers

    static func check(type: String) throws(OperationError) {
        guard (1...64).contains(type.utf8.count), type.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw .invalid("a device type has 1 to 64 printable ASCII characters")
        }
    }

    func changed(_ subject: Change.Subject, _ device: DeviceID?) {
        // Whoever hears of it looks at what is stored.
        participant.afterwards.run { [changes] in changes.tell(Change(subject: subject, device: device)) }
    }

    func known(_ id: DeviceID) throws(OperationError) {
        guard try stored({ try participant.state.peer(id) }) != nil else { throw .unknown(id) }
    }

    /// Does what stores or sends.
    func stored<Result>(_ body: () throws -> Result) throws(OperationError) -> Result {
        do {
            return try body()
        } catch let error as OperationError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }
}
