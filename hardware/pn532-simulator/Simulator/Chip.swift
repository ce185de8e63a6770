/// A simulated PN532: executes the commands of NXP's user manual UM0701-02 that libnfc and nfcpy use, in one field with
/// others.
///
/// Its bus (``ChipBus``) gives it frames and takes its answers. What the manual leaves open is a setting
/// (``extendsTimeouts``, ``reportsFieldLoss``), so that both can be tested.
final class Chip: Listener {
    let name: String
    let loop: EventLoop
    let field: Field
    weak var bus: (any ChipBus)?

    /// Whether it asks for more time by itself while its host thinks.
    var extendsTimeouts = true
    /// Whether a waiting target command ends with status 29h when the field goes.
    var reportsFieldLoss = true
    /// What it answers when it is asked for its firmware; empty: that it does not understand.
    var firmware: [UInt8] = [0x32, 0x01, 0x06, 0x07]
    /// Between a command's arrival and its execution, in nanoseconds.
    static let thinking: EventLoop.Nanoseconds = 500_000

    private var registers: [UInt16: UInt8] = Chip.initialRegisters
    private var parameters: UInt8 = 0x14
    private var isFieldOn = false
    /// RFConfiguration, item 2: how long a target may take that does not say so itself.
    private var answerTime: EventLoop.Nanoseconds = 51_200_000
    /// RFConfiguration, item 5: whether InListPassiveTarget looks until something comes.
    private var looksForEver = true
    /// The same for ATR_REQ.
    private var asksForEver = false
    /// Counts commands; an answer to a command that another has replaced is dropped.
    private var serial = 0
    private var commandsSeen = 0

    enum Role {
        case idle
        case initiator(DEPInitiator)
        case reader(ISODEPReader)
        case rawReader
        /// TgInitAsTarget waits to be activated.
        case listening(Listening)
        case target(DEPTarget)
        case card(ISODEPCard)
        /// Answers nothing by itself: the host gets every frame.
        case rawTarget(RFFrame.Speed, isActiveMode: Bool)
    }
    private(set) var role = Role.idle

    struct Listening {
        var isPassiveOnly, isDEPOnly, isCardOnly: Bool
        var typeA: TypeA
        var typeF: [UInt8]
        var nfcid3: [UInt8]
        var generalBytes: [UInt8]
        var complete: ([UInt8]) -> Void
    }

    /// A host command that waits for the field.
    private var getData: ((UInt8, [UInt8]) -> Void)?
    private var rawFrames: [(bytes: [UInt8], answer: (RFFrame) -> Void)] = []
    private var rawAnswer: ((RFFrame) -> Void)?
    private var cardCommands: [[UInt8]] = []

    init(name: String, field: Field) {
        self.name = name
        self.field = field
        loop = field.loop
        field.add(self)
    }

    private static let initialRegisters: [UInt16: UInt8] = [
        0x6301: 0x3B, 0x6302: 0x80, 0x6303: 0x80, 0x6304: 0x80, 0x6305: 0x00, 0x6339: 0x26,
    ]

    /// After a loss of power: nothing is remembered.
    func reset() {
        registers = Self.initialRegisters
        parameters = 0x14
        answerTime = 51_200_000
        looksForEver = true
        asksForEver = false
        serial += 1
        leave()
    }

    // MARK: Commands

    /// Executes a command (TFI taken off); what was being done is given up.
    func execute(_ command: [UInt8]) {
        serial += 1
        commandsSeen += 1
        let mine = serial
        getData = nil
        func answer(_ data: [UInt8]) {
            guard mine == serial, let code = command.first else { return }
            bus?.send([0xD5, code &+ 1] + data)
        }
        loop.after(field.isFirmwareTimed ? Self.thinking : 0) { [self] in
            guard mine == serial else { return }
            if case .listening = role, command.first != 0x8C { role = .idle }
            run(command, answer)
        }
    }

    /// The host gives up the command that is being executed.
    func abort() {
        serial += 1
        getData = nil
        if case .listening = role { role = .idle }
    }

