/// One side of an LLCP link: data link connections, service names, symmetry (NFC Forum, LLCP 1.3, sections 5.2 to 5.7).
///
/// Pure: ``receive(_:)`` takes what the peer sends, ``next()`` gives what to send in turn (a SYMM when there is nothing to
/// say), and ``takeEvents()`` tells what has happened. Who sends when is the caller's: an initiator sends first, and then
/// both sides take turns.
public struct LLCPLink: Sendable {
    /// A data link connection: our service access point and the peer's.
    public struct ConnectionID: Sendable, Hashable {
        /// Our service access point, 0 to 63.
        public let local: UInt8
        /// The peer's service access point, 0 to 63.
        public let remote: UInt8
    }

    /// What has happened on the link; of use to whoever drives it.
    public enum Event: Sendable, Hashable {
        /// The peer has connected to a service of ours, or our connection has come about.
        case connected(ConnectionID, service: UInt8, miu: Int)
        case received(ConnectionID, [UInt8])
        /// Everything that was given to ``send(_:on:)`` has been acknowledged.
        case sent(ConnectionID)
        case closed(ConnectionID, String)
        /// The peer does not let us connect; the reason of LLCP 1.3, table 10.
        case refused(local: UInt8, reason: UInt8)
        case datagram(dsap: UInt8, ssap: UInt8, [UInt8])
        case found(name: String, sap: UInt8)
        /// The peer has ended the link.
        case ended
    }

    /// Where the peer's service is.
    public enum Destination: Sendable, Hashable {
        case sap(UInt8)
        case name(String)
    }

    /// The well-known access points (LLCP 1.3, section 4.2.1 and the NFC Forum's assigned numbers).
    public static let discovery: UInt8 = 1
    /// The access point of SNEP.
    public static let snep: UInt8 = 4
    /// The service name of SNEP.
    public static let snepName = "urn:nfc:sn:snep"

    /// How many connections may be open at once.
    public static let maximumConnections = 4
    /// How many answers may wait to be sent; a peer that asks for more is not answered.
    static let maximumQueued = 32

    struct Connection: Sendable {
        enum State { case connecting, open, closing }
        let id: ConnectionID
        var state: State
        var miu: Int
        var window: UInt8
        var vs: UInt8 = 0
        var vsa: UInt8 = 0
        var vr: UInt8 = 0
        var vra: UInt8 = 0
        var isPeerBusy = false
        var isAcknowledgementDue = false
        var isClosingWhenSent = false
        var queue: [[UInt8]] = []

        /// How many of our PDUs the peer has not acknowledged, modulo 16.
        var outstanding: UInt8 { (vs &- vsa) & 15 }
    }

    /// What we have told the peer of ourselves.
    public let local: LinkParameters
    /// What the peer has told of itself; a PAX PDU of its takes the place of what the general bytes said.
    public private(set) var remote: LinkParameters
    private var services: [UInt8: String] = [:]
    var connections: [Connection] = []
    private var control: [PDU] = []
    private var events: [Event] = []
    private var lookups: [UInt8: String] = [:]
    private var nextTransaction: UInt8 = 0
    /// Whether the link has ended: the peer has said so, or ``next()`` has given the PDU that says so.
    public private(set) var isEnded = false
    private var isEnding = false
    /// The receive window that we offer.
    static let window: UInt8 = 1

    /// A link without connections.
    ///
    /// - Parameter remote: what the peer's general bytes say.
    public init(local: LinkParameters = .ours, remote: LinkParameters) {
        self.local = local
        self.remote = remote
    }

    /// What has happened since the last call, in that order.
    public mutating func takeEvents() -> [Event] {
        defer { events.removeAll() }
        return events
    }

    /// Whether something other than SYMM waits to be sent.
    public var hasToSend: Bool {
        !control.isEmpty
            || connections.contains {
                $0.isAcknowledgementDue || ($0.state == .open && !$0.queue.isEmpty && !$0.isPeerBusy)
            }
    }

    // MARK: What the user of the link does

    /// Offers a service at an access point.
    public mutating func offer(_ name: String, at sap: UInt8) {
        services[sap] = name
    }

