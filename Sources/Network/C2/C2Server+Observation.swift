import Participant
import SRUP

/// The observed join: a place with the observer, a nonce for both, the verdict.
extension C2Server {
    func observedJoin(_ device: DeviceID, _ observer: DeviceID, _ token: Token, type: String) throws {
        // A request that comes while one is open takes its place: the device has started over.
        end(device)
        if let problem = try obstacle(device, observer, type: type) {
            causedLog.log(.notice, about: device, "the observed join of \(device) fails: \(problem)")
            try answer(device, .joinFail, token, why: problem)
            return
        }
        if let problem = joins.problem(device, observer, type: type, rules.limits) {
            causedLog.log(.notice, about: "joins", "\(device) must ask again later: \(problem)")
            // To an observed join this status means "again".
            try answer(device, .joinRefused, token, why: problem)
            return
        }
        let join = C2State.Pending(
            device: device, observer: observer, request: token, offer: token, observation: .random(), attempt: 0,
            type: type, created: participant.wallClock())
        joins.wait(join, began: time.now(), notBefore: time.now())
        carryOn(join) { try state.save(join) }
        askNext(observer)
    }

    private func obstacle(_ device: DeviceID, _ observer: DeviceID, type: String) throws -> String? {
        switch rules.policy(for: type) {
        case .refuse: return "devices of type \(type) are never let in"
        case .human: return "devices of type \(type) must be moderated by a person"
        case .trusted where try !state.trusted().contains(device):
            return "devices of type \(type) come in when the operator has named them (srup-c2 trust \(device))"
        case .simple, .trusted, .observed: break
        }
        if observer == device { return "a device cannot vouch for itself" }
        if try !state.trusted().contains(observer) {
            return "\(observer) is not trusted as an observer (srup-c2 trust \(observer))"
        }
        if try participant.state.peer(observer)?.isJoined != true { return "the observer \(observer) has not joined" }
        return nil
    }

    /// Takes a step of a join. If it cannot be taken, the join is over: its place is free again, and the device is told.
    func carryOn(_ join: C2State.Pending, _ step: () throws -> Void) {
        do {
            try step()
        } catch {
            drop(join, because: "\(error)")
        }
    }

    private func drop(_ join: C2State.Pending, because why: String) {
        causedLog.log(.error, about: join.device, "the join of \(join.device) cannot go on: \(why)")
        // Whatever has failed, the place is free.
        end(join.device, ending(.joinFail, why: "it could not go on: \(why)"))
        do {
            try answer(join.device, .joinFail, join.offer, why: "it could not go on")
        } catch {
            causedLog.log(.error, about: join.device, "nor can \(join.device) be told: \(error)")
        }
    }

    /// Forgets a join under way: an observer that answers later finds no open join, but its place stays taken until then.
    func end(_ device: DeviceID, _ ending: C2State.Ending? = nil) {
        joins.remove(device)
        if moderations.remove(device) { changed(.waiting, device) }
        do {
            let ending = ending ?? .init(.replaced, why: "it has asked anew", at: participant.wallClock())
            for join in try state.remove(device, ending) {
                occurred(.verdict, device, type: join.type, ending, observer: join.observer)
            }
        } catch {
            causedLog.log(.error, about: "the state file", "\(error)")
        }
        changed(.join, device)
    }

    func failJoins(by observer: DeviceID, because why: String) {
        for entry in joins.joins(by: observer) {
            carryOn(entry.join) { try conclude(entry.join, .joinFail, why: why) }
        }
    }

    // MARK: Asking the observer

    /// Gives the observer's free places to whoever waits for it.
    func askNext(_ observer: DeviceID) {
        let now = time.now()
        while roster.isFree(observer, at: now), let join = joins.next(for: observer, at: now) {
            carryOn(join) { try offer(join) }
        }
    }

