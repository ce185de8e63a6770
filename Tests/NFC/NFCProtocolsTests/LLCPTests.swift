import Testing

@testable import NFCProtocols

/// LLCP on literal bytes (NFC Forum, LLCP 1.3).
@Suite struct PDUTests {
    @Test func generalBytesOfNfcpyAreRead() throws {
        let parameters = try LinkParameters(generalBytes: [
            0x46, 0x66, 0x6D, 0x01, 0x01, 0x13, 0x02, 0x02, 0x00, 0x78, 0x03, 0x02, 0x00, 0x03, 0x04, 0x01, 0x32, 0x07,
            0x01, 0x03,
        ])
        #expect(parameters.miu == 248 && parameters.linkTimeout == 500 && parameters.wellKnownServices == 3)
    }

    @Test func oursFitAndComeBack() throws {
        let bytes = LinkParameters.ours.generalBytes
        #expect(
            bytes == [0x46, 0x66, 0x6D, 0x01, 0x01, 0x13, 0x03, 0x02, 0x00, 0x13, 0x04, 0x01, 0x64, 0x07, 0x01, 0x03])
        #expect(bytes.count <= 47)
        #expect(try LinkParameters(generalBytes: bytes) == .ours)
    }

    static let badGeneralBytes: [[UInt8]] = [
        [], [0x46, 0x66], [0x46, 0x66, 0x6E, 0x01, 0x01, 0x13], [0x46, 0x66, 0x6D],
        [0x46, 0x66, 0x6D, 0x01], [0x46, 0x66, 0x6D, 0x01, 0x02, 0x13], [0x46, 0x66, 0x6D, 0x01, 0x01, 0x03],
        [0x46, 0x66, 0x6D, 0x01, 0x01, 0x13, 0x04, 0x01, 0x00], [0x46, 0x66, 0x6D, 0x01, 0x01, 0x13, 0x02, 0x01, 0x00],
    ]

    @Test(arguments: badGeneralBytes)
    func malformedGeneralBytesAreTold(_ bytes: [UInt8]) {
        #expect(throws: LLCPError.self) { try LinkParameters(generalBytes: bytes) }
    }

    static let byName: [UInt8] = [0x05, 0x20, 0x06, 0x0F] + Array("urn:nfc:sn:snep".utf8)

    static let literal: [([UInt8], PDU)] = [
        ([0x00, 0x00], .symmetry),
        (byName, .connect(dsap: 1, ssap: 32, .init(service: "urn:nfc:sn:snep"))),
        ([0x11, 0x20], .connect(dsap: 4, ssap: 32, .init())),
        (
            [0x11, 0x20, 0x02, 0x02, 0x00, 0x78, 0x05, 0x01, 0x04],
            .connect(dsap: 4, ssap: 32, .init(miu: 248, window: 4))
        ),
        ([0x81, 0x84], .connectionComplete(dsap: 32, ssap: 4, .init())),
        ([0x01, 0x40], .disconnect(dsap: 0, ssap: 0)), ([0x11, 0x60], .disconnect(dsap: 4, ssap: 32)),
        ([0x81, 0xC4, 0x02], .disconnectedMode(dsap: 32, ssap: 4, reason: 2)),
        (
            [0x82, 0x04, 0x8C, 0x10, 0x12, 0x34],
            .frameReject(dsap: 32, ssap: 4, .init(flags: 8, type: 12, sequence: 0x10, vs: 1, vr: 2, vsa: 3, vra: 4))
        ),
        (
            [0x06, 0x41, 0x08, 0x04, 0x07, 0x61, 0x62, 0x63],
            .serviceNameLookup(requests: [.init(transaction: 7, name: "abc")], responses: [])
        ),
        (
            [0x06, 0x41, 0x09, 0x02, 0x07, 0x04],
            .serviceNameLookup(requests: [], responses: [.init(transaction: 7, sap: 4)])
        ),
        ([0x13, 0x20, 0x21, 0xAA], .information(dsap: 4, ssap: 32, ns: 2, nr: 1, information: [0xAA])),
        ([0x13, 0x60, 0x05], .receiveReady(dsap: 4, ssap: 32, nr: 5)),
        ([0x13, 0xA0, 0x05], .receiveNotReady(dsap: 4, ssap: 32, nr: 5)),
        ([0x10, 0xE0, 0x01], .unnumbered(dsap: 4, ssap: 32, information: [0x01])),
        (
            [0x00, 0x80, 0x00, 0x02, 0x00, 0x00, 0x00, 0x03, 0x13, 0x60, 0x05],
            .aggregate([.symmetry, .receiveReady(dsap: 4, ssap: 32, nr: 5)])
        ),
    ]

    @Test(arguments: literal)
    func everyTypeIsReadAndWritten(_ bytes: [UInt8], _ pdu: PDU) throws {
        #expect(try PDU(parsing: bytes) == pdu)
        #expect(pdu.bytes == bytes)
    }

    static let overfull: [UInt8] = [0x00, 0x80] + (0..<65).flatMap { _ in [0x00, 0x02, 0x00, 0x00] as [UInt8] }

    static let malformed: [[UInt8]] = [
        [], [0x00], [0x04, 0x00], [0x00, 0x00, 0x01], [0x11, 0x20, 0x06], [0x11, 0x20, 0x06, 0x05, 0x61],
        [0x11, 0x20, 0x02, 0x01, 0x00], [0x11, 0x20, 0x05, 0x00], [0x11, 0x60, 0x00], [0x81, 0xC4],
        [0x81, 0xC4, 0x01, 0x02],
        [0x82, 0x04, 0x8C], [0x0A, 0x41, 0x08, 0x01, 0x01],
        [0x06, 0x41, 0x08, 0x00], [0x06, 0x41, 0x09, 0x01, 0x01], [0x00, 0x80, 0x00], [0x00, 0x80, 0x00, 0x05, 0x00],
        // An aggregate in an aggregate.
        [0x00, 0x80, 0x00, 0x02, 0x00, 0x80],
        // Too many PDUs in one.
        overfull,
    ]

    @Test(arguments: malformed)
    func whatIsMalformedIsTold(_ bytes: [UInt8]) {
        #expect(throws: LLCPError.self) { try PDU(parsing: bytes) }
    }

    /// A peer of a higher version decides for itself whether it speaks as we do.
    @Test(arguments: [UInt8(0x10), 0x11, 0x13, 0x14, 0x1F, 0x20, 0x23, 0xF0])
    func aPeerOfAHigherVersionIsSpokenWith(_ version: UInt8) throws {
        #expect(try LinkParameters(generalBytes: [0x46, 0x66, 0x6D, 0x01, 0x01, version]).version == version)
    }

    @Test func reservedTypesAreNoErrors() throws {
        for (first, second): (UInt8, UInt8) in [(0x12, 0xE0), (0x13, 0xE0), (0x12, 0xA0)] {
            guard case .other = try PDU(parsing: [first, second]) else {
                Issue.record("\(first) \(second)")
                continue
            }
        }
    }
}