    private func run(_ command: [UInt8], _ answer: @escaping ([UInt8]) -> Void) {
        let data = Array(command.dropFirst())
        switch command.first {
        case 0x00: answer(data.first == 0x00 ? data : [0x00])
        case 0x02: firmware.isEmpty ? bus?.sendError() : answer(firmware)
        case 0x04: answer([0x00, isFieldOn ? 0x01 : 0x00, 0x00, 0x80])
        case 0x06:
            answer(
                stride(from: 0, to: data.count - 1, by: 2).map {
                    registers[UInt16(data[$0]) << 8 | UInt16(data[$0 + 1])] ?? 0
                })
        case 0x08:
            for index in stride(from: 0, to: data.count - 2, by: 3) {
                registers[UInt16(data[index]) << 8 | UInt16(data[index + 1])] = data[index + 2]
            }
            answer([])
        case 0x10:
            answer([])
            bus?.setSpeed(
                [9600, 19200, 38400, 57600, 115_200, 230_400, 460_800, 921_600, 1_288_000][Int(data.first ?? 4) % 9])
        case 0x12:
            parameters = data.first ?? 0
            answer([])
        case 0x14: answer([])
        case 0x16:
            answer([0x00])
            leave()
            bus?.sleep()
        case 0x32:
            if data.first == 0x01, data.count > 1 { setField(data[1] & 1 != 0) }
            if data.first == 0x02, data.count > 3 {
                // 100 µs * 2^(n-1); 0 means for ever.
                answerTime = data[3] == 0 ? 60_000_000_000 : 100_000 << EventLoop.Nanoseconds(min(data[3], 16) - 1)
            }
            if data.first == 0x05, data.count > 3 {
                asksForEver = data[1] == 0xFF
                looksForEver = data[3] == 0xFF
            }
            answer([])
        default: runRadio(command, data, answer)
        }
    }

    private func runRadio(_ command: [UInt8], _ data: [UInt8], _ answer: @escaping ([UInt8]) -> Void) {
        switch command.first {
        case 0x4A: listPassive(data, answer)
        case 0x56, 0x46: jumpForDEP(data, answer)
        case 0x40: dataExchange(data, answer)
        case 0x42: communicateThru(data, answer)
        case 0x44, 0x52, 0x54: release(command.first == 0x52) { answer([0x00]) }
        case 0x8C: initAsTarget(data, answer)
        case 0x86: waitForData(answer)
        case 0x8E: setData(data, answer)
        case 0x88: waitForFrame(answer)
        case 0x90: respond(data, answer)
        case 0x8A: answer([isTarget ? 0x01 : 0x00, 0x00])
        default: bus?.sendError()
        }
    }

    private var isTarget: Bool {
        switch role {
        case .target, .card, .rawTarget: true
        default: false
        }
    }

    private func leave() {
        getData = nil
        rawFrames = []
        rawAnswer = nil
        cardCommands = []
        role = .idle
        setField(false)
    }

    private func setField(_ isOn: Bool) {
        let wasOn = isFieldOn
        isFieldOn = isOn
        if wasOn && !isOn { for listener in field.reachable(from: self) { listener.fieldLost() } }
    }

    // MARK: As initiator

    private func after(_ delay: EventLoop.Nanoseconds, _ body: @escaping () -> Void) {
        let mine = serial
        loop.after(field.isAirTimed ? delay : 20_000) { [self] in if mine == serial { body() } }
    }

    /// InListPassiveTarget: polling, anticollision and selection are one step here; their time is 3 ms.
    private func listPassive(_ data: [UInt8], _ answer: @escaping ([UInt8]) -> Void) {
        setField(true)
        role = .idle
        guard data.count >= 2 else { return answer([0x00]) }
        func nothing() {
            guard looksForEver else { return answer([0x00]) }
            after(2_000_000) { [self] in listPassive(data, answer) }
        }
        after(3_000_000) { [self] in
            switch data[1] {
            case 0x00:
                guard
                    let (target, a) = field.reachable(from: self).lazy.compactMap({ l in l.typeA().map { (l, $0) } })
                        .first
                else { return nothing() }
                selected(target, a, answer)
            case 0x01, 0x02:
                let speed: RFFrame.Speed = data[1] == 1 ? .k212 : .k424
                guard let f = field.reachable(from: self).lazy.compactMap({ $0.typeF(speed) }).first else {
                    return nothing()
                }
                role = .rawReader
                answer([0x01, 0x01, UInt8(f.count + 2), 0x01] + f)
            default: answer([0x00])
            }
        }
    }

