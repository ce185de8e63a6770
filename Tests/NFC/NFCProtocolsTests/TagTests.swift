import Testing

@testable import NFCProtocols

@Suite struct TagTests {
    static let message = NDEFMessage([.text("00112233445566778899aabbccddeeff")])

    static func memory(_ data: [UInt8], capability: [UInt8] = [0xE1, 0x10, 0x6D, 0x00]) -> TagExchange {
        let memory = [UInt8](repeating: 0, count: 12) + capability + data + [UInt8](repeating: 0, count: 1100)
        return { (command: [UInt8]) throws(TagError) in
            guard command.count == 2, command[0] == 0x30 else { throw .link("unknown command") }
            return Array(memory[Int(command[1]) * 4..<Int(command[1]) * 4 + 16])
        }
    }

    @Test func aType2TagIsRead() throws {
        let bytes = Self.message.bytes
        #expect(try Type2Tag.read(Self.memory([0x03, UInt8(bytes.count)] + bytes + [0xFE])) == Self.message)
        // After lock and memory control, null and proprietary TLVs, and in the long form.
        let before: [UInt8] = [0x01, 0x03, 0xA0, 0x10, 0x44, 0x00, 0x02, 0x03, 1, 2, 3, 0xFD, 0x02, 9, 9]
        #expect(
            try Type2Tag.read(Self.memory(before + [0x03, 0xFF, 0x00, UInt8(bytes.count)] + bytes)) == Self.message)
        let long = NDEFMessage([.text(String(repeating: "x", count: 700))])
        let count = long.bytes.count
        #expect(
            try Type2Tag.read(Self.memory([0x03, 0xFF, UInt8(count >> 8), UInt8(count & 255)] + long.bytes)) == long)
    }

    @Test(
        arguments: [
            ([0xFE], [0xE1, 0x10, 0x6D, 0x00]), ([0x03, 0x00, 0xFE], [0xE1, 0x10, 0x6D, 0x00]),
            ([0x03, 0xFF, 0xFF, 0xFF], [0xE1, 0x10, 0x6D, 0x00]), ([0x03, 0x05, 1, 2, 3], [0xE1, 0x10, 0x01, 0x00]),
            ([0x03, 0x05, 1, 2, 3, 4, 5], [0xE1, 0x10, 0x6D, 0x00]), ([0x03, 0x05], [0x00, 0x10, 0x6D, 0x00]),
            ([0x03, 0x05], [0xE1, 0x20, 0x6D, 0x00]), ([0x03, 0x05], [0xE1, 0x10, 0x6D, 0xF0]),
            ([], [0xE1, 0x10, 0xFF, 0x00]),
            ([0x05, 0xFF, 0xFF, 0xFF], [0xE1, 0x10, 0xFF, 0x00]), ([], [0xE1, 0x10, 0x00, 0x00]),
        ] as [([UInt8], [UInt8])])
    func aWrongType2TagIsTold(_ data: [UInt8], _ capability: [UInt8]) {
        #expect(throws: TagError.self) { try Type2Tag.read(Self.memory(data, capability: capability)) }
    }

    @Test func shortAnswersAndSilenceAreTold() {
        #expect(throws: TagError.shortAnswer(1, doing: "READ of page 0")) {
            try Type2Tag.read { (_: [UInt8]) throws(TagError) in [0x00] }
        }
        #expect(throws: TagError.link("gone")) {
            try Type2Tag.read { (_: [UInt8]) throws(TagError) in throw .link("gone") }
        }
        #expect(throws: TagError.link("gone")) {
            try Type4Tag.read { (_: [UInt8]) throws(TagError) in throw .link("gone") }
        }
        #expect(throws: TagError.self) { try Type4Tag.read { (_: [UInt8]) throws(TagError) in [0x90] } }
        #expect(throws: TagError.self) { try Type4Tag.read { (_: [UInt8]) throws(TagError) in [0x90, 0x00] } }
    }

    @Test func ourCardIsReadByOurReader() throws {
        for text in ["00112233445566778899aabbccddeeff", String(repeating: "x", count: 3000)] {
            let message = NDEFMessage([.text(text)])
            var card = Type4Card(message)
            let read = try Type4Tag.read { (command: [UInt8]) throws(TagError) in card.answer(command) }
            #expect(read == message && card.wasRead)
        }
    }

    @Test(
        arguments: [
            ([], [0x67, 0x00]), ([0x80, 0xA4, 0, 0], [0x6E, 0x00]), ([0x00, 0x20, 0, 0], [0x6D, 0x00]),
            ([0x00, 0xA4, 0x04, 0x00, 0x07, 0xD2], [0x67, 0x00]), ([0x00, 0xB0, 0, 0, 2], [0x69, 0x86]),
            ([0x00, 0xA4, 0x00, 0x0C, 0x02, 0xE1, 0x03], [0x6A, 0x82]),
            ([0x00, 0xA4, 0x04, 0x00, 0x01, 0xA0], [0x6A, 0x82]),
        ] as [([UInt8], [UInt8])])
    func theCardRefusesWhatItDoesNotKnow(_ command: [UInt8], _ status: [UInt8]) {
        var card = Type4Card(Self.message)
        #expect(card.answer(command) == status)
    }

    /// Answers that are wrong in every byte, one after the other.
    @Test func everyWrongByteOfACardIsAnErrorOrAMessage() throws {
        var lengths: [Int] = []
        var probe = Type4Card(Self.message)
        _ = try Type4Tag.read { (command: [UInt8]) throws(TagError) in
            let answer = probe.answer(command)
            lengths.append(answer.count)
            return answer
        }
        for (exchange, length) in lengths.enumerated() {
            for index in 0..<length {
                for value: UInt8 in [0x00, 0x01, 0x7F, 0x80, 0xFF] {
                    var card = Type4Card(Self.message)
                    var number = 0
                    _ = try? Type4Tag.read { (command: [UInt8]) throws(TagError) in
                        var answer = card.answer(command)
                        if number == exchange { answer[index] = value }
                        number += 1
                        return answer
                    }
                    #expect(number <= Type4Tag.maximumExchanges)
                }
            }
        }
    }
}

