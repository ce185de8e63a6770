import Foundation
import Testing

@testable import ChipSimulator
@testable import NFCProtocols

/// Tags that are right in their own way: every kind that the standards allow and some that phones and chips have made
/// common, as memory or APDU dialogues.
@Suite struct OddTagTests {
    static let value = "00112233445566778899aabbccddeeff"
    static let message = NDEFMessage([.text(value)])

    // MARK: Recorded cases

    static let cases = ["sak60", "t2-lock-tlv-inside", "t4-endef", "t4-short-answer", "t4-v1-aid"]

    /// Tests/NFC/NFCProtocolsTests/cases: tags as memory, or as files with what is odd about their card.
    @Test(arguments: cases)
    func aRecordedTagIsRead(_ name: String) throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("cases/\(name).json")
        let whole = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        let tag = try #require(whole["tag"] as? [String: Any])
        let read: NDEFMessage
        if let memory = tag["mem"] as? String {
            read = try Self.read(memory: try #require(Simulation.bytes(memory)))
        } else {
            read = try Self.read(try Self.card(tag))
        }
        #expect(read == Self.message)
    }

    static func card(_ tag: [String: Any]) throws -> SimulatedCard {
        var card = SimulatedCard()
        for (name, hex) in try #require(tag["files"] as? [String: String]) {
            card.files[try #require(UInt16(name, radix: 16))] = Simulation.bytes(hex)
        }
        if let names = tag["aids"] as? [String] { card.applications = names.compactMap(Simulation.bytes) }
        if let most = tag["mle"] as? Int { card.maximumAnswer = most }
        if let over = tag["over"] as? String { card.excess = try #require(.init(rawValue: over)) }
        return card
    }

    static func read(memory: [UInt8]) throws(TagError) -> NDEFMessage {
        let memory = SimulatedMemory(memory)
        return try Type2Tag.read { (command: [UInt8]) throws(TagError) in memory.answer(command) ?? [] }
    }

    static func read(_ card: SimulatedCard) throws(TagError) -> NDEFMessage {
        var card = card
        return try Type4Tag.read { (command: [UInt8]) throws(TagError) in card.answer(command) }
    }

    // MARK: Type 4

    static func card(_ capability: [UInt8], _ message: [UInt8] = message.bytes, lengthSize: Int = 2) -> SimulatedCard {
        var card = SimulatedCard()
        let head =
            [UInt8](repeating: 0, count: lengthSize - 2) + [UInt8(message.count >> 8), UInt8(message.count & 255)]
        card.files = [
            SimulatedCard.capabilityFile: capability,
            SimulatedCard.messageFile: head + message + [UInt8](repeating: 0, count: 100),
        ]
        return card
    }

    static let capabilities: [([UInt8], Int)] = [
        // Proprietary files before and behind, of several lengths.
        (
            [0, 31, 0x20, 0, 127, 0, 127, 5, 6, 0xE1, 5, 0, 100, 0, 0, 5, 6, 0xE1, 6, 0, 100, 0, 0]
                + [4, 6, 0xE1, 4, 4, 0, 0, 0], 2
        ),
        ([0, 23, 0x20, 0, 127, 0, 127, 4, 6, 0xE1, 4, 4, 0, 0, 0, 5, 6, 0xE1, 5, 0, 100, 0, 0], 2),
        // Extended NDEF file, whole and behind a proprietary extended one; mapping 3.0 with the short form.
        ([0, 17, 0x30, 0, 127, 0, 127, 6, 8, 0xE1, 4, 0, 1, 0, 0, 0, 0], 4),
        ([0, 25, 0x30, 0, 127, 0, 127, 5, 6, 0xE1, 5, 0, 100, 0, 0, 6, 8, 0xE1, 4, 0, 1, 0, 0, 0, 0], 4),
        ([0, 15, 0x30, 0, 127, 0, 127, 4, 6, 0xE1, 4, 4, 0, 0, 0], 2),
        // A container that says that it is longer than it is.
        ([0, 99, 0x20, 0, 127, 0, 127, 4, 6, 0xE1, 4, 4, 0, 0, 0], 2),
        // MLe above 255 and above a frame, and the least; written by a key only.
        ([0, 15, 0x20, 0xFF, 0xFF, 0, 127, 4, 6, 0xE1, 4, 4, 0, 0, 0xFF], 2),
        ([0, 15, 0x20, 1, 0, 0, 127, 4, 6, 0xE1, 4, 4, 0, 0, 0x80], 2),
        ([0, 15, 0x20, 0, 15, 0, 1, 4, 6, 0xE1, 4, 4, 0, 0, 0], 2),
    ]

    @Test(arguments: capabilities)
    func aCapabilityContainerOfEveryFormIsUnderstood(_ capability: [UInt8], _ lengthSize: Int) throws {
        #expect(try Self.read(Self.card(capability, lengthSize: lengthSize)) == Self.message)
    }

    static let usual: [UInt8] = [0, 15, 0x20, 0, 127, 0, 127, 4, 6, 0xE1, 4, 0, 100, 0, 0]

    static let wrong: [([UInt8], TagError)] = [
        ([0, 15, 0x20, 0, 127, 0, 127, 4, 6, 0xE1, 4, 0, 100, 0x80, 0], .protected),
        ([0, 17, 0x30, 0, 127, 0, 127, 6, 8, 0xE1, 4, 0, 1, 0, 0, 0xFF, 0], .protected),
        ([0, 15, 0x20, 0, 127, 0, 127, 4, 6, 0xE1, 4, 0, 10, 0, 0], .badLength(39, room: 10)),
        (
            [0, 15, 0x20, 0, 0, 0, 127, 4, 6, 0xE1, 4, 0, 100, 0, 0],
            .badCapability([0, 15, 0x20, 0, 0, 0, 127, 4, 6, 0xE1, 4, 0, 100, 0, 0])
        ),
    ]

    @Test(arguments: wrong)
    func whatCannotBeReadIsToldByItsCause(_ capability: [UInt8], _ error: TagError) {
        #expect(throws: error) { try Self.read(Self.card(capability)) }
    }

    @Test(arguments: [SimulatedCard.Excess.less, .correct, .refuse], [15, 16, 20, 38])
    func aCardThatGivesFewerBytesThanItSaysIsReadToTheEnd(_ excess: SimulatedCard.Excess, _ most: Int) throws {
        var card = Self.card(Self.usual)
        card.maximumAnswer = most
        card.excess = excess
        #expect(try Self.read(card) == Self.message)
    }

    /// T = CL with GET RESPONSE: some chips give the rest of an answer only when asked.
    @Test func anAnswerInPartsIsAskedForToItsEnd() throws {
        var card = Self.card(Self.usual)
        var rest: [UInt8] = []
        let read = try Type4Tag.read { (command: [UInt8]) throws(TagError) in
            if command.count == 5, command[1] == 0xC0 {
                let part = Array(rest.prefix(Int(command[4])))
                rest.removeFirst(part.count)
                return part + (rest.isEmpty ? [0x90, 0x00] : [0x61, UInt8(rest.count)])
            }
            let answer = card.answer(command)
            guard answer.count > 12 else { return answer }
            rest = Array(answer[10..<answer.count - 2])
            return answer.prefix(10) + [0x61, UInt8(rest.count)]
        }
        #expect(read == Self.message)
    }

    @Test(arguments: [UInt8(0x00), 0x0C])
    func aCardThatSelectsFilesInOneWayOnlyIsRead(_ known: UInt8) throws {
        var card = Self.card(Self.usual)
        let read = try Type4Tag.read { (command: [UInt8]) throws(TagError) in
            if command[1] == 0xA4, command[2] == 0x00, command[3] != known { return [0x6A, 0x86] }
            return card.answer(command)
        }
        #expect(read == Self.message)
    }

    @Test func aCardThatKnowsOnlyReadingWithObjectsIsRead() throws {
        var card = Self.card([0, 17, 0x30, 0, 127, 0, 127, 6, 8, 0xE1, 4, 0, 1, 0, 0, 0, 0], lengthSize: 4)
        var hasCapability = false
        let read = try Type4Tag.read { (command: [UInt8]) throws(TagError) in
            if command[1] == 0xA4, command.suffix(2) == [0xE1, 0x04] { hasCapability = true }
            if command[1] == 0xB0, hasCapability { return [0x6D, 0x00] }
            return card.answer(command)
        }
        #expect(read == Self.message)
    }

    /// 9000 without a byte, for ever; 61 for ever; 6C for ever: all end.
    @Test(
        arguments: [[0x90, 0x00], [0x61, 0x10], [0x6C, 0x10], [0x62, 0x82], [0x67, 0x00], [0x6D, 0x00]] as [[UInt8]])
    func aCardThatAnswersTheSameForEverIsLeft(_ answer: [UInt8]) {
        var exchanges = 0
        #expect(throws: TagError.self) {
            try Type4Tag.read { (_: [UInt8]) throws(TagError) in
                exchanges += 1
                return answer
            }
        }
        #expect(exchanges <= Type4Tag.maximumExchanges)
    }

