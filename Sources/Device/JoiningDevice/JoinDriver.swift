import Limits
import Logging
import Participant
import Presentation
import SRUP

/// What a joining device does about each event of its membership: asks, shows its nonce, takes it down, asks again.
public actor JoinDriver {
    /// How a device behaves.
    public struct Behaviour: Sendable {
        /// Ask for this observer instead of the one that the server names.
        public var observer: DeviceID?
        /// Whether people compare what is shown: a refused simple join is followed by a human-moderated one.
        public var isForPeople = false
        /// How long to wait at first before a join that failed is tried again; later longer, up to ten times as long.
        public var retry: Duration = .seconds(60)
        /// How often a member asks whether it still belongs, which heals a server that has forgotten it.
        public var confirm: Duration = .seconds(600)
        /// How long asking again after "refused" may go on, and with ``Outcome/once`` how long all of it may take.
        public var patience: Duration = .seconds(900)

        /// The usual behaviour.
        public init() {}
    }

    private enum Next { case ask(JoinKind), nobodyNamed, impatience }

    private let presenter: any NoncePresenter
    private let events: EventLog
    private let logger: Logger
    private let outcome: Outcome
    private let behaviour: Behaviour
    private let time: Timekeeper
    private var member: Member?
    private var isShowing = false
    /// What is shown is for a roll call: no answer to a join takes it down.
    private var isRollCall = false
    private var next: (at: Duration, what: Next)?
    private var alarm: Task<Void, Never>?
    private var unanswered = Backoff(first: .seconds(4), longest: .seconds(120))
    private var again = Backoff(first: .seconds(5), longest: .seconds(60))
    private var failed: Backoff
    /// When asking for this join began; `nil` while we belong.
    private var askingSince: Duration?

    /// How long the server may take to name an observer after it has refused a simple join.
    private static let naming = Duration.seconds(10)

    /// How long what has waited at the broker may take to arrive after a reconnection; with a person, who would have to
    /// compare anew, the server is asked much later.
    private static let (catchingUp, catchingUpWithPeople) = (Duration.seconds(5), Duration.seconds(300))

    /// Does nothing before ``use(_:)``.
    ///
    /// - Parameters:
    ///   - presenter: shows the nonce.
    ///   - events: where each step is recorded.
    ///   - outcome: is told how the join has ended, and knows whether that is all.
    ///   - behaviour: how long it waits, and whom it asks for.
    ///   - time: the clock that retries and patience go by.
    public init(
        presenter: any NoncePresenter, events: EventLog, logger: Logger, outcome: Outcome, behaviour: Behaviour,
        time: Timekeeper = .monotonic
    ) {
        self.presenter = presenter
        self.events = events
        self.logger = logger
        self.outcome = outcome
        self.behaviour = behaviour
        self.time = time
        failed = Backoff(first: behaviour.retry, longest: behaviour.retry * 10)
    }

    /// Takes the member to ask with, before its first event; patience counts from now on.
    public func use(_ member: Member) {
        self.member = member
        askingSince = time.now()
        if outcome.once { plan(.impatience, after: behaviour.patience) }
    }

    // MARK: Time

    private func plan(_ what: Next, after pause: Duration) {
        var moment = time.now() + pause
        var what = what
        // With --once the whole has an end, whatever is planned.
        if outcome.once, let askingSince, moment >= askingSince + behaviour.patience {
            (moment, what) = (askingSince + behaviour.patience, .impatience)
        }
        next = (moment, what)
        alarm?.cancel()
        alarm = time.wake(at: moment) { [weak self] in await self?.tick() }
    }

    private func planNothing() {
        next = nil
        alarm?.cancel()
        if outcome.once, askingSince != nil { plan(.impatience, after: .seconds(1 << 32)) }
    }

    /// Does what is due.
    public func tick() async {
        guard let due = next, due.at <= time.now() else { return }
        planNothing()
        switch due.what {
        case .ask(let kind): await ask(kind)
        case .nobodyNamed: await notLetIn("the server has named no observer (give one with --observer)")
        case .impatience:
            guard due.at >= (askingSince ?? due.at) + behaviour.patience else { return }
            takeDown()
            logger.error("no answer in \(behaviour.patience)")
            await outcome.set(.noAnswer)
        }
    }

    // MARK: Events

    /// Does what an event of the member asks for: asks, shows the nonce, takes it down, plans the next try.
    public func handle(_ event: MemberEvent) async {
        switch event {
        case .connected:
            events.record("connected")
            if isShowing, !isRollCall {
                // What the broker has kept for us comes now. If the answer was lost with a broker, nothing does: ask.
                let pause = behaviour.isForPeople ? Self.catchingUpWithPeople : Self.catchingUp
                plan(.ask(.simple), after: pause * Double.random(in: 0.7...1))
            } else {
                await ask(.simple)
            }
        case .disconnected(let why): events.record("disconnected", ["why": why])
        case .joined(let again): await joined(again)
        case .refused(let kind, let named):
            takeDown()
            if kind == .simple { await moderated(named) } else { await askAgain(kind) }
        case .joinFailed:
            takeDown()
            await notLetIn("the join has failed")
        case .joinTimedOut(let kind): await timedOut(kind)
        case .nonce(let nonce, _): show(nonce)
        case .rollCall(let nonce): show(nonce, isRollCall: true)
        case .rollCallEnded: if isRollCall { takeDown() }
        case .data(let id, let value): await told(id, value)
        case .left(let why):
            logger.warning("the server has removed this device from its network (\(why))")
            events.record("left", ["why": why])
            // It may have waited at the broker for days: a join under way has an answer of its own to come.
            if askingSince == nil { planNothing() }
        case .calledToJoin:
            events.record("called-to-join")
            if !isShowing || isRollCall { await ask(.simple) }
        case .identityEnded:
            takeDown()
            planNothing()
            logger.warning("the server has ended this device's identity")
            events.record("identity-ended")
        case .leavingAnswered(let how, let isDone):
            events.record("leaving-answered", ["how": "\(how)", "done": String(isDone)])
        case .action(let id, _): logger.info("action \(id)")
        case .group(let group, let isMember):
            events.record(isMember ? "group-entered" : "group-left", ["group": group.text])
        case .observationAnnounced, .observationWithdrawn, .observationRequested, .observationOver, .updateOffered,
            .activation:
            break
        }
    }

    private func joined(_ isAgain: Bool) async {
        if !isRollCall { takeDown() }
        unanswered.reset()
        again.reset()
        failed.reset()
        askingSince = nil
        logger.notice(isAgain ? "joined, as before" : "joined")
        events.record("joined", ["again": String(isAgain)])
        plan(.ask(.simple), after: behaviour.confirm * Double.random(in: 0.8...1))
        await outcome.set(.joined)
    }

    private func ask(_ kind: JoinKind) async {
        if askingSince == nil { askingSince = time.now() }
        planNothing()
        do {
            try await member?.join(kind)
            events.record("asked", ["kind": String(describing: kind)])
        } catch {
            logger.error("\(error)")
        }
    }

    private func timedOut(_ kind: JoinKind) async {
        takeDown()
        events.record("no-answer")
        logger.warning(
            kind == .humanModerated ? "nobody has decided about this device" : "the server does not answer")
        if kind != .simple { await outcome.set(.noAnswer) }
        plan(.ask(.simple), after: unanswered.next())
    }

    /// The server wants more than a simple join.
    private func moderated(_ named: DeviceID?) async {
        if behaviour.isForPeople {
            logger.notice("the server wants more than a simple join: asking for a person to compare what is shown")
            return await ask(.humanModerated)
        }
        guard let chosen = behaviour.observer ?? named else {
            logger.notice("the server wants this device observed and has not said by whom; waiting for that")
            plan(.nobodyNamed, after: Self.naming)
            return
        }
        logger.notice("the server wants this device observed: asking for observer \(chosen)")
        await ask(.observed(by: chosen))
    }

    private func told(_ id: [UInt8], _ value: [UInt8]) async {
        guard case .nobodyNamed? = next?.what, id == Array(DataName.observer.utf8),
            let named = DeviceID(participant: String(decoding: value.prefix(16), as: UTF8.self))
        else { return }
        await moderated(named)
    }

    /// "Refused" to a moderated join means that it could not be seen this time, or that the server has too much to do.
    private func askAgain(_ kind: JoinKind) async {
        guard let since = askingSince, time.now() - since < behaviour.patience else {
            return await notLetIn("refused")
        }
        logger.notice("the server says: ask again")
        events.record("asked-to-try-again")
        plan(.ask(kind), after: again.next())
    }

    private func notLetIn(_ why: String) async {
        logger.error("not let in: \(why)")
        events.record("not-let-in", ["why": why])
        await outcome.set(.notLetIn)
        askingSince = nil
        plan(.ask(.simple), after: failed.next())
    }

    // MARK: The display

    private func show(_ nonce: Nonce, isRollCall: Bool = false) {
        do {
            try nonce.withHex { text in try presenter.show(text) }
            isShowing = true
            self.isRollCall = isRollCall
            logger.notice(
                isRollCall
                    ? "roll call: showing a fresh nonce to the observer"
                    : behaviour.isForPeople
                        ? "showing the value: compare it with the operator's page" : "showing the nonce to the observer"
            )
            events.record("showing")
        } catch {
            logger.error("the nonce cannot be shown: \(error)")
        }
    }

    /// Takes the nonce down if one is shown; a display that cannot be cleared is only logged.
    public func takeDown() {
        guard isShowing else { return }
        isShowing = false
        isRollCall = false
        do {
            try presenter.clear()
        } catch {
            logger.error("the display cannot be cleared: \(error)")
        }
        events.record("taken-down")
    }
}
