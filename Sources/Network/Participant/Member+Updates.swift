import SRUP

/// Updates: what the server offers (INITIATE), has put to use (ACTIVATE), and is answered.
extension Member {
    /// An update that the server offers.
    public struct Offer: Sendable, Hashable {
        /// By it the server has the update put to use.
        public let token: Token
        /// Where it is.
        public let url: String
        /// Its SHA-256, as the server has written it.
        public let digest: String

        /// Longer addresses are not taken, in bytes.
        static let maximumURL = 2048

        init?(_ message: Message) {
            guard case .initiate(let url, let digest) = message.body, let url = url.text, let digest = digest.text,
                url.utf8.count <= Self.maximumURL, digest.utf8.count <= 128, !(url + digest).utf8.contains(10)
            else { return nil }
            (token, self.url, self.digest) = (message.token, url, digest)
        }

        /// Reads an offer that was stored.
        public init?(_ request: ParticipantStore.Request) {
            let lines = request.detail?.split(separator: "\n", omittingEmptySubsequences: false) ?? []
            guard request.kind == .update, lines.count == 2 else { return nil }
            (token, url, digest) = (request.token, String(lines[0]), String(lines[1]))
        }
    }

    /// What the message makes us owe; stored with its number, so that a crash loses nothing.
    func updating(_ message: Message) -> ParticipantStore.Request? {
        guard behaviour.takesUpdates, isJoined else { return nil }
        let open = try? participant.state.kind(of: message.token, from: server)
        switch message.body {
        case .initiate:
            // Under a token that is being put to use nothing new begins.
            guard let offer = Offer(message), open != .activation else { return nil }
            return .init(token: message.token, kind: .update, peer: server, detail: "\(offer.url)\n\(offer.digest)")
        case .activate:
            return open == .ready ? .init(token: message.token, kind: .activation, peer: server) : nil
        default: return nil
        }
    }

    /// Hands on what was stored; refuses the rest.
    func update(_ message: Message) async throws {
        let open = try participant.state.kind(of: message.token, from: server)
        switch message.body {
        case .initiate:
            if open == .activation { return logger.notice("an update is offered anew while it is put to use") }
            guard behaviour.takesUpdates, open == .update, let offer = Offer(message) else {
                logger.notice("an update is offered, and none is taken here, or not with this address and digest")
                return try answer(message.token, .updateFailFile, ending: nil)
            }
            await handler(.updateOffered(offer))
        case .activate:
            guard behaviour.takesUpdates else { return try answer(message.token, .activateFail, ending: nil) }
            await handler(.activation(message.token, isDue: open == .activation))
        default: throw Rejection.unexpected(message.body.type)
        }
    }

    /// Answers an offer or an activation.
    ///
    /// - Parameters:
    ///   - ending: the request that it answers, which is over with it: an answer is given once, also over restarts; `nil`: it
    ///     repeats one, or refuses what was never a request.
    ///   - values: sent before it, with the same token, so that the server knows what they belong to.
    /// - Throws: ``StorageError``, ``ParticipantError``; ``ParticipantError/alreadyAnswered``.
    public func answer(
        _ token: Token, _ status: Status, ending: ParticipantStore.Request.Kind?,
        values: [(name: String, value: [UInt8])] = []
    ) throws {
        let topic = Topic.member(participant.id)
        for (name, value) in values {
            let bounded = Array(value.prefix(Self.maximumData))
            try participant.send(.data(id: Array(name.utf8), value: bounded), to: server, on: topic, token: token)
        }
        // Only what was verified may be put to use, by the one token, once.
        let permit: ParticipantStore.Request? =
            status == .updateSuccess ? .init(token: token, kind: .ready, peer: server) : nil
        try participant.send(
            .response(status), to: server, on: topic, token: token, answering: ending, opening: permit)
    }
}
