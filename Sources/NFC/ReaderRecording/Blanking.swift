import NFCProtocols
import ObservedValue
import Recording

/// Makes what went over a reader's line fit for a file: of what peers and tags have said it keeps only what is explained by
/// the protocols and by a test sheet's value. Everything else, and so each nonce and each part of one, is blanked; and so are
/// identifiers (UID, NFCID3, historical bytes).
///
/// It decides by contact: from the answer in which somebody was found to the next search, release or end of the field. What
/// a contact gave is put together as a reader would (pages, files, SNEP messages); only where all of it is one message of one
/// record with a test value its bytes are kept, and of those just the ones that are the message or its frame.
public enum Blanking {
    /// What may be written.
    public struct Result: Sendable {
        /// The line, in order.
        public var line: [RecordedExchange]
        /// When something began to be exchanged with somebody, in milliseconds, and whether that is kept: a test value was given,
        /// and nothing else.
        public var contacts: [(ms: Double, isKept: Bool)]

        /// Contacts in which nothing but a test value was given.
        public var kept: Int { contacts.count(where: \.isKept) }
        /// Contacts of which nothing is recorded but that they were.
        public var blanked: Int { contacts.count - kept }

        /// A tap as it may be recorded: its value only where what gave it is kept, for nothing else can be replayed.
        ///
        /// - Parameters:
        ///   - ms: when it was told.
        ///   - role: who spoke first, and how.
        ///   - test: of a test value, its edge.
        public func tap(ms: Double, role: String, test: Int?) -> RecordedTap {
            let isKept = contacts.last { $0.ms <= ms }?.isKept ?? false
            return RecordedTap(ms: ms, role: role, test: isKept ? test : nil)
        }
    }

    /// Blanks what must be.
    public static func of(_ events: [LineEvent]) -> Result {
        var frames = Frames(events)
        frames.group()
        var contacts: [(ms: Double, isKept: Bool)] = []
        for contact in frames.contacts {
            guard let first = contact.answers.first(where: { frames.bodies[$0.answer].count > 3 }) else { continue }
            let explained = contact.explained(frames.bodies)
            for (index, isKept) in explained ?? [] { frames.masks[index] = isKept }
            contacts.append((events[first.answer].ms, explained != nil))
        }
        return Result(line: frames.recorded(events), contacts: contacts)
    }
}

/// Commands of the PN532 (NXP UM0701-02, section 7) whose answers come from a peer.
private enum Command {
    static let dataExchange: UInt8 = 0x40
    static let communicateThru: UInt8 = 0x42
    static let listPassive: UInt8 = 0x4A
    static let getData: UInt8 = 0x86
    static let getFrame: UInt8 = 0x88
    static let initAsTarget: UInt8 = 0x8C
    static let setData: UInt8 = 0x8E
    static let respond: UInt8 = 0x90
    static let jumps: Set<UInt8> = [0x46, 0x50, 0x56]
    static let data: Set<UInt8> = [dataExchange, communicateThru, getData, getFrame, setData, respond]
    /// Whose answers are the chip's own words: status, versions, registers.
    static let own: Set<UInt8> = [
        0x00, 0x02, 0x04, 0x06, 0x08, 0x0C, 0x0E, 0x10, 0x12, 0x14, 0x16, 0x32, 0x44, 0x4E, 0x52, 0x54, 0x58, 0x8A,
        0x8E,
        0x90, 0x92, 0x94,
    ]
    /// What ends a contact.
    static let endings = jumps.union([0x16, 0x44, 0x52, listPassive, 0x60, initAsTarget])
}

/// The frames of a line, and which of their bytes are kept.
private struct Frames {
    /// TFI and data of each event; empty: it is no information frame.
    let bodies: [[UInt8]]
    /// Of each event, byte for byte.
    var masks: [[Bool]]
    private(set) var contacts: [Contact] = []

    init(_ events: [LineEvent]) {
        bodies = events.map { event in
            if case .frame(.information(let body)) = event.content { return body }
            return []
        }
        masks = bodies.map { [Bool](repeating: true, count: $0.count) }
    }

