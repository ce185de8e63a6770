import Linux
import Logging
import Party
import SRUP
import ServiceLifecycle

/// The C2 server: lets devices in by the operator's policy, asks observers, and believes only the one it has asked.
public actor C2Server: Service {
    private nonisolated let participant: Participant
    private let state: C2State
    private let directory: any KeyDirectory
    private let rules: C2Rules
    private let events: EventLog
    private var pending: [DeviceID: C2State.Pending] = [:]
    private var timers: [DeviceID: Task<Void, Never>] = [:]
    private var lookUps: Set<DeviceID> = []
    private var unknown: [DeviceID: ContinuousClock.Instant] = [:]
    private var announcedDisconnection = false
    private nonisolated var logger: Logger { participant.logger }

    /// How many identities are looked up at the key service at once.
    private static let mostLookUps = 16
    /// How long an identity that the key service does not know is not asked for again.
    private static let unknownFor = Duration.seconds(5)

    public init(
        _ participant: Participant, state: C2State, directory: any KeyDirectory, rules: C2Rules, events: EventLog
    ) {
        self.participant = participant
        self.state = state
        self.directory = directory
        self.rules = rules
        self.events = events
    }

    /// The subscriptions a server begins with.
    public static func subscriptions(_ id: DeviceID) -> [String] { ["SRUP/servers/\(id.hex)/#"] }

    /// Handles the link's events until the link ends.
    public func run() async throws {
        try resume()
        for await event in participant.link.events {
            switch event {
            case .connected:
                announcedDisconnection = false
                logger.info("connected to the broker at \(participant.link.address.host)")
                events.record("connected")
            case .disconnected(let why):
                if !announcedDisconnection {
                    announcedDisconnection = true
                    logger.warning("\(why); trying again")
                }
            case .confirmed(let id): participant.confirmed(id)
            case .message(let topic, let payload): received(payload, topic: topic)
            }
        }
        for timer in timers.values { timer.cancel() }
    }

    /// After a restart: listen to those who belong, and give the joins under way fresh nonces, since the old ones were
    /// in memory only.
    private func resume() throws {
        try participant.resume()
        for peer in try participant.state.joinedPeers() { participant.link.subscribe("SRUP/\(peer.id.hex)") }
        try participant.state.dropRequests(.observation)
        for join in try state.pending() {
            guard try participant.state.peer(join.device)?.isJoined != true else {
                // Admitted and answered in one transaction; the crash came before anybody was told of it.
                let how = "observed by \(join.observer), before the restart"
                answered(join.device, .joinSuccess, why: how)
                try welcome(join.device, how: how)
                try state.remove(join.device)
                continue
            }
            logger.notice("the join of \(join.device) was interrupted by a restart; asking its observer again")
            pending[join.device] = join
            try tryAgain(join, because: "the server was restarted")
        }
    }

    // MARK: Receiving

    private func received(_ payload: [UInt8], topic name: String) {
        do {
            guard let (signed, topic) = try participant.read(payload, topic: name) else { return }
            let sender = signed.message.sender
            guard topic.participant == sender else { throw Rejection.wrongTopic(name) }
            switch topic {
            case .joins(let server, _):
                guard server == participant.id else { throw Rejection.wrongTopic(name) }
                guard let known = try participant.state.peer(sender), known.key != nil, known.type != nil else {
                    try lookUp(sender, payload: payload, topic: name)
                    return
                }
                try asked(try participant.admit(signed, key: known.key), type: known.type ?? "")
            case .member:
                let known = try participant.state.peer(sender)
                guard let known, known.isJoined else { throw Rejection.unknownSender(sender) }
                try told(try participant.admit(signed, key: known.key))
            }
        } catch let rejection as Rejection {
            participant.rejections.record(rejection)
        } catch {
            logger.error("a message could not be handled: \(error)")
        }
    }

    /// Asks the key service for a sender that we have not met; its message is handled again afterwards.
    private func lookUp(_ sender: DeviceID, payload: [UInt8], topic: String) throws {
        if let since = unknown[sender], .now - since < Self.unknownFor { throw Rejection.unknownSender(sender) }
        guard lookUps.count < Self.mostLookUps else { throw Rejection.overloaded }
        guard lookUps.insert(sender).inserted else { return }
        Task {
            do {
                let found = try await directory.lookUp(sender)
                try met(sender, found, payload: payload, topic: topic)
            } catch {
                lookUps.remove(sender)
                logger.warning("the key service could not be asked for \(sender): \(error)")
            }
        }
    }

    private func met(
        _ sender: DeviceID, _ found: (key: PublicKey, type: String)?, payload: [UInt8], topic: String
    ) throws {
        lookUps.remove(sender)
        guard let found else {
            if unknown.count > 1000 { unknown.removeAll() }
            unknown[sender] = .now
            participant.rejections.record(.unknownSender(sender))
            return
        }
        unknown[sender] = nil
        // Its signature has not been checked yet: noting the key of a registered identity is no favour to anybody.
        try participant.state.remember(sender, key: found.key, type: found.type)
        received(payload, topic: topic)
    }

    // MARK: Join requests

    private func asked(_ message: Message, type: String) throws {
        let device = message.sender
        events.record("join-requested", ["device": device.hex, "type": type, "kind": message.body.type.description])
        switch message.body {
        case .joinRequest: try simpleJoin(device, message.token, type: type)
        case .observedJoinRequest(let observer): try observedJoin(device, observer, message.token, type: type)
        case .humanJoinRequest:
            logger.notice(
                "\(device) asks for a human-moderated join: this server has no operator's page yet, so the join fails")
            try answer(device, .joinFail, message.token, why: "no operator's page")
        default: throw Rejection.unexpected(message.body.type)
        }
    }

    private func simpleJoin(_ device: DeviceID, _ token: Token, type: String) throws {
        if try participant.state.peer(device)?.isJoined == true {
            logger.debug("\(device) asks again and belongs already")
            try answer(device, .joinSuccess, token, why: "belongs already")
            return
        }
        switch rules.policy(for: type) {
        case .simple: try admitted(device, token, how: "simple join")
        case .observed:
            let observer = try usableObservers().first
            if let observer {
                try send(.data(id: Array(DataName.observer.utf8), value: Array(observer.hex.utf8)), to: device)
            }
            let adviser = observer.map { "by \($0)" } ?? "but no trusted observer has joined"
            logger.info("\(device) (\(type)) is refused a simple join: its type must be observed, \(adviser)")
            try answer(device, .joinRefused, token, why: "must be observed")
        case .human:
            logger.info("\(device) (\(type)) is refused a simple join: its type must be moderated by a person")
            try answer(device, .joinRefused, token, why: "must be moderated by a person")
        case .refuse:
            logger.notice("\(device) (\(type)) is refused: its type is never let in")
            try answer(device, .joinFail, token, why: "type is never let in")
        }
    }

    private func usableObservers() throws -> [DeviceID] {
        try state.trusted().filter { try participant.state.peer($0)?.isJoined == true }
    }

    private func observedJoin(_ device: DeviceID, _ observer: DeviceID, _ token: Token, type: String) throws {
        let policy = rules.policy(for: type)
        let problem: String? =
            if policy == .refuse {
                "devices of type \(type) are never let in"
            } else if policy == .human {
                "devices of type \(type) must be moderated by a person"
            } else if observer == device {
                "a device cannot vouch for itself"
            } else if try !state.trusted().contains(observer) {
                "\(observer) is not trusted as an observer (srup-c2 trust \(observer))"
            } else if try participant.state.peer(observer)?.isJoined != true {
                "the observer \(observer) has not joined"
            } else if pending.count >= rules.mostPending && pending[device] == nil {
                "too many joins are under way"
            } else {
                nil
            }
        if let problem {
            logger.notice("the observed join of \(device) fails: \(problem)")
            try end(device)
            try answer(device, .joinFail, token, why: problem)
            return
        }
        // A request that comes while one is open takes its place: the device has started over.
        try end(device)
        try offer(
            C2State.Pending(
                device: device, observer: observer, request: token, offer: .random(), observation: .random(), attempt: 1
            ))
    }

    // MARK: The observed join

    /// Sends the nonce to device and observer.
    private func offer(_ join: C2State.Pending) throws {
        guard let deviceKey = try participant.state.peer(join.device)?.key,
            let observerKey = try participant.state.peer(join.observer)?.key
        else { throw Rejection.unknownSender(join.observer) }
        let nonce = Nonce.random()
        let toDevice = try Envelope.sealing(nonce, for: deviceKey)
        let toObserver = try Envelope.sealing(nonce, for: observerKey)
        pending[join.device] = join
        try state.save(join)
        try participant.state.open(
            .init(token: join.observation, kind: .observation, peer: join.observer, subject: join.device))
        try participant.send(
            .observedJoinResponse(toDevice), to: join.device, on: .member(join.device), token: join.offer)
        try participant.send(
            .observationRequest(device: join.device, toObserver), to: join.observer, on: .member(join.observer),
            token: join.observation)
        logger.info("try \(join.attempt) of \(rules.tries): \(join.observer) is to look at \(join.device)")
        events.record(
            "observation-requested",
            ["device": join.device.hex, "observer": join.observer.hex, "try": String(join.attempt)])
        timers[join.device]?.cancel()
        timers[join.device] = Task { [weak self, rules] in
            guard (try? await Task.sleep(for: rules.observationTimeout)) != nil else { return }
            await self?.expired(join)
        }
    }

    private func expired(_ join: C2State.Pending) {
        guard pending[join.device] == join else { return }
        do {
            // After this the observer's verdict finds no open request any more.
            guard try participant.state.take(join.observation, .observation, peer: join.observer) != nil else { return }
            try tryAgain(join, because: "the observer did not answer in \(rules.observationTimeout)")
        } catch {
            logger.error("\(error)")
        }
    }

    private func tryAgain(_ join: C2State.Pending, because why: String) throws {
        guard join.attempt < rules.tries else {
            logger.notice("the observed join of \(join.device) fails after \(join.attempt) tries: \(why)")
            try conclude(join, .joinFail, why: why)
            return
        }
        logger.info("\(join.device): \(why); trying again with a fresh nonce")
        var next = join
        next.attempt += 1
        next.offer = .random()
        next.observation = .random()
        try offer(next)
    }

    private func verdict(_ status: Status, from observer: DeviceID, _ token: Token) throws {
        guard [.observedJoinValid, .observedJoinInvalid, .observedJoinFail].contains(status) else {
            throw Rejection.unfittingStatus(status)
        }
        guard let request = try participant.state.take(token, .observation, peer: observer),
            let join = request.subject.flatMap({ pending[$0] }), join.observation == token, join.observer == observer
        else { throw Rejection.unknownToken(observer) }
        events.record(
            "verdict-received", ["device": join.device.hex, "observer": observer.hex, "status": status.description])
        participant.audit("verdict", "\(status) from \(observer) about \(join.device)")
        guard try state.trusted().contains(observer) else {
            logger.notice("\(observer) is not trusted any more; its verdict about \(join.device) does not count")
            try conclude(join, .joinFail, why: "observer not trusted")
            return
        }
        switch status {
        case .observedJoinValid:
            logger.info("\(observer) says VALID: it has seen \(join.device)")
            try conclude(join, .joinSuccess, why: "observed by \(observer)")
        case .observedJoinInvalid:
            logger.warning("\(observer) says INVALID: something showed another value in place of \(join.device)")
            try conclude(join, .joinFail, why: "observer saw another value")
        default: try tryAgain(join, because: "the observer \(observer) says FAILED")
        }
    }

    private func conclude(_ join: C2State.Pending, _ status: Status, why: String) throws {
        // The answer first: a crash in between leaves a join that is tried again, not a device that waits in vain.
        if status == .joinSuccess {
            try admitted(join.device, join.offer, how: why)
        } else {
            try answer(join.device, status, join.offer, why: why)
        }
        try end(join.device)
    }

    /// Forgets a join under way: an observer that answers later finds no open request.
    private func end(_ device: DeviceID) throws {
        timers.removeValue(forKey: device)?.cancel()
        guard let join = pending.removeValue(forKey: device) else { return }
        _ = try participant.state.take(join.observation, .observation, peer: join.observer)
        try state.remove(device)
    }

    private func admitted(_ device: DeviceID, _ token: Token, how: String) throws {
        participant.link.subscribe("SRUP/\(device.hex)")
        // One transaction: a crash leaves a device that belongs and is told so, or one whose join is tried again.
        try answer(device, .joinSuccess, token, why: how, settingJoined: true)
        try welcome(device, how: how)
    }

    private func welcome(_ device: DeviceID, how: String) throws {
        participant.audit("joined", "\(device): \(how)")
        logger.info("\(device) has joined (\(how))")
        try send(.idRequest, to: device)
    }

    private func answer(
        _ device: DeviceID, _ status: Status, _ token: Token, why: String, settingJoined joined: Bool? = nil
    ) throws {
        try participant.send(
            .response(status), to: device, on: .member(device), token: token, settingJoined: joined)
        answered(device, status, why: why)
    }

    private func answered(_ device: DeviceID, _ status: Status, why: String) {
        events.record("join-answered", ["device": device.hex, "status": status.description, "why": why])
    }

    private func send(_ body: Body, to device: DeviceID) throws {
        try participant.send(body, to: device, on: .member(device), token: .random())
    }

    // MARK: Messages of those who belong

    private func told(_ message: Message) throws {
        let sender = message.sender
        switch message.body {
        case .response(let status): try verdict(status, from: sender, message.token)
        case .data(let id, let value):
            let name = String(decoding: id.prefix(64), as: UTF8.self).withoutControls
            let text = String(decoding: value.prefix(200), as: UTF8.self).withoutControls
            logger.info("\(sender) tells \(name.debugDescription): \(text.debugDescription)")
        case .resignRequest, .deregisterRequest:
            if message.body.type == .resignRequest {
                try participant.state.setJoined(sender, false)
            } else {
                try participant.state.forget(sender)
            }
            try end(sender)
            participant.link.unsubscribe("SRUP/\(sender.hex)")
            participant.audit("left", "\(sender): \(message.body.type)")
            logger.info("\(sender) has left (\(message.body.type))")
        default: throw Rejection.unexpected(message.body.type)
        }
    }
}
