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
    /// We are to look at `device`, which should show the nonce.
    case observationRequested(token: Token, device: DeviceID, Nonce)
    case data(id: [UInt8], value: [UInt8])
    case action(UInt8)
    /// The server has ended our membership.
    case left(String)
}

/// The three ways into a network.
public enum JoinKind: Sendable, Hashable {
    case simple
    case humanModerated
    case observed(by: DeviceID)
}

/// A device or an observer in its conversation with its one C2 server: joins, joins again, hears commands.
public actor Member: Service {
    /// How a member behaves.
    public struct Behaviour: Sendable {
        /// How long the answer to a simple join request may take.
        public var joinTimeout: Duration = .seconds(20)
        /// How long a moderated join may take from its request to its end, over all tries of the server.
        public var moderatedTimeout: Duration = .seconds(900)
        /// Whether to ask for a simple join by itself: at every connection and then this often, which also heals a
        /// server that has forgotten us. `nil`: never, the owner calls ``Member/join(_:)``.
        public var rejoin: Duration?
        /// The answer to an ID_REQUEST.
        public var identification: String

        public init(rejoin: Duration?, identification: String) {
            self.rejoin = rejoin
            self.identification = identification
        }
    }

    private struct Attempt {
        let kind: JoinKind
        /// The request's token and those of the nonces that came for it.
        var tokens: Set<Token>
        let timer: Task<Void, Never>
    }

    public nonisolated let participant: Participant
    public nonisolated let server: DeviceID
    private let serverKey: PublicKey
    private let behaviour: Behaviour
    private let handler: @Sendable (MemberEvent) async -> Void
    private var attempt: Attempt?
    private var adviser: DeviceID?
    private var rejoinTimer: Task<Void, Never>?
    private var announcedDisconnection = false
    private nonisolated var logger: Logger { participant.logger }

    /// - Parameter handler: called for one event after the other; the next message waits for it.
    public init(
        _ participant: Participant, server: DeviceID, serverKey: PublicKey, behaviour: Behaviour,
        handler: @escaping @Sendable (MemberEvent) async -> Void
    ) {
        self.participant = participant
        self.server = server
        self.serverKey = serverKey
        self.behaviour = behaviour
        self.handler = handler
    }

    /// Handles the link's events until the link ends.
    public func run() async throws {
        try participant.state.remember(server, key: serverKey)
        try participant.resume()
        for await event in participant.link.events {
            switch event {
            case .connected:
                announcedDisconnection = false
                logger.info("connected to the broker at \(participant.link.address.host)")
                await handler(.connected)
                if behaviour.rejoin != nil { await keepJoined() }
            case .disconnected(let why):
                // Said once; the link goes on trying.
                if !announcedDisconnection {
                    announcedDisconnection = true
                    logger.warning("\(why); trying again")
                    await handler(.disconnected(why))
                }
            case .confirmed(let id): participant.confirmed(id)
            case .message(let topic, let payload): await received(payload, topic: topic)
            }
        }
        attempt?.timer.cancel()
        rejoinTimer?.cancel()
    }

    /// Whether the last we know is that we belong to the server's network.
    public nonisolated var isJoined: Bool { ((try? participant.state.peer(server)) ?? nil)?.isJoined ?? false }

    // MARK: Joining

    /// Asks to be let in; an attempt under way is given up for this one.
    ///
    /// - Throws: ``StorageError``, ``PartyError``.
    public func join(_ kind: JoinKind) throws {
        attempt?.timer.cancel()
        let token = Token.random()
        let body: Body =
            switch kind {
            case .simple: .joinRequest
            case .humanModerated: .humanJoinRequest
            case .observed(let observer): .observedJoinRequest(observer: observer)
            }
        let timeout = kind == .simple ? behaviour.joinTimeout : behaviour.moderatedTimeout
        let timer = Task { [weak self] in
            guard (try? await Task.sleep(for: timeout)) != nil else { return }
            await self?.timedOut(token)
        }
        attempt = Attempt(kind: kind, tokens: [token], timer: timer)
        try participant.send(body, to: server, on: .joins(server: server, from: participant.id), token: token)
    }

    private func keepJoined() async {
        rejoinTimer?.cancel()
        // A moderated join under way is not disturbed.
        if attempt == nil || attempt?.kind == .simple {
            do {
                try join(.simple)
            } catch {
                logger.error("cannot ask to join: \(error)")
            }
        }
        guard let interval = behaviour.rejoin else { return }
        rejoinTimer = Task { [weak self] in
            guard (try? await Task.sleep(for: interval)) != nil else { return }
            await self?.keepJoined()
        }
    }

    private func timedOut(_ token: Token) async {
        guard let current = attempt, current.tokens.contains(token) else { return }
        attempt = nil
        await handler(.joinTimedOut(current.kind))
        if current.kind == .simple, behaviour.rejoin != nil, participant.link.isConnected { await keepJoined() }
    }

    /// The attempt that `token` belongs to is over.
    private func end(_ token: Token, status: Status) async throws {
        guard let current = attempt, current.tokens.contains(token) else {
            throw Rejection.unknownToken(server)
        }
        guard [.joinSuccess, .joinRefused, .joinFail].contains(status) else { throw Rejection.unfittingStatus(status) }
        current.timer.cancel()
        attempt = nil
        let wasJoined = isJoined
        switch status {
        case .joinSuccess:
            try participant.state.setJoined(server, true)
            if !wasJoined {
                participant.audit("joined", "server \(server)")
                logger.info("joined the network of server \(server)")
            }
            await handler(.joined(again: wasJoined))
        default:
            try participant.state.setJoined(server, false)
            participant.audit(status == .joinRefused ? "refused" : "join failed", "server \(server)")
            logger.notice("the server answered \(status)")
            await handler(
                status == .joinRefused ? .refused(current.kind, observer: adviser) : .joinFailed(current.kind))
        }
    }

    // MARK: Receiving

    private func received(_ payload: [UInt8], topic name: String) async {
        do {
            guard let (signed, topic) = try participant.read(payload, topic: name) else { return }
            guard topic == .member(participant.id) else { throw Rejection.wrongTopic(name) }
            guard signed.message.sender == server else { throw Rejection.unknownSender(signed.message.sender) }
            try await act(on: try participant.admit(signed, key: serverKey))
        } catch let rejection as Rejection {
            participant.rejections.record(rejection)
        } catch {
            logger.error("a message could not be handled: \(error)")
        }
    }

    private func act(on message: Message) async throws {
        logger.debug("received \(message.body.type)")
        switch message.body {
        case .response(let status): try await end(message.token, status: status)
        case .observedJoinResponse(let envelope):
            guard let kind = attempt?.kind, case .observed = kind else { throw Rejection.unknownToken(server) }
            attempt?.tokens.insert(message.token)
            await handler(.nonce(try open(envelope), kind))
        case .humanJoinResponse(let envelope):
            guard attempt?.kind == .humanModerated else { throw Rejection.unknownToken(server) }
            attempt?.tokens.insert(message.token)
            await handler(.nonce(try open(envelope), .humanModerated))
        case .observationRequest(let device, let envelope):
            let nonce = try open(envelope)
            await handler(.observationRequested(token: message.token, device: device, nonce))
        case .idRequest:
            try participant.send(
                .data(id: Array(DataName.identification.utf8), value: Array(behaviour.identification.utf8)),
                to: server, on: .member(participant.id), token: .random())
        case .data(let id, let value):
            if id == Array(DataName.observer.utf8) {
                adviser = DeviceID(hex: String(decoding: value.prefix(16), as: UTF8.self))
            }
            await handler(.data(id: id, value: value))
        case .action(let id): await handler(.action(id))
        case .terminateCommand, .deregisterCommand:
            try participant.state.setJoined(server, false)
            participant.audit("left", "\(message.body.type) from server \(server)")
            await handler(.left("\(message.body.type)"))
        default: throw Rejection.unexpected(message.body.type)
        }
    }

    private func open(_ envelope: Envelope) throws -> Nonce {
        do {
            return try envelope.openNonce(with: participant.key)
        } catch {
            throw Rejection.cannotOpenEnvelope(server)
        }
    }
}
