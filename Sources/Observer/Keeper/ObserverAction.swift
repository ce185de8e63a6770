import Limits
import Participant
import Program
import SRUP
import WitnessLink

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// What the C2 server can tell an observer to do (docs/commands.md, "What an observer does"). The numbers never change.
public enum ObserverAction: UInt8, Sendable, CaseIterable {
    /// Shows itself by light and sound, for half a minute.
    case locate = 1
    /// Ends all witnesses, which are started again at once; what is looked for is looked for on.
    case restartWitnesses = 2
    /// The same for the camera's witness alone.
    case restartCamera = 3
    /// The same for the NFC reader's.
    case restartReader = 4
    /// Sends ``status``.
    case reportStatus = 5

    /// The name that the server learns.
    public var name: String {
        switch self {
        case .locate: "locate"
        case .restartWitnesses: "restart-witnesses"
        case .restartCamera: "restart-camera"
        case .restartReader: "restart-reader"
        case .reportStatus: "report-status"
        }
    }

    /// The value that ``reportStatus`` sends: a string, a JSON object.
    public static let status = "OBSERVER_STATUS"

    /// What an observer says of itself.
    static func describe(in identification: inout Identification) {
        for action in allCases { identification.actions[action.rawValue] = action.name }
        identification.sends[status] = .string
    }
}

/// A witness that can be told to start anew.
package protocol RestartableWitness: Sendable {
    /// "camera" or "nfc".
    var name: String { get }
    func restart()
}

/// Does what the server tells an observer to do.
package actor ObserverOrders {
    private let desk: ObservationService
    private let witnesses: [any RestartableWitness]
    private let signals: SignalBoard?
    private let participant: Participant
    private let events: EventLog
    private let causedLog: BoundedLog
    private let time: Timekeeper
    private let start: Duration
    private var answer: @Sendable (Token, Member.Outcome) async throws -> Void = { _, _ in }
    private var report: @Sendable (String, [UInt8]) async throws -> Void = { _, _ in }
    /// A witness takes a second or two to open its device.
    private var restarts = SenderBudget<String>(burst: 3, perSecond: 1 / 10)

    package init(
        desk: ObservationService, witnesses: [any RestartableWitness], signals: SignalBoard?, participant: Participant,
        events: EventLog, time: Timekeeper = .monotonic
    ) {
        self.desk = desk
        self.witnesses = witnesses
        self.signals = signals
        self.participant = participant
        self.events = events
        self.time = time
        start = time.now()
        causedLog = BoundedLog(participant.logger)
    }

    /// Takes what answers an action and what sends a value, before the first event.
    package func use(
        answer: @escaping @Sendable (Token, Member.Outcome) async throws -> Void,
        report: @escaping @Sendable (String, [UInt8]) async throws -> Void
    ) {
        self.answer = answer
        self.report = report
    }

    package func handle(_ event: MemberEvent) async {
        guard case .action(let number, let token) = event else { return }
        let action = ObserverAction(rawValue: number)
        let outcome: Member.Outcome = if let action { await done(action) ? .done : .failed } else { .unknown }
        let name = action?.name ?? "action \(number)"
        causedLog.log(.notice, about: name, "\(name), as the server says: \(outcome)")
        events.record("action", ["action": String(number), "name": name, "outcome": "\(outcome)"])
        do {
            try await answer(token, outcome)
        } catch {
            causedLog.log(.error, about: "answers", "an action could not be answered: \(error)")
        }
    }

    private func done(_ action: ObserverAction) async -> Bool {
        switch action {
        case .locate:
            signals?.locate()
            return signals != nil
        case .restartWitnesses: return restart(witnesses)
        case .restartCamera: return restart(witnesses.filter { $0.name == "camera" })
        case .restartReader: return restart(witnesses.filter { $0.name == "nfc" })
        case .reportStatus: return await reportStatus()
        }
    }

    private func restart(_ chosen: [any RestartableWitness]) -> Bool {
        let now = time.now()
        guard !chosen.isEmpty, chosen.allSatisfy({ restarts.take($0.name, at: now) }) else { return false }
        for witness in chosen { witness.restart() }
        return true
    }

    /// How the observer is doing, without anything secret.
    private struct Status: Encodable {
        let program: String
        let uptimeSeconds: Int
        let openWatches: Int
        let eyes: [String: String]
        let verdicts: [String: Int]
        let rejected: UInt64
    }

    private func reportStatus() async -> Bool {
        var eyes = await desk.eyes
        for (name, words) in eyes { eyes[name] = String(words.prefix(200)) }
        for witness in witnesses where eyes[witness.name] == nil { eyes[witness.name] = "at rest" }
        let status = Status(
            program: "srup-observer \(Release.version)", uptimeSeconds: Int((time.now() - start) / .seconds(1)),
            openWatches: await desk.openWatches, eyes: eyes, verdicts: await desk.verdicts,
            rejected: participant.rejections.counts.values.reduce(0, +))
        do {
            try await report(ObserverAction.status, Array(status.jsonLine.utf8))
            return true
        } catch {
            causedLog.log(.warning, about: "status", "the status could not be sent: \(error)")
            return false
        }
    }
}
