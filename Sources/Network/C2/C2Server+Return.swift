import Participant
import SRUP

/// Members are told over which time to come back when all have lost their connection (``ReturnPace``).
///
/// What each was told last stands in its identification: nothing is kept here besides.
extension C2Server {
    /// How often it is looked how many members there are.
    private static let membersEvery = Duration.seconds(30)
    /// So many are told each time that something is due, which is ten times a second.
    private static let toldAtOnce = 20

    /// Looks whether members are to be told, and tells some.
    func watchReturn(_ now: Duration) {
        do {
            if now >= nextLookAtMembers {
                nextLookAtMembers = now + Self.membersEvery
                try lookAtMembers()
            }
            guard participant.link.isConnected else { return }
            for _ in 0..<min(Self.toldAtOnce, toBeToldReturn.count) {
                let id = toBeToldReturn.removeLast()
                guard let peer = try participant.state.peer(id), peer.isJoined, let said = peer.identification else {
                    continue
                }
                try tellReturn(id, Identification(said))
            }
        } catch {
            causedLog.log(.error, about: "the state file", "\(error)")
        }
    }

    /// - Parameter isAnew: what members were told is not known, either: at the start, before anybody identifies itself, and where the end
    ///   of a turn could not be stored.
    func lookAtMembers(isAnew: Bool = false) throws {
        let before = returnPace
        returnPace.follow(try participant.state.countMembers(), perSecond: rules.limits.returnsPerSecond)
        guard isAnew || returnPace != before else { return }
        toBeToldReturn = try participant.state.members(whose: "returns", isNot: String(returnPace.seconds))
        if returnPace != before, !toBeToldReturn.isEmpty {
            logger.info("members are told to come back over \(returnPace.seconds) s after a lost connection")
        }
    }

    /// Tells who has identified itself, if it was told something else before; one that says so again and again is told now and then.
    func tellReturn(_ id: DeviceID, _ identification: Identification) throws {
        guard let told = identification.returns, told != returnPace.seconds, nudges.take(id, at: time.now()) else {
            return
        }
        try send(.data(id: Array(DataName.returnWithin.utf8), value: Array(String(returnPace.seconds).utf8)), to: id)
        var now = identification
        now.returns = returnPace.seconds
        try participant.state.note(identification: now.description, of: id)
    }
}