    private func selected(_ target: any Listener, _ a: TypeA, _ answer: @escaping ([UInt8]) -> Void) {
        let head = [0x01, 0x01] + a.atqa + [a.sak, UInt8(a.uid.count)] + a.uid
        role = .rawReader
        guard a.sak & 0x20 != 0, parameters & 0x10 != 0 else { return answer(head) }
        // Answer to select is asked for by itself.
        field.transceive(RFFrame(bytes: [0xE0, 0x80]), from: self, isActiveMode: false, timeout: 20_000_000) {
            [self] reply in
            guard case .frame(let ats) = reply else { return answer([0x00]) }
            role = .reader(ISODEPReader(self, ats: ats.bytes))
            answer(head + ats.bytes)
        }
    }

    private func jumpForDEP(_ data: [UInt8], _ answer: @escaping ([UInt8]) -> Void) {
        setField(true)
        role = .idle
        guard data.count >= 3, let speed = RFFrame.Speed(rawValue: Int(data[1])) else { return answer([0x27]) }
        let isActiveMode = data[0] == 1
        var rest = data[3...]
        var nfcid3: [UInt8] = (0..<10).map { _ in UInt8.random(in: 0...255) }
        if data[2] & 1 != 0 { rest = rest.dropFirst(speed == .k106 ? 4 : 5) }
        if data[2] & 2 != 0 {
            nfcid3 = Array(rest.prefix(10))
            rest = rest.dropFirst(10)
        }
        let general = data[2] & 4 != 0 ? Array(rest) : []
        after(3_000_000) { [self] in
            let reachable = field.reachable(from: self)
            let isThere =
                isActiveMode
                ? !reachable.isEmpty
                : speed == .k106
                    ? reachable.contains { $0.typeA().map { $0.sak & 0x40 != 0 } == true }
                    : reachable.contains { $0.typeF(speed) != nil }
            guard isThere else {
                guard asksForEver else { return answer([0x01]) }
                return after(2_000_000) { [self] in jumpForDEP(data, answer) }
            }
            attributes(nfcid3, general, speed, isActiveMode, answer)
        }
    }

    private func attributes(
        _ nfcid3: [UInt8], _ general: [UInt8], _ speed: RFFrame.Speed, _ isActiveMode: Bool,
        _ answer: @escaping ([UInt8]) -> Void
    ) {
        let request = [0xD4, 0x00] + nfcid3 + [0x00, 0x00, 0x00, general.isEmpty ? 0x30 : 0x32] + general
        field.transceive(
            DEPInitiator.frame(request, speed), from: self, isActiveMode: isActiveMode, timeout: 103_000_000
        ) { [self] reply in
            guard case .frame(let frame) = reply, let body = DEPInitiator.body(frame), body.count >= 17,
                body[0] == 0xD5, body[1] == 0x01
            else { return answer([isActiveMode ? 0x0A : 0x01]) }
            role = .initiator(
                DEPInitiator(self, speed: speed, isActiveMode: isActiveMode, waitingTime: body[15]))
            answer([0x00, 0x01] + body[2...])
        }
    }

    private func dataExchange(_ data: [UInt8], _ answer: @escaping ([UInt8]) -> Void) {
        let mine = serial
        func done(_ status: UInt8, _ data: [UInt8]) {
            if mine == serial { answer([status] + data.prefix(262)) }
        }
        switch role {
        case .initiator(let dep): dep.exchange(Array(data.dropFirst())) { done($0, $1) }
        case .reader(let reader): reader.exchange(Array(data.dropFirst())) { done($0, $1) }
        case .rawReader: exchangeRaw(Array(data.dropFirst()), done)
        default: answer([0x27])
        }
    }