    /// Finds contacts, and blanks all answers of peers until somebody explains them.
    mutating func group() {
        var contact: Contact?
        var asked: Int?
        func end() { if let ended = contact { contacts.append(ended) } }
        for index in bodies.indices where bodies[index].count >= 2 {
            let body = bodies[index]
            if body[0] == 0xD4 {
                asked = index
                let isFieldOff = body.starts(with: [0xD4, 0x32, 0x01]) && body.count > 3 && body[3] & 1 == 0
                if Command.endings.contains(body[1]) || isFieldOff {
                    end()
                    contact = nil
                }
                continue
            }
            let command = asked.map { bodies[$0] } ?? []
            // What answers no command, or another than was asked, is nobody's.
            guard body[0] == 0xD5, command.count >= 2, body[1] == command[1] &+ 1 else {
                blank(index, from: 2)
                continue
            }
            switch command[1] {
            case Command.listPassive:
                masks[index] = Identity.listed(body)
                if body.count > 6, body[2] > 0 { contact = Contact(kind: .passive(sak: body[6])) }
            case let code where Command.jumps.contains(code):
                masks[index] = Identity.activated(body)
                if body.count > 3, body[2] & 0x3F == 0 { contact = Contact(kind: .link) }
            case Command.initAsTarget:
                masks[index] = Identity.initiated(body)
                contact = Contact(kind: .link)
            case let code where Command.data.contains(code):
                if !Command.own.contains(code) {
                    // The status alone.
                    blank(index, from: 3)
                    if let asked { contact?.answers.append((asked, index)) }
                }
            case let code where Command.own.contains(code): break
            default: blank(index, from: 2)
            }
        }
        end()
    }

    private mutating func blank(_ index: Int, from first: Int) {
        for place in masks[index].indices where place >= first { masks[index][place] = false }
    }

    func recorded(_ events: [LineEvent]) -> [RecordedExchange] {
        events.indices.map { index in
            let content: RecordedExchange.Content =
                switch events[index].content {
                case .noise(let count): .noise(count)
                case .frame(.ack): .acknowledgement
                case .frame(.nack): .refusal
                case .frame(.information(let body)):
                    .frame(zip(body, masks[index]).map { byte, isKept in isKept ? byte : nil })
                }
            return RecordedExchange(ms: events[index].ms, isFromHost: events[index].isFromHost, content: content)
        }
    }
}

/// Answers that tell one tag or peer from another.
private enum Identity {
    /// InListPassiveTarget: D5 4B NbTg Tg SENS_RES(2) SEL_RES NFCIDLength NFCID1… [ATS]; of another modulation nothing is kept.
    static func listed(_ body: [UInt8]) -> [Bool] {
        var mask = [Bool](repeating: false, count: body.count)
        for place in mask.indices.prefix(8) { mask[place] = true }
        guard body.count > 8, body[2] > 0 else { return mask }
        let ats = 8 + Int(body[7])
        // TL, T0, and as many interface bytes as T0 says; what is historical in it is a card's own.
        guard ats + 1 < body.count, body[ats] >= 2 else { return mask }
        let interface = [0x10, 0x20, 0x40].count { body[ats + 1] & $0 != 0 }
        for place in ats..<min(body.count, ats + 2 + interface) { mask[place] = true }
        return mask
    }

    /// InJumpForDEP: D5 57 Status Tg NFCID3(10) DID BS BR TO PP general bytes.
    static func activated(_ body: [UInt8]) -> [Bool] {
        var mask = [Bool](repeating: false, count: body.count)
        for place in mask.indices where place < 4 || (14..<19).contains(place) { mask[place] = true }
        if body.count > 19 { keepGeneral(body, from: 19, &mask) }
        return mask
    }

