import Logging
import Participant
import SRUP

/// The observed join: a place with the observer, a nonce for both, the verdict.
extension C2Server {
    func observedJoin(_ device: DeviceID, _ observer: DeviceID, _ token: Token, type: String) throws {
        // A request that comes while one is open takes its place: the device has started over.
        end(device)
        let policy = rules.policy(for: type)
        // Of several, nobody has the choice; and whoever names the server leaves it to the server.
        let named = policy.quorum == .one && observer != participant.id ? observer : nil
        let join = C2State.Pending(
            device: device, named: named, zone: try zone(of: device, type: type), quorum: policy.quorum,
            request: token, offer: token, attempt: 0, asks: [], type: type, created: participant.wallClock(),
            isRollCall: false)
        if let problem = try obstacle(join) {
            causedLog.log(.notice, about: device, "the observed join of \(device) fails: \(problem)")
            try answer(device, .joinFail, token, why: problem)
            return
        }
        if let problem = joins.problem(device, named, type: type, rules.limits) {
            causedLog.log(.notice, about: "joins", "\(device) must ask again later: \(problem)")
            // To an observed join this status means "again".
            try answer(device, .joinRefused, token, why: problem)
            return
        }
        try begin(join)
    }

    /// Takes up a join, or a roll call.
    func begin(_ join: C2State.Pending) throws {
        let candidates = try candidates(for: join)
        joins.wait(join, began: time.now(), notBefore: time.now(), candidates: candidates)
        carryOn(join) { try state.save(join) }
        for observer in roster.inOrder(candidates.sorted(), at: time.now()) { askNext(observer) }
    }

    private func obstacle(_ join: C2State.Pending) throws -> String? {
        let (device, type) = (join.device, join.type)
        switch rules.policy(for: type) {
        case .refuse: return "devices of type \(type) are never let in"
        case .human: return "devices of type \(type) must be moderated by a person"
        case .trusted where try !state.trusted().contains(device):
            return "devices of type \(type) come in when the operator has named them (srup-c2 trust \(device))"
        case .simple, .trusted, .observed, .severally: break
        }
        return try obstacleToObserving(join)
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
        // A member stays one; it takes its nonce down by itself.
        guard !join.isRollCall else { return }
        do {
            try answer(join.device, .joinFail, join.offer, why: "it could not go on")
        } catch {
            causedLog.log(.error, about: join.device, "nor can \(join.device) be told: \(error)")
        }
    }

    /// Forgets a join under way: an observer that answers later finds no open join, but its place stays taken until then.
    ///
    /// - Parameter observer: whose word has ended it.
    func end(_ device: DeviceID, _ ending: C2State.Ending? = nil, observer: DeviceID? = nil) {
        if let join = joins.remove(device) { release(join) }
        if moderations.remove(device) { changed(.waiting, device) }
        do {
            let ending = ending ?? .init(.replaced, why: "it has asked anew", at: participant.wallClock())
            for join in try state.remove(device, ending, observer: observer) {
                occurred(
                    join.way == .rollCall ? .rollCall : .verdict, device, type: join.type, ending,
                    observer: join.observer)
            }
        } catch {
            causedLog.log(.error, about: "the state file", "\(error)")
        }
        changed(.join, device)
    }

    /// An observer does not look any more: who has named it fails, of others it is one less.
    func failJoins(by observer: DeviceID, because why: String) {
        for entry in joins.entries.values {
            var join = entry.join
            if join.named == observer {
                carryOn(join) { try conclude(join, .joinFail, why: why) }
            } else if let index = join.asks.firstIndex(where: { $0.observer == observer }) {
                // Nor does what it has said before count.
                join.asks[index].verdict = .failed
                carryOn(join) { try weigh(join, because: why) }
            } else if entry.candidates.contains(observer) {
                joins.set(candidates: entry.candidates.subtracting([observer]), for: join.device)
            }
        }
    }

    // MARK: Asking observers