    private var transmitSpeed: RFFrame.Speed {
        RFFrame.Speed(rawValue: Int((registers[0x6302] ?? 0) >> 4 & 7)) ?? .k106
    }

    private func exchangeRaw(_ bytes: [UInt8], _ done: @escaping (UInt8, [UInt8]) -> Void) {
        field.transceive(
            RFFrame(bytes: bytes, speed: transmitSpeed), from: self, isActiveMode: (registers[0x6302] ?? 0) & 3 == 1,
            timeout: answerTime
        ) { reply in
            switch reply {
            case .frame(let frame): done(0x00, frame.bytes)
            case .corrupt: done(0x02, [])
            case .timeout: done(0x01, [])
            }
        }
    }

    private func communicateThru(_ data: [UInt8], _ answer: @escaping ([UInt8]) -> Void) {
        let mine = serial
        let isTypeA = (registers[0x6303] ?? 0x80) & 0x80 == 0
        exchangeRaw(data) { [self] status, bytes in
            guard mine == serial else { return }
            // With its check of checksums off, the chip passes them on.
            answer([status] + bytes + (isTypeA && status == 0 && bytes.count > 1 ? Self.checksumA(bytes) : []))
        }
    }

    /// CRC_A (ISO/IEC 14443-3, annex B).
    private static func checksumA(_ bytes: [UInt8]) -> [UInt8] {
        var crc: UInt16 = 0x6363
        for byte in bytes {
            var part = byte ^ UInt8(crc & 0xFF)
            part ^= part << 4
            crc = crc >> 8 ^ UInt16(part) << 8 ^ UInt16(part) << 3 ^ UInt16(part) >> 4
        }
        return [UInt8(crc & 0xFF), UInt8(crc >> 8)]
    }

    private func release(_ isForGood: Bool, _ done: @escaping () -> Void) {
        let mine = serial
        guard case .initiator(let dep) = role else {
            role = .idle
            return done()
        }
        role = .idle
        dep.release(isForGood) { [self] in if mine == serial { done() } }
    }

    // MARK: As target

    private func initAsTarget(_ data: [UInt8], _ answer: @escaping ([UInt8]) -> Void) {
        guard data.count >= 36 else { return answer([0x10]) }
        leave()
        let count = data.count > 36 ? Int(data[35]) : 0
        let general = data.count >= 36 + count ? Array(data[36..<36 + count]) : []
        role = .listening(
            Listening(
                isPassiveOnly: data[0] & 1 != 0, isDEPOnly: data[0] & 2 != 0, isCardOnly: data[0] & 4 != 0,
                typeA: TypeA(atqa: [data[2], data[1]], uid: [0x08] + data[3..<6], sak: data[6]),
                typeF: Array(data[7..<25]), nfcid3: Array(data[25..<35]), generalBytes: general, complete: answer))
    }

    func typeA() -> TypeA? {
        switch role {
        case .listening(let listening): listening.typeA
        default: nil
        }
    }

    func typeF(_ speed: RFFrame.Speed) -> [UInt8]? {
        guard case .listening(let listening) = role, !listening.isCardOnly else { return nil }
        return Array(listening.typeF.prefix(16))
    }

    func heard(_ frame: RFFrame, from: Chip, isActiveMode: Bool, answer: @escaping (RFFrame) -> Void) {
        switch role {
        case .listening(let listening): activated(listening, frame, isActiveMode, answer)
        case .target(let target): if let body = DEPInitiator.body(frame) { target.heard(body, answer) }
        case .card(let card): card.heard(frame.bytes, answer)
        case .rawTarget(let speed, let isActive):
            role = .rawTarget(frame.speed == speed ? speed : frame.speed, isActiveMode: isActive)
            rawFrames.append((frame.bytes, answer))
            deliverRaw()
        default: break
        }
    }

