import Participant
import SRUP
import ValueForms

/// The human-moderated join: the device shows a value, a person compares it with the operator's page and decides.
extension C2Server {
    func humanJoin(_ device: DeviceID, _ token: Token, type: String) throws {
        // A request that comes while one is open takes its place: the device has started over.
        end(device)
        guard rules.policy(for: type) != .refuse else {
            causedLog.log(.notice, about: device, "\(device) (\(type)) is refused: its type is never let in")
            return try answer(device, .joinFail, token, why: "type is never let in")
        }
        if let problem = moderations.problem(device, type: type, at: time.now()) {
            causedLog.log(.notice, about: "moderations", "\(device) must ask again later: \(problem)")
            // To a moderated join this status means "again".
            return try answer(device, .joinRefused, token, why: problem)
        }
        try show(
            C2State.Moderation(
                device: device, request: token, offer: token, type: type, created: participant.wallClock()))
        causedLog.log(
            .notice, about: device,
            "\(device) (\(type)) wants to come in: a person must compare what it shows, on the page or with \"srup-c2 waiting\""
        )
        events.record("moderation-waits", ["device": device.hex, "type": type])
        occurred(.waiting, device, type: type)
    }

    /// Sends the device a fresh value, which is in the page's from now on.
    private func show(_ before: C2State.Moderation, began: Duration? = nil) throws {
        var moderation = before
        moderation.offer = .random()
        let device = moderation.device
        guard let key = try participant.state.peer(device)?.key else { throw Rejection.unknownSender(device) }
        let nonce = Nonce.random()
        let envelope = try Envelope.sealing(nonce, for: key)
        do {
            try state.save(moderation, tries: (moderations[device]?.tries ?? 0) + 1)
            moderations.wait(moderation, nonce, began: began ?? time.now())
            try participant.send(
                .humanJoinResponse(envelope), to: device, on: .member(device), token: moderation.offer)
        } catch {
            // Nothing waits that the device does not know of.
            end(device, .init(.failed, why: "\(error)", at: participant.wallClock()))
            throw error
        }
        changed(.waiting, device)
    }

    /// Three wrong answers: whoever tried to guess must look again.
    func drawAgain(_ entry: ModerationBook.Entry) throws {
        let moderation = entry.moderation
        guard moderations.mayDrawAgain(moderation.device, type: moderation.type, at: time.now()) else {
            return try conclude(moderation, .joinFail, why: "its words were typed wrongly too often")
        }
        try show(moderation)
    }

    /// Whether the letters that were typed are those of the words asked for.
    static func answers(_ typed: [String], _ entry: ModerationBook.Entry) -> Bool {
        entry.nonce.withBytes { ValueWords.isBeginning(typed, at: entry.question, of: $0) }
    }

    /// Ends a moderated join with its answer. On disk the answer comes first: a crash in between is recognised by its token.
    func conclude(
        _ moderation: C2State.Moderation, _ status: Status, _ way: ParticipantStore.Admission.Way = .human,
        why: String, by name: String? = nil
    ) throws {
        if status == .joinSuccess {
            try admitted(moderation.device, moderation.offer, way, how: why, by: name)
        } else {
            try answer(moderation.device, status, moderation.offer, why: why)
            notJoined(moderation.device, why: why, by: name)
        }
        end(moderation.device, ending(status, why: why, by: name))
    }

    func ending(_ status: Status, why: String, by name: String? = nil) -> C2State.Ending {
        let outcome: C2State.Ending.Outcome =
            switch status {
            case .joinSuccess: .joined
            case .joinRefused: .refused
            default: .failed
            }
        return C2State.Ending(outcome, why: why, by: name, at: participant.wallClock())
    }

    /// What is due: whoever has waited for too long, or has been named by the operator in the meantime.
    func watchModerations(_ now: Duration) {
        for entry in moderations.due(at: now, longest: rules.moderationTime) {
            finish(entry.moderation) {
                try conclude(
                    entry.moderation, .joinRefused, why: "nobody has decided in \(rules.moderationTime)")
            }
        }
    }

    /// Whoever the operator has named need not be compared any more, where that is what its policy asks for.
    func letInWhomTheOperatorHasNamed() throws {
        let waiting = moderations.entries.values.filter { rules.policy(for: $0.moderation.type) == .trusted }
        guard !waiting.isEmpty else { return }
        let trusted = Set(try state.trusted())
        for entry in waiting where trusted.contains(entry.moderation.device) {
            finish(entry.moderation) {
                try conclude(entry.moderation, .joinSuccess, .trusted, why: "trusted join")
            }
        }
    }

    /// Takes the last step of a join. If it cannot be taken, the join is over all the same.
    private func finish(_ moderation: C2State.Moderation, _ step: () throws -> Void) {
        do {
            try step()
        } catch {
            let device = moderation.device
            causedLog.log(.error, about: device, "the join of \(device) could not be answered: \(error)")
            end(device, .init(.failed, why: "\(error)", at: participant.wallClock()))
        }
    }

    /// After a restart the values are gone: every device that waits is sent another one.
    func resumeModerations() throws {
        let wall = participant.wallClock()
        for moderation in try state.moderations() {
            let peer = try participant.state.peer(moderation.device)
            if peer?.lastAnswer == moderation.offer {
                // Answered, and the crash came before anything else.
                let status: Status = peer?.isJoined == true ? .joinSuccess : .joinFail
                end(moderation.device, ending(status, why: "before the restart"))
                if peer?.isJoined == true {
                    try welcome(
                        moderation.device, how: "by a person, before the restart", answer: moderation.offer)
                }
                continue
            }
            let age = Duration.seconds(max(0, min(wall - moderation.created, 86400)))
            finish(moderation) { try show(moderation, began: time.now() - age) }
        }
    }
}