    /// Sends a fresh nonce to device and observer.
    private func offer(_ before: C2State.Pending) throws {
        var join = before
        join.attempt += 1
        join.offer = .random()
        join.observation = .random()
        guard let deviceKey = try participant.state.peer(join.device)?.key else {
            throw Rejection.unknownSender(join.device)
        }
        guard let observerKey = try participant.state.peer(join.observer)?.key else {
            throw Rejection.unknownSender(join.observer)
        }
        let nonce = Nonce.random()
        let toDevice = try Envelope.sealing(nonce, for: deviceKey)
        let toObserver = try Envelope.sealing(nonce, for: observerKey)
        let now = time.now()
        let deadline = now + rules.observationTimeout
        joins.look(join, until: deadline)
        // On disk before the observer hears of it: after a restart it may still be looking.
        try state.save(join, askedUntil: participant.wallClock() + (rules.observationTimeout + rest) / .seconds(1))
        do {
            try participant.send(
                .observedJoinResponse(toDevice), to: join.device, on: .member(join.device), token: join.offer)
        } catch {
            // The observer has not been asked: its place is free.
            _ = try state.takeAsked(join.observation, of: join.observer)
            throw error
        }
        roster.asked(
            join.observer, join.observation,
            .init(device: join.device, deadline: deadline, freeAt: deadline + rest), at: now)
        try participant.send(
            .observationRequest(device: join.device, toObserver), to: join.observer, on: .member(join.observer),
            token: join.observation)
        causedLog.log(
            .info, about: join.device,
            "try \(join.attempt) of \(rules.tries): \(join.observer) is to look at \(join.device)")
        changed(.join, join.device)
        events.record(
            "observation-requested",
            ["device": join.device.hex, "observer": join.observer.hex, "try": String(join.attempt)])
    }

    private var rest: Duration { rules.observationRest ?? rules.observationTimeout * 2 }

    /// The observer has connected anew: what it was asked before it does not look at.
    func askAnew(_ observer: DeviceID) {
        guard roster.capacity(of: observer) > 1 else { return }
        for entry in joins.joins(by: observer) where entry.deadline != nil {
            var join = entry.join
            // No try of the device's.
            join.attempt -= 1
            _ = roster.answered(observer, join.observation)
            joins.wait(again: join, notBefore: time.now())
        }
    }

    /// What is due at this time.
    func watchJoins(_ now: Duration) {
        let due = joins.due(at: now, longest: rules.limits.longestJoin)
        for join in due.old {
            carryOn(join) {
                try conclude(join, .joinFail, why: "the join has not ended in \(rules.limits.longestJoin)")
            }
        }
        for join in due.expired {
            roster.expired(join.observer)
            carryOn(join) {
                try tryAgain(join, because: "the observer did not answer in \(rules.observationTimeout)")
            }
        }
        for observer in joins.awaited { askNext(observer) }
    }

    private func tryAgain(_ join: C2State.Pending, because why: String, pause: Duration = .zero) throws {
        guard join.attempt < rules.tries else {
            causedLog.log(
                .notice, about: join.device,
                "the observed join of \(join.device) fails after \(join.attempt) tries: \(why)")
            try conclude(join, .joinFail, why: why)
            return
        }
        causedLog.log(.info, about: join.device, "\(join.device): \(why); trying again with a fresh nonce")
        joins.wait(again: join, notBefore: time.now() + pause)
    }

    // MARK: Its answer

    func verdict(_ status: Status, from observer: DeviceID, _ token: Token) throws {
        guard [.observedJoinValid, .observedJoinInvalid, .observedJoinFail].contains(status) else {
            throw Rejection.unfittingStatus(status)
        }
        guard try state.takeAsked(token, of: observer) else { throw Rejection.unknownToken(observer) }
        _ = roster.answered(observer, token)
        defer { askNext(observer) }
        guard
            let entry = joins.joins(by: observer).first(where: { $0.join.observation == token }),
            let deadline = entry.deadline
        else {
            return causedLog.log(.info, about: observer, "\(observer) answers \(status), too late for its join")
        }
        let join = entry.join
        let lasted = rules.observationTimeout - (deadline - time.now())
        events.record(
            "verdict-received", ["device": join.device.hex, "observer": observer.hex, "status": status.description])
        participant.audit(
            "verdict", "\(status) from \(observer) about \(join.device)", about: join.device, by: phones[observer])
        carryOn(join) { try judge(join, status, lasted) }
    }