    private func activated(
        _ listening: Listening, _ frame: RFFrame, _ isActiveMode: Bool, _ answer: @escaping (RFFrame) -> Void
    ) {
        if isActiveMode && listening.isPassiveOnly { return }
        if listening.isCardOnly {
            guard frame.bytes.first == 0xE0 else { return }
            let card = ISODEPCard(loop) { [weak self] command in
                self?.cardCommands.append(command)
                self?.packetArrived()
            }
            role = .card(card)
            card.heard(frame.bytes, answer)
            return listening.complete([0x08] + frame.bytes)
        }
        guard let body = DEPInitiator.body(frame), body.count >= 16, body[0] == 0xD4, body[1] == 0x00 else { return }
        let mode = UInt8(frame.speed.rawValue) << 4 | 0x04 | (isActiveMode ? 1 : frame.speed == .k106 ? 0 : 2)
        let whole = [UInt8(body.count + 1)] + body
        if parameters & 0x04 != 0 {
            let target = DEPTarget(self, speed: frame.speed)
            role = .target(target)
            let general = listening.generalBytes
            answer(
                DEPInitiator.frame(
                    [0xD5, 0x01] + listening.nfcid3 + [body[12], 0x00, 0x00, DEPTarget.waitingTime]
                        + [general.isEmpty ? 0x30 : 0x32] + general, frame.speed))
        } else {
            role = .rawTarget(frame.speed, isActiveMode: isActiveMode)
            rawAnswer = answer
        }
        listening.complete([mode] + whole)
    }

    func fieldLost() {
        guard isTarget else { return }
        guard reportsFieldLoss else { return }
        let waiting = getData
        getData = nil
        role = .idle
        waiting?(0x29, [])
    }

    func targetReleased() {
        let waiting = getData
        getData = nil
        waiting?(0x29, [])
    }

    func packetArrived() {
        guard let waiting = getData else { return }
        switch role {
        case .target(let target):
            guard let data = target.take() else { return }
            getData = nil
            waiting(0x00, data)
        case .card(let card):
            if card.isDeselected {
                getData = nil
                return waiting(0x29, [])
            }
            guard !cardCommands.isEmpty else { return }
            getData = nil
            waiting(0x00, cardCommands.removeFirst())
        default: break
        }
    }

    private func waitForData(_ answer: @escaping ([UInt8]) -> Void) {
        let mine = serial
        switch role {
        case .target(let target) where target.isReleased: return answer([0x29])
        case .target, .card: break
        default: return answer([0x29])
        }
        getData = { [self] status, data in if mine == serial { answer([status] + data.prefix(262)) } }
        packetArrived()
    }

    private func setData(_ data: [UInt8], _ answer: ([UInt8]) -> Void) {
        switch role {
        case .target(let target): answer([target.isReleased ? 0x29 : target.set(data) ? 0x00 : 0x25])
        case .card(let card):
            card.answer(data)
            answer([0x00])
        default: answer([0x29])
        }
    }

    private var detectsSync: Bool { (registers[0x6301] ?? 0) & 0x40 != 0 }

    private func waitForFrame(_ answer: @escaping ([UInt8]) -> Void) {
        let mine = serial
        guard case .rawTarget = role else { return answer([0x29]) }
        getData = { [self] status, data in if mine == serial { answer([status] + data) } }
        deliverRaw()
    }

    private func deliverRaw() {
        guard let waiting = getData, !rawFrames.isEmpty else { return }
        let (bytes, answer) = rawFrames.removeFirst()
        rawAnswer = answer
        getData = nil
        guard case .rawTarget(let speed, _) = role else { return }
        waiting(0x00, detectsSync && speed == .k106 ? Array(bytes.dropFirst()) : bytes)
    }

    private func respond(_ data: [UInt8], _ answer: ([UInt8]) -> Void) {
        guard case .rawTarget(let speed, _) = role else { return answer([0x29]) }
        let isSynced = detectsSync && speed == .k106
        // What was asked last is answered; the speed that PSL has set holds from then on.
        let sending = rawAnswer
        rawAnswer = nil
        sending?(RFFrame(bytes: isSynced ? [0xF0] + data : data, speed: speed))
        answer([0x00])
    }
}
