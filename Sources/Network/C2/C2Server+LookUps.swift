import Participant
import SRUP

/// Senders that the server has not met: the key service is asked, and then their message is taken up again.
extension C2Server {
    func lookUp(_ sender: DeviceID, payload: [UInt8], topic: String) throws {
        if let since = unknown[sender], time.now() - since < Self.unknownFor { throw Rejection.unknownSender(sender) }
        guard lookUps.add(.init(sender: sender, payload: payload, topic: topic)) else { throw Rejection.overloaded }
        beginLookUps()
    }

    private func beginLookUps() {
        while let waiting = lookUps.begin() {
            // Not on the actor: what comes back while it is busy is taken up together.
            Task.detached { [weak self, directory] in
                let outcome: Result<DirectoryEntry?, any Error>
                do {
                    outcome = .success(try await directory.lookUp(waiting.sender))
                } catch {
                    outcome = .failure(error)
                }
                self?.found.withLock { $0.append(.init(waiting: waiting, outcome: outcome)) }
                await self?.takeFound()
            }
        }
    }

    private func takeFound() {
        let all = found.withLock { found in
            defer { found = [] }
            return found
        }
        guard !all.isEmpty else { return }
        turn {
            for found in all { answered(found) }
        }
        beginLookUps()
    }

    private func answered(_ found: LookUps.Found) {
        let waiting = found.waiting
        let sender = waiting.sender
        lookUps.end(waiting)
        do {
            guard let entry = try found.outcome.get() else {
                if unknown.count > 1000 { unknown.removeAll() }
                unknown[sender] = time.now()
                participant.rejections.record(.unknownSender(sender))
                return
            }
            unknown[sender] = nil
            // Its signature has not been checked yet: noting the key of a registered identity is no favour to anybody.
            try participant.state.remember(sender, key: entry.key, type: entry.type)
            if let zone = entry.zone { try state.set(zone: zone, of: sender) }
        } catch {
            // It may be our own disk: the error says what it is about.
            return causedLog.log(.warning, about: "looking up", "\(sender) could not be looked up: \(error)")
        }
        received(waiting.payload, topic: waiting.topic)
    }
}