    /// Gives the observer's free places to whoever waits for it.
    func askNext(_ observer: DeviceID) {
        let now = time.now()
        while roster.isFree(observer, at: now),
            let entry = joins.next(for: observer, at: now, isReady: { isReady($0, now) })
        {
            let asked = askable(entry, now)
            carryOn(entry.join) { try offer(entry.join, to: asked) }
        }
    }

    /// Sends a fresh nonce to the device and to those who are to look at it, each with a token of its own.
    private func offer(_ before: C2State.Pending, to observers: [DeviceID]) throws {
        var join = before
        join.attempt += 1
        join.offer = .random()
        join.asks = observers.map { C2State.Ask(observer: $0, token: .random(), verdict: nil) }
        let nonce = Nonce.random()
        let toDevice = try Envelope.sealing(nonce, for: key(of: join.device))
        let toObservers = try join.asks.map { ($0, try Envelope.sealing(nonce, for: key(of: $0.observer))) }
        let now = time.now()
        let deadline = now + rules.observationTimeout
        joins.look(join, until: deadline)
        // On disk before the observers hear of it: after a restart they may still be looking.
        try state.save(join, askedUntil: participant.wallClock() + (rules.observationTimeout + rest) / .seconds(1))
        do {
            try participant.send(
                .observedJoinResponse(toDevice), to: join.device, on: .member(join.device), token: join.offer)
        } catch {
            // No observer has been asked: their places are free.
            for ask in join.asks { _ = try state.takeAsked(ask.token, of: ask.observer) }
            throw error
        }
        for (ask, envelope) in toObservers {
            roster.asked(
                ask.observer, ask.token, .init(device: join.device, deadline: deadline, freeAt: deadline + rest),
                at: now)
            try request(ask, join.device, envelope)
            events.record(
                "observation-requested",
                ["device": join.device.hex, "observer": ask.observer.hex, "try": String(join.attempt)])
        }
        causedLog.log(
            .info, about: join.device,
            "try \(join.attempt) of \(rules.tries): \(names(observers)) \(observers.count == 1 ? "is" : "are") to look at \(join.device)"
        )
        changed(.join, join.device)
    }

    func names(_ observers: [DeviceID]) -> String { observers.map(\.description).joined(separator: ", ") }

    private func key(of id: DeviceID) throws -> PublicKey {
        guard let key = try participant.state.peer(id)?.key ?? neighbourKey(id) else {
            throw Rejection.unknownSender(id)
        }
        return key
    }

    private var rest: Duration { rules.observationRest ?? rules.observationTimeout * 2 }

    /// The observer has connected anew: what it was asked before it does not look at.
    func askAnew(_ observer: DeviceID) {
        guard roster.capacity(of: observer) > 1 else { return }
        for entry in joins.joins(by: observer) where entry.deadline != nil {
            var join = entry.join
            for (index, ask) in join.asks.enumerated() where ask.observer == observer && ask.verdict == nil {
                _ = roster.answered(observer, ask.token)
                join.asks[index].verdict = .failed
            }
            guard !canSucceed(join) else {
                joins.note(join)
                continue
            }
            release(join)
            // No try of the device's.
            join.attempt -= 1
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
            let silent = join.open.map(\.observer)
            for observer in silent { roster.expired(observer) }
            carryOn(join) {
                let whom = silent.count == 1 ? "the observer" : "\(silent.count) observers"
                try tryAgain(join, because: "\(whom) did not answer in \(rules.observationTimeout)")
            }
        }
        for observer in joins.awaited where roster.isFree(observer, at: now) { askNext(observer) }
    }

    private func words(_ join: C2State.Pending) -> String { join.isRollCall ? "the roll call" : "the observed join" }

    private func tryAgain(_ join: C2State.Pending, because why: String, pause: Duration = .zero) throws {
        guard join.attempt < rules.tries else {
            causedLog.log(
                .notice, about: join.device,
                "\(words(join)) of \(join.device) fails after \(join.attempt) tries: \(why)")
            try conclude(join, .joinFail, why: why)
            return
        }
        causedLog.log(.info, about: join.device, "\(join.device): \(why); trying again with a fresh nonce")
        release(join)
        joins.wait(again: join, notBefore: time.now() + pause)
    }

