import Linux
import Participant
import SRUP
import Storage

/// Rollouts on the network: what the engine says is sent, what devices say goes to the engine. Each change is on disk before
/// anything is sent for it: after a crash a message may be missing, which its time-out finds, but none is sent twice.
extension C2Server {
    private static let (beat, laterEvery) = (Duration.seconds(1), Duration.seconds(10))

    /// After a restart: goes on where it was.
    func resumeRollouts() throws {
        guard let shelf else { return }
        let now = participant.wallClock()
        for rollout in try shelf.store.rollouts(limit: 10_000, onlyOpen: true, now: now) {
            rollouts[rollout.number] = rollout
        }
    }

    /// Does what is due.
    func watchRollouts(_ now: Duration) {
        guard now >= nextLookAtRollouts, !rollouts.isEmpty else { return }
        nextLookAtRollouts = now + Self.beat
        if now >= nextLookForLater {
            nextLookForLater = now + Self.laterEvery
            takeLaterOnes()
        }
        let wall = participant.wallClock()
        // The oldest first: whom a device is at work for goes before.
        for number in rollouts.keys.sorted() {
            guard var rollout = rollouts[number] else { continue }
            guard !rollout.isOver(wall) else {
                rollouts[number] = nil
                continue
            }
            let effects = tick(&rollout, wall)
            settle(rollout, effects)
        }
    }

    private func tick(_ rollout: inout Rollout, _ wall: Double) -> [Rollout.Effect] {
        if rollout.state == .running, rollout.count(.waiting) > 0, let why = reasonNotToTell(rollout.release, wall) {
            rollout.stop(.stopped, why, wall)
            return [.stopped(why: why)]
        }
        let number = rollout.number
        let others = rollouts.values.filter { $0.number != number }
        return rollout.tick(wall) { id in
            !others.contains { $0.device(id)?.isUnderWay == true }
        } isMember: { id in
            (try? participant.state.peer(id))??.isJoined == true
        }
    }

    private func reasonNotToTell(_ number: Int64, _ wall: Double) -> String? {
        do {
            guard let release = try shelf?.store.release(number) else {
                return "its release is not known here any more"
            }
            if release.isWithdrawn { return "its release was withdrawn" }
            if let expires = release.expires, expires <= wall { return "its manifest has expired" }
            return nil
        } catch {
            causedLog.log(.error, about: "updates.db", "\(error)")
            return nil
        }
    }

    /// Stores what has changed, and then sends.
    func settle(_ changedRollout: Rollout, _ effects: [Rollout.Effect]) {
        var rollout = changedRollout
        let hasChanged = rollout.hasChanges
        do {
            try shelf?.store.save(&rollout)
        } catch {
            // As it was before, in memory as on disk: it is tried again.
            return causedLog.log(.error, about: "updates.db", "rollout \(rollout.number) cannot be stored: \(error)")
        }
        rollouts[rollout.number] = rollout
        for effect in effects { carryOut(effect, rollout) }
        if hasChanged { changed(.rollout, nil) }
    }

    private func carryOut(_ effect: Rollout.Effect, _ rollout: Rollout) {
        let name = "rollout \(rollout.number) of \(rollout.version)"
        do {
            switch effect {
            case .initiate(let id, let token):
                guard let release = try shelf?.store.release(rollout.release) else { return }
                try participant.send(
                    .initiate(url: TerminatedText(release.url), digest: TerminatedText(release.digest)), to: id,
                    on: .member(id), token: token)
                // Its answer tells that it is here, however long the download takes.
                try send(.idRequest, to: id)
                participant.audit("update", "\(id): told of \(rollout.version) (\(name))", about: id)
            case .activate(let id, let token):
                try participant.send(.activate, to: id, on: .member(id), token: token)
                participant.audit("update", "\(id): told to change over to \(rollout.version) (\(name))", about: id)
            case .identify(let id): try send(.idRequest, to: id)
            case .began(let step):
                let share = rollout.plan.shares[step - 1]
                logger.notice("\(name): goes on to \(share) % of its \(rollout.total) devices")
                participant.audit("rollout", "\(name): goes on to \(share) %")
            case .stopped(let why):
                logger.warning("\(name) has stopped: \(why)")
                participant.audit("rollout", "\(name): stopped: \(why)")
                occurred(.rolloutStopped, participant.id, type: "C2", why: "\(name): \(why)")
            case .finished:
                logger.notice("\(name) is finished")
                participant.audit("rollout", "\(name): finished")
                occurred(.rolloutFinished, participant.id, type: "C2", why: "\(name): \(rollout.figures)")
            }
        } catch {
            causedLog.log(.error, about: "rollouts", "\(name): \(error)")
        }
    }

    // MARK: What devices say

    /// An answer to INITIATE or ACTIVATE; `false` when the status is no such answer.
    func updateAnswered(_ status: Status, from device: DeviceID, _ token: Token) throws -> Bool {
        switch status {
        case .updateSuccess, .updateFailHTTPError, .updateFailServer, .updateFailFile, .updateFailDigest,
            .activateSuccess, .activateFail:
            break
        default: return false
        }
        let now = participant.wallClock()
        for found in rollouts.values where found.device(device)?.token == token {
            var rollout = found
            guard let effects = rollout.answered(device, token, status, now) else { break }
            if status == .updateSuccess, let text = try participant.state.peer(device)?.identification {
                let isNamed = Rollout.names(rollout.version, text)
                rollout.change(device) { $0.wasNamed = isNamed }
            }
            causedLog.log(.info, about: device, "\(device) answers \(status) (rollout \(rollout.number))")
            participant.audit("update", "\(device): \(status) (rollout \(rollout.number))", about: device)
            settle(rollout, effects)
            return true
        }
        throw Rejection.unknownToken(device)
    }

    /// A member's message has counted.
    func rolloutsHeard(_ device: DeviceID) {
        change(device) { rollout, now in rollout.heard(device, now) }
    }

    /// A member has said what it is.
    func rolloutsIdentified(_ device: DeviceID, _ text: String) {
        change(device) { rollout, now in rollout.identified(device, text, now) }
    }

    private func change(_ device: DeviceID, _ body: (inout Rollout, Double) -> Void) {
        let now = participant.wallClock()
        for found in rollouts.values where found.device(device)?.hasEnded == false {
            var rollout = found
            body(&rollout, now)
            if rollout.hasChanges { settle(rollout, []) }
        }
    }
}