    /// TgInitAsTarget: D5 8D Mode, then ATR_REQ: [length] D4 00 NFCID3(10) DID BS BR PP general bytes.
    static func initiated(_ body: [UInt8]) -> [Bool] {
        var mask = [Bool](repeating: false, count: body.count)
        for place in mask.indices.prefix(3) { mask[place] = true }
        guard
            let start = (3...4).first(where: {
                $0 + 16 <= body.count && body[$0] == 0xD4 && body[$0 + 1] == 0x00
            })
        else { return mask }
        for place in 3..<start + 2 { mask[place] = true }
        for place in start + 12..<start + 16 { mask[place] = true }
        keepGeneral(body, from: start + 16, &mask)
        return mask
    }

    /// LLCP's parameters, when they are these and nothing else.
    private static func keepGeneral(_ body: [UInt8], from start: Int, _ mask: inout [Bool]) {
        let general = Array(body[min(start, body.count)...])
        let known: [UInt8: UInt8] = [0x01: 1, 0x02: 2, 0x03: 2, 0x04: 1, 0x07: 1]
        guard LinkParameters.isLLCP(general) else { return }
        var place = 3
        while place + 1 < general.count, known[general[place]] == general[place + 1] {
            place += 2 + Int(general[place + 1])
        }
        guard place == general.count else { return }
        for place in start..<body.count { mask[place] = true }
    }
}

/// What was exchanged with somebody who had been found.
private struct Contact {
    enum Kind {
        case passive(sak: UInt8)
        case link
    }

    let kind: Kind
    /// Where the commands are and their answers.
    var answers: [(command: Int, answer: Int)] = []

    init(kind: Kind) {
        self.kind = kind
    }

    /// What is kept of each answer; `nil`: nothing that came is known to be harmless.
    func explained(_ bodies: [[UInt8]]) -> [(Int, [Bool])]? {
        let exchanges = answers.map { Exchange(bodies[$0.command], bodies[$0.answer], at: $0.answer) }
        // More that comes in parts is put together by the chip's host: not here.
        guard exchanges.allSatisfy({ $0.status & 0x40 == 0 }) else { return nil }
        switch kind {
        case .link: return LinkExplanation.of(exchanges)
        case .passive(let sak) where sak & 0x20 != 0: return CardExplanation.of(exchanges)
        case .passive(let sak) where sak & 0x40 != 0: return LinkExplanation.of(exchanges)
        case .passive: return TagExplanation.of(exchanges)
        }
    }
}

/// A command to a peer and what came back.
struct Exchange {
    /// What the peer was sent; empty where it speaks first.
    let sent: [UInt8]
    let status: UInt8
    let data: [UInt8]
    /// Of the answer among all events, and of its data in the answer.
    let place: Int
    private let head: Int

    init(_ command: [UInt8], _ answer: [UInt8], at place: Int) {
        // InDataExchange names the target, InCommunicateThru does not.
        sent =
            switch command[1] {
            case Command.dataExchange: Array(command.dropFirst(3))
            case Command.communicateThru: Array(command.dropFirst(2))
            default: []
            }
        head = min(3, answer.count)
        status = answer.count > 2 ? answer[2] : 0xFF
        data = Array(answer.dropFirst(3))
        self.place = place
    }

    var isGood: Bool { status & 0x3F == 0 }

    /// A mask of the whole answer.
    func mask(_ isKept: (Int) -> Bool) -> (Int, [Bool]) {
        (place, [Bool](repeating: true, count: head) + data.indices.map(isKept))
    }

    var blanked: (Int, [Bool]) { mask { _ in false } }
}

enum TestMessage {
    /// Whether a message is one record with a test value and nothing else, written as it is always written.
    static func isTest(_ bytes: [UInt8]) -> Bool {
        guard let message = try? NDEFMessage(parsing: bytes), message.bytes == bytes, message.records.count == 1,
            let record = message.records.first, record.id.isEmpty,
            let value = PresentedValue.find(in: message), TestValue(value) != nil
        else { return false }
        if let (language, text) = try? record.text() {
            return (32...36).contains(text.utf8.count) && language.utf8.count <= 5
                && language.utf8.allSatisfy { (0x41...0x5A).contains($0 & 0xDF) || $0 == 0x2D }
        }
        return [16, 32, 36].contains(record.payload.count)
    }
}
