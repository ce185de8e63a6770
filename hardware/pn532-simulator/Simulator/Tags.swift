/// A Type 2 tag in the field: NTAG216-sized memory with a message in it.
final class Type2SimulatedTag: Listener {
    let name: String
    private var memory: [UInt8]

    init(name: String, message: [UInt8]) {
        self.name = name
        memory = [0x04, 0x12, 0x34, 0xAA, 0x56, 0x78, 0x9A, 0xBC, 0x08, 0x48, 0x00, 0x00, 0xE1, 0x10, 0x6D, 0x00]
        let length = UInt8(truncatingIfNeeded: message.count)
        let head: [UInt8] =
            message.count < 255
            ? [0x03, length] : [0x03, 0xFF, UInt8(message.count >> 8), UInt8(message.count & 0xFF)]
        memory += head + message + [0xFE]
        memory += [UInt8](repeating: 0, count: max(0, 924 - memory.count))
    }

    /// Any memory, for tags that are wrong.
    init(name: String, memory: [UInt8]) {
        self.name = name
        self.memory = memory + [UInt8](repeating: 0, count: max(0, 64 - memory.count))
    }

    func typeA() -> TypeA? { TypeA(atqa: [0x00, 0x44], uid: [0x04, 0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC], sak: 0x00) }
    func typeF(_ speed: RFFrame.Speed) -> [UInt8]? { nil }

    func heard(_ frame: RFFrame, from: Chip, isActiveMode: Bool, answer: @escaping (RFFrame) -> Void) {
        guard !isActiveMode, frame.bytes.count >= 2, frame.bytes[0] == 0x30 else { return }
        let start = Int(frame.bytes[1]) * 4
        guard start < memory.count else { return answer(RFFrame(bytes: [0x00])) }
        // READ rolls over at the end of the memory.
        answer(RFFrame(bytes: (start..<start + 16).map { memory[$0 % memory.count] }))
    }

    func fieldLost() {}
}

/// A Type 4 tag in the field: answers as a phone that emulates a card does.
final class Type4SimulatedTag: Listener {
    let name: String
    private let respond: ([UInt8]) -> [UInt8]
    private let loop: EventLoop
    private lazy var card = makeCard()

    /// - Parameter respond: APDU in, APDU out.
    init(name: String, loop: EventLoop, respond: @escaping ([UInt8]) -> [UInt8]) {
        self.name = name
        self.loop = loop
        self.respond = respond
    }

    private func makeCard() -> ISODEPCard {
        var card: ISODEPCard?
        let made = ISODEPCard(loop) { [respond] command in
            let response = respond(command)
            card?.answer(response)
        }
        card = made
        return made
    }

    func typeA() -> TypeA? { TypeA(atqa: [0x00, 0x04], uid: [0x08, 0xAB, 0xCD, 0xEF], sak: 0x20) }
    func typeF(_ speed: RFFrame.Speed) -> [UInt8]? { nil }

    func heard(_ frame: RFFrame, from: Chip, isActiveMode: Bool, answer: @escaping (RFFrame) -> Void) {
        if !isActiveMode { card.heard(frame.bytes, answer) }
    }

    func fieldLost() { card = makeCard() }
}
