import Evidence
import Linux
import Participant
import SRUP
import Storage

/// How much of the audit log is kept.
public struct EvidenceRules: Sendable, Hashable {
    /// So many lines are kept, and up to ``linesPerSegment`` more.
    public var lines = 100_000
    /// So many days a line is kept; `nil`: as long as there is room.
    public var days: Int?
    /// Where lines go that are not kept any more; `nil`: they are gone.
    public var archive: String?
    /// Of the archive's files together, in bytes; the oldest are removed.
    public var archiveSize = 1 << 30

    /// What leaves leaves in files of so many lines.
    public static let linesPerSegment = 1000

    /// The usual ones, without an archive.
    public init() {}
}

/// When the server looks at its log.
struct EvidenceTimes {
    var seal = Duration.zero
    var prune = Duration.zero
    /// When a head was told last to the log of the system.
    var told: Duration?
}

/// The audit log as evidence: it is sealed within a second after each decision, and what is too old leaves it.
extension C2Server {
    /// A signature costs a small machine some milliseconds: one a second, however much happens.
    private static let (sealEvery, pruneEvery, tellEvery) = (
        Duration.seconds(1), Duration.seconds(60), Duration.seconds(600)
    )

    func watchEvidence(_ now: Duration) {
        sealLog(at: now)
        guard now >= evidenceTimes.prune else { return }
        evidenceTimes.prune = now + Self.pruneEvery
        do {
            try prune()
        } catch {
            causedLog.log(.error, about: "the audit log", "old lines could not be put into the archive: \(error)")
        }
    }

    func sealLog(at now: Duration, isLast: Bool = false) {
        guard isLast || now >= evidenceTimes.seal else { return }
        evidenceTimes.seal = now + Self.sealEvery
        do {
            guard let seal = try participant.state.seal(now: participant.wallClock()) else { return }
            guard isLast || evidenceTimes.told.map({ now - $0 >= Self.tellEvery }) ?? true else { return }
            evidenceTimes.told = now
            // Who can change our files may not be able to change these.
            logger.notice("the audit log's head is \(seal.head) (srup-c2 audit verify --head)")
            events.record("audit-head", ["head": seal.head])
        } catch {
            causedLog.log(.error, about: "the audit log", "it could not be sealed: \(error)")
        }
    }

    /// Whoever was looked at and not let in. (A simple join that is refused is no line: devices ask again each minute.)
    func notJoined(_ device: DeviceID, why: String, by name: String?) {
        participant.audit("not joined", "\(device): \(why)", about: device, by: name)
    }

    /// A few segments at once: each costs some 100 milliseconds.
    private static let segmentsAtOnce = 3

    private func prune() throws {
        let state = participant.state
        for _ in 0..<Self.segmentsAtOnce {
            guard let extent = try state.evidenceExtent() else { return }
            let segment = UInt64(EvidenceRules.linesPerSegment)
            let surplus = extent.last - extent.anchor.number >= UInt64(evidenceRules.lines) + segment
            let isTooOld = try evidenceRules.days.flatMap { days in
                let limit = participant.wallClock() - Double(days) * 86400
                return try state.lastEvidence(before: limit, among: segment)
            }
            guard let last = surplus ? extent.anchor.number + segment : isTooOld else { return }
            // The line that the next one leans on may be the newest: it stays.
            guard last < extent.last else { return }
            if let folder = evidenceRules.archive {
                let archive = EvidenceArchive(folder: folder, size: evidenceRules.archiveSize)
                try archive.add(first: extent.anchor.number + 1, last: last) { take in
                    try state.evidence(through: last, take)
                }
            }
            try state.dropEvidence(through: last, now: participant.wallClock())
        }
    }
}

extension Seal {
    /// As ``EvidenceVerifier/Head`` reads it.
    public var head: String { "\(number):\(hash.hexadecimal)" }
}