    /// Asks for a connection; ``Event/connected(_:service:miu:)`` or ``Event/refused(local:reason:)`` follows.
    ///
    /// - Returns: our access point, `nil` when there are too many connections.
    public mutating func connect(to destination: Destination) -> UInt8? {
        guard connections.count < Self.maximumConnections,
            let sap = (32...63).first(where: { sap in !connections.contains { $0.id.local == sap } })
        else { return nil }
        var parameters = PDU.Connect(miu: local.miu, window: Self.window)
        var dsap = Self.discovery
        switch destination {
        case .sap(let sap): dsap = sap
        case .name(let name): parameters.service = name
        }
        connections.append(
            Connection(id: .init(local: sap, remote: dsap), state: .connecting, miu: 128, window: 1))
        control.append(.connect(dsap: dsap, ssap: sap, parameters))
        return sap
    }

    /// Sends an information field; at most the connection's MIU.
    public mutating func send(_ information: [UInt8], on id: ConnectionID) {
        guard let index = connections.firstIndex(where: { $0.id == id && $0.state == .open }) else { return }
        connections[index].queue.append(information)
    }

    /// Ends a connection, after everything given to ``send(_:on:)`` has been acknowledged.
    public mutating func close(_ id: ConnectionID) {
        guard let index = connections.firstIndex(where: { $0.id == id && $0.state == .open }) else { return }
        connections[index].isClosingWhenSent = true
        closeIfSent(index)
    }

    /// Asks where a service is; ``Event/found(name:sap:)`` follows.
    public mutating func lookUp(_ name: String) {
        lookups[nextTransaction] = name
        control.append(
            .serviceNameLookup(requests: [.init(transaction: nextTransaction, name: name)], responses: []))
        nextTransaction &+= 1
    }

    /// Ends the link: what waits is sent, then the PDU that says so.
    public mutating func deactivate() {
        isEnding = true
    }

    private mutating func closeIfSent(_ index: Int) {
        let connection = connections[index]
        guard connection.isClosingWhenSent, connection.queue.isEmpty, connection.outstanding == 0 else { return }
        connections[index].state = .closing
        control.append(.disconnect(dsap: connection.id.remote, ssap: connection.id.local))
    }

    // MARK: Sending

    /// The next PDU to send.
    public mutating func next() -> PDU {
        if isEnding, control.isEmpty {
            isEnded = true
            return .disconnect(dsap: 0, ssap: 0)
        }
        if !control.isEmpty { return control.removeFirst() }
        for index in connections.indices {
            let connection = connections[index]
            guard connection.state == .open, !connection.queue.isEmpty, !connection.isPeerBusy,
                connection.outstanding < connection.window
            else { continue }
            connections[index].vs = (connection.vs + 1) & 15
            connections[index].vra = connection.vr
            connections[index].isAcknowledgementDue = false
            return .information(
                dsap: connection.id.remote, ssap: connection.id.local, ns: connection.vs, nr: connection.vr,
                information: connections[index].queue.removeFirst())
        }
        for index in connections.indices where connections[index].isAcknowledgementDue {
            connections[index].isAcknowledgementDue = false
            connections[index].vra = connections[index].vr
            let connection = connections[index]
            return .receiveReady(dsap: connection.id.remote, ssap: connection.id.local, nr: connection.vr)
        }
        return .symmetry
    }

    private mutating func answer(_ pdu: PDU) {
        if control.count < Self.maximumQueued { control.append(pdu) }
    }

    // MARK: Receiving

    /// Takes a PDU of the peer's.
    ///
    /// - Throws: ``LLCPError``; the link is of no more use then.
    public mutating func receive(_ bytes: some Collection<UInt8>) throws(LLCPError) {
        let pdu = try PDU(parsing: bytes)
        // An I PDU that is too long is rejected on its connection (5.6.5).
        if case .information = pdu {
        } else if bytes.count > local.miu + 3 {
            throw .tooLong(bytes.count)
        }
        switch pdu {
        case .aggregate(let inner): for pdu in inner { handle(pdu) }
        case let pdu: handle(pdu)
        }
    }

