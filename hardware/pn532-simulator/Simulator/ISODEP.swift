/// The reader's side of ISO/IEC 14443-4 as the chip's firmware does it: blocks, chaining, waiting time extension.
final class ISODEPReader {
    private let chip: Chip
    private var number: UInt8 = 0
    private let most: Int
    private var attempts = 0
    private var received: [UInt8] = []

    /// - Parameter ats: the card's answer to select, its length byte first.
    init(_ chip: Chip, ats: [UInt8]) {
        self.chip = chip
        let code = ats.count > 1 ? Int(ats[1] & 15) : 2
        most = [16, 24, 32, 40, 48, 64, 96, 128, 256][min(code, 8)] - 3
    }

    func exchange(_ data: [UInt8], _ completion: @escaping (UInt8, [UInt8]) -> Void) {
        received = []
        send(data[...], completion)
    }

    private func send(_ data: ArraySlice<UInt8>, _ completion: @escaping (UInt8, [UInt8]) -> Void) {
        let rest = data.dropFirst(most)
        attempts = 0
        block([(rest.isEmpty ? 0x02 : 0x12) | number] + data.prefix(most), rest, completion)
    }

    private func block(
        _ bytes: [UInt8], _ rest: ArraySlice<UInt8>, _ completion: @escaping (UInt8, [UInt8]) -> Void,
        wait: EventLoop.Nanoseconds = 100_000_000
    ) {
        chip.field.transceive(RFFrame(bytes: bytes), from: chip, isActiveMode: false, timeout: wait) { [self] answer in
            guard case .frame(let frame) = answer, let control = frame.bytes.first else {
                attempts += 1
                guard attempts <= 2 else {
                    if case .corrupt = answer { return completion(0x02, []) }
                    return completion(0x01, [])
                }
                return block([0xB2 | number], rest, completion)  // R(NAK)
            }
            if control & 0xF7 == 0xF2, frame.bytes.count >= 2 {
                return block([0xF2, frame.bytes[1]], rest, completion, wait: 1_000_000_000)  // S(WTX)
            }
            guard control & 1 == number else { return completion(0x0B, []) }
            number ^= 1
            if control & 0xE0 == 0xA0 {
                guard !rest.isEmpty else { return completion(0x0B, []) }
                return send(rest, completion)
            }
            guard control & 0xE0 == 0x00 else { return completion(0x0B, []) }
            received += frame.bytes.dropFirst()
            if control & 0x10 != 0 {
                attempts = 0
                block([0xA2 | number], [], completion)
            } else {
                completion(0x00, received)
            }
        }
    }
}

/// The card's side of ISO/IEC 14443-4: for the chip that emulates a card, and for simulated cards.
final class ISODEPCard {
    private let loop: EventLoop
    private let onCommand: ([UInt8]) -> Void
    private var reply: ((RFFrame) -> Void)?
    private var number: UInt8 = 1
    private var incoming: [UInt8] = []
    private var outgoing: ArraySlice<UInt8> = []
    private var last: [UInt8] = []
    private var most = 253
    private var turn = 0
    private var pending: [UInt8]?
    private(set) var isDeselected = false

    static let ats: [UInt8] = [0x05, 0x78, 0x80, 0x70, 0x02]

    /// - Parameter onCommand: gets each complete command; ``answer(_:)`` gives the response.
    init(_ loop: EventLoop, onCommand: @escaping ([UInt8]) -> Void) {
        self.loop = loop
        self.onCommand = onCommand
    }

    func heard(_ bytes: [UInt8], _ answer: @escaping (RFFrame) -> Void) {
        guard let control = bytes.first else { return }
        if control == 0xE0, bytes.count >= 2 {
            most = [16, 24, 32, 40, 48, 64, 96, 128, 256][min(Int(bytes[1] >> 4), 8)] - 3
            number = 1
            incoming = []
            answer(RFFrame(bytes: Self.ats))
        } else if control & 0xF7 == 0xC2 {
            isDeselected = true
            answer(RFFrame(bytes: [control]))
        } else if control & 0xF7 == 0xF2 {
            wait(answer)
        } else if control & 0xE6 == 0xA2 {
            // R block: our number again means that our last block was lost.
            if control & 1 == number {
                answer(RFFrame(bytes: last))
            } else if control & 0x10 != 0 {
                answer(RFFrame(bytes: [0xA2 | number]))
            } else {
                number ^= 1
                send(answer)
            }
        } else if control & 0xE2 == 0x02 {
            guard control & 1 != number || last.isEmpty else { return }
            number = control & 1
            incoming += bytes.dropFirst()
            if control & 0x10 != 0 {
                last = [0xA2 | number]
                answer(RFFrame(bytes: last))
                return
            }
            let command = incoming
            incoming = []
            wait(answer)
            onCommand(command)
        }
    }

    private func wait(_ answer: @escaping (RFFrame) -> Void) {
        reply = answer
        turn += 1
        if let response = pending {
            pending = nil
            self.answer(response)
            return
        }
        let current = turn
        loop.after(60_000_000) { [self] in
            guard turn == current, let reply else { return }
            self.reply = nil
            reply(RFFrame(bytes: [0xF2, 0x01]))
        }
    }

    func answer(_ response: [UInt8]) {
        guard let reply else {
            pending = response
            return
        }
        self.reply = nil
        turn += 1
        outgoing = response[...]
        send(reply)
    }

    private func send(_ answer: (RFFrame) -> Void) {
        let part = outgoing.prefix(most)
        outgoing = outgoing.dropFirst(most)
        last = [(outgoing.isEmpty ? 0x02 : 0x12) | number] + part
        answer(RFFrame(bytes: last))
    }
}
