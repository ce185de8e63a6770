import Participant
import SRUP

/// A device or an observer: signs and verifies everything as a real one does, but looks at nothing and keeps nothing on disk.
final class Peer {
    let credential: Credential
    let isObserver: Bool
    var connection: MQTTConnection?
    /// Our number, and the server's last.
    private var sent: UInt64 = 0
    private var heard: UInt64 = 0
    /// Of what was asked last and not answered, and of the nonces that came for it.
    private var tokens: Set<Token> = []
    /// Of what was asked before that: an answer to it counts, too, as with a real device (`Member.take`).
    private var earlier: [Token] = []
    /// Whether the server's last answer that counted was that we belong.
    private(set) var isMember = false
    /// Whether it was given on this connection: an observer does not look at what has waited at the broker.
    private var isConfirmed = false
    /// When it was asked first, and last.
    private(set) var (asked, askedLast) = (0.0, 0.0)
    /// Signed before it is wanted, so that the signature is not part of what is measured.
    private var prepared: (token: Token, payload: [UInt8])?
    private var session = ""
    /// The server's answer to what was asked.
    var answered: ((Peer, Status) -> Void)?
    /// An observer is to look at a device, and has the request's token. `nil`: it says VALID at once.
    var looks: ((Peer, Token, DeviceID) -> Void)?
    /// Every message of the server, where that matters. Then nonces are not compared: some are lost on the way.
    var record: NumberRecord?
    /// A nonce that was opened, to be compared with the observer's.
    private(set) var nonce: Nonce?
    private let tally: Tally
    /// Over how many seconds to come back after a lost connection, as the server has said; `nil`: it has said nothing.
    private(set) var returnWithin: Double?

    var id: DeviceID { credential.id }
    var isAsking: Bool { !tokens.isEmpty }

    init(_ credential: Credential, isObserver: Bool, tally: Tally) {
        self.credential = credential
        self.isObserver = isObserver
        self.tally = tally
    }

    /// What all peers of a network have heard.
    final class Tally {
        /// The server's messages, each of which it has signed.
        var heard = 0
        /// What did not verify or was not understood.
        var wrong = 0
        /// What came again after a connection was lost, or out of order.
        var repeated = 0
        /// Of every sixteenth device: both nonces were opened and are the same.
        var compared = 0
        var identified = 0
        var noted: [DeviceID: Nonce] = [:]
    }

    // MARK: Connecting

    func connect(_ loop: BrokerLoop, _ place: MQTTConnection.Place, changed: @escaping (Peer, String?) -> Void) throws {
        let connection = try loop.connect(
            place, certificate: credential.certificate, clientID: "SRUP Client: \(id.hex)",
            topic: Topic.member(id).description)
        session = String(UInt32.random(in: .min ... .max), radix: 16)
        isConfirmed = false
        self.connection = connection
        tell(changed)
    }

    /// Whom to tell from now on what becomes of the connection: `nil` when it is ready, or why it was lost.
    func tell(_ changed: @escaping (Peer, String?) -> Void) {
        connection?.handler = { [weak self] event in
            guard let self else { return }
            switch event {
            case .ready: changed(self, nil)
            case .message(let payload): self.received(payload)
            case .confirmed: break
            case .lost(let why):
                self.connection = nil
                changed(self, why)
            }
        }
    }

    func drop() {
        connection?.drop()
        connection = nil
    }

    // MARK: Asking

    private func signed(_ body: Body, _ token: Token) -> [UInt8] {
        sent = max(sent, heard) + 1
        let message = Message(sequence: SequenceNumber(sent), sender: id, token: token, body: body)
        // Short fields and a sound key: nothing here can be too long.
        return (try? message.signed(with: credential.key).bytes) ?? []
    }

    func prepare(_ body: Body) {
        let token = Token.random()
        prepared = (token, signed(body, token))
    }

    /// Publishes what was prepared.
    func ask() {
        guard let prepared else { return }
        self.prepared = nil
        askedLast = BrokerLoop.clock()
        if tokens.isEmpty { asked = askedLast }
        supersede()
        tokens = [prepared.token]
        connection?.publish(prepared.payload, to: Topic.joins(server: credential.server, from: id).description)
    }