    private mutating func handle(_ pdu: PDU) {
        switch pdu {
        case .symmetry, .aggregate: break
        case .other(let type, let dsap, let ssap):
            rejectMalformed(type, dsap, ssap, sequence: 0, flags: PDU.FrameReject.malformed)
        case .malformed(let type, let dsap, let ssap, let sequence, let flags):
            guard !rejectMalformed(type, dsap, ssap, sequence: sequence, flags: flags) else { break }
            answer(.disconnectedMode(dsap: ssap, ssap: dsap, reason: 0x01))
        case .parameterExchange(let parameters): if parameters.version != 0 { remote = parameters }
        case .unnumbered(let dsap, let ssap, let information):
            if services[dsap] != nil { events.append(.datagram(dsap: dsap, ssap: ssap, information)) }
        case .connect(let dsap, let ssap, let parameters): accept(dsap, ssap, parameters)
        case .connectionComplete(let dsap, let ssap, let parameters): completed(dsap, ssap, parameters)
        case .disconnect(let dsap, let ssap): disconnected(dsap, ssap)
        case .disconnectedMode(let dsap, let ssap, let reason): refused(dsap, ssap, reason)
        case .frameReject(let dsap, let ssap, _): remove(dsap, ssap, "the peer rejects a frame")
        case .serviceNameLookup(let requests, let responses): lookedUp(requests, responses)
        case .information(let dsap, let ssap, let ns, let nr, let information):
            took(dsap, ssap, ns, nr, information)
        case .receiveReady(let dsap, let ssap, let nr): acknowledged(dsap, ssap, nr, isBusy: false)
        case .receiveNotReady(let dsap, let ssap, let nr): acknowledged(dsap, ssap, nr, isBusy: true)
        }
    }

    private func service(at dsap: UInt8, _ parameters: PDU.Connect) -> UInt8? {
        guard dsap == Self.discovery else { return services[dsap] == nil ? nil : dsap }
        return services.first { $0.value == parameters.service }?.key
    }

    private mutating func accept(_ dsap: UInt8, _ ssap: UInt8, _ parameters: PDU.Connect) {
        guard let service = service(at: dsap, parameters) else {
            return answer(.disconnectedMode(dsap: ssap, ssap: dsap, reason: 0x02))  // no service bound
        }
        let id = ConnectionID(local: service, remote: ssap)
        guard ssap >= 2, !connections.contains(where: { $0.id == id }) else {
            return answer(.disconnectedMode(dsap: ssap, ssap: dsap, reason: 0x03))  // rejected
        }
        guard connections.count < Self.maximumConnections else {
            return answer(.disconnectedMode(dsap: ssap, ssap: dsap, reason: 0x21))  // cannot be accepted for now
        }
        connections.append(Connection(id: id, state: .open, miu: parameters.miu, window: max(1, parameters.window)))
        answer(
            .connectionComplete(dsap: ssap, ssap: service, PDU.Connect(miu: local.miu, window: Self.window)))
        events.append(.connected(id, service: service, miu: parameters.miu))
    }

    private mutating func completed(_ dsap: UInt8, _ ssap: UInt8, _ parameters: PDU.Connect) {
        guard let index = connections.firstIndex(where: { $0.id.local == dsap && $0.state == .connecting }) else {
            return answer(.disconnectedMode(dsap: ssap, ssap: dsap, reason: 0x01))
        }
        // Connected by name, the peer's access point is known only now.
        let id = ConnectionID(local: dsap, remote: ssap)
        connections[index] = Connection(
            id: id, state: .open, miu: parameters.miu, window: max(1, parameters.window))
        events.append(.connected(id, service: ssap, miu: parameters.miu))
    }

    private mutating func disconnected(_ dsap: UInt8, _ ssap: UInt8) {
        if dsap == 0, ssap == 0 {
            isEnded = true
            events.append(.ended)
            return
        }
        let known = remove(dsap, ssap, "the peer has disconnected")
        answer(.disconnectedMode(dsap: ssap, ssap: dsap, reason: known ? 0x00 : 0x01))
    }

    private mutating func refused(_ dsap: UInt8, _ ssap: UInt8, _ reason: UInt8) {
        if let index = connections.firstIndex(where: { $0.id.local == dsap && $0.state == .connecting }) {
            connections.remove(at: index)
            events.append(.refused(local: dsap, reason: reason))
        } else {
            remove(dsap, ssap, reason == 0 ? "closed" : "the peer says disconnected (\(reason))")
        }
    }

