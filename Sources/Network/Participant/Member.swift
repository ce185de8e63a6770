import Limits
import Logging
import SRUP
import ServiceLifecycle

/// What happens to a participant that wants to belong, or belongs, to a C2 server's network.
public enum MemberEvent: Sendable {
    case connected
    case disconnected(String)
    /// Joined; `again` when the server has only confirmed what we knew.
    case joined(again: Bool)
    /// The server refuses this kind of join. `observer` is whom it told us to ask for in an observed join, if it did.
    case refused(JoinKind, observer: DeviceID?)
    case joinFailed(JoinKind)
    /// No answer in time; the member goes on asking when it was asked to.
    case joinTimedOut(JoinKind)
    /// The nonce to be shown: to an observer, or to a person.
    case nonce(Nonce, JoinKind)
    /// We shall be asked to look at something: the request is being stored. Eyes that need time to open begin now.
    case observationAnnounced
    /// It was announced, and there is nothing to look at after all.
    case observationWithdrawn
    /// We are to look at `device`, which should show the nonce. That we owe the verdict is stored
    /// (``ParticipantStore/Request/Kind/duty``).
    case observationRequested(token: Token, device: DeviceID, Nonce)
    /// What we were asked to look at with this token need not be looked at any more.
    case observationOver(Token)
    /// We belong, and are to show this nonce, to show that we are still here (docs/protocol.md, "Roll call").
    case rollCall(Nonce)
    /// What the roll call has given us is not to be shown any more.
    case rollCallEnded
    /// A value of a kind that we take (``Identification/takes``).
    case data(id: [UInt8], value: [UInt8])
    /// We are told to do something that we can do (``Identification/actions``): the owner does it and says how that went
    /// (``Member/answer(_:_:)``).
    case action(UInt8, Token)
    /// We are to fetch an update; that we owe the word how that went is stored.
    case updateOffered(Member.Offer)
    /// We are to put the update with this token to use. `isDue`: it is verified, and this is the first time; that we owe the word
    /// how it went is stored then.
    case activation(Token, isDue: Bool)
    /// The server has let us into a group, or put us out of it.
    case group(GroupID, isMember: Bool)
    /// The server has ended our membership.
    case left(String)
    /// The server has answered our wish to leave.
    case leavingAnswered(Member.Leaving, isDone: Bool)
    /// Our server wants us to ask to be let in. A member that joins by itself is asking already.
    case calledToJoin
    /// The server has ended our identity, and has our word for it that the keys will be gone: see ``IdentityEnd``.
    case identityEnded
}

/// The three ways into a network.
public enum JoinKind: Sendable, Hashable {
    case simple
    case humanModerated
    case observed(by: DeviceID)
}

