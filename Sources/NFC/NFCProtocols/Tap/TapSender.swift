/// Our side of a link on which we give the peer an NDEF message: LLCP with a SNEP client, in either role.
///
/// Pure, as ``TapReceiver``.
public struct TapSender: Sendable {
    /// What has become of the message.
    public enum Outcome: Sendable, Hashable {
        /// The peer says Success.
        case taken
        case refused(String)
    }

    /// The link below, on which the SNEP client asks.
    public private(set) var link: LLCPLink
    /// What has become of the message; `nil` as long as that is open.
    public private(set) var outcome: Outcome?
    private let message: [UInt8]
    private var session: SNEPClientSession?
    private var hasTriedName = false

    /// - Parameter byName: connect through service discovery, even when the peer says that SNEP is at access point 4.
    public init(
        _ message: NDEFMessage, remote: LinkParameters, local: LinkParameters = .ours, byName: Bool = false
    ) {
        self.message = message.bytes
        link = LLCPLink(local: local, remote: remote)
        // Straight to the well-known access point, where there is one: a lookup costs nothing, a wrong guess a round.
        if byName || remote.wellKnownServices & 1 << 4 == 0 {
            hasTriedName = true
            _ = link.connect(to: .name(LLCPLink.snepName))
        } else {
            _ = link.connect(to: .sap(LLCPLink.snep))
        }
    }

    /// Takes a PDU.
    ///
    /// - Throws: ``LLCPError``.
    public mutating func receive(_ bytes: [UInt8]) throws(LLCPError) {
        try link.receive(bytes)
        for event in link.takeEvents() {
            switch event {
            case .connected(let id, _, let miu):
                var session = SNEPClientSession(.put(message), miu: min(miu, link.remote.miu))
                link.send(session.start(), on: id)
                self.session = session
            case .received(let id, let information): step(id, information)
            case .refused where !hasTriedName:
                hasTriedName = true
                _ = link.connect(to: .name(LLCPLink.snepName))
            case .refused(_, let reason): conclude(.refused("the peer has no SNEP server (reason \(reason))"))
            case .closed(_, let why): conclude(.refused(why))
            case .ended: conclude(.refused("the peer has ended the link"))
            default: break
            }
        }
    }

    /// The PDU to send in turn.
    public mutating func next() -> [UInt8] { link.next().bytes }
    /// Whether the link has ended, by the peer's word or by ours.
    public var isEnded: Bool { link.isEnded }
    /// Ends the link, as ``LLCPLink/deactivate()``.
    public mutating func deactivate() { link.deactivate() }

    private mutating func step(_ id: LLCPLink.ConnectionID, _ information: [UInt8]) {
        do throws(SNEPError) {
            switch try session?.received(information) {
            case .send(let fragments): for fragment in fragments { link.send(fragment, on: id) }
            case .done:
                conclude(.taken)
                link.deactivate()
            case .wait, nil: break
            }
        } catch {
            conclude(.refused(error.description))
            link.deactivate()
        }
    }

    private mutating func conclude(_ outcome: Outcome) {
        if self.outcome == nil { self.outcome = outcome }
    }
}
