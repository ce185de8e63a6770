import SRUP
import Storage
import Synchronization

/// Something that programs beside the server want to know: kept for a while, so that who was away misses nothing.
public struct Occurrence: Sendable, Hashable {
    /// What has happened.
    public enum Kind: String, Sendable, CaseIterable {
        /// A device waits for a person to let it in.
        case waiting
        /// A join that an observer or a person decides has ended.
        case verdict
        /// A device that belongs was to show that it is still there.
        case rollCall = "roll call"
        /// A device or an observer belongs to the network from now on.
        case joined
        /// It has left of its own.
        case left
        /// It was put out, or another identity has taken its place.
        case removed
        /// A rollout has been started: `why` says which; the device is the server itself.
        case rolloutStarted = "rollout-started"
        /// It has stopped, by itself or as an operator says.
        case rolloutStopped = "rollout-stopped"
        /// All of its devices have been dealt with.
        case rolloutFinished = "rollout-finished"
    }

    /// Grows with each, and is never given twice.
    public let id: Int64
    /// Seconds since 1970.
    public let time: Double
    /// What has happened.
    public let kind: Kind
    /// To whom.
    public let device: DeviceID
    /// Its type, as the key service tells it; `nil` when that is not known.
    public let type: String?
    /// How a join has ended; `nil` for all that is no verdict.
    public let outcome: C2State.Ending.Outcome?
    /// The reason, in words for the operator.
    public let why: String?
    /// The operator who did it; `nil` when nobody did.
    public let by: String?
    /// Who has observed; `nil` when nobody was to.
    public let observer: DeviceID?
}

extension C2State {
    /// So many are kept, the newest.
    public static let maximumOccurrences = 10_000

    /// Notes an occurrence.
    ///
    /// - Returns: its number.
    /// - Throws: ``StorageError``.
    func note(
        _ kind: Occurrence.Kind, _ device: DeviceID, type: String?, _ ending: Ending?, why: String?, by name: String?,
        observer: DeviceID?, now: Double
    ) throws(StorageError) -> Int64 {
        try database.transaction { connection throws(StorageError) in
            let rows = try connection.query(
                """
                INSERT INTO occurrences (time, kind, device, type, outcome, why, operator, observer)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
                """, .real(now), .text(kind.rawValue), .unsigned(device.value), type.map { .text($0) } ?? .null,
                ending.map { .text($0.outcome.rawValue) } ?? .null, (why ?? ending?.why).map { .text($0) } ?? .null,
                (name ?? ending?.by).map { .text($0) } ?? .null, observer.map { .unsigned($0.value) } ?? .null)
            let id = rows.first?.integer(0) ?? 0
            try connection.query("DELETE FROM occurrences WHERE id <= ?", .integer(id - Int64(Self.maximumOccurrences)))
            return id
        }
    }

    /// Occurrences, the earliest first.
    ///
    /// - Parameter after: only those with a higher number.
    /// - Throws: ``StorageError``.
    public func occurrences(after: Int64, limit: Int) throws(StorageError) -> [Occurrence] {
        try database.read(
            """
            SELECT id, time, kind, device, type, outcome, why, operator, observer FROM occurrences
            WHERE id > ? ORDER BY id LIMIT ?
            """, [.integer(after), .integer(Int64(limit))]
        ).compactMap { row in
            guard let id = row.integer(0), let kind = row.text(2).flatMap(Occurrence.Kind.init),
                let device = row.unsigned(3)
            else { return nil }
            return Occurrence(
                id: id, time: row.real(1) ?? 0, kind: kind, device: DeviceID(device), type: row.text(4),
                outcome: row.text(5).flatMap { Ending.Outcome(rawValue: $0) }, why: row.text(6), by: row.text(7),
                observer: row.unsigned(8).map(DeviceID.init))
        }
    }

