import SRUP

/// What a server tells a member to do, or to know; and groups, where it tells several at once.
extension Member {
    /// How what a member was told to do went.
    public enum Outcome: Sendable, Hashable {
        case done
        case failed
        /// There is nothing behind the number.
        case unknown

        var status: Status {
            switch self {
            case .done: .actionSuccess
            case .failed: .actionFail
            case .unknown: .actionUnknown
            }
        }
    }

    /// Says how an action went. It is said once: what has been answered already, also before a restart, is left alone.
    ///
    /// - Throws: ``StorageError``, ``ParticipantError``.
    public func answer(_ token: Token, _ outcome: Outcome) throws {
        orders.remove(token)
        do {
            try participant.send(
                .response(outcome.status), to: server, on: .member(participant.id), token: token, answering: .order)
        } catch ParticipantError.alreadyAnswered {
            logger.debug("an action has been answered already")
        }
    }

    /// Sends a value to the server.
    ///
    /// - Parameters:
    ///   - name: 1 to 64 bytes.
    ///   - value: as it goes on the wire, at most ``maximumData`` bytes.
    /// - Throws: ``MemberError``, ``StorageError``, ``ParticipantError``.
    public func report(_ name: String, _ value: [UInt8]) throws {
        guard (1...64).contains(name.utf8.count) else { throw MemberError.badName }
        guard value.count <= Self.maximumData else { throw MemberError.tooLong(value.count) }
        guard isJoined else { throw MemberError.notJoined }
        // Values that nobody waits for any more must not pile up while the broker is away.
        guard participant.link.isConnected else { throw MemberError.noBroker }
        try participant.send(
            .data(id: Array(name.utf8), value: value), to: server, on: .member(participant.id), token: .random())
    }

    /// The largest value that is sent or taken, in bytes.
    public static var maximumData: Int { 4096 }
    /// More groups are not entered.
    static var maximumGroups: Int { 32 }

    /// What we shall owe an answer for: an action that we know.
    func order(_ message: Message) -> ParticipantStore.Request? {
        guard case .action(let id) = message.body, behaviour.identification.actions[id] != nil, isJoined else {
            return nil
        }
        return ParticipantStore.Request(token: message.token, kind: .order, peer: server)
    }

    /// What an earlier run was told and has not answered was interrupted, or never begun: FAIL is the honest answer.
    func answerLeftOvers() throws {
        for request in try participant.state.requests(.order) where !orders.contains(request.token) {
            logger.notice("a restart interrupted an action: it has failed")
            try answer(request.token, .failed)
        }
    }

    /// ACTION and DATA, said to us or to a group of ours. Those that we do not know are answered here.
    func follow(_ message: Message) async throws {
        switch message.body {
        case .action(let id):
            guard behaviour.identification.actions[id] != nil else {
                logger.notice("the server asks for action \(id), which is not known here")
                return try participant.send(
                    .response(.actionUnknown), to: server, on: .member(participant.id), token: message.token)
            }
            orders.insert(message.token)
            await handler(.action(id, message.token))
        case .data(let id, let value):
            let type = String(validating: id, as: UTF8.self).flatMap { behaviour.identification.takes[$0] }
            guard let type, value.count <= Self.maximumData, (try? type.value(wire: value)) != nil else {
                logger.notice("the server sends data that is not known here, or of another type")
                return try participant.send(
                    .response(.dataTypeUnknown), to: server, on: .member(participant.id), token: message.token)
            }
            await handler(.data(id: id, value: value))
        default: throw Rejection.unexpected(message.body.type)
        }
    }

    // MARK: Groups

    func listen(to group: GroupID) { participant.link.subscribe(Topic.group(group).description) }

    private func group(_ name: [UInt8], _ device: DeviceID) throws(Rejection) -> GroupID {
        guard device == participant.id, let group = GroupID(name) else { throw .wrongGroup(server) }
        return group
    }

    func enter(_ name: [UInt8], _ device: DeviceID, _ token: Token) async throws {
        let group = try group(name, device)
        let known = try participant.state.groups(of: server)
        guard known.contains(group) || known.count < Self.maximumGroups else { throw Rejection.overloaded }
        try participant.state.enter(group, of: server, after: GroupToken.start(token))
        // Again, too: the broker may have refused it before it knew.
        participant.link.unsubscribe(Topic.group(group).description)
        listen(to: group)
        guard !known.contains(group) else { return }
        participant.audit("group", "entered \(group) of server \(server)")
        await handler(.group(group, isMember: true))
    }

    func leave(_ name: [UInt8], _ device: DeviceID) async throws {
        let group = try group(name, device)
        participant.link.unsubscribe(Topic.group(group).description)
        guard try participant.state.groups(of: server).contains(group) else { return }
        try participant.state.leave(group, of: server)
        participant.audit("group", "left \(group) of server \(server)")
        await handler(.group(group, isMember: false))
    }

    /// Who does not belong to the network belongs to none of its groups.
    func leaveAllGroups() throws {
        for group in try participant.state.groups(of: server) {
            participant.link.unsubscribe(Topic.group(group).description)
            try participant.state.leave(group, of: server)
        }
    }

    /// A message to a group: from our own server, said to this very group, and newer than all that was heard in it.
    func heard(_ signed: SignedMessage, in group: GroupID) async throws {
        guard signed.message.sender == server else { throw Rejection.unknownSender(signed.message.sender) }
        let message = try participant.verified(signed, key: serverKey)
        guard GroupToken.group(of: message.token) == group else { throw Rejection.wrongGroup(server) }
        guard isJoined else { throw Rejection.notJoined(message.body.type) }
        switch try participant.state.accept(message.sequence, in: group, of: server, opening: order(message)) {
        case .taken: break
        case .replayed(let last): throw Rejection.replayed(server, got: message.sequence, last: last)
        case .notListening:
            participant.link.unsubscribe(Topic.group(group).description)
            throw Rejection.wrongGroup(server)
        }
        logger.debug("received \(message.body.type) in the group \(group)")
        try await follow(message)
    }
}

/// Why a member does not send what it was asked to.
public enum MemberError: Error, Sendable, Hashable, CustomStringConvertible {
    case notJoined
    case noBroker
    case badName
    /// In bytes.
    case tooLong(Int)

    /// The reason, for people and programs.
    public var description: String {
        switch self {
        case .notJoined: "this device does not belong to the server's network now"
        case .noBroker: "there is no connection to the broker now"
        case .badName: "a name has 1 to 64 bytes"
        case .tooLong(let count): "a value has \(Member.maximumData) bytes at most, and this has \(count)"
        }
    }
}