/// A device or an observer in its conversation with its one C2 server: joins, joins again, hears commands.
///
/// Who belongs is decided by the server's answer to a join, for both sides alike: JOIN_SUCCESS lets in, JOIN_REFUSED and
/// JOIN_FAIL put out, also a member that asked to be looked at again. Who does not belong obeys nothing but what has to do
/// with joining.
public actor Member: Service {
    /// How a member behaves.
    public struct Behaviour: Sendable {
        /// How long the answer to a simple join request may take before it is asked for again.
        public var joinTimeout: Duration = .seconds(20)
        /// How long a moderated join may take from its request to its end, over all tries of the server.
        public var moderatedTimeout: Duration = .seconds(900)
        /// The same for a join that a person decides, who may be at lunch. Longer than the server waits.
        public var humanTimeout: Duration = .seconds(3900)
        /// With `rejoin`: whether to ask for a person's decision when the server refuses a simple join.
        public var isModerated = false
        /// An answer to an earlier request still counts for so long: a busy server may need longer than we wait.
        public var earlierTokens: Duration = .seconds(900)
        /// Whether to ask for a simple join by itself: at every connection and then this often, which also heals a
        /// server that has forgotten us. `nil`: never, the owner calls ``Member/join(_:)``.
        public var rejoin: Duration?
        /// Whether the owner takes updates (INITIATE, ACTIVATE); otherwise they are refused here.
        public var takesUpdates = false
        /// With `rejoin`: how long to wait at first after the server has refused us; an operator may be about to let us in.
        public var refusedPause: Duration = .seconds(10)
        /// What is spoken first to a server that has never answered; without an answer the two versions take turns.
        public var firstVersion = ProtocolVersion.preferred
        /// The answer to an ID_REQUEST; the session is added.
        public var identification: Identification

        /// The usual times, as above.
        ///
        /// - Parameter rejoin: how often to ask for a simple join by itself; `nil`: never.
        public init(rejoin: Duration?, identification: Identification) {
            self.rejoin = rejoin
            self.identification = identification
        }
    }

    private struct Attempt {
        let kind: JoinKind
        /// The request's token and those of the nonces that came for it.
        var tokens: [Token]
        let deadline: Duration
        /// Whether the server has said anything since.
        var wasHeard = false
    }

    /// A token whose answer we have given up waiting for.
    private struct Earlier {
        let token: Token
        let kind: JoinKind
        let until: Duration
    }

    /// The member's own identity on the network.
    public nonisolated let participant: Participant
    /// The identity of its one C2 server.
    public nonisolated let server: DeviceID
    let serverKey: PublicKey
    let behaviour: Behaviour
    private let time: Timekeeper
    let handler: @Sendable (MemberEvent) async -> Void
    /// What we were told to do in this run, and have not answered yet.
    var orders: Set<Token> = []
    private var attempt: Attempt? { didSet { paceReturn() } }
    /// Over which time those who lose their connection come back, as the server says.
    private var returnWithin = Duration.zero { didSet { paceReturn() } }
    /// What we have asked the server for on our way out.
    private var leaving: (how: Leaving, token: Token)?
    /// The nonce that a roll call has given us to show.
    private var rollCall: (token: Token, until: Duration)? { didSet { paceReturn() } }
    private var earlier: [Earlier] = []
    private var adviser: DeviceID?
    private var rejoinAt: Duration?
    private var alarm: Task<Void, Never>?
    private var unanswered: Backoff
    private var refused: Backoff
    private var announcedDisconnection = false
    /// Whether the server has let us in on this very connection: what came before may have waited at the broker for days.
    private var isConfirmed = false
    private var connection = UInt32.random(in: 0...(.max))
    nonisolated var logger: Logger { participant.logger }

    /// More tokens of one attempt, or of earlier ones, are not kept: a server makes two or three for each try.
    private static let maximumTokens = 64

    /// - Parameter handler: called for one event after the other; the next message waits for it.
    public init(
        _ participant: Participant, server: DeviceID, serverKey: PublicKey, behaviour: Behaviour,
        time: Timekeeper = .monotonic, handler: @escaping @Sendable (MemberEvent) async -> Void
    ) {
        self.participant = participant
        self.server = server
        self.serverKey = serverKey
        self.behaviour = behaviour
        self.time = time
        self.handler = handler
        unanswered = Backoff(first: behaviour.joinTimeout / 4, longest: max(behaviour.joinTimeout * 6, .seconds(120)))
        refused = Backoff(
            first: min(behaviour.refusedPause, behaviour.rejoin ?? behaviour.refusedPause),
            longest: min(behaviour.refusedPause * 6, behaviour.rejoin ?? .seconds(60)))
    }

    /// Handles the link's events until the link ends.
    public func run() async throws {
        try begin()
        for await event in participant.link.events { await handle(event) }
        alarm?.cancel()
    }

    /// What ``run()`` does first.
    package func begin() throws {
        try participant.state.remember(server, key: serverKey)
        if try participant.state.peer(server)?.lastReceived == SequenceNumber.none {
            try participant.state.setVersion(behaviour.firstVersion, of: server)
        }
        for group in try participant.state.groups(of: server) { listen(to: group) }
        returnWithin = .seconds(try toldReturn() ?? 0)
        try participant.resume()
    }

    package func handle(_ event: BrokerEvent) async {
        switch event {
        case .connected:
            announcedDisconnection = false
            isConfirmed = false
            connection = .random(in: 0...(.max))
            participant.causedLog.log(
                .info, about: "the broker", "connected to the broker at \(participant.link.place)")
            await handler(.connected)
            if behaviour.rejoin != nil { await keepJoined() }
        case .disconnected(let why):
            // Said once; the link goes on trying.
            if !announcedDisconnection {
                announcedDisconnection = true
                participant.causedLog.log(.warning, about: "the broker", "\(why); trying again")
                await handler(.disconnected(why))
            }
        case .confirmed(let id): participant.confirmed(id)
        case .message(let topic, let payload): await received(payload, topic: topic)
        }
    }

    /// Whether the last we know is that we belong to the server's network.
    public nonisolated var isJoined: Bool { ((try? participant.state.peer(server)) ?? nil)?.isJoined ?? false }

    /// Whether the server's last answer was that it does not let us in.
    public var wasRefused: Bool { refused.tries > 0 }

    // MARK: Joining

    /// Asks to be let in; an attempt under way is given up for this one, but an answer to it still counts for a while.
    ///
    /// - Throws: ``StorageError``, ``ParticipantError``.
    public func join(_ kind: JoinKind) throws {
        giveUp()
        if kind == .simple { adviser = nil }
        let token = Token.random()
        let body: Body =
            switch kind {
            case .simple: .joinRequest
            case .humanModerated: .humanJoinRequest
            case .observed(let observer): .observedJoinRequest(observer: observer)
            }
        let timeout =
            switch kind {
            case .simple: behaviour.joinTimeout
            case .humanModerated: behaviour.humanTimeout
            case .observed: behaviour.moderatedTimeout
            }
        attempt = Attempt(kind: kind, tokens: [token], deadline: time.now() + timeout)
        schedule()
        try participant.send(body, to: server, on: .joins(server: server, from: participant.id), token: token)
    }

    /// How a member leaves by its own wish.
    public enum Leaving: Sendable, Hashable {
        /// It stays registered, and may ask to be let in again.
        case resign
        /// Its identity ends.
        case deregister

        var request: Body { self == .resign ? .resignRequest : .deregisterRequest }
        var success: Status { self == .resign ? .resignSuccess : .deregisterSuccess }
        var fail: Status { self == .resign ? .resignFail : .deregisterFail }
    }

    /// Leaves the network: from now on nothing is obeyed but what has to do with joining, and nobody is asked to let us in by
    /// itself. The server's answer comes as ``MemberEvent/leavingAnswered(_:isDone:)``; a reference server gives none.
    ///
    /// - Throws: ``StorageError``, ``ParticipantError``; ``ParticipantError/identity(_:)`` when we do not belong.
    public func leave(_ how: Leaving) throws {
        guard isJoined else { throw ParticipantError.identity("it does not belong to the network of \(server)") }
        giveUp()
        earlier.removeAll()
        rejoinAt = nil
        let token = Token.random()
        leaving = (how, token)
        try participant.send(how.request, to: server, on: .member(participant.id), token: token)
        try participant.state.setJoined(server, false)
        isConfirmed = false
        try leaveAllGroups()
        participant.audit("left", "\(how.request.type) to server \(server)")
        schedule()
    }

    private func giveUp() {
        guard let current = attempt else { return }
        attempt = nil
        let until = time.now() + behaviour.earlierTokens
        earlier.append(contentsOf: current.tokens.map { Earlier(token: $0, kind: current.kind, until: until) })
        earlier.removeFirst(max(0, earlier.count - Self.maximumTokens))
    }

    private func keepJoined() async {
        rejoinAt = behaviour.rejoin.map { time.now() + $0 }
        // A moderated join under way is not disturbed.
        if attempt == nil || attempt?.kind == .simple {
            do {
                try join(.simple)
            } catch {
                participant.causedLog.log(.error, about: "joining", "cannot ask to join: \(error)")
            }
        }
        schedule()
    }

    // MARK: Timeouts

    private func schedule() {
        alarm?.cancel()
        guard let next = [attempt?.deadline, rejoinAt, rollCall?.until].compactMap({ $0 }).min() else { return }
        alarm = time.wake(at: next) { [weak self] in await self?.tick() }
    }

    /// Does what is due.
    package func tick() async {
        let now = time.now()
        if let current = attempt, current.deadline <= now { await timedOut(current) }
        if let due = rollCall?.until, due <= now { await endRollCall() }
        if let due = rejoinAt, due <= now {
            if participant.link.isConnected { await keepJoined() } else { rejoinAt = nil }
        }
        schedule()
    }

    private func timedOut(_ current: Attempt) async {
        giveUp()
        if !current.wasHeard { takeTheOtherVersion() }
        if current.kind == .simple, behaviour.rejoin != nil {
            rejoinAt = min(rejoinAt ?? .seconds(Int64.max / 4), time.now() + unanswered.next())
        }
        await handler(.joinTimedOut(current.kind))
    }

    /// A server that understands only the version we do not speak never answers.
    private func takeTheOtherVersion() {
        do {
            let version = try participant.state.peer(server)?.version ?? behaviour.firstVersion
            try participant.state.setVersion(version == .v5 ? .v4 : .v5, of: server)
        } catch {
            participant.causedLog.log(.error, about: "the state file", "\(error)")
        }
    }

    // MARK: Answers

    /// The kind of join that `token` belongs to, which is over with this answer.
    private func take(_ token: Token) -> (kind: JoinKind, isCurrent: Bool)? {
        if let current = attempt, current.tokens.contains(token) {
            attempt = nil
            return (current.kind, true)
        }
        let now = time.now()
        earlier.removeAll { $0.until <= now }
        guard let index = earlier.firstIndex(where: { $0.token == token }) else { return nil }
        return (earlier.remove(at: index).kind, false)
    }

    private func end(_ token: Token, status: Status) async throws {
        if let leaving, leaving.token == token {
            guard [leaving.how.success, leaving.how.fail].contains(status) else {
                throw Rejection.unfittingStatus(status)
            }
            self.leaving = nil
            return await handler(.leavingAnswered(leaving.how, isDone: status == leaving.how.success))
        }
        guard [.joinSuccess, .joinRefused, .joinFail].contains(status) else { throw Rejection.unfittingStatus(status) }
        if rollCall?.token == token { return try await answered(rollCall: status) }
        guard let (kind, isCurrent) = take(token) else { throw Rejection.unknownToken(server) }
        unanswered.reset()
        if status == .joinSuccess { return try await letIn() }
        // Of an earlier request while a later one is open: the later one's answer decides.
        if !isCurrent && attempt != nil { return logger.debug("\(status) for an earlier request") }
        try await notLetIn(kind, status)
    }

    private func notLetIn(_ kind: JoinKind, _ status: Status) async throws {
        await endRollCall()
        try participant.state.setJoined(server, false)
        isConfirmed = false
        try leaveAllGroups()
        participant.audit(status == .joinRefused ? "refused" : "join failed", "server \(server)")
        participant.causedLog.log(.info, about: "answers", "the server answered \(status)")
        let pause = refused.next()
        if behaviour.rejoin != nil { rejoinAt = time.now() + pause }
        schedule()
        await handler(status == .joinRefused ? .refused(kind, observer: adviser) : .joinFailed(kind))
        if kind == .simple, status == .joinRefused, behaviour.rejoin != nil, behaviour.isModerated, attempt == nil {
            try join(.humanModerated)
        }
    }

    /// The server's word on the roll call decides who belongs, as that on a join does.
    private func answered(rollCall status: Status) async throws {
        switch status {
        case .joinSuccess: await endRollCall()
        case .joinFail: try await notLetIn(.observed(by: server), status)
        default: throw Rejection.unfittingStatus(status)
        }
    }

    func endRollCall() async {
        guard rollCall != nil else { return }
        rollCall = nil
        await handler(.rollCallEnded)
    }

    private func beginRollCall(_ envelope: Envelope, _ token: Token) async throws {
        // An observer shows nothing.
        guard isJoined, behaviour.identification.observations == nil else { throw Rejection.unknownToken(server) }
        guard isConfirmed else { throw Rejection.tooOld(.observedJoinResponse) }
        let nonce = try open(envelope)
        rollCall = (token, time.now() + behaviour.moderatedTimeout)
        schedule()
        await handler(.rollCall(nonce))
    }

    private func letIn() async throws {
        giveUp()
        refused.reset()
        let wasJoined = isJoined
        isConfirmed = true
        if !wasJoined {
            try participant.state.setJoined(server, true)
            participant.audit("joined", "server \(server)")
            logger.info("joined the network of server \(server)")
        }
        if let interval = behaviour.rejoin { rejoinAt = time.now() + interval }
        schedule()
        await handler(.joined(again: wasJoined))
        try answerLeftOvers()
    }

    // MARK: Receiving

    private func received(_ payload: [UInt8], topic name: String) async {
        do {
            guard let (signed, topic) = try participant.read(payload, topic: name) else { return }
            if case .group(let group) = topic { return try await heard(signed, in: group) }
            guard topic == .member(participant.id) else { throw Rejection.wrongTopic(name) }
            guard signed.message.sender == server else { throw Rejection.unknownSender(signed.message.sender) }
            let message = try participant.verified(signed, key: serverKey)
            guard !GroupToken.isGroups(message.token) else { throw Rejection.wrongGroup(server) }
            guard let duty = duty(message) else {
                try participant.take(message, opening: order(message) ?? updating(message))
                return try await act(on: message)
            }
            try await begin(duty, message)
        } catch let rejection as Rejection {
            participant.rejections.record(rejection)
        } catch {
            participant.causedLog.log(.error, about: "messages", "a message could not be handled: \(error)")
        }
    }

    /// What we owe for `message`, when it is a request to observe that we may follow.
    private func duty(_ message: Message) -> ParticipantStore.Request? {
        guard case .observationRequest(let device, _) = message.body, isConfirmed,
            behaviour.identification.observations != nil,
            // One that is sent again opens no eye: it is refused where its number is taken.
            let known = try? participant.state.peer(server), known.isJoined, message.sequence > known.lastReceived
        else { return nil }
        return ParticipantStore.Request(token: message.token, kind: .duty, peer: server, subject: device)
    }

    /// Stores what we owe with the message's number, so that a crash loses neither alone, while the eyes open.
    private func begin(_ duty: ParticipantStore.Request, _ message: Message) async throws {
        await handler(.observationAnnounced)
        do {
            try participant.take(message, opening: duty)
            do {
                try await act(on: message)
            } catch let rejection as Rejection {
                // What we cannot read we cannot look for: the server need not wait for its time to run out.
                try participant.send(
                    .response(.observedJoinFail), to: server, on: .member(participant.id), token: duty.token,
                    answering: .duty)
                throw rejection
            }
        } catch {
            await handler(.observationWithdrawn)
            throw error
        }
    }

    private func act(on message: Message) async throws {
        logger.debug("received \(message.body.type)")
        attempt?.wasHeard = true
        switch message.body {
        case .response(let status): try await end(message.token, status: status)
        case .observedJoinResponse(let envelope):
            guard let kind = attempt?.kind, case .observed = kind else {
                return try await beginRollCall(envelope, message.token)
            }
            await handler(.nonce(try offered(envelope, message.token), kind))
        case .humanJoinResponse(let envelope):
            guard attempt?.kind == .humanModerated else { throw Rejection.unknownToken(server) }
            await handler(.nonce(try offered(envelope, message.token), .humanModerated))
        case .data(let id, let value) where id == Array(DataName.observer.utf8):
            // Advice for the next join, so it counts for those outside.
            adviser = DeviceID(participant: String(decoding: value.prefix(16), as: UTF8.self))
            await handler(.data(id: id, value: value))
        case .data(let id, let value) where id == Array(DataName.observationOver.utf8):
            guard behaviour.identification.observations != nil else { throw Rejection.unexpected(message.body.type) }
            if let token = Token(value) { await handler(.observationOver(token)) }
        case .joinCommand(let device):
            guard device == participant.id else { throw Rejection.unexpected(message.body.type) }
            participant.causedLog.log(.info, about: "commands", "the server calls us to join")
            if behaviour.rejoin != nil { await keepJoined() }
            await handler(.calledToJoin)
        default:
            guard isJoined else { throw Rejection.notJoined(message.body.type) }
            try await obey(message)
        }
    }

    private func offered(_ envelope: Envelope, _ token: Token) throws -> Nonce {
        let nonce = try open(envelope)
        if let count = attempt?.tokens.count, count >= Self.maximumTokens { attempt?.tokens.remove(at: 1) }
        attempt?.tokens.append(token)
        return nonce
    }

    /// What only a member does.
    private func obey(_ message: Message) async throws {
        switch message.body {
        case .observationRequest(let device, let envelope):
            guard behaviour.identification.observations != nil else { throw Rejection.unexpected(message.body.type) }
            guard isConfirmed else { throw Rejection.tooOld(message.body.type) }
            let nonce = try open(envelope)
            await handler(.observationRequested(token: message.token, device: device, nonce))
        case .idRequest:
            var identification = behaviour.identification
            identification.session = String(connection, radix: 16)
            identification.replaces = try participant.state.value("replaces").flatMap { Replacement($0) }
            identification.groups = try participant.state.groups(of: server)
            identification.returns = try toldReturn()
            try participant.send(
                .data(id: Array(DataName.identification.utf8), value: Array(identification.description.utf8)),
                to: server,
                on: .member(participant.id), token: .random())
        case .data(let id, let value) where id == Array(DataName.returnWithin.utf8):
            guard behaviour.identification.returns != nil, value.count <= 3,
                let seconds = Int(String(decoding: value, as: UTF8.self)),
                (0...Identification.longestReturn).contains(seconds)
            else { throw Rejection.unexpected(message.body.type) }
            try participant.state.set(Self.returnKey, to: String(seconds))
            returnWithin = .seconds(seconds)
        case .data, .action: try await follow(message)
        case .initiate, .activate: try await update(message)
        case .groupAdd(let device, let group): try await enter(group, device, message.token)
        case .groupDelete(let device, let group): try await leave(group, device)
        case .groupDestroy(let group): try await leave(group, participant.id)
        case .terminateCommand: try await leave(message)
        case .deregisterCommand:
            try participant.send(
                .response(.deregisterSuccess), to: server, on: .member(participant.id), token: message.token)
            try await leave(message)
            await handler(.identityEnded)
        default: throw Rejection.unexpected(message.body.type)
        }
    }

    private static let returnKey = "return-within"

    /// As the server told us last; `nil`: we take no such word.
    private func toldReturn() throws -> Int? {
        try behaviour.identification.returns.map { usual in
            try participant.state.value(Self.returnKey).flatMap { Int($0) } ?? usual
        }
    }

    /// Who waits for an answer comes back at once.
    private func paceReturn() {
        participant.link.returnWithin(attempt == nil && rollCall == nil ? returnWithin : .zero)
    }

    private func leave(_ message: Message) async throws {
        try participant.state.setJoined(server, false)
        isConfirmed = false
        try leaveAllGroups()
        await endRollCall()
        participant.audit("left", "\(message.body.type) from server \(server)")
        await handler(.left("\(message.body.type)"))
    }

    private func open(_ envelope: Envelope) throws -> Nonce {
        do {
            return try envelope.openNonce(with: participant.key)
        } catch {
            throw Rejection.cannotOpenEnvelope(server)
        }
    }
}