    // MARK: Type 2

    static func memory(_ data: [UInt8], size: UInt8 = 0x6D, access: UInt8 = 0) -> [UInt8] {
        [UInt8](repeating: 4, count: 12) + [0xE1, 0x10, size, access] + data + [UInt8](repeating: 0, count: 1100)
    }

    /// The message with other bytes at the places that are reserved, which are left out again.
    static func spread(_ control: [UInt8], _ reserved: [Range<Int>]) -> [UInt8] {
        var wanted = control + [0x03, UInt8(message.bytes.count)] + message.bytes + [0xFE]
        var data: [UInt8] = []
        while !wanted.isEmpty {
            let place = 16 + data.count
            data.append(reserved.contains { $0.contains(place) } ? 0xA5 : wanted.removeFirst())
        }
        return memory(data)
    }

    static let controls: [([UInt8], [Range<Int>])] = [
        // 16 lock bits at byte 40; 12 bits take two bytes as well.
        ([0x01, 3, 0xA0, 16, 0x02], [40..<42]), ([0x01, 3, 0xA0, 12, 0x32], [40..<42]),
        // Ten bytes of reserved memory at page 9, byte 1.
        ([0x02, 3, 0x91, 10, 0x02], [37..<47]),
        // Pages of 8 bytes; both kinds, side by side and over each other.
        ([0x01, 3, 0x40, 8, 0x03], [32..<33]),
        ([0x01, 3, 0xA0, 16, 0x02, 0x02, 3, 0xA2, 4, 0x02], [40..<42, 42..<46]),
        ([0x02, 3, 0xA0, 4, 0x02, 0x01, 3, 0xA1, 8, 0x02], [40..<44]),
        // In the TLV's own head: between its type and its length.
        ([0x02, 3, 0x52, 2, 0x02], [22..<24]),
        // 256 bits and 256 bytes.
        ([0x01, 3, 0x80, 0, 0x02], [32..<64]), ([0x02, 3, 0x80, 0, 0x02], [32..<288]),
        // Behind the data, as dynamic locks mostly are; before them.
        ([0x01, 3, 0xF0, 16, 0x06], [960..<962]), ([0x02, 3, 0x10, 4, 0x02], []),
    ]

