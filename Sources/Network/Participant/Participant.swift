import Glibc
import Limits
import Logging
import SRUP
import Storage

/// One identity on the network: signs and numbers what it sends, checks and counts what it receives.
///
/// Safe to use from several threads; what is sent to one peer leaves in the order of the calls.
public final class Participant: Sendable {
    /// Who we are on the network.
    public let id: DeviceID
    /// The identity's private key: signs messages and opens envelopes.
    public let key: PrivateKey
    /// Counters, peers, open requests and what is on its way, on disk.
    public let state: ParticipantStore
    /// The way to the broker and back.
    public let link: any MessageLink
    /// Counts and logs the messages that were not acted on.
    public let rejections: RejectionLog
    /// For lines that we cause ourselves.
    public let logger: Logger
    /// For lines that peers, the broker or a full disk cause, as often as they like.
    public let causedLog: BoundedLog
    /// Whether what is sent leaves at once, or when a transaction around it has been stored.
    public let afterwards = Afterwards()
    /// Seconds since 1970; only for the audit log and for throwing away what is older than an hour.
    public let wallClock: @Sendable () -> Double

    /// An identity at work; nothing is sent before ``resume()`` or ``send(_:to:on:token:answering:membership:)``.
    public init(
        id: DeviceID, key: PrivateKey, state: ParticipantStore, link: any MessageLink, logger: Logger,
        wallClock: @escaping @Sendable () -> Double = Participant.systemTime
    ) {
        self.id = id
        self.key = key
        self.state = state
        self.link = link
        self.logger = logger
        self.wallClock = wallClock
        causedLog = BoundedLog(logger)
        rejections = RejectionLog(logger: logger)
    }

    /// The system's wall clock in seconds since 1970.
    public static let systemTime: @Sendable () -> Double = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Gives the link what is stored and was not confirmed, from an earlier run or from a turn of which only a part was stored.
    /// To be called before anything else is sent; what the link has already it does not send twice.
    ///
    /// - Throws: ``StorageError``.
    public func resume() throws {
        for entry in try state.unconfirmed(now: wallClock()) {
            afterwards.run { [link] in link.publish(entry.payload, to: entry.topic, id: entry.id) }
        }
    }

    /// Signs, stores and publishes a message; within ``gather(signing:_:)`` at its end.
    ///
    /// - Parameter answering: the open request that this message ends; without it nothing is sent.
    /// - Parameter membership: the peer's from now on, stored together with the message.
    /// - Parameter opening: what the answer permits the peer to ask for, stored together with the message.
    /// - Throws: ``StorageError``, ``ParticipantError``.
    public func send(
        _ body: Body, to peer: DeviceID, on topic: Topic, token: Token,
        answering: ParticipantStore.Request.Kind? = nil, membership: ParticipantStore.MembershipChange? = nil,
        opening: ParticipantStore.Request? = nil
    ) throws {
        let entry = try state.number(
            to: peer, topic: topic, answering: answering.map { (token, $0) }, membership: membership, opening: opening,
            now: wallClock()
        ) { sequence, version in
            try writing(Message(version: version, sequence: sequence, sender: id, token: token, body: body))
        }
        logger.debug("sent \(body.type) to \(peer)")
        if let entry { publish(entry) }
    }

    /// Signs, stores and publishes a message to all members of a group of our own; within ``gather(signing:_:)`` at its end.
    ///
    /// - Throws: ``StorageError``, ``ParticipantError``.
    public func send(_ body: Body, to group: GroupID, token: Token) throws {
        let entry = try state.number(to: group, of: id, now: wallClock()) { sequence in
            try writing(Message(version: .preferred, sequence: sequence, sender: id, token: token, body: body))
        }
        logger.debug("sent \(body.type) to the group \(group)")
        if let entry { publish(entry) }
    }

    private func writing(_ message: Message) throws -> ParticipantStore.Writing {
        state.hasBook
            ? .unsigned(try UnsignedMessage(message, for: key)) : .whole(try message.signed(with: key).bytes)
    }