    // MARK: Its answer

    func verdict(_ status: Status, from observer: DeviceID, _ token: Token) throws {
        guard [.observedJoinValid, .observedJoinInvalid, .observedJoinFail].contains(status) else {
            throw Rejection.unfittingStatus(status)
        }
        if try answeredNeighbour(status, from: observer, token) { return }
        guard try state.takeAsked(token, of: observer) else { throw Rejection.unknownToken(observer) }
        _ = roster.answered(observer, token)
        defer { askNext(observer) }
        guard let entry = joins.join(asking: observer, token), let deadline = entry.deadline else {
            // Also whoever was told that it need not look any more says FAILED.
            let level: Logger.Level = status == .observedJoinFail ? .debug : .info
            return causedLog.log(level, about: observer, "\(observer) answers \(status), too late for its join")
        }
        let join = entry.join
        let lasted = rules.observationTimeout - (deadline - time.now())
        events.record(
            "verdict-received", ["device": join.device.hex, "observer": observer.hex, "status": status.description])
        participant.audit(
            "verdict", "\(status) from \(observer) about \(join.device)", about: join.device, by: phones[observer])
        carryOn(join) { try judge(join, status, from: observer, lasted) }
    }

    /// A FAILED that comes sooner than this was no look: the observer has too much to do, or has just been started.
    private static let shortestLook = Duration.seconds(1)

    private func judge(
        _ before: C2State.Pending, _ status: Status, from observer: DeviceID, _ lasted: Duration
    ) throws {
        var join = before
        guard let index = join.asks.firstIndex(where: { $0.observer == observer && $0.verdict == nil }) else { return }
        guard try state.trusted().contains(observer) else {
            let why = "\(observer) is not trusted any more; its verdict about \(join.device) does not count"
            causedLog.log(.notice, about: observer, "\(why)")
            if join.named == observer { return try conclude(join, .joinFail, why: "observer not trusted") }
            join.asks[index].verdict = .failed
            return try weigh(join, because: why)
        }
        switch status {
        case .observedJoinValid:
            causedLog.log(.info, about: join.device, "\(observer) says VALID: it has seen \(join.device)")
            join.asks[index].verdict = .valid
            try weigh(join, because: "not enough observers have seen it")
        case .observedJoinInvalid:
            causedLog.log(
                .warning, about: join.device,
                "\(observer) says INVALID: something showed another value in place of \(join.device)")
            try conclude(
                join, .joinFail, why: "observer saw another value", by: phones[observer], observer: observer)
        default:
            join.asks[index].verdict = .failed
            let pause = lasted >= Self.shortestLook ? .zero : Duration.seconds(1 << min(join.attempt, 5))
            let why = join.asks.count == 1 ? "the observer \(observer) says FAILED" : "\(observer) says FAILED"
            try weigh(join, because: why, pause: pause * .random(in: 0.5...1))
        }
    }

    /// Whether enough have seen the device, may still see it, or cannot any more.
    private func weigh(_ join: C2State.Pending, because why: String, pause: Duration = .zero) throws {
        joins.note(join)
        // Whoever has vouched must be trusted, and belong, when it counts.
        var usable = Set(try usableObservers())
        if let named = join.named, !usable.contains(named), try isUsableNeighbour(named) { usable.insert(named) }
        let vouchers = join.vouchers.filter(usable.contains)
        eyes = try eyeKinds()
        if join.quorum.isMet(by: vouchers.map { eyes[$0] }) {
            let by = vouchers.compactMap { phones[$0] }.first
            let words = vouchers.map { "\($0)\(phoneWords($0))" }.joined(separator: " and ")
            return try conclude(
                join, .joinSuccess, why: "observed by \(words)", by: by, observer: vouchers.first)
        }
        guard !canSucceed(join) else {
            if !vouchers.isEmpty {
                causedLog.log(
                    .info, about: join.device,
                    "\(vouchers.count) of \(join.quorum.count) observers have seen \(join.device)")
            }
            return changed(.join, join.device)
        }
        try tryAgain(join, because: why, pause: pause)
    }