/// A tap from both sides, without a radio.
@Suite struct TapTests {
    func exchange(_ sender: inout TapSender, _ receiver: inout TapReceiver, turns: Int = 40) throws -> Int {
        for turn in 0..<turns {
            try receiver.receive(sender.next())
            if sender.isEnded || receiver.isEnded { return turn }
            try sender.receive(receiver.next())
        }
        return turns
    }

    @Test(arguments: [true, false])
    func aMessageIsGiven(_ byName: Bool) throws {
        let message = NDEFMessage([.text("00112233445566778899aabbccddeeff")])
        var sender = TapSender(message, remote: .ours, byName: byName)
        var receiver = TapReceiver(remote: .ours)
        // CONNECT and CC, PUT and Success, DISC: the fewest that the standards allow.
        #expect(try exchange(&sender, &receiver) == 2)
        #expect(sender.outcome == .taken && receiver.messages == [message])
    }

    @Test func aLongMessageIsGivenInFragments() throws {
        let message = NDEFMessage([.text(String(repeating: "z", count: 2000))])
        var sender = TapSender(message, remote: .ours)
        var receiver = TapReceiver(remote: .ours)
        _ = try exchange(&sender, &receiver)
        #expect(sender.outcome == .taken && receiver.messages == [message])
    }

    @Test func whatDoesNotCountIsNotToldSuccess() throws {
        var sender = TapSender(NDEFMessage([.text("hello")]), remote: .ours)
        var receiver = TapReceiver(remote: .ours) { PresentedValue.find(in: $0) != nil }
        _ = try exchange(&sender, &receiver)
        #expect(sender.outcome == .refused("SNEP: the server answers Bad Request") && receiver.messages.isEmpty)
        #expect(receiver.takeGifts() == [.refused(NDEFMessage([.text("hello")]))] && receiver.takeGifts().isEmpty)
    }

    @Test func aPeerWithoutServerIsTold() throws {
        var sender = TapSender(NDEFMessage([.text("x")]), remote: .ours)
        var peer = LLCPLink(remote: .ours)
        for _ in 0..<6 {
            try peer.receive(sender.next())
            try sender.receive(peer.next().bytes)
        }
        #expect(sender.outcome == .refused("the peer has no SNEP server (reason 2)"))
    }
}