/// Two links of ours, wired to each other.
@Suite struct LLCPLinkTests {
    var link = LLCPLink(remote: .ours)

    init() {
        link.offer(LLCPLink.snepName, at: 4)
        link.offer("urn:test:echo", at: 16)
    }

    mutating func answer(_ bytes: [UInt8]) throws -> [UInt8] {
        try link.receive(bytes)
        return link.next().bytes
    }

    @Test mutating func symmetryIsKeptWhileIdle() throws {
        for _ in 0..<1000 { #expect(try answer([0, 0]) == [0, 0]) }
    }

    @Test mutating func aServiceIsReachedByAccessPointAndByName() throws {
        #expect(try answer([0x11, 0x20]) == [0x81, 0x84])
        #expect(link.takeEvents() == [.connected(.init(local: 4, remote: 32), service: 4, miu: 128)])
        #expect(try answer([0x05, 0x21, 0x06, 0x0F] + LLCPLink.snepName.utf8) == [0x85, 0x84])
        #expect(link.takeEvents() == [.connected(.init(local: 4, remote: 33), service: 4, miu: 128)])
    }

    static let refused: [([UInt8], UInt8)] = [
        ([0x15, 0x20], 0x02), ([0x05, 0x20, 0x06, 0x01, 0x61], 0x02), ([0x05, 0x20], 0x02),
        ([0x11, 0x00], 0x03),
    ]

    @Test(arguments: refused)
    func whatIsNotThereIsRefused(_ connect: [UInt8], _ reason: UInt8) throws {
        var copy = self
        let pdu = try copy.answer(connect)
        #expect(pdu.count == 3 && pdu[0] & 3 == 1 && pdu[1] >> 6 == 3 && pdu[2] == reason)
    }

    @Test mutating func tooManyConnectionsAreRefusedAndTheSameOneTwice() throws {
        for sap: UInt8 in 32..<36 { #expect(try answer([0x11, sap])[1] & 0xC0 == 0x80) }
        #expect(try answer([0x11, 0x24]) == [0x91, 0xC4, 0x21])
        #expect(try answer([0x11, 0x20]) == [0x81, 0xC4, 0x03])
    }

    @Test mutating func informationIsAcknowledgedAndAnswered() throws {
        _ = try answer([0x11, 0x20])
        _ = link.takeEvents()
        let id = LLCPLink.ConnectionID(local: 4, remote: 32)
        #expect(try answer([0x13, 0x20, 0x00, 0xAA]) == [0x83, 0x44, 0x01])  // RR 1
        #expect(link.takeEvents() == [.received(id, [0xAA])])
        try link.receive([0x13, 0x20, 0x10, 0xBB])
        link.send([0x55], on: id)
        #expect(link.next().bytes == [0x83, 0x04, 0x02, 0x55])  // I, the acknowledgement with it
        #expect(try answer([0x13, 0x60, 0x01]) == [0, 0])
        #expect(link.takeEvents().contains(.sent(id)))
    }

    @Test mutating func theWindowIsKept() throws {
        _ = try answer([0x11, 0x20, 0x05, 0x01, 0x02])
        let id = LLCPLink.ConnectionID(local: 4, remote: 32)
        for byte: UInt8 in 1...3 { link.send([byte], on: id) }
        #expect(link.next().bytes == [0x83, 0x04, 0x00, 0x01])
        #expect(link.next().bytes == [0x83, 0x04, 0x10, 0x02])
        #expect(link.next().bytes == [0, 0])
        // Busy: nothing goes; ready again: the third.
        #expect(try answer([0x13, 0xA0, 0x02]) == [0, 0])
        #expect(try answer([0x13, 0x60, 0x02]) == [0x83, 0x04, 0x20, 0x03])
    }

    static let tooLong: [UInt8] = [0x13, 0x20, 0x00] + [UInt8](repeating: 1, count: 129)

    static let wrongNumbers: [([UInt8], UInt8)] = [
        ([0x13, 0x20, 0x10, 0xAA], 0x1C),  // N(S) 1 where 0 is due
        ([0x13, 0x20, 0x03, 0xAA], 0x2C),  // N(R) 3: nothing was sent
        ([0x13, 0x60, 0x03], 0x2D), ([0x13, 0xA0, 0x03], 0x2E),
        (tooLong, 0x4C),  // information above the MIU; RR and RNR with any
        ([0x13, 0x60, 0x00, 0xAA], 0x4D), ([0x13, 0xA0, 0x00, 0xAA], 0x4E),
        ([0x13, 0x20], 0x8C), ([0x13, 0x60], 0x8D), ([0x13, 0xA0], 0x8E),  // no sequence numbers
        ([0x12, 0xE0], 0x8B), ([0x13, 0xE0], 0x8F),  // reserved types
    ]

    @Test(arguments: wrongNumbers)
    func wrongNumbersAndMalformedFramesAreRejected(_ bytes: [UInt8], _ head: UInt8) throws {
        var copy = self
        _ = try copy.answer([0x11, 0x20])
        let answer = try copy.answer(bytes)
        #expect(answer.prefix(3) == [0x82, 0x04, head])
        // The connection is gone: what follows is answered by DM.
        #expect(try copy.answer([0x13, 0x20, 0x00, 0xAA]) == [0x81, 0xC4, 0x01])
    }

    @Test(arguments: [[0x13, 0x20], [0x13, 0x60], [0x13, 0x60, 0x00, 0xAA], tooLong] as [[UInt8]])
    func withoutAConnectionMalformedFramesAreAnsweredByDM(_ bytes: [UInt8]) throws {
        var copy = self
        #expect(try copy.answer(bytes) == [0x81, 0xC4, 0x01])
    }

    @Test mutating func aMalformedFrameInAnAggregateDoesNotHarmTheOthers() throws {
        let bytes: [UInt8] = [0x00, 0x80, 0x00, 0x02, 0x11, 0x20, 0x00, 0x02, 0x13, 0x60, 0x00, 0x02, 0x11, 0x21]
        try link.receive(bytes)
        #expect(link.next().bytes == [0x81, 0x84])
        #expect(link.next().bytes.prefix(3) == [0x82, 0x04, 0x8D])
        #expect(link.next().bytes == [0x85, 0x84])
    }

    /// As many as fit the MIU.
    @Test mutating func thirtyPDUsInAnAggregateAreTaken() throws {
        let symmetry: [UInt8] = [0x00, 0x02, 0x00, 0x00]
        let connect: [UInt8] = [0x00, 0x02, 0x11, 0x20]
        try link.receive([0x00, 0x80] + (0..<29).flatMap { _ in symmetry } + connect)
        #expect(link.next().bytes == [0x81, 0x84])
    }

    @Test mutating func numbersGoRound() throws {
        _ = try answer([0x11, 0x20])
        let id = LLCPLink.ConnectionID(local: 4, remote: 32)
        for turn in 0..<40 {
            let number = UInt8(turn & 15)
            link.send([number], on: id)
            // Ours acknowledges theirs and the other way round.
            #expect(
                try answer([0x13, 0x20, number << 4 | number, 0xAA]) == [
                    0x83, 0x04, number << 4 | (number + 1) & 15, number,
                ])
        }
    }

    @Test mutating func disconnectingIsAnsweredAndTheLinkEnds() throws {
        _ = try answer([0x11, 0x20])
        #expect(try answer([0x11, 0x60]) == [0x81, 0xC4, 0x00])
        #expect(try answer([0x11, 0x60]) == [0x81, 0xC4, 0x01])
        try link.receive([0x01, 0x40])
        #expect(link.isEnded && link.takeEvents().last == .ended)
    }

    @Test mutating func namesAreLookedUp() throws {
        let request: [UInt8] =
            [0x06, 0x41, 0x08, 0x10, 0x01] + Array("urn:nfc:sn:snep".utf8) + [0x08, 0x02, 0x02, 0x78]
        #expect(try answer(request) == [0x06, 0x41, 0x09, 0x02, 0x01, 0x04, 0x09, 0x02, 0x02, 0x00])
    }

    @Test mutating func anAggregateIsTakenApart() throws {
        let bytes: [UInt8] = [0x00, 0x80, 0x00, 0x02, 0x11, 0x20, 0x00, 0x04, 0x13, 0x20, 0x00, 0xAA]
        #expect(try answer(bytes) == [0x81, 0x84])
        #expect(link.takeEvents().count == 2)
    }

    @Test mutating func datagramsAreGivenToServicesOnly() throws {
        #expect(try answer([0x40, 0xE0, 0x01]) == [0, 0])
        #expect(link.takeEvents() == [.datagram(dsap: 16, ssap: 32, [1])])
        _ = try answer([0x44, 0xE0, 0x01])
        #expect(link.takeEvents().isEmpty)
    }

    @Test mutating func aFloodOfRequestsIsNotAnsweredWithoutEnd() throws {
        for _ in 0..<1000 { try link.receive([0x15, 0x20]) }
        var answers = 0
        while link.next() != .symmetry { answers += 1 }
        #expect(answers <= 32)
    }

    @Test func twoLinksOfOursUnderstandEachOther() throws {
        var here = LLCPLink(remote: .ours)
        var there = LLCPLink(remote: .ours)
        there.offer("urn:test:echo", at: 16)
        here.lookUp("urn:test:echo")
        _ = here.connect(to: .name("urn:test:echo"))
        var id: LLCPLink.ConnectionID?
        var echoed: [[UInt8]] = []
        var found: UInt8?
        for _ in 0..<60 {
            try there.receive(here.next().bytes)
            for event in there.takeEvents() {
                if case .received(let connection, let bytes) = event { there.send(bytes, on: connection) }
            }
            try here.receive(there.next().bytes)
            for event in here.takeEvents() {
                switch event {
                case .found(_, let sap): found = sap
                case .connected(let connection, _, _):
                    id = connection
                    for byte: UInt8 in 0..<20 { here.send([byte], on: connection) }
                case .received(_, let bytes): echoed.append(bytes)
                default: break
                }
            }
        }
        #expect(found == 16 && id?.remote == 16)
        #expect(echoed == (0..<20).map { [$0] })
        if let id { here.close(id) }
        try there.receive(here.next().bytes)
        try here.receive(there.next().bytes)
        #expect(here.connections.isEmpty && there.connections.isEmpty)
    }
}