    @Test(arguments: controls)
    func reservedBytesAreLeftOutWhereverTheyLie(_ control: [UInt8], _ reserved: [Range<Int>]) throws {
        #expect(try Self.read(memory: Self.spread(control, reserved)) == Self.message)
    }

    @Test func aControlOfAnotherLengthIsPassedOver() throws {
        #expect(try Self.read(memory: Self.spread([0x01, 2, 0xA0, 16, 0x02, 1, 0xFF], [])) == Self.message)
    }

    @Test func whatReachesIntoASecondSectorIsToldAsTooLong() throws {
        // 2 kB of data, the message at their beginning: read.
        let bytes = Self.message.bytes
        #expect(
            try Self.read(memory: Self.memory([0x03, UInt8(bytes.count)] + bytes + [0xFE], size: 0xEA)) == Self.message)
        // One of 1,500 bytes; one behind a proprietary block of that length.
        #expect(throws: TagError.tooLong(1500)) {
            try Self.read(memory: Self.memory([0x03, 0xFF, 0x05, 0xDC, 0xD1], size: 0xEA))
        }
        #expect(throws: TagError.tooLong(1872)) {
            try Self.read(memory: Self.memory([0xFD, 0xFF, 0x05, 0xDC], size: 0xEA))
        }
    }

    @Test func accessThatNeedsAKeyIsTold() {
        #expect(throws: TagError.protected) { try Self.read(memory: Self.memory([0x03, 0x05], access: 0xF0)) }
        // Static locks and a write access that is none: read all the same.
        var memory = Self.memory([0x03, UInt8(Self.message.bytes.count)] + Self.message.bytes, access: 0x0F)
        memory[10] = 0xFF
        memory[11] = 0xFF
        #expect((try? Self.read(memory: memory)) == Self.message)
    }
}
