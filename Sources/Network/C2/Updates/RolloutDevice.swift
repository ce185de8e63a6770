import SRUP

/// How far a device of a rollout is.
public struct RolloutDevice: Sendable, Hashable {
    /// What is waited for.
    public enum Phase: String, Sendable, CaseIterable {
        /// It has not been told yet, or is told again after a pause.
        case waiting
        /// INITIATE was sent; its answer is waited for.
        case initiated
        /// It was told, and was not heard since: it is dealt with when it comes back.
        case away
        /// It has what it needs and was told to change over; its answer is waited for.
        case activated
        /// It runs the release.
        case updated
        /// It does not, and is not told again.
        case failed
        /// The rollout ended before the device had changed over, or the device does not belong any more.
        case left
        /// A newer rollout has it.
        case superseded
    }

    /// How it is known that a device runs the release.
    public enum Proof: String, Sendable {
        /// It has answered ACTIVATE.
        case answer
        /// Its identification has named the version after ACTIVATE, and had not before.
        case identification
        /// It has not: it was told, and nothing else was heard in time.
        case unconfirmed
    }

    /// Its identity.
    public let id: DeviceID
    /// Its place in the order, from 0.
    public let position: Int
    /// What is waited for.
    public internal(set) var phase = Phase.waiting
    /// The token of the last INITIATE, which ACTIVATE carries, too.
    public internal(set) var token: Token?
    /// How often it was told to begin.
    public internal(set) var tries = 0
    /// Since when it is in this phase, in seconds since 1970.
    public internal(set) var since: Double
    /// It is not told before, in seconds since 1970.
    public internal(set) var notBefore = 0.0
    /// When it was told last, in seconds since 1970; `nil`: never.
    public internal(set) var told: Double?
    /// Whether it was heard in this phase.
    public internal(set) var isHeard = false
    /// Whether its identification had named the version before ACTIVATE: then it proves nothing.
    public internal(set) var wasNamed = false
    /// Whether it has named the version since ACTIVATE, and still owes the answer. Not stored: after a restart it is asked again.
    public internal(set) var isOnTrial = false
    /// When it was last asked what it is, in seconds since 1970.
    public internal(set) var asked: Double?
    /// How it is known that it runs the release.
    public internal(set) var proof: Proof?
    /// Its last answer.
    public internal(set) var status: Status?
    /// The reason, in words for the operator; empty when there is nothing to say.
    public internal(set) var why = ""

    init(_ id: DeviceID, position: Int, since: Double) {
        self.id = id
        self.position = position
        self.since = since
    }

    /// Whether it takes one of the places of those under way.
    public var isUnderWay: Bool { phase == .initiated || phase == .activated }
    /// Whether nothing more is expected of it.
    public var hasEnded: Bool { [.updated, .failed, .left, .superseded].contains(phase) }
    /// Whether its step has reached it: it has begun, and is not away.
    var isReached: Bool {
        switch phase {
        case .initiated, .activated, .updated, .failed: true
        case .waiting: tries > 0
        case .away, .left, .superseded: false
        }
    }
}