    /// The number of the newest occurrence there ever was, which is always kept; 0 before the first.
    ///
    /// - Throws: ``StorageError``.
    public func newestOccurrence() throws(StorageError) -> Int64 {
        try database.read("SELECT max(id) FROM occurrences").first?.integer(0) ?? 0
    }

    // MARK: The webhook

    /// How far the webhook is, and how it is doing.
    public struct WebhookStanding: Sendable, Hashable {
        /// The newest occurrence that was told, or that nobody is told any more.
        public var told: Int64
        /// When one was told last, in seconds since 1970; `nil`: never.
        public var succeeded: Double?
        /// Since when telling fails, in seconds since 1970; `nil`: it does not.
        public var failed: Double?
        /// Why it fails.
        public var problem: String?
        /// How many were never told, since they could not be for too long.
        public var dropped: Int64
        /// How many are to be told.
        public var pending: Int64

        /// Begins after an occurrence.
        public init(told: Int64) {
            self.told = told
            (dropped, pending) = (0, 0)
        }
    }

    /// `nil` when there was never one.
    ///
    /// - Throws: ``StorageError``.
    public func webhook() throws(StorageError) -> WebhookStanding? {
        let newest = try newestOccurrence()
        return try database.read("SELECT told, succeeded, failed, problem, dropped FROM webhook").first.map { row in
            var standing = WebhookStanding(told: row.integer(0) ?? 0)
            (standing.succeeded, standing.failed, standing.problem) = (row.real(1), row.real(2), row.text(3))
            standing.dropped = row.integer(4) ?? 0
            standing.pending = max(0, newest - standing.told)
            return standing
        }
    }

    /// Keeps how far the webhook is.
    ///
    /// - Throws: ``StorageError``.
    public func save(_ standing: WebhookStanding) throws(StorageError) {
        try database.query(
            Database.put(
                into: "webhook", key: ["\"only\""], ["told", "succeeded", "failed", "problem", "dropped"]), 1,
            .integer(standing.told), standing.succeeded.map { .real($0) } ?? .null,
            standing.failed.map { .real($0) } ?? .null, standing.problem.map { .text($0) } ?? .null,
            .integer(standing.dropped))
    }
}

extension C2Server {
    /// Notes something for programs, and tells those that listen. That it cannot be noted stops nothing.
    func occurred(
        _ kind: Occurrence.Kind, _ device: DeviceID, type: String? = nil, _ ending: C2State.Ending? = nil,
        why: String? = nil, by name: String? = nil, observer: DeviceID? = nil
    ) {
        do {
            let type = try type ?? participant.state.type(of: device)
            let number = try state.note(
                kind, device, type: type?.withoutControls, ending, why: why, by: name, observer: observer,
                now: participant.wallClock())
            // Whoever hears of it looks at what is stored.
            participant.afterwards.run { [occurrences] in occurrences.tell(number) }
        } catch {
            causedLog.log(.error, about: "the state file", "an occurrence cannot be noted: \(error)")
        }
    }

    /// The policy that a device comes in by.
    func policy(for device: DeviceID) -> JoinPolicy {
        rules.policy(for: (try? participant.state.type(of: device)) ?? "")
    }
}

/// Counts answers to joins, for monitoring. Safe to use from several threads.
public final class JoinTally: Sendable {
    /// What is counted together.
    public struct Count: Sendable, Hashable {
        /// What holds for the device's type.
        public let policy: JoinPolicy
        /// What it was told.
        public let outcome: C2State.Ending.Outcome
    }

    private let counts = Mutex<[Count: UInt64]>([:])

    init() {}

    func count(_ policy: JoinPolicy, _ status: Status) {
        let outcome: C2State.Ending.Outcome =
            switch status {
            case .joinSuccess: .joined
            case .joinRefused: .refused
            default: .failed
            }
        counts.withLock { $0[Count(policy: policy, outcome: outcome), default: 0] += 1 }
    }

    /// How many there were of each since the start.
    public var counted: [Count: UInt64] { counts.withLock { $0 } }
}
