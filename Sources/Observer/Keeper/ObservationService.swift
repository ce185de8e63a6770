import CLinux
import Limits
import Logging
import Observation
import Participant
import ObservedValue
import SRUP
import Signals
import WitnessLink

/// What an observation needs of a witness: a process of its own in the programs (``WitnessProcess``).
package protocol ObservingWitness: Sendable {
    /// Somebody waits for what it sees.
    func wake()
    func rest()
}

extension WitnessProcess: ObservingWitness {}
extension WitnessProcess: RestartableWitness {}

/// Opens a watch for each request, shows it what the witnesses see, and sends each verdict once.
package actor ObservationService {
    private let participant: Participant
    private let server: DeviceID
    private let events: EventLog
    private let name: String
    private let signals: SignalBoard?
    private let timekeeper: Timekeeper
    /// What witnesses and the server cause.
    private let causedLog: BoundedLog
    private var watches: Watches<Token>
    private var subjects: [Token: DeviceID] = [:]
    private var hasAnsweredLeftOvers = false
    private var witnesses: [any ObservingWitness] = []
    private var timer: Task<Void, Never>?
    private var aim: LampAim?
    /// The acceptance check's wish, until it is asked again or its time is up.
    private var acceptance: (looks: Bool, word: SignalWord?, until: Duration)?
    private var acceptanceAim: LampAim?
    private let ledger: AcceptanceLink.Ledger?
    private var told: (@Sendable (DeviceID?, Verdict) -> Void)?
    package private(set) var verdicts: [String: Int] = [:]
    package private(set) var eyes: [String: String] = [:]
    /// What an operator compares before this observer itself is let in; `nil` when it is not waiting for that.
    package private(set) var ownValue: Nonce? {
        didSet {
            if let ownValue { ownValue.withHex { signals?.value(name, $0) } } else { signals?.value(name, nil) }
        }
    }

    /// - Parameter name: of the logical observer.
    package init(
        _ participant: Participant, server: DeviceID, rules: WatchRules, events: EventLog, name: String = "",
        signals: SignalBoard? = nil, ledger: AcceptanceLink.Ledger? = nil, time: Timekeeper = .monotonic
    ) {
        self.ledger = ledger
        timekeeper = time
        self.name = name
        self.signals = signals
        self.participant = participant
        self.server = server
        self.events = events
        causedLog = BoundedLog(participant.logger)
        watches = Watches(rules: rules, now: time.now())
    }

    /// Judges by other rules from now on; a watch that is open keeps its deadline.
    package func use(_ rules: WatchRules) { watches.rules = rules }

    private var now: Duration { timekeeper.now() }
    /// By the clock that it was made with.
    package var time: Duration { now }
    private var logger: Logger { participant.logger }

    package func use(_ witnesses: [any ObservingWitness]) {
        self.witnesses = witnesses
    }

    package var openWatches: Int { watches.count }

    /// What this observer is to look at, the oldest request first; times by the clock that it was made with.
    package var subjectsInView: [(device: DeviceID, opened: Duration, deadline: Duration)] {
        subjects.compactMap { token, device in
            watches.times(of: token).map { (device, $0.opened, $0.deadline) }
        }.sorted { ($0.opened, $0.device) < ($1.opened, $1.device) }
    }

    /// Looks for so long, whoever asks or not, and says on the lamp whether anything is read.
    package func aim(for duration: Duration) {
        guard duration > .zero else { return }
        aim = LampAim(until: now + duration)
        causedLog.log(
            .notice, about: "aiming", "looking for \(duration), so that the camera can be pointed (aim_minutes)")
        for witness in witnesses { witness.wake() }
        showAim()
        schedule()
    }

    /// What the acceptance check wants, for the next ``AcceptanceLink/patience``; without effect where it is not configured.
    ///
    /// - Parameters:
    ///   - looks: the eyes look; otherwise they let go of their devices, unless there is a watch.
    ///   - word: on the lamp; `nil`: whether anything is read.
    package func accept(looks: Bool, word: SignalWord?) {
        guard ledger != nil else { return }
        let until = now + AcceptanceLink.patience
        acceptance = (looks, word, until)
        if looks, word == nil {
            acceptanceAim = (acceptanceAim ?? LampAim(until: until)).until(until)
        } else {
            acceptanceAim = nil
        }
        if looks { for witness in witnesses { witness.wake() } } else { restIfIdle() }
        showAim()
        schedule()
    }

    private func showAim() {
        let aimed = aim?.word(at: now)
        if aimed == nil { aim = nil }
        if let acceptance, now >= acceptance.until {
            (self.acceptance, acceptanceAim) = (nil, nil)
            signals?.text([])
            if aim != nil { for witness in witnesses { witness.wake() } }
        }
        signals?.aim(name, acceptance?.word ?? acceptanceAim?.word(at: now) ?? (acceptance == nil ? aimed : nil))
        restIfIdle()
    }

    /// Whoever wants to know of each verdict as it is sent.
    package func onVerdict(_ tell: @escaping @Sendable (DeviceID?, Verdict) -> Void) { told = tell }

    /// Answers what an earlier run has left open: their nonces were in memory only, so that FAILED is the honest answer
    /// and the server can ask again at once. Not before the server has let us in: what it asks in reply would come too early.
    private func answerLeftOvers() {
        guard !hasAnsweredLeftOvers else { return }
        hasAnsweredLeftOvers = true
        do {
            for duty in try participant.state.requests(.duty) where subjects[duty.token] == nil {
                logger.notice("a restart interrupted the observation of \(duty.subject?.hex ?? "?"): FAILED")
                answer(
                    duty.token, device: duty.subject, .failed("the observer was restarted"), elapsed: .zero,
                    to: duty.peer)
            }
        } catch {
            causedLog.log(.error, about: "the state file", "\(error)")
        }
    }

    /// What happens to the observer as a member of its network.
    package func handle(_ event: MemberEvent) {
        switch event {
        case .observationAnnounced:
            // Some cameras take a second to open: not after the disk, but beside it.
            for witness in witnesses { witness.wake() }
        case .observationWithdrawn: restIfIdle()
        case .observationRequested(let token, let device, let nonce): observe(device, nonce, token: token)
        case .observationOver(let token): giveUp(token)
        case .nonce(let value, .humanModerated): ownValue = value
        case .joined:
            ownValue = nil
            answerLeftOvers()
        case .refused, .joinFailed, .joinTimedOut, .left: ownValue = nil
        default: break
        }
    }

    /// Begins to look for `nonce`; an earlier request about the same device is forgotten without an answer, since its server
    /// waits for this one's only.
    private func observe(_ device: DeviceID, _ nonce: Nonce, token: Token) {
        if let old = subjects.first(where: { $0.value == device })?.key {
            subjects[old] = nil
            watches.close(old, at: now)
        }
        let fingerprint = nonce.withBytes { Watches<Token>.fingerprint(of: $0) }
        guard watches.open(token, fingerprint: fingerprint, at: now, matches: { nonce.matches($0) }) else {
            answer(token, device: device, .failed("too many observations at once"), elapsed: .zero, to: server)
            restIfIdle()
            return
        }
        subjects[token] = device
        causedLog.log(.info, about: device, "looking for \(device)")
        events.record("looking", ["device": device.hex])
        for witness in witnesses { witness.wake() }
        signals?.watches(name, watches.count)
        schedule()
    }

    /// Somebody else has seen the device, or nobody needs to any more: FAILED is what ends our duty, and nobody minds it.
    private func giveUp(_ token: Token) {
        guard let device = subjects.removeValue(forKey: token) else { return }
        watches.close(token, at: now)
        signals?.watches(name, watches.count)
        causedLog.log(.info, about: device, "\(device) need not be looked at any more")
        events.record("observation-over", ["device": device.hex])
        do {
            try participant.send(
                .response(.observedJoinFail), to: server, on: .member(participant.id), token: token, answering: .duty)
        } catch {
            causedLog.log(.error, about: "verdicts", "the end of an observation could not be sent: \(error)")
        }
        restIfIdle()
    }

    /// What a witness has said.
    package func heard(_ event: WitnessEvent, from witness: String) {
        switch event {
        case .ready(let what):
            eyes[witness] = "ready: \(what)"
            signals?.eye(name, witness, isBlind: false)
            causedLog.log(.info, about: witness, "the \(witness) sees: \(what)")
            watches.witness(witness, problem: nil, at: now)
            schedule()
        case .lost(let why):
            if eyes[witness] != "lost: \(why)" {
                causedLog.log(.warning, about: witness, "the \(witness) cannot see: \(why)")
            }
            eyes[witness] = "lost: \(why)"
            signals?.eye(name, witness, isBlind: !watches.isEmpty)
            watches.witness(witness, problem: why, at: now)
            schedule()
        case .seen(let value, let how):
            let manner: Sighting.Manner = how.hasPrefix("type") ? .resting : .glimpsed
            saw(Sighting(value: value, manner: manner, witness: witness, place: how))
        case .unread(let place): watches.sawUnread(place, at: now)
        case .tapped(let value, let how):
            saw(Sighting(value: value, manner: .presented, witness: witness, place: how))
        case .commanded(let command, _):
            // Never a watch's business; and where the check is not configured, nobody's.
            guard let ledger else { return }
            ledger.saw(command, isTapped: witness == "nfc", at: now)
            noteReadable()
        }
    }

    /// Something in view is read: the lamp says so to whoever aims.
    private func noteReadable() {
        guard aim != nil || acceptanceAim != nil else { return }
        aim?.read(at: now)
        acceptanceAim?.read(at: now)
        showAim()
        schedule()
    }

    private func saw(_ sighting: Sighting) {
        noteReadable()
        finish(watches.saw(sighting, at: now))
        srup_wipe_stack()
    }

    /// Does what is due.
    package func tick() {
        if aim != nil || acceptance != nil { showAim() }
        finish(watches.tick(at: now))
        schedule()
    }

    private func schedule() {
        timer?.cancel()
        let now = now
        let deadlines = [
            watches.nextDeadline, aim?.nextChange(after: now), acceptanceAim?.nextChange(after: now), acceptance?.until,
        ].compactMap { $0 }
        guard let deadline = deadlines.min() else { return }
        timer = timekeeper.wake(at: deadline) { [weak self] in await self?.tick() }
    }

    private func finish(_ ended: [Watches<Token>.Ended]) {
        for end in ended {
            let device = subjects.removeValue(forKey: end.id)
            answer(end.id, device: device, end.verdict, elapsed: end.elapsed, to: server)
        }
        if !ended.isEmpty { signals?.watches(name, watches.count) }
        if !ended.isEmpty { restIfIdle() }
    }

    private func restIfIdle() {
        guard watches.isEmpty, !(acceptance?.looks ?? (aim != nil)) else { return }
        for witness in witnesses { witness.rest() }
        if aim == nil, acceptance == nil { timer?.cancel() }
    }

    private func answer(_ token: Token, device: DeviceID?, _ verdict: Verdict, elapsed: Duration, to peer: DeviceID) {
        let status: Status =
            switch verdict {
            case .valid: .observedJoinValid
            case .invalid: .observedJoinInvalid
            case .failed: .observedJoinFail
            }
        do {
            try participant.send(
                .response(status), to: peer, on: .member(participant.id), token: token, answering: .duty)
        } catch {
            causedLog.log(.error, about: "verdicts", "the verdict \(verdict.name) could not be sent: \(error)")
            return
        }
        verdicts[verdict.name, default: 0] += 1
        signals?.verdict(verdict.name)
        told?(device, verdict)
        let name = device?.hex ?? "?"
        let milliseconds = Int((elapsed / .milliseconds(1)).rounded())
        let how =
            switch verdict {
            case .valid(let witness), .invalid(let witness): witness
            case .failed(let why): why
            }
        participant.audit("observation", "\(name): \(verdict.name) (\(how)) after \(milliseconds) ms, asked by \(peer)")
        causedLog.log(.notice, about: name, "\(name): \(verdict.name) after \(milliseconds) ms (\(how))")
        events.record(
            "verdict", ["device": name, "verdict": verdict.name, "how": how, "milliseconds": String(milliseconds)])
    }
}