    func ask(_ body: Body) {
        prepare(body)
        ask()
    }

    /// Forgets what was asked: nobody waits for the answer any more.
    func giveUp() {
        tokens.removeAll()
        earlier.removeAll()
    }

    /// As many as a real device keeps.
    private static let maximumEarlier = 64

    private func supersede() {
        earlier += tokens
        earlier.removeFirst(max(0, earlier.count - Self.maximumEarlier))
        tokens.removeAll()
    }

    func resign() {
        let fresh = Token.random()
        askedLast = BrokerLoop.clock()
        if tokens.isEmpty { asked = askedLast }
        earlier.removeAll()
        tokens = [fresh]
        say(.resignRequest, fresh)
    }

    func say(_ body: Body, _ token: Token = .random()) {
        connection?.publish(signed(body, token), to: Topic.member(id).description)
    }

    // MARK: Hearing

    private func received(_ payload: [UInt8]) {
        // Our own: one topic serves both ways.
        guard payload.count > 18, payload[10..<18].reversed().reduce(UInt64(0), { $0 << 8 | UInt64($1) }) != id.value
        else {
            return
        }
        guard let signed = try? SignedMessage(parsing: payload), signed.message.sender == credential.server,
            signed.isSigned(by: credential.serverKey)
        else {
            tally.wrong += 1
            return
        }
        let message = signed.message
        record?.note(message.sequence.value, payload)
        guard message.sequence.value > heard else {
            tally.repeated += 1
            return
        }
        heard = message.sequence.value
        tally.heard += 1
        switch message.body {
        case .response(let status): ends(message.token, status)
        case .idRequest: identify()
        case .observedJoinResponse(let envelope):
            // Who belongs and asks nothing is to show again that it is there; the answer to that counts.
            if isAsking { tokens.insert(message.token) } else if isMember { earlier.append(message.token) }
            if isSample, record == nil, let nonce = try? envelope.openNonce(with: credential.key) {
                note(nonce, of: id)
            }
        case .observationRequest(let device, let envelope) where isObserver:
            guard isConfirmed else { break }
            if Self.isSample(device), record == nil, let nonce = try? envelope.openNonce(with: credential.key) {
                note(nonce, of: device)
            }
            if let looks {
                looks(self, message.token, device)
            } else {
                say(.response(.observedJoinValid), message.token)
            }
        case .data(let id, let value) where id == Array(DataName.returnWithin.utf8):
            returnWithin = Double(String(decoding: value, as: UTF8.self))
        case .data: break
        default: tally.wrong += 1
        }
    }

    /// As a real device judges an answer (`Member.end`).
    private func ends(_ token: Token, _ status: Status) {
        let isCurrent = tokens.contains(token)
        if !isCurrent {
            guard let index = earlier.firstIndex(of: token) else { return }
            earlier.remove(at: index)
            // The answer to the later request decides, unless this one lets us in.
            guard status == .joinSuccess || tokens.isEmpty && status != .resignSuccess else { return }
        }
        let wasAsking = isAsking
        if isCurrent { tokens.removeAll() } else { supersede() }
        switch status {
        case .joinSuccess: (isMember, isConfirmed) = (true, true)
        case .joinRefused, .joinFail, .resignSuccess: (isMember, isConfirmed) = (false, false)
        default: break
        }
        if wasAsking { answered?(self, status) }
    }

    private var isSample: Bool { Self.isSample(id) }
    private static func isSample(_ id: DeviceID) -> Bool { id.value % 16 == 0 }

    private func note(_ nonce: Nonce, of device: DeviceID) {
        guard let other = tally.noted.removeValue(forKey: device) else {
            tally.noted[device] = nonce
            return
        }
        if other == nonce { tally.compared += 1 } else { tally.wrong += 1 }
    }

    private func identify() {
        tally.identified += 1
        let words =
            isObserver
            ? "load-observer 1 observations=32 session=\(session) eyes=camera"
            : "load-device 1 session=\(session) returns=\(Int(returnWithin ?? 0))"
        say(.data(id: Array(DataName.identification.utf8), value: Array(words.utf8)))
    }
}
