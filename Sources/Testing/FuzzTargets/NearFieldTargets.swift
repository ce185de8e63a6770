import NFCProtocols
import ObservedValue
import SRUP

/// What a tapped device can send.
enum NearFieldTargets {
    static func ndef(_ input: [UInt8]) throws -> Bool {
        guard let message = try? NDEFMessage(parsing: input) else { return false }
        _ = PresentedValue.find(in: message)
        for record in message.records {
            _ = try? record.text()
            _ = try? record.uri()
        }
        guard try NDEFMessage(parsing: message.bytes) == message else {
            throw Violation(description: "came back changed")
        }
        return true
    }

    private final class Counter: @unchecked Sendable { var count = 0 }

    static func snep(_ input: [UInt8]) throws -> Bool {
        let puts = Counter()
        var server = SNEPServerSession(miu: 128) { request in
            puts.count += 1
            if case .get = request { return (.success, [UInt8](repeating: 1, count: 200)) }
            return (.success, [])
        }
        var client = SNEPClientSession(.put([UInt8](repeating: 2, count: 300)), miu: 128)
        _ = client.start()
        var isClientDone = false
        for fragment in Dialogues.parts(input) {
            switch server.received(fragment) {
            case .send(let answers), .sendAndClose(let answers):
                guard answers.allSatisfy({ $0.count <= 128 }), answers.count <= 70 else {
                    throw Violation(description: "an answer does not fit")
                }
            case .wait: break
            }
            if isClientDone { continue }
            switch try? client.received(fragment) {
            case .send(let more):
                guard more.allSatisfy({ $0.count <= 128 }) else {
                    throw Violation(description: "a request does not fit")
                }
            case .done, nil: isClientDone = true
            case .wait: break
            }
        }
        return puts.count > 0
    }

    static func llcp(_ input: [UInt8]) throws -> Bool {
        var parts = Dialogues.parts(input)
        guard !parts.isEmpty, let remote = try? LinkParameters(generalBytes: parts.removeFirst()) else { return false }
        var receiver = TapReceiver(remote: remote)
        var sender = TapSender(NDEFMessage([.text("00112233445566778899aabbccddeeff")]), remote: remote)
        for pdu in parts {
            if (try? receiver.receive(pdu)) == nil { break }
            try check(receiver.next())
            if (try? sender.receive(pdu)) != nil { try check(sender.next()) }
            if receiver.isEnded { break }
        }
        // What waits to be sent is bounded.
        for _ in 0..<300 where receiver.link.hasToSend { try check(receiver.next()) }
        return !receiver.messages.isEmpty
    }

    private static func check(_ pdu: [UInt8]) throws {
        // Nothing longer than the shortest MIU and the header that goes with it, but what the peer has allowed.
        guard pdu.count <= 2178, (try? PDU(parsing: pdu)) != nil else {
            throw Violation(description: "an answer is no PDU: \(Hex.encode(pdu))")
        }
    }

    static func type2(_ input: [UInt8]) -> Bool {
        let memory = input.isEmpty ? [0] : input
        return
            (try? Type2Tag.read { (command: [UInt8]) throws(TagError) in
                guard command.count == 2 else { throw .link("no") }
                return (0..<16).map { memory[(Int(command[1]) * 4 + $0) % memory.count] }
            }) != nil
    }

    static func type4(_ input: [UInt8]) -> Bool {
        var answers = Dialogues.parts(input)[...]
        return
            (try? Type4Tag.read { (_: [UInt8]) throws(TagError) in
                guard let answer = answers.popFirst() else { throw .link("gone") }
                return answer
            }) != nil
    }
}

/// Dialogues that work, as parts with a length byte before each.
public enum Dialogues {
    static func parts(_ bytes: [UInt8]) -> [[UInt8]] {
        var rest = bytes[...]
        var parts: [[UInt8]] = []
        while let length = rest.first {
            parts.append(Array(rest.dropFirst().prefix(Int(length))))
            rest = rest.dropFirst(1 + Int(length))
        }
        return parts
    }

    static func joined(_ parts: [[UInt8]]) -> [UInt8] { parts.flatMap { [UInt8($0.count)] + $0 } }

    static let value = NDEFMessage([.text("00112233445566778899aabbccddeeff")]).bytes

    /// Inputs of a near-field target that go through; none of another.
    public static func corpus(_ target: FuzzTarget) -> [[UInt8]] {
        switch target {
        case .ndef:
            return [
                value,
                NDEFMessage([.uri("https://example.net"), .external("srup:nonce", value), .media("a/b", [1])]).bytes,
                NDEFMessage([.init(.unknown, id: [1], payload: [UInt8](repeating: 3, count: 300))]).bytes,
                [0xB1, 0x01, 0x03, 0x54, 0x02, 0x65, 0x6E, 0x36, 0x00, 0x01, 0x61, 0x56, 0x00, 0x01, 0x62],
            ]
        case .snep:
            let put = SNEPHeader(code: 2, length: UInt32(value.count)).bytes
            let again = SNEPHeader(code: 0, length: 0).bytes
            return [
                joined([put + value]), joined([put + value.prefix(10), Array(value.dropFirst(10))]),
                joined([SNEPHeader(code: 1, length: 5).bytes + [0, 0, 2, 0, 9], again, again]),
                joined([SNEPHeader(code: 0x80, length: 0).bytes, SNEPHeader(code: 0x81, length: 0).bytes]),
            ]
        case .llcp:
            let general = LinkParameters.ours.generalBytes
            let put: [UInt8] = [0x13, 0x20, 0x00] + SNEPHeader(code: 2, length: UInt32(value.count)).bytes + value
            return [
                joined([general, [0x11, 0x20], put, [0x11, 0x60], [0x01, 0x40]]),
                joined([
                    general, [0, 0], [0x05, 0x20, 0x06, 0x0F] + LLCPLink.snepName.utf8, put, [0x13, 0x60, 0x01],
                    [0x01, 0x40],
                ]),
                joined([general, [0x81, 0x84], [0x83, 0x04, 0x01, 0x10, 0x81, 0, 0, 0, 0]]),
                joined([
                    general, [0x06, 0x41, 0x08, 0x10, 0x01] + LLCPLink.snepName.utf8,
                    [0x00, 0x80, 0x00, 0x02, 0x11, 0x20, 0x00, 0x02, 0x00, 0x00], [0x81, 0xC4, 0x02],
                    [0x13, 0xA0, 0x00],
                    [0x82, 0x04, 0x8C, 0, 0, 0], [0x10, 0xE0, 0x01], [0x00, 0x40, 0x01, 0x01, 0x13],
                ]),
            ]
        case .type2:
            let head = [UInt8](repeating: 4, count: 12) + [0xE1, 0x10, 0x6D, 0x00]
            return [
                head + [0x03, UInt8(value.count)] + value + [0xFE],
                head + [0x01, 0x03, 0xA0, 0x10, 0x44, 0x03, 0xFF, 0x00, UInt8(value.count)] + value + [0xFE],
            ]
        case .type4:
            var card = Type4Card(NDEFMessage([.text("00112233445566778899aabbccddeeff")]))
            var answers: [[UInt8]] = []
            _ = try? Type4Tag.read { (command: [UInt8]) throws(TagError) in
                answers.append(card.answer(command))
                return answers[answers.count - 1]
            }
            return [joined(answers)]
        default: return []
        }
    }
}
