/// A Type 2 tag in the field.
final class Type2SimulatedTag: Listener {
    let name: String
    private var memory: SimulatedMemory
    private var rewriter: Rewriter?

    /// - Parameter rewriter: writes a step before each command that the tag hears.
    init(name: String, _ memory: SimulatedMemory, rewriter: Rewriter? = nil) {
        self.name = name
        self.memory = memory
        self.rewriter = rewriter
    }

    func typeA() -> TypeA? {
        rewriter?.endRest()
        return TypeA(atqa: [0x00, 0x44], uid: [0x04, 0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC], sak: 0x00)
    }
    func typeF(_ speed: RFFrame.Speed) -> [UInt8]? { nil }

    func heard(_ frame: RFFrame, from: Chip, isActiveMode: Bool, answer: @escaping (RFFrame) -> Void) {
        guard !isActiveMode else { return }
        rewriter?.step(&memory.bytes)
        if let bytes = memory.answer(frame.bytes) { answer(RFFrame(bytes: bytes)) }
    }

    func fieldLost() {}
}

/// A Type 4 tag in the field: answers as a phone that emulates a card does.
final class Type4SimulatedTag: Listener {
    let name: String
    private let respond: ([UInt8]) -> [UInt8]
    private let onSelected: () -> Void
    private let sak: UInt8
    private let slowness: EventLoop.Nanoseconds
    private let loop: EventLoop
    private lazy var card = makeCard()

    /// - Parameters:
    ///   - sak: 20, or 60 for one that says that it speaks NFC-DEP, too; it answers no ATR_REQ all the same.
    ///   - slowness: how long it takes for each response, in nanoseconds; it asks for more time meanwhile.
    ///   - onSelected: called when a reader looks for it.
    ///   - respond: APDU in, APDU out.
    init(
        name: String, loop: EventLoop, sak: UInt8 = 0x20, slowness: EventLoop.Nanoseconds = 0,
        onSelected: @escaping () -> Void = {}, respond: @escaping ([UInt8]) -> [UInt8]
    ) {
        self.name = name
        self.loop = loop
        self.sak = sak
        self.slowness = slowness
        self.onSelected = onSelected
        self.respond = respond
    }

    private func makeCard() -> ISODEPCard {
        var card: ISODEPCard?
        let made = ISODEPCard(loop) { [respond, loop, slowness] command in
            let response = respond(command)
            if slowness == 0 { return card?.answer(response) ?? () }
            let asked = card
            loop.after(slowness) { asked?.answer(response) }
        }
        card = made
        return made
    }

    func typeA() -> TypeA? {
        onSelected()
        return TypeA(atqa: [0x00, 0x04], uid: [0x08, 0xAB, 0xCD, 0xEF], sak: sak)
    }
    func typeF(_ speed: RFFrame.Speed) -> [UInt8]? { nil }

    func heard(_ frame: RFFrame, from: Chip, isActiveMode: Bool, answer: @escaping (RFFrame) -> Void) {
        if !isActiveMode { card.heard(frame.bytes, answer) }
    }

    func fieldLost() { card = makeCard() }
}