    @discardableResult
    private mutating func remove(_ dsap: UInt8, _ ssap: UInt8, _ why: String) -> Bool {
        let id = ConnectionID(local: dsap, remote: ssap)
        guard let index = connections.firstIndex(where: { $0.id == id }) else { return false }
        connections.remove(at: index)
        events.append(.closed(id, why))
        return true
    }

    private mutating func reject(_ index: Int, _ flags: UInt8, _ type: UInt8, _ sequence: UInt8) {
        let connection = connections[index]
        answer(
            .frameReject(
                dsap: connection.id.remote, ssap: connection.id.local,
                .init(
                    flags: flags, type: type, sequence: sequence, vs: connection.vs, vr: connection.vr,
                    vsa: connection.vsa, vra: connection.vra)))
        remove(connection.id.local, connection.id.remote, "a frame of the peer's was rejected")
    }

    /// Answers FRMR when the PDU belongs to a connection; whether it does.
    @discardableResult
    private mutating func rejectMalformed(
        _ type: UInt8, _ dsap: UInt8, _ ssap: UInt8, sequence: UInt8, flags: UInt8
    ) -> Bool {
        let id = ConnectionID(local: dsap, remote: ssap)
        guard let index = connections.firstIndex(where: { $0.id == id && $0.state != .connecting }) else {
            return false
        }
        reject(index, flags, type, sequence)
        return true
    }

    private mutating func took(_ dsap: UInt8, _ ssap: UInt8, _ ns: UInt8, _ nr: UInt8, _ information: [UInt8]) {
        let id = ConnectionID(local: dsap, remote: ssap)
        guard let index = connections.firstIndex(where: { $0.id == id && $0.state != .connecting }) else {
            return answer(.disconnectedMode(dsap: ssap, ssap: dsap, reason: 0x01))
        }
        let sequence = ns << 4 | nr
        guard information.count <= local.miu else {
            return reject(index, PDU.FrameReject.incorrectInformation, 12, sequence)
        }
        guard ns == connections[index].vr else { return reject(index, PDU.FrameReject.invalidSend, 12, sequence) }
        guard acknowledge(index, nr) else { return reject(index, PDU.FrameReject.invalidReceive, 12, sequence) }
        connections[index].vr = (connections[index].vr + 1) & 15
        connections[index].isAcknowledgementDue = true
        events.append(.received(id, information))
        closeIfSent(index)
    }

    private mutating func acknowledged(_ dsap: UInt8, _ ssap: UInt8, _ nr: UInt8, isBusy: Bool) {
        let id = ConnectionID(local: dsap, remote: ssap)
        guard let index = connections.firstIndex(where: { $0.id == id && $0.state != .connecting }) else {
            return answer(.disconnectedMode(dsap: ssap, ssap: dsap, reason: 0x01))
        }
        guard acknowledge(index, nr) else {
            return reject(index, PDU.FrameReject.invalidReceive, isBusy ? 14 : 13, nr)
        }
        connections[index].isPeerBusy = isBusy
        closeIfSent(index)
    }

    /// Whether N(R) lies between what is acknowledged and what is sent.
    private mutating func acknowledge(_ index: Int, _ nr: UInt8) -> Bool {
        let connection = connections[index]
        let newly = (nr &- connection.vsa) & 15
        guard newly <= connection.outstanding else { return false }
        connections[index].vsa = nr
        if newly > 0, connections[index].outstanding == 0, connections[index].queue.isEmpty {
            events.append(.sent(connection.id))
        }
        return true
    }

    private mutating func lookedUp(_ requests: [PDU.Lookup], _ responses: [PDU.LookupResult]) {
        if !requests.isEmpty {
            answer(
                .serviceNameLookup(
                    requests: [],
                    responses: requests.map { request in
                        // Service discovery itself is at 1 (4.3.10).
                        let sap =
                            request.name == "urn:nfc:sn:sdp"
                            ? Self.discovery : services.first { $0.value == request.name }?.key ?? 0
                        return .init(transaction: request.transaction, sap: sap)
                    }))
        }
        for response in responses {
            guard let name = lookups.removeValue(forKey: response.transaction) else { continue }
            events.append(.found(name: name, sap: response.sap))
        }
    }
}
