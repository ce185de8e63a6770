import Participant
import SRUP

/// Requests to join, and what the operator's policy says to them.
extension C2Server {
    func handleJoin(_ message: Message, type: String) throws {
        let device = message.sender
        events.record("join-requested", ["device": device.hex, "type": type, "kind": message.body.type.description])
        roster.heard(device, at: time.now())
        switch message.body {
        case .joinRequest: try simpleJoin(device, message.token, type: type)
        case .observedJoinRequest(let observer): try observedJoin(device, observer, message.token, type: type)
        case .humanJoinRequest: try humanJoin(device, message.token, type: type)
        default: throw Rejection.unexpected(message.body.type)
        }
    }

    /// The policy is asked at every join: a member that came in by a way that is not good enough any more is out.
    private func simpleJoin(_ device: DeviceID, _ token: Token, type: String) throws {
        let peer = try participant.state.peer(device)
        let way = peer?.isJoined == true ? peer?.admission?.way : nil
        let isTrusted = try state.trusted().contains(device)
        switch rules.policy(for: type) {
        case .simple: try letIn(device, token, .simple, isMember: way != nil, isTrusted: isTrusted)
        case .trusted where isTrusted:
            try letIn(device, token, .trusted, isMember: way != nil, isTrusted: true)
        case .trusted:
            causedLog.log(
                .notice, about: device,
                "\(device) (\(type)) waits at the door: if it is your observer, say \"srup-c2 trust \(device)\", or compare what it shows"
            )
            try refuse(device, token, why: "the operator has not named it")
        case .observed where way.map(Self.isSeen) == true:
            try letIn(device, token, .observed, isMember: true, isTrusted: isTrusted)
        case .severally(let quorum) where Self.isSeen(way, by: quorum):
            try letIn(device, token, .observed, isMember: true, isTrusted: isTrusted)
        case .observed, .severally: try sendToAnObserver(device, token, type: type)
        case .human where way == .human: try letIn(device, token, .human, isMember: true, isTrusted: isTrusted)
        case .human:
            causedLog.log(
                .info, about: device,
                "\(device) (\(type)) is refused a simple join: its type must be moderated by a person")
            try refuse(device, token, why: "must be moderated by a person")
        case .refuse:
            causedLog.log(.notice, about: device, "\(device) (\(type)) is refused: its type is never let in")
            end(device)
            try answer(device, .joinFail, token, why: "type is never let in")
        }
    }

    private static func isSeen(_ way: ParticipantStore.Admission.Way) -> Bool {
        switch way {
        case .observed, .severally, .human: true
        case .simple, .trusted: false
        }
    }

    private static func isSeen(_ way: ParticipantStore.Admission.Way?, by quorum: Quorum) -> Bool {
        guard case .severally(let text)? = way, let before = Quorum(text) else { return false }
        return before.covers(quorum)
    }

    private func letIn(
        _ device: DeviceID, _ token: Token, _ way: ParticipantStore.Admission.Way, isMember: Bool, isTrusted: Bool
    ) throws {
        guard isMember else { return try admitted(device, token, way, how: "\(way) join") }
        logger.debug("\(device) asks again and belongs already")
        try confirm(device, token)
        // Whether it has connected anew, and how many devices it can look at; whether it listens to its groups.
        if try isTrusted || !commands.groups(of: device).isEmpty { try send(.idRequest, to: device) }
    }

    private func refuse(_ device: DeviceID, _ token: Token, why: String) throws {
        end(device)
        try answer(device, .joinRefused, token, why: why)
    }

    private func sendToAnObserver(_ device: DeviceID, _ token: Token, type: String) throws {
        // Where any of a zone may look, or several must, the device names the server.
        let isForTheServer = try rules.policy(for: type).quorum != .one || zone(of: device, type: type) != nil
        let observer = isForTheServer ? participant.id : try adviser(for: device)
        let adviser =
            isForTheServer
            ? "by whom the server asks" : observer.map { "by \($0)" } ?? "but no trusted observer has joined"
        causedLog.log(
            .info, about: device,
            "\(device) (\(type)) is refused a simple join: its type must be observed, \(adviser)")
        // The answer first: a reference device ends its conversation at a DATA message that it does not expect.
        try refuse(device, token, why: "must be observed")
        if let observer, rules.tellsObserver {
            try send(.data(id: Array(DataName.observer.utf8), value: Array(observer.hex.utf8)), to: device)
        }
    }

    func usableObservers() throws -> [DeviceID] {
        let trusted = try state.trusted()
        let members = try participant.state.members(among: trusted)
        return trusted.filter(members.contains)
    }

    // MARK: In

    func admitted(
        _ device: DeviceID, _ token: Token, _ way: ParticipantStore.Admission.Way, how: String, by name: String? = nil
    ) throws {
        participant.link.subscribe("SRUP/\(device.hex)")
        try answer(device, .joinSuccess, token, why: how, way: way)
        try welcome(device, how: how, by: name)
    }

    /// - Parameter answer: of a join that was found answered after a restart: the log may have its line already.
    func welcome(_ device: DeviceID, how: String, by name: String? = nil, answer: Token? = nil) throws {
        newMembers.append(device)
        if try answer.map({ try !participant.state.hasLine("joined", with: $0) }) ?? true {
            participant.audit("joined", "\(device): \(how)", about: device, by: name)
        }
        occurred(.joined, device, why: how, by: name)
        notePhone(device)
        changed(.device, device)
        causedLog.log(.info, about: device, "\(device) has joined (\(how))")
        try send(.idRequest, to: device)
    }
}
