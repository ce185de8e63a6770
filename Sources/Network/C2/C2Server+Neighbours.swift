import Participant
import SRUP

/// Observers of other cells, by way of their own servers: each identity has one server that counts its messages.
///
/// A device that names an observer of another cell is looked at by it, where the operator has said here, too, that it is
/// trusted. This server seals the nonce for both, as always; the observer's server passes the request on and the answer back.
extension C2Server {
    /// An observer of another cell has its places there: this server need not know how many are free.
    static let foreignPlaces = 64
    private static let errandsAtOnce = 64

    /// Whether an observer belongs to another cell and may vouch here.
    func isUsableNeighbour(_ observer: DeviceID) throws -> Bool {
        guard let neighbours, try neighbours.key(of: observer) != nil else { return false }
        return try state.trusted().contains(observer)
    }

    func neighbourKey(_ id: DeviceID) throws -> PublicKey? { try neighbours?.key(of: id) }

    /// Sends an observer the request, or has its own server do that.
    func request(_ ask: C2State.Ask, _ device: DeviceID, _ envelope: Envelope) throws {
        if let neighbours, try participant.state.peer(ask.observer)?.isJoined != true,
            try neighbours.key(of: ask.observer) != nil
        {
            try neighbours.ask(
                Errand(
                    token: ask.token, device: device, observer: ask.observer, envelope: envelope.bytes,
                    timeLeft: rules.observationTimeout))
        } else {
            try participant.send(
                .observationRequest(device: device, envelope), to: ask.observer, on: .member(ask.observer),
                token: ask.token)
        }
    }

    /// What other cells have asked and answered.
    func watchNeighbours(_ now: Duration) {
        guard let neighbours else { return }
        do {
            for answer in try neighbours.takeAnswers() { take(answer) }
            for (token, look) in lent where look.until <= now { try ends(token, .observedJoinFail) }
            for errand in try neighbours.errands(limit: Self.errandsAtOnce) { try look(errand, now, neighbours) }
        } catch {
            causedLog.log(.error, about: "other cells", "\(error)")
        }
    }

    private func take(_ answer: ErrandAnswer) {
        do {
            try verdict(try proven(answer), from: answer.observer, answer.token)
        } catch let rejection as Rejection {
            participant.rejections.record(rejection)
        } catch {
            causedLog.log(
                .error, about: answer.observer, "the answer of \(answer.observer) could not be taken: \(error)")
        }
    }

    /// What the observer itself has said, by its signature. Another server's word alone is no more than that nothing was seen.
    private func proven(_ answer: ErrandAnswer) throws -> Status {
        guard answer.status != .observedJoinFail || answer.messages != nil else { return .observedJoinFail }
        guard let messages = answer.messages, let key = try neighbours?.key(of: answer.observer),
            let signed = try? SignedMessage(parsing: messages.answer), signed.isSigned(by: key),
            signed.message.sender == answer.observer, signed.message.token == answer.token,
            case .response(answer.status) = signed.message.body
        else {
            causedLog.log(
                .warning, about: answer.observer,
                "another cell's server says \(answer.status) for \(answer.observer), which has not signed that: it counts as FAILED"
            )
            return .observedJoinFail
        }
        if let join = joins.join(asking: answer.observer, answer.token)?.join {
            try participant.state.keepExchange(
                question: messages.question, answer: signed, key: key, about: join.device, now: participant.wallClock())
        }
        return answer.status
    }

    // MARK: For other cells

    /// What was asked before a restart: an observer with one place may still answer.
    func resumeErrands() throws {
        lent = [:]
        guard let neighbours else { return }
        let now = time.now()
        for errand in try neighbours.underWay() { lend(errand, now) }
    }

    private func lend(_ errand: Errand, _ now: Duration) {
        let until = now + errand.timeLeft
        lent[errand.token] = Lent(observer: errand.observer, device: errand.device, until: until)
        roster.asked(
            errand.observer, errand.token,
            .init(device: errand.device, deadline: until, freeAt: until + rules.observationTimeout * 2), at: now)
    }

    private func look(_ errand: Errand, _ now: Duration, _ neighbours: any Neighbours) throws {
        let observer = errand.observer
        guard errand.timeLeft > .zero else { return try neighbours.answer(errand.token, .observedJoinFail, nil) }
        guard try state.trusted().contains(observer), try participant.state.peer(observer)?.isJoined == true else {
            causedLog.log(
                .notice, about: observer,
                "another cell asks \(observer) to look at \(errand.device), and it is no trusted observer that has joined here"
            )
            return try neighbours.answer(errand.token, .observedJoinFail, nil)
        }
        // It waits where it is, as long as somebody waits for it.
        guard roster.isFree(observer, at: now) else { return }
        try neighbours.begun(errand.token)
        lend(errand, now)
        try participant.send(
            .observationRequest(device: errand.device, Envelope(errand.envelope)), to: observer, on: .member(observer),
            token: errand.token)
        events.record(
            "observation-lent", ["device": errand.device.hex, "observer": observer.hex])
        participant.audit(
            "lent", "\(observer) is to look at \(errand.device) for another cell", about: errand.device)
        causedLog.log(.info, about: observer, "\(observer) is to look at \(errand.device) for another cell")
    }

    /// An observer's answer to what another cell has asked.
    ///
    /// - Returns: whether it was one.
    func answeredNeighbour(_ status: Status, from observer: DeviceID, _ token: Token) throws -> Bool {
        guard let look = lent[token], look.observer == observer else { return false }
        participant.audit(
            "verdict", "\(status) from \(observer) about \(look.device), for another cell", about: look.device)
        try ends(token, status)
        return true
    }

    private func ends(_ token: Token, _ status: Status) throws {
        guard let look = lent.removeValue(forKey: token) else { return }
        let messages = try participant.state.exchange(token).map {
            ErrandAnswer.Messages(question: $0.question, answer: $0.answer)
        }
        try neighbours?.answer(token, status, messages)
        _ = roster.answered(look.observer, token)
        askNext(look.observer)
    }

    /// A look for another cell that is under way.
    struct Lent: Sendable {
        let observer, device: DeviceID
        let until: Duration
    }
}
