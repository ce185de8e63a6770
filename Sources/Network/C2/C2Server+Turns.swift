import Participant
import SRUP
import Storage

/// Many steps, one transaction: what has come together is stored together, and only then told to anybody.
///
/// On a database server the stores share a session, and this is one transaction over all of them. With SQLite each store is a
/// file of its own. They are committed one after the other, the participant's first: after a crash in between its counters,
/// memberships and answers are ahead, as after a crash between two steps, and ``resumeJoins()`` understands that.
extension C2Server {
    /// Does what `body` does as one transaction. If that cannot be stored, nothing of it has happened: what is in memory is
    /// forgotten and taken up again from the disk, as after a restart.
    ///
    /// - Returns: whether it was stored.
    @discardableResult
    func turn(_ body: () -> Void) -> Bool {
        guard !isInTurn else {
            body()
            return true
        }
        if let then = startsOverAt {
            // Before that nothing is taken: it would be judged by what is not so.
            guard time.now() >= then, startOver() else {
                causedLog.log(.error, about: "turns", "what comes is dropped until the state can be stored again")
                return false
            }
        }
        do {
            try gather(body)
            return true
        } catch {
            causedLog.log(
                .error, about: "the state file", "what has just come or was due could not be stored: \(error)")
            _ = startOver()
            return false
        }
    }

    /// - Throws: what `body` throws, or ``StorageError``: nothing was stored or told.
    func gather(_ body: () throws -> Void) throws {
        isInTurn = true
        participant.afterwards.hold()
        let membersBefore = newMembers
        state.beginTurn()
        defer {
            state.endTurn()
            isInTurn = false
        }
        do {
            try inOneTransaction(body)
        } catch {
            participant.afterwards.discard()
            newMembers = membersBefore
            throw error
        }
        participant.afterwards.release()
        if !newMembers.isEmpty { directory.belong(newMembers) }
        newMembers = []
    }

    private func inOneTransaction(_ body: () throws -> Void) throws {
        var failure: (any Error)?
        do throws(StorageError) {
            try inUpdates { () throws(StorageError) in
                try commands.database.turn { () throws(StorageError) in
                    try state.database.turn { () throws(StorageError) in
                        try participant.state.turn { () throws(StorageError) in
                            do {
                                let crew = crew
                                try participant.gather(signing: { try crew.sign($0) }, body)
                            } catch let error as StorageError {
                                throw error
                            } catch {
                                failure = error
                                throw .cannotOpen(path: "", why: "")
                            }
                        }
                    }
                }
            }
        } catch {
            throw failure ?? error
        }
    }

    private func inUpdates(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        if let shelf { try shelf.store.database.turn(body) } else { try body() }
    }

    private static let startOverEvery = Duration.seconds(1)

    /// Forgets what is in memory and takes up what is stored.
    ///
    /// - Returns: whether that was possible.
    private func startOver() -> Bool {
        startsOverAt = time.now() + Self.startOverEvery
        joins = JoinBook()
        roster = ObserverRoster()
        moderations = ModerationBook(rules.limits)
        endings = [:]
        rollouts = [:]
        do {
            // Where only some of the files were stored, there may be answers that have not left: they do now.
            try gather { try takeUp() }
        } catch {
            causedLog.log(.error, about: "starting over", "the state cannot be taken up again: \(error)")
            return false
        }
        startsOverAt = nil
        return true
    }
}
