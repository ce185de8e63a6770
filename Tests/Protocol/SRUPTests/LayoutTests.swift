import ObservedValue
import Testing

@testable import SRUP

/// The layout of every message on literal bytes, and what is read of bytes that are no whole message.
@Suite struct LayoutTests {
    static let key = Result { () throws(CryptoError) in try PrivateKey.generate() }

    /// Version 5, number 0x0102, sender 0xA1B2, token "t".
    private static func head(_ type: UInt8, version: UInt8 = 5) -> [UInt8] {
        [version, type, 0x02, 0x01, 0, 0, 0, 0, 0, 0, 0xB2, 0xA1, 0, 0, 0, 0, 0, 0, 0x00, 0x01, 0x74]
    }

    private static func message(_ body: Body, version: ProtocolVersion = .v5) throws -> Message {
        Message(
            version: version, sequence: SequenceNumber(0x0102), sender: DeviceID(0xA1B2),
            token: try #require(Token("t")), body: body)
    }

    struct Layout: Sendable, CustomTestStringConvertible {
        let body: Body
        let type: UInt8
        let tail: [UInt8]
        var testDescription: String { body.type.description }
    }

    private static let device: [UInt8] = [0xEF, 0xCD, 0xAB, 0, 0, 0, 0, 0x80]
    private static let id = DeviceID(0x8000_0000_00AB_CDEF)

    static let layouts: [Layout] = [
        Layout(
            body: .initiate(url: TerminatedText("ab"), digest: TerminatedText("c", terminated: false)), type: 0x01,
            tail: [0, 3, 0x61, 0x62, 0, 0, 1, 0x63]),
        Layout(body: .response(.observedJoinInvalid), type: 0x02, tail: [0x6E]),
        Layout(body: .activate, type: 0x03, tail: []),
        Layout(body: .action(0xFE), type: 0x04, tail: [0xFE]),
        Layout(body: .data(id: [0x69], value: []), type: 0x05, tail: [0, 1, 0x69, 0, 0]),
        Layout(body: .idRequest, type: 0x06, tail: []),
        Layout(body: .groupAdd(device: id, group: [0x67]), type: 0x07, tail: device + [0, 1, 0x67]),
        Layout(body: .groupDelete(device: id, group: []), type: 0x08, tail: device + [0, 0]),
        Layout(body: .joinRequest, type: 0x09, tail: []),
        Layout(body: .joinCommand(device: id), type: 0x0A, tail: device),
        Layout(body: .humanJoinRequest, type: 0x0B, tail: []),
        Layout(body: .humanJoinResponse(Envelope([1, 2])), type: 0x0C, tail: [0, 2, 1, 2]),
        Layout(body: .observedJoinRequest(observer: id), type: 0x0D, tail: device),
        Layout(body: .observedJoinResponse(Envelope([])), type: 0x0E, tail: [0, 0]),
        Layout(body: .observationRequest(device: id, Envelope([9])), type: 0x0F, tail: device + [0, 1, 9]),
        Layout(body: .resignRequest, type: 0x10, tail: []),
        Layout(body: .terminateCommand, type: 0x11, tail: []),
        Layout(body: .deregisterRequest, type: 0x12, tail: []),
        Layout(body: .deregisterCommand, type: 0x13, tail: []),
        Layout(body: .groupDestroy(group: [0xFF, 0]), type: 0x14, tail: [0, 2, 0xFF, 0]),
        Layout(body: .notSupported(.syndicatedData, tail: [7, 7, 7]), type: 0x25, tail: [7, 7, 7]),
    ]

    @Test(arguments: layouts) func everyFieldIsInItsPlace(_ layout: Layout) throws {
        let message = try Self.message(layout.body)
        #expect(try message.signedBytes() == Self.head(layout.type) + layout.tail)
        let signed = try message.signed(withSignature: [0xAA, 0xBB, 0xCC])
        let wire = Self.head(layout.type) + [0, 3, 0xAA, 0xBB, 0xCC] + layout.tail
        #expect(signed.bytes == wire && signed.signature == [0xAA, 0xBB, 0xCC])
        let read = try SignedMessage(parsing: wire)
        #expect(read.message == message && read.signedBytes == Self.head(layout.type) + layout.tail)
        // One byte more is no message, but for those whose tail is not taken apart.
        if layout.body.type.isSyndication {
            #expect(try SignedMessage(parsing: wire + [0]).message != message)
        } else {
            let error = #expect(throws: WireError.self) { try SignedMessage(parsing: wire + [0]) }
            #expect(error == WireError(.tail, at: wire.count, .trailingBytes(1)))
        }
    }

    @Test func everyTypeHasALayoutHere() {
        let shown = Set(Self.layouts.map(\.body.type))
        #expect(MessageType.allCases.allSatisfy { $0.isSyndication || shown.contains($0) })
        #expect(Self.layouts.allSatisfy { $0.body.type.rawValue == $0.type })
    }

    @Test func namesAndCodesComeBackAndOthersAreNone() {
        for type in MessageType.allCases { #expect(MessageType(name: type.description) == type) }
        for status in Status.allCases { #expect(Status(name: status.description) == status) }
        #expect(Set(MessageType.allCases.map(\.description)).count == MessageType.allCases.count)
        #expect(Set(Status.allCases.map(\.description)).count == Status.allCases.count)
        for name in ["", "response", "RESPONSE ", "0x02", "JOIN"] {
            #expect(MessageType(name: name) == nil && Status(name: name) == nil, "\(name)")
        }
        #expect((0...255).count { MessageType(rawValue: UInt8($0)) != nil } == MessageType.allCases.count)
        #expect((0...255).filter { ProtocolVersion(rawValue: UInt8($0)) != nil } == [4, 5])
    }

    @Test func onlyThreeTypesCarryAnEnvelope() {
        let carriers = Self.layouts.filter { $0.body.envelope != nil }.map(\.body.type)
        #expect(carriers == [.humanJoinResponse, .observedJoinResponse, .observationRequest])
    }

    // MARK: Signatures

    /// The signature covers type and version: what was signed as one thing cannot be shown as another.
    @Test func aSignatureIsNoOtherMessages() throws {
        let key = try Self.key.get()
        let publicKey = try key.publicKey
        let joined = try Self.message(.joinRequest).signed(with: key)
        #expect(joined.isSigned(by: publicKey) && joined.signature.count == 256)
        var others = try [Body.humanJoinRequest, .resignRequest, .action(0)].map { try Self.message($0) }
        others.append(try Self.message(.joinRequest, version: .v4))
        var next = try Self.message(.joinRequest)
        next.sequence = SequenceNumber(0x0103)
        var sender = try Self.message(.joinRequest)
        sender.sender = DeviceID(0xA1B3)
        var token = try Self.message(.joinRequest)
        token.token = try #require(Token("u"))
        for other in others + [next, sender, token] {
            let forged = try other.signed(withSignature: Array(joined.signature))
            #expect(!forged.isSigned(by: publicKey), "\(other)")
        }
        // Nor is it another key's; nor is one that was cut or made longer.
        #expect(!joined.isSigned(by: try PrivateKey.generate().publicKey))
        for signature in [joined.signature.dropLast(), joined.signature + [0], [0] + joined.signature.dropLast()] {
            #expect(!(try Self.message(.joinRequest).signed(withSignature: Array(signature)).isSigned(by: publicKey)))
        }
    }

    /// The token's length is signed with it: bytes do not wander from the token to the tail.
    @Test func bytesDoNotWanderBetweenTokenAndTail() throws {
        let key = try Self.key.get()
        let publicKey = try key.publicKey
        var short = try Self.message(.notSupported(.syndicatedData, tail: [0x62, 0x63]))
        short.token = try #require(Token("a"))
        let signed = try short.signed(with: key)
        var long = try Self.message(.notSupported(.syndicatedData, tail: [0x63]))
        long.token = try #require(Token("ab"))
        #expect(!(try long.signed(withSignature: Array(signed.signature)).isSigned(by: publicKey)))
    }

    // MARK: Outlines

    @Test func anOutlineKnowsAsMuchAsIsThere() throws {
        let wire = try Self.message(.action(7)).signed(withSignature: [1, 2]).bytes
        for count in 0...wire.count {
            let outline = MessageOutline(reading: Array(wire.prefix(count)))
            #expect((outline.version != nil) == (count >= 1) && (outline.type != nil) == (count >= 2))
            #expect((outline.sequence != nil) == (count >= 10) && (outline.sender != nil) == (count >= 18))
            #expect((outline.token != nil) == (count >= 21) && (outline.signature != nil) == (count >= 25))
            #expect((outline.tail != nil) == (count >= 25) && (outline.body != nil) == (count >= 26))
        }
        let outline = MessageOutline(reading: wire)
        #expect(outline.sequence?.value == 0x0102 && outline.sender?.hex == "a1b2" && outline.token == [0x74])
        #expect(outline.body?.0 == .action(7) && outline.body?.trailing == [])
        #expect(try outline.bytes() == wire)
    }

    @Test func ofAnotherVersionNothingIsRead() throws {
        for version in [0, 1, 3, 6, 255] as [UInt8] {
            let outline = MessageOutline(reading: [version] + (Self.head(4) + [0, 1, 1, 7]).dropFirst())
            #expect(outline == MessageOutline())
        }
    }

    @Test func anOutlineOfWhatNobodyKnowsIsWrittenAgain() throws {
        for (type, tail) in [(0x30, [1, 2, 3]), (0x00, []), (0x02, [0x42, 9]), (0x0F, [1])] as [(UInt8, [UInt8])] {
            let wire = Self.head(type) + [0, 1, 0xEE] + tail
            let outline = MessageOutline(reading: wire)
            #expect(outline.tail == tail)
            #expect(try outline.bytes() == wire)
            #expect(outline.body == nil)
            #expect(throws: WireError.self) { try SignedMessage(parsing: wire) }
        }
    }

    @Test func whatIsMissingIsNotWritten() throws {
        var outline = MessageOutline()
        #expect(throws: WireError(.message, at: 0, .empty)) { try outline.bytes() }
        (outline.version, outline.type, outline.sequence) = (.v4, 4, SequenceNumber(1))
        (outline.sender, outline.token) = (DeviceID(1), [])
        #expect(throws: WireError(.signature, at: 20, .empty)) { try outline.bytes() }
        outline.signature = []
        #expect(throws: WireError.self) { try outline.bytes() }
        try outline.setTail(.action(1), trailing: [5])
        #expect(try outline.bytes().suffix(4) == [0, 0, 1, 5])
        // Neither a token nor the whole may be longer than its length can say.
        outline.token = [UInt8](repeating: 0, count: 65_536)
        #expect(throws: WireError(.token, at: 18, .tooLong(65_536, limit: 65_535))) { try outline.bytes() }
        outline.token = [UInt8](repeating: 0, count: 65_535)
        let whole = #expect(throws: WireError.self) { try outline.bytes() }
        #expect(whole?.field == .message)
    }

    @Test func anOutlinesSignatureIsJudgedOnlyWhenAllIsThere() throws {
        let key = try Self.key.get()
        var outline = MessageOutline(reading: Self.head(0x30))
        #expect(outline.isSigned(by: try key.publicKey) == nil)
        outline.tail = [1, 2, 3]
        try outline.sign(with: key)
        #expect(outline.isSigned(by: try key.publicKey) == true)
        outline.tail = [1, 2, 4]
        #expect(outline.isSigned(by: try key.publicKey) == false)
        outline.tail = nil
        #expect(outline.isSigned(by: try key.publicKey) == nil)
    }

    // MARK: Values

    @Test func numbersEndWhereTheBitsEnd() {
        let last = SequenceNumber(.max)
        #expect(last.advanced(by: 0) == last && last.advanced(by: 1) == nil)
        #expect(SequenceNumber(.max - 15).advanced(by: 16) == nil && SequenceNumber(.max - 16).advanced(by: 16) == last)
        // A peer's highest number leaves room for a lifetime of answers.
        var answer = SequenceNumber.highestAccepted
        for _ in 0..<1000 { answer = answer.advanced(by: 1 << 26) ?? .none }
        #expect(answer > .highestAccepted && SequenceNumber.highestAccepted < last)
    }

    @Test func randomIdentitiesAndTokensAreUUIDsOfVersionFour() {
        var (ids, tokens): (Set<DeviceID>, Set<Token>) = ([], [])
        for _ in 0..<500 {
            let (id, token) = (DeviceID.random(), Token.random())
            #expect(id.value & 0xF000 == 0x4000 && !id.isNobodys)
            let text = Array(token.text ?? "")
            #expect(text.count == 36 && [8, 13, 18, 23].allSatisfy { text[$0] == "-" })
            #expect(text[14] == "4" && "89ab".contains(text[19]))
            ids.insert(id)
            tokens.insert(token)
        }
        #expect(ids.count == 500 && tokens.count == 500)
    }

    @Test func aTokenFillsNoLog() throws {
        #expect(try #require(Token("plain")).description == "plain")
        #expect(try #require(Token([0, 0xFF])).description == "hex:00ff")
        for bytes in [[UInt8](repeating: 0x61, count: 60_000), [UInt8](repeating: 7, count: 60_000)] {
            let description = try #require(Token(bytes)).description
            #expect(description.utf8.count == 80 && description.hasSuffix("..."))
        }
        #expect(try #require(Token("\u{1B}[2J")).text == nil)
    }

    @Test func nobodysIdentityIsNoParticipants() {
        #expect(DeviceID(hex: "0")?.isNobodys == true && DeviceID(participant: "0") == nil)
        #expect(DeviceID(participant: "1")?.value == 1 && DeviceID(participant: "ffffffffffffffff")?.value == .max)
        #expect(DeviceID(1) < DeviceID(2) && DeviceID(.max).hex == "ffffffffffffffff")
    }

    @Test func secretsAreCopiedOnlyWhereTheyFit() {
        let secret = SecretBytes(capacity: 8) { buffer in
            buffer.copyBytes(from: [1, 2, 3])
            return 3
        }
        #expect(secret.count == 3 && secret.withBytes { Array($0) } == [1, 2, 3])
        var room = [CChar](repeating: 9, count: 4)
        #expect(
            room.withUnsafeMutableBufferPointer { secret.copy(to: $0.baseAddress, 2) } == -1 && room == [9, 9, 9, 9])
        #expect(
            room.withUnsafeMutableBufferPointer { secret.copy(to: $0.baseAddress, 3) } == 3 && room == [1, 2, 3, 9])
        #expect(secret.copy(to: nil, 100) == -1)
        #expect("\(secret)" == "<3 secret bytes>" && Mirror(reflecting: secret).children.isEmpty)
        #expect(SecretBytes(capacity: 0) { _ in 0 }.count == 0)
    }

    @Test func integersOfEveryLengthComeBack() {
        for number in [0, 1, -1, 127, -128] as [Int8] {
            for wire in [
                DataValue.int8(number).wire, DataValue.int16(Int16(number)).wire, DataValue.int32(Int32(number)).wire,
                DataValue.int64(Int64(number)).wire,
            ] { #expect(DataValue.integer(wire) == Int64(number)) }
        }
        #expect(DataValue.integer(DataValue.int64(.min).wire) == .min && DataValue.integer([]) == nil)
        #expect(DataValue.floatingPoint(DataValue.double(.nan).wire)?.isNaN == true)
        #expect(DataValue.floatingPoint(DataValue.float(-.infinity).wire) == -.infinity)
        #expect(DataValue.bytes([1, 2]).wire == [1, 2] && DataValue.floatingPoint([1, 2]) == nil)
    }
}
