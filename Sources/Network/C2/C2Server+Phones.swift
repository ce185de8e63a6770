import Participant
import SRUP

/// Operators' phone pages: each is an observer like any other, with an identity of its own, that the server trusts for as
/// long as the page is open.
extension C2Server {
    /// An operator has opened the phone page: its observer may vouch from now on.
    ///
    /// - Parameters:
    ///   - id: the observer's identity.
    ///   - name: the operator, who stands for its verdicts in the audit log.
    /// - Throws: ``OperationError``.
    public func openPhone(_ id: DeviceID, of name: String) throws(OperationError) {
        guard id != participant.id else { throw .invalid("a server does not vouch for devices") }
        try storing {
            try state.trust(id, now: participant.wallClock())
            phones[id] = name
            participant.audit("trusted", "\(id): phone of \(name), opened", about: id, by: name)
            notePhone(id)
            changed(.device, id)
        }
    }

    /// The page is closed, or whoever had it open has gone: its observer vouches no more, and joins that wait for it fail, so
    /// that their devices ask again and are told of another observer.
    ///
    /// - Parameter why: for the audit log.
    /// - Throws: ``OperationError``.
    public func closePhone(_ id: DeviceID, of name: String, why: String) throws(OperationError) {
        try storing {
            try state.distrust(id)
            phones[id] = nil
            participant.audit("distrusted", "\(id): phone of \(name), \(why)", about: id, by: name)
            failJoins(by: id, because: "the phone of \(name) does not look any more (\(why))")
            changed(.device, id)
        }
    }

    /// Takes trust from the phones of an earlier run, which had no time to.
    ///
    /// - Parameter ids: all identities of phones.
    /// - Throws: ``OperationError``.
    public func forgetPhones(_ ids: [DeviceID]) throws(OperationError) {
        let left = try storing { Set(try state.trusted()).intersection(ids) }
        for id in left.sorted() where phones[id] == nil {
            try storing {
                try state.distrust(id)
                participant.audit("distrusted", "\(id): a phone, the server was restarted", about: id)
                changed(.device, id)
            }
        }
    }

    /// Whose phone page an observer is, while it is open; `nil`: of nobody.
    public func phone(_ id: DeviceID) -> String? { phones[id] }

    /// What a phone page shows about this device is out of date.
    public nonisolated func phoneChanged(_ device: DeviceID?) {
        changes.tell(Change(subject: .join, device: device))
    }

    func phoneWords(_ observer: DeviceID) -> String { phones[observer].map { ", the phone of \($0)" } ?? "" }

    /// So that nobody wonders who that is, also when the page is closed.
    func notePhone(_ id: DeviceID) {
        guard let name = phones[id] else { return }
        do {
            guard let peer = try participant.state.peer(id), peer.note == nil else { return }
            try participant.state.note("phone of \(name)", about: id)
        } catch {
            causedLog.log(.error, about: "the state file", "\(error)")
        }
    }

    /// Whom a device that must be observed is told to name. Observers that stand somewhere come before phones as long as they
    /// are there; but somebody with a phone looks at what they could not vouch for.
    func adviser(for device: DeviceID) throws -> DeviceID? {
        let now = time.now()
        let order = roster.inOrder(try usableObservers(), at: now)
        let open = order.filter { phones[$0] != nil }
        guard !open.isEmpty else { return order.first }
        let others = order.filter { phones[$0] == nil && roster.isThere($0, at: now) }
        if joins.hasFailed(device, at: now) { return open.first }
        return others.first ?? open.first
    }

    private func storing<Result>(_ body: () throws -> Result) throws(OperationError) -> Result {
        do {
            return try body()
        } catch let error as OperationError {
            throw error
        } catch {
            throw .failed("\(error)")
        }
    }
}
