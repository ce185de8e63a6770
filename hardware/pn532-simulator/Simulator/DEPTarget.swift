/// The target's side of NFC-DEP as the chip's firmware does it when it answers ATR_REQ by itself.
final class DEPTarget {
    private let chip: Chip
    private(set) var speed: RFFrame.Speed
    private var expected: UInt8 = 0
    private var lastResponse: [UInt8] = []
    private var incoming: [UInt8] = []
    private var outgoing: ArraySlice<UInt8> = []
    private var reply: ((RFFrame) -> Void)?
    /// Complete packets for TgGetData.
    private(set) var received: [[UInt8]] = []
    private var extensions = 0
    /// The host's answer, when it comes while more time is being asked for.
    private var pending: [UInt8]?
    private var isExtending = false
    private(set) var isReleased = false

    /// 2^8 * 302 µs: 77 ms.
    static let waitingTime: UInt8 = 8

    init(_ chip: Chip, speed: RFFrame.Speed) {
        self.chip = chip
        self.speed = speed
    }

    /// Whether the initiator waits for TgSetData.
    var isAnswerDue: Bool { reply != nil && received.isEmpty }

    func take() -> [UInt8]? { received.isEmpty ? nil : received.removeFirst() }

    private func respond(_ body: [UInt8], _ answer: (RFFrame) -> Void) {
        lastResponse = body
        answer(DEPInitiator.frame(body, speed))
    }

    func heard(_ body: [UInt8], _ answer: @escaping (RFFrame) -> Void) {
        guard body.count >= 2, body[0] == 0xD4 else { return }
        switch body[1] {
        case 0x04 where body.count >= 5:
            answer(DEPInitiator.frame([0xD5, 0x05, body[2]], speed))
            speed = RFFrame.Speed(rawValue: Int(body[3] >> 3 & 7)) ?? speed
        case 0x06 where body.count >= 3: packet(body, answer)
        case 0x08:
            answer(DEPInitiator.frame([0xD5, 0x09], speed))
            isReleased = true
            chip.targetReleased()
        case 0x0A:
            answer(DEPInitiator.frame([0xD5, 0x0B], speed))
            isReleased = true
            chip.targetReleased()
        default: break
        }
    }

    private func packet(_ body: [UInt8], _ answer: @escaping (RFFrame) -> Void) {
        let control = body[2]
        let number = control & 3
        switch control & 0xE0 {
        case 0x80 where control & 0x10 == 0: answer(DEPInitiator.frame([0xD5, 0x07, 0x80], speed))  // attention
        case 0x80: wait(answer)  // the timeout extension is granted
        case 0x40 where control & 0x10 != 0: answer(DEPInitiator.frame(lastResponse, speed))  // again, please
        case 0x40:
            guard !outgoing.isEmpty else { return }
            expected = (number + 1) & 3
            send(number, answer)
        case 0x00:
            guard number == expected else {
                // A packet that has come already: its answer was lost.
                if !lastResponse.isEmpty { answer(DEPInitiator.frame(lastResponse, speed)) }
                return
            }
            // Beyond the chip's buffer the rest is dropped, as the chip does.
            incoming += body[3...].prefix(max(0, 262 - incoming.count))
            if control & 0x10 != 0 {
                expected = (number + 1) & 3
                respond([0xD5, 0x07, 0x40 | number], answer)
                return
            }
            received.append(incoming)
            incoming = []
            wait(answer)
            chip.packetArrived()
        default: break
        }
    }

    /// The host has not answered yet: ask for more time before the initiator gives up.
    private func wait(_ answer: @escaping (RFFrame) -> Void) {
        reply = answer
        isExtending = false
        extensions += 1
        if let data = pending {
            pending = nil
            _ = set(data)
            return
        }
        let current = extensions
        guard chip.extendsTimeouts else { return }
        chip.loop.after(60_000_000) { [self] in
            guard extensions == current, let reply else { return }
            self.reply = nil
            isExtending = true
            reply(DEPInitiator.frame([0xD5, 0x07, 0x90, 0x0A], speed))
        }
    }

    /// TgSetData; whether an answer was due.
    func set(_ data: [UInt8]) -> Bool {
        guard let answer = reply else {
            if isExtending { pending = data }
            return isExtending
        }
        reply = nil
        extensions += 1
        outgoing = data[...]
        let number = expected
        expected = (expected + 1) & 3
        send(number, answer)
        return true
    }

    private func send(_ number: UInt8, _ answer: (RFFrame) -> Void) {
        let part = outgoing.prefix(DEPInitiator.most)
        outgoing = outgoing.dropFirst(DEPInitiator.most)
        respond([0xD5, 0x07, (outgoing.isEmpty ? 0 : 0x10) | number] + part, answer)
    }
}
