import Participant
import SRUP

/// Roll calls: a device that belongs is sent a fresh nonce, as in its observed join, and observers look whether it is still
/// there. What stands there in its place, without its key, cannot show it.
///
/// The server's answer ends a roll call as it ends a join: JOIN_SUCCESS (the device takes the nonce down) or, where the rules
/// put out who fails, JOIN_FAIL.
extension C2Server {
    /// Calls a device: on demand of an operator.
    ///
    /// - Throws: ``OperationError``.
    public func callRoll(of device: DeviceID, by name: String) throws(OperationError) {
        try known(device)
        try stored {
            if let problem = try beginRollCall(device) { throw OperationError.invalid(problem) }
            participant.audit("roll call", "\(device): is to show itself", about: device, by: name)
        }
    }

    /// Who has failed the last roll call, the latest first.
    ///
    /// - Throws: ``OperationError``.
    public func missing(limit: Int = 1000) throws(OperationError) -> [C2State.Presence] {
        try stored { try state.missing(limit: limit) }
    }

    /// How long a device that has failed is left alone at least.
    private static let shortestPause = Duration.seconds(600)

    /// Those whose time has come, a few at once.
    func callTheRoll() throws {
        let call = rules.rollCall
        guard !call.every.isEmpty, participant.link.isConnected else { return }
        var room = call.atOnce - joins.rollCalls
        let now = participant.wallClock()
        for (type, interval) in call.every.sorted(by: { $0.key > $1.key }) where room > 0 {
            let pause = max(min(interval, Self.shortestPause), interval / 4)
            let due = try state.unseen(
                since: now - interval / .seconds(1), triedBefore: now - pause / .seconds(1),
                type: type == "*" ? nil : type, except: call.every.keys.filter { $0 != "*" }.sorted(), limit: room)
            for presence in due where joins[presence.device] == nil {
                room -= 1
                guard let problem = try beginRollCall(presence.device) else { continue }
                try failed(presence.device, because: problem, counts: false, token: nil)
            }
        }
    }

    /// - Returns: why it cannot be called; `nil` when it is.
    private func beginRollCall(_ device: DeviceID) throws -> String? {
        guard let peer = try participant.state.peer(device), peer.isJoined, let type = peer.type else {
            return "\(device) does not belong to the network"
        }
        guard joins[device] == nil else { return "\(device) is being observed already" }
        let zone = try zone(of: device, type: type)
        let quorum = rules.policy(for: type).quorum
        let last = try state.presence(of: device)?.observer
        let isThere = try last.map { try usableObservers().contains($0) && phones[$0] == nil } ?? false
        let join = C2State.Pending(
            device: device, named: zone == nil && quorum == .one && isThere ? last : nil, zone: zone, quorum: quorum,
            request: .random(), offer: .random(), attempt: 0, asks: [], type: type, created: participant.wallClock(),
            isRollCall: true)
        if let problem = joins.problem(device, join.named, type: type, rules.limits) { return problem }
        if let problem = try obstacleToRollCall(join) { return problem }
        causedLog.log(.info, about: device, "roll call: \(device) is to show a fresh nonce")
        try begin(join)
        changed(.device, device)
        return nil
    }

    func obstacleToRollCall(_ join: C2State.Pending) throws -> String? {
        if try participant.state.peer(join.device)?.isJoined != true {
            return "\(join.device) does not belong to the network"
        }
        if case .human? = try participant.state.peer(join.device)?.admission?.way {
            return "\(join.device) was let in by a person, and shows what observers cannot read"
        }
        return try obstacleToObserving(join)
    }

    func concludeRollCall(
        _ join: C2State.Pending, _ status: Status, why: String, by name: String?, observer: DeviceID?
    ) throws {
        let device = join.device
        guard try participant.state.peer(device)?.isJoined == true else { return }
        guard status == .joinSuccess else {
            return try failed(
                device, because: why, counts: true, token: join.offer, isAnother: observer != nil, by: name)
        }
        try state.saw(device, type: join.type, by: observer, now: participant.wallClock())
        // The answer first: the line has it beside it.
        try confirm(device, join.offer)
        participant.audit("roll call", "\(device): \(why)", about: device, by: name)
        causedLog.log(.info, about: device, "roll call: \(device) is there (\(why))")
        changed(.device, device)
    }

    /// - Parameters:
    ///   - counts: whether it was asked, and failed: else nobody could have looked.
    ///   - token: of the nonce that it shows.
    ///   - isAnother: whether another value was shown in its place.
    private func failed(
        _ device: DeviceID, because why: String, counts: Bool, token: Token?, isAnother: Bool = false,
        by name: String? = nil
    ) throws {
        let failures = try state.failedRollCall(device, why: why, now: participant.wallClock())
        causedLog.log(.warning, about: device, "roll call: \(device) was not seen: \(why)")
        changed(.device, device)
        let limit = rules.rollCall.failures
        let isPutOut = counts && limit > 0 && (isAnother || failures >= limit)
        // Behind the answer, which the line has beside it.
        defer {
            participant.audit(
                "roll call", "\(device) has failed\(isPutOut ? ", and is put out" : ""): \(why)", about: device,
                by: name)
        }
        guard isPutOut else {
            if let token { try confirm(device, token) }
            return
        }
        causedLog.log(.notice, about: device, "\(device) is put out: it has failed the roll call")
        occurred(.removed, device, why: "it has failed the roll call: \(why)", by: name)
        try answer(device, .joinFail, token ?? .random(), why: "it has failed the roll call: \(why)")
    }

    /// Members from before there were roll calls, or from a backup: their time begins now.
    func noteMembersNotYetCalled() throws {
        for (id, type, way) in try participant.state.members() {
            guard let way, let type else { continue }
            switch way {
            case .observed, .severally:
                guard try state.presence(of: id) == nil else { continue }
                try state.saw(id, type: type, by: nil, now: participant.wallClock())
            case .simple, .human, .trusted: break
            }
        }
    }

    func forgetPresence(of device: DeviceID) {
        do {
            try state.forgetPresence(of: device)
        } catch {
            causedLog.log(.error, about: "the state file", "\(error)")
        }
    }
}