    /// Whether the observers that have not answered may make it enough.
    private func canSucceed(_ join: C2State.Pending) -> Bool {
        let hopeful = join.asks.filter { $0.verdict != .failed }.map(\.observer)
        return !join.open.isEmpty && join.quorum.isMet(by: hopeful.map { eyes[$0] })
    }

    /// Those who are still looking need not, where they understand that; the place of one that does not stays taken.
    private func release(_ join: C2State.Pending) {
        guard join.asks.count > 1 else { return }
        for ask in join.open where roster.capacity(of: ask.observer) > 1 {
            _ = roster.answered(ask.observer, ask.token)
            do {
                try send(.data(id: Array(DataName.observationOver.utf8), value: ask.token.bytes), to: ask.observer)
            } catch {
                causedLog.log(.error, about: ask.observer, "\(ask.observer) cannot be told to stop looking: \(error)")
            }
        }
    }

    func conclude(
        _ join: C2State.Pending, _ status: Status, why: String, by name: String? = nil, observer: DeviceID? = nil
    ) throws {
        joins.remove(join.device)
        release(join)
        if join.isRollCall {
            try concludeRollCall(join, status, why: why, by: name, observer: observer)
        } else if status == .joinSuccess {
            // On disk the answer comes first: a crash in between is recognised by its token, and no device waits in vain.
            joins.succeeded(join.device)
            let way: ParticipantStore.Admission.Way =
                join.quorum == .one ? .observed : .severally(join.quorum.description)
            try admitted(join.device, join.offer, way, how: why, by: name)
            try state.saw(join.device, type: join.type, by: observer, now: participant.wallClock())
        } else {
            joins.failed(join.device, at: time.now())
            try answer(join.device, status, join.offer, why: why)
            notJoined(join.device, why: why, by: name)
        }
        end(join.device, ending(status, why: why, by: name), observer: observer)
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
            joins.wait(join, began: now - age, notBefore: now, candidates: try candidates(for: join))
            let mayBeAnswered = join.asks.first.map { ask in asked.contains { $0.token == ask.token } } ?? false
            carryOn(join) { try resume(join, mayBeAnswered: mayBeAnswered, now) }
        }
        for observer in joins.awaited { askNext(observer) }
    }

    private func resume(_ join: C2State.Pending, mayBeAnswered: Bool, _ now: Duration) throws {
        let peer = try participant.state.peer(join.device)
        if !join.isRollCall, peer?.lastAnswer == join.offer {
            // Answered, and the crash came before anything else.
            end(join.device, ending(peer?.isJoined == true ? .joinSuccess : .joinFail, why: "before the restart"))
            if peer?.isJoined == true {
                let how =
                    join.named.map { "observed by \($0), before the restart" }
                    ?? "several have seen it before the restart"
                answered(join.device, .joinSuccess, why: how)
                try state.saw(join.device, type: join.type, by: join.named, now: participant.wallClock())
                try welcome(join.device, how: how, answer: join.offer)
            }
            return
        }
        if let problem = join.isRollCall ? try obstacleToRollCall(join) : try obstacle(join) {
            return try conclude(join, .joinFail, why: problem)
        }
        if mayBeAnswered, let observer = join.named, roster.capacity(of: observer) == 1 {
            // An observer with one place may be looking: its answer still counts.
            joins.look(join, until: now + rules.observationTimeout)
        } else if join.attempt > 0 {
            // One with several lets go of what it was asked then at the next request.
            logger.notice("the join of \(join.device) was interrupted by a restart; asking its observer again")
            try tryAgain(join, because: "the server was restarted")
        }
    }
}