    /// For who has begun a turn of the store (``ParticipantStore/turn(_:)``) on this thread: what `body` sends has its number at
    /// once, but is signed with all else at the end. Lines of the audit log, which take messages, are written then, too.
    ///
    /// - Parameter signing: makes the signatures of all messages, in their order.
    /// - Throws: what `body` and `signing` throw, ``StorageError``: the turn must fail.
    public func gather(
        signing: @escaping @Sendable ([UnsignedMessage]) throws -> [SignedMessage], _ body: () throws -> Void
    ) throws {
        state.openBook(signing: signing)
        do {
            try body()
            try state.writeUp()
        } catch {
            _ = state.closeBook()
            throw error
        }
        let closed = state.closeBook()
        for error in closed.failures { causedLog.log(.error, about: "the state file", "\(error)") }
        for entry in closed.outgoing { publish(entry) }
    }

    private func publish(_ entry: ParticipantStore.Outgoing) {
        afterwards.run { [link] in link.publish(entry.payload, to: entry.topic, id: entry.id) }
    }

    /// Reads a message: the steps before the sender's key is needed.
    ///
    /// - Returns: `nil` for a message of our own, which the broker sends back to us since a topic serves both ways.
    /// - Throws: ``Rejection``.
    public func read(_ payload: [UInt8], topic name: String) throws(Rejection) -> (SignedMessage, Topic)? {
        guard let topic = Topic(name) else { throw .wrongTopic(name) }
        let signed: SignedMessage
        do throws(WireError) {
            signed = try SignedMessage(parsing: payload)
        } catch {
            throw .malformed(error)
        }
        if signed.message.sender == id { return nil }
        if case .notSupported(let type, _) = signed.message.body { throw .notSupported(type) }
        return (signed, topic)
    }

    /// Checks the signature, then takes the sequence number: from here on the message may be acted on.
    ///
    /// - Throws: ``Rejection``; ``StorageError`` when the counter could not be stored, in which case the message must
    ///   not be acted on either.
    public func admit(_ signed: SignedMessage, key: PublicKey?) throws -> Message {
        let message = try verified(signed, key: key)
        try take(message, proof: key.map { (signed, $0) })
        return message
    }

    /// The message, if `key` has signed it. It may be an old one: see ``take(_:opening:)``.
    ///
    /// - Throws: ``Rejection``.
    public func verified(_ signed: SignedMessage, key: PublicKey?) throws(Rejection) -> Message {
        let message = signed.message
        guard let key else { throw .unknownSender(message.sender) }
        guard message.sequence <= .highestAccepted else {
            throw .noRoomToAnswer(message.sender, got: message.sequence)
        }
        guard signed.isSigned(by: key) else { throw .badSignature(message.sender) }
        return message
    }

    /// Takes the sequence number of a verified message.
    ///
    /// - Parameters:
    ///   - opening: the request that the message makes, stored together with the number.
    ///   - proof: the message with its sender's key, where it is kept as evidence.
    /// - Throws: ``Rejection/replayed(_:got:last:)``, ``StorageError``: the message must not be acted on.
    public func take(
        _ message: Message, opening: ParticipantStore.Request? = nil,
        proof: (signed: SignedMessage, key: PublicKey)? = nil
    ) throws {
        if let last = try state.accept(
            message.sequence, from: message.sender, version: message.version, opening: opening, now: wallClock(),
            proof: proof)
        {
            throw Rejection.replayed(message.sender, got: message.sequence, last: last)
        }
    }

    /// The broker has confirmed a message.
    public func confirmed(_ id: Int64) {
        do {
            try state.confirmed(id)
        } catch {
            causedLog.log(.error, about: "the state file", "\(error)")
        }
    }

    /// Adds a line to the audit log; a failure is logged and nothing else, since the log guards nothing.
    ///
    /// - Parameters:
    ///   - subject: whom it is about.
    ///   - by: the operator who did it; `nil` when nobody did.
    public func audit(_ event: String, _ detail: String, about subject: DeviceID? = nil, by name: String? = nil) {
        do {
            try state.audit(event, detail, about: subject, by: name, now: wallClock())
        } catch {
            causedLog.log(.error, about: "the state file", "\(error)")
        }
    }
}