    /// A FAILED that comes sooner than this was no look: the observer has too much to do, or has just been started.
    private static let shortestLook = Duration.seconds(1)

    private func judge(_ join: C2State.Pending, _ status: Status, _ lasted: Duration) throws {
        let observer = join.observer
        guard try state.trusted().contains(observer) else {
            causedLog.log(
                .notice, about: observer,
                "\(observer) is not trusted any more; its verdict about \(join.device) does not count")
            return try conclude(join, .joinFail, why: "observer not trusted")
        }
        switch status {
        case .observedJoinValid:
            causedLog.log(.info, about: join.device, "\(observer) says VALID: it has seen \(join.device)")
            try conclude(
                join, .joinSuccess, why: "observed by \(observer)\(phoneWords(observer))", by: phones[observer])
        case .observedJoinInvalid:
            causedLog.log(
                .warning, about: join.device,
                "\(observer) says INVALID: something showed another value in place of \(join.device)")
            try conclude(join, .joinFail, why: "observer saw another value", by: phones[observer])
        default:
            let pause = lasted >= Self.shortestLook ? .zero : Duration.seconds(1 << min(join.attempt, 5))
            try tryAgain(join, because: "the observer \(observer) says FAILED", pause: pause * .random(in: 0.5...1))
        }
    }

    func conclude(_ join: C2State.Pending, _ status: Status, why: String, by name: String? = nil) throws {
        joins.remove(join.device)
        // On disk the answer comes first: a crash in between is recognised by its token, and no device waits in vain.
        if status == .joinSuccess {
            joins.succeeded(join.device)
            try admitted(join.device, join.offer, .observed, how: why, by: name)
        } else {
            joins.failed(join.device, at: time.now())
            try answer(join.device, status, join.offer, why: why)
            notJoined(join.device, why: why, by: name)
        }
        end(join.device, ending(status, why: why, by: name))
    }

    // MARK: After a restart

    /// Takes up the joins that were under way.
    func resumeJoins() throws {
        let now = time.now()
        let wall = participant.wallClock()
        for observer in try state.observers() {
            roster.restore(observer.id, capacity: observer.observations, session: observer.session)
        }
        let longest = (rules.observationTimeout + rest) / .seconds(1)
        let asked = try state.asked(now: wall, longest: longest)
        for asked in asked {
            let freeAt = now + .seconds(asked.until - wall)
            roster.asked(
                asked.observer, asked.token,
                .init(device: asked.device, deadline: min(freeAt, now + rules.observationTimeout), freeAt: freeAt),
                at: now)
        }
        for join in try state.pending() {
            let age = Duration.seconds(max(0, min(wall - join.created, 86400)))
            joins.wait(join, began: now - age, notBefore: now)
            carryOn(join) { try resume(join, mayBeAnswered: asked.contains { $0.token == join.observation }, now) }
        }
        for observer in joins.awaited { askNext(observer) }
    }

    private func resume(_ join: C2State.Pending, mayBeAnswered: Bool, _ now: Duration) throws {
        let peer = try participant.state.peer(join.device)
        if peer?.lastAnswer == join.offer {
            // Answered, and the crash came before anything else.
            end(join.device, ending(peer?.isJoined == true ? .joinSuccess : .joinFail, why: "before the restart"))
            if peer?.isJoined == true {
                let how = "observed by \(join.observer), before the restart"
                answered(join.device, .joinSuccess, why: how)
                try welcome(join.device, how: how)
            }
            return
        }
        if let problem = try obstacle(join.device, join.observer, type: join.type) {
            return try conclude(join, .joinFail, why: problem)
        }
        if mayBeAnswered, roster.capacity(of: join.observer) == 1 {
            // An observer with one place may be looking: its answer still counts.
            joins.look(join, until: now + rules.observationTimeout)
        } else if join.attempt > 0 {
            // One with several lets go of what it was asked then at the next request.
            logger.notice("the join of \(join.device) was interrupted by a restart; asking its observer again")
            try tryAgain(join, because: "the server was restarted")
        }
    }
}
