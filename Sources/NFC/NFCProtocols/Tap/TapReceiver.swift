/// Our side of a link on which the peer gives us something: LLCP with a SNEP server, in either role.
///
/// Pure: bytes of the peer's go in, bytes for it come out, and what it gave is in ``messages``.
public struct TapReceiver: Sendable {
    /// Whether a message counts: the peer is told Success only then.
    public typealias Judge = @Sendable (NDEFMessage) -> Bool

    /// What a peer has given.
    public enum Gift: Sendable, Hashable {
        /// It counts, and the peer is told Success.
        case taken(NDEFMessage)
        /// It does not, and the peer is told Bad Request.
        case refused(NDEFMessage)
        /// It is no message; so is that.
        case malformed(NDEFError)
    }

    /// The link below, which offers the SNEP server.
    public private(set) var link: LLCPLink
    private var gifts: [Gift] = []
    /// What was given and counted.
    public private(set) var messages: [NDEFMessage] = []
    private var sessions: [LLCPLink.ConnectionID: SNEPServerSession] = [:]
    private let judge: Judge
    private let inbox = Inbox()

    /// What the sessions' closures leave here; one receiver's steps are taken one after the other on one thread.
    private final class Inbox: @unchecked Sendable {
        var gifts: [Gift] = []
    }

    /// Begins our side of a link.
    ///
    /// - Parameters:
    ///   - remote: what the peer's general bytes say.
    ///   - judge: called once for each message, before the peer is answered.
    public init(remote: LinkParameters, local: LinkParameters = .ours, judge: @escaping Judge = { _ in true }) {
        link = LLCPLink(local: local, remote: remote)
        link.offer(LLCPLink.snepName, at: LLCPLink.snep)
        self.judge = judge
    }

    /// Takes a PDU.
    ///
    /// - Throws: ``LLCPError``.
    public mutating func receive(_ bytes: [UInt8]) throws(LLCPError) {
        try link.receive(bytes)
        for event in link.takeEvents() {
            switch event {
            case .connected(let id, _, let miu): sessions[id] = session(miu: min(miu, link.remote.miu))
            case .received(let id, let information): step(id, information)
            case .closed(let id, _): sessions[id] = nil
            default: break
            }
        }
        gifts += inbox.gifts
        for case .taken(let message) in inbox.gifts { messages.append(message) }
        inbox.gifts.removeAll()
    }

    /// What has been given since the last call.
    public mutating func takeGifts() -> [Gift] {
        defer { gifts.removeAll() }
        return gifts
    }

    /// The PDU to send in turn.
    public mutating func next() -> [UInt8] { link.next().bytes }

    /// Whether nothing more can come: one side has ended the link.
    public var isEnded: Bool { link.isEnded }
    /// Whether the peer has a connection open.
    public var isConnected: Bool { !sessions.isEmpty }
    /// Ends the link, as ``LLCPLink/deactivate()``.
    public mutating func deactivate() { link.deactivate() }

    private func session(miu: Int) -> SNEPServerSession {
        SNEPServerSession(miu: miu) { [judge, inbox] request in
            // There is nothing to be got from an observer.
            guard case .put(let bytes) = request else { return (.notImplemented, []) }
            do throws(NDEFError) {
                let message = try NDEFMessage(parsing: bytes)
                guard judge(message) else {
                    inbox.gifts.append(.refused(message))
                    return (.badRequest, [])
                }
                inbox.gifts.append(.taken(message))
                return (.success, [])
            } catch {
                inbox.gifts.append(.malformed(error))
                return (.badRequest, [])
            }
        }
    }

    private mutating func step(_ id: LLCPLink.ConnectionID, _ information: [UInt8]) {
        switch sessions[id]?.received(information) {
        case .send(let fragments): for fragment in fragments { link.send(fragment, on: id) }
        case .sendAndClose(let fragments):
            for fragment in fragments { link.send(fragment, on: id) }
            link.close(id)
        case .wait, nil: break
        }
    }
}
