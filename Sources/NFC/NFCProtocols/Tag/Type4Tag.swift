/// The names and numbers of a Type 4 tag (NFC Forum, Type 4 Tag 1.0, 2.0 and 3.0).
enum Type4 {
    static let application: [UInt8] = [0xD2, 0x76, 0x00, 0x00, 0x85, 0x01, 0x01]
    /// The application of mapping version 1.0.
    static let firstApplication: [UInt8] = [0xD2, 0x76, 0x00, 0x00, 0x85, 0x01, 0x00]
    static let capabilityFile: [UInt8] = [0xE1, 0x03]
    static let messageFile: [UInt8] = [0xE1, 0x04]
}

/// Reads the NDEF message of a Type 4 tag: a phone or secure element that emulates a card.
///
/// ```
///  SELECT D2760000850101 (mapping 1.0: …00) -> 9000, SELECT E103, READ BINARY: the capability container
///     length 2, version 1, MLe 2, MLc 2, then TLVs:
///     04 06 file 2 size 2 read 1 write 1     NDEF file;          05 06 … proprietary files
///     06 08 file 2 size 4 read 1 write 1     extended NDEF file (3.0)
///  SELECT file, READ BINARY: NLEN 2 (extended: 4), then the message
/// ```
public enum Type4Tag {
    static let maximumExchanges = 80
    /// What one READ BINARY asks for at most: with its header it must fit a frame of the reader chip.
    static let maximumBytes = 240
    /// The least that every card's answer holds (2.0, table 3): what is asked for when more was too much.
    static let minimumBytes = 15
    /// How much of the capability container is looked at, in bytes.
    static let maximumCapability = 256

    /// Reads it once; a tag that may be rewritten meanwhile needs ``SteadyTag``.
    ///
    /// - Throws: ``TagError``.
    public static func read(_ exchange: TagExchange) throws(TagError) -> NDEFMessage {
        try content(exchange).message()
    }

    static func content(_ exchange: TagExchange) throws(TagError) -> TagContent {
        try withoutActuallyEscaping(exchange) { (exchange) throws(TagError) in try content(escaping: exchange) }
    }

    private static func content(escaping exchange: @escaping TagExchange) throws(TagError) -> TagContent {
        var card = Type4Session(exchange)
        try card.selectApplication()
        try card.select(Type4.capabilityFile, doing: "SELECT of the capability container")
        let capability = try capability(&card)
        try card.select(capability.file, doing: "SELECT of the NDEF file")
        let head = try card.bytes(at: 0, count: capability.lengthSize)
        let length = head.reduce(0) { $0 << 8 | Int($1) }
        guard length > 0 else { throw .noNDEF }
        guard length <= capability.size - head.count else { throw .badLength(length, room: capability.size) }
        guard length <= NDEFMessage.maximumSize else { throw .tooLong(length) }
        return TagContent(
            capability: capability.bytes, bytes: try card.bytes(at: head.count, count: length))
    }

    private static func capability(_ card: inout Type4Session) throws(TagError) -> Type4Capability {
        var bytes = try card.bytes(at: 0, count: minimumBytes)
        while true {
            if let capability = try Type4Capability(bytes) {
                card.maximumAnswer = min(capability.maximumAnswer, maximumBytes)
                return capability
            }
            // The NDEF file is further behind, or its entry is longer.
            let length = min(Int(bytes[0]) << 8 | Int(bytes[1]), maximumCapability)
            let wanted = min(length - bytes.count, minimumBytes)
            guard wanted > 0 else { throw .badCapability(bytes) }
            let more = try card.read(at: bytes.count, count: wanted)
            // Some say more than they have.
            guard !more.isEmpty else { throw .badCapability(bytes) }
            bytes += more
        }
    }
}

/// What a Type 4 tag's capability container says of the file that holds the message.
private struct Type4Capability {
    let bytes: [UInt8]
    /// MLe: how many bytes an answer holds.
    let maximumAnswer: Int
    let file: [UInt8]
    /// In bytes, the length at its beginning included.
    let size: Int
    /// How many bytes the length takes: NLEN two, ENLEN four.
    let lengthSize: Int

    /// Reads it from the container's beginning; `nil` when the entry is not in there.
    ///
    /// - Throws: ``TagError``.
    init?(_ bytes: [UInt8]) throws(TagError) {
        guard bytes.count >= 7, bytes[0] != 0 || bytes[1] >= 15, [1, 2, 3].contains(bytes[2] >> 4) else {
            throw .badCapability(bytes)
        }
        let maximumAnswer = Int(bytes[3]) << 8 | Int(bytes[4])
        guard maximumAnswer > 0 else { throw .badCapability(bytes) }
        var rest = bytes.dropFirst(7)
        // Proprietary files, or whatever a later version puts there, come before or after.
        while let type = rest.first, rest.count >= 2 {
            let length = Int(rest[rest.startIndex + 1])
            guard length != 0xFF else { throw .badCapability(bytes) }
            guard rest.count >= 2 + length else { return nil }
            let value = Array(rest.dropFirst(2).prefix(length))
            rest = rest.dropFirst(2 + length)
            guard (type == 0x04 && length == 6) || (type == 0x06 && length == 8) else {
                guard type != 0x04, type != 0x06 else { throw .badCapability(bytes) }
                continue
            }
            guard value[length - 2] == 0 else { throw .protected }
            let size = value[2..<length - 2].reduce(0) { $0 << 8 | Int($1) }
            lengthSize = type == 0x04 ? 2 : 4
            guard size > lengthSize else { throw .badCapability(bytes) }
            self.bytes = bytes
            self.maximumAnswer = maximumAnswer
            file = Array(value.prefix(2))
            self.size = size
            return
        }
        return nil
    }
}

/// Command APDUs (ISO/IEC 7816-4) and what cards answer to them, standard and otherwise.
private struct Type4Session {
    private let exchange: TagExchange
    private var exchanges = 0
    /// How many bytes are asked for at once.
    var maximumAnswer = Type4Tag.minimumBytes
    /// Files are selected with P2 = 0C: no answer is wanted; in mapping version 1.0 with 00.
    private var selectP2: UInt8 = 0x0C
    /// Whether READ BINARY must name its offset in an object (3.0), since the card refuses the short form.
    private var usesObjects = false

    init(_ exchange: @escaping TagExchange) {
        self.exchange = exchange
    }

    private struct Answer {
        var data: [UInt8]
        var status: (UInt8, UInt8)
        var isGood: Bool { status == (0x90, 0x00) }
    }

    private mutating func transmit(_ bytes: [UInt8], doing: String) throws(TagError) -> Answer {
        exchanges += 1
        guard exchanges <= Type4Tag.maximumExchanges else { throw .tooManyExchanges }
        let answer = try exchange(bytes)
        guard answer.count >= 2 else { throw .shortAnswer(answer.count, doing: doing) }
        return Answer(data: answer.dropLast(2), status: (answer[answer.count - 2], answer[answer.count - 1]))
    }

    /// Sends a command whose last byte is Le, and does what the card's status asks for: the same with another Le (6Cxx),
    /// the rest of the answer (61xx).
    private mutating func command(_ bytes: [UInt8], doing: String) throws(TagError) -> Answer {
        var answer = try transmit(bytes, doing: doing)
        if answer.status.0 == 0x6C, let last = bytes.indices.last {
            var corrected = bytes
            corrected[last] = answer.status.1
            answer = try transmit(corrected, doing: doing)
        }
        while answer.status.0 == 0x61 {
            let more = try transmit([0x00, 0xC0, 0x00, 0x00, answer.status.1], doing: doing)
            answer = Answer(data: answer.data + more.data, status: more.status)
        }
        return answer
    }

    mutating func selectApplication() throws(TagError) {
        let doing = "SELECT of the NDEF application"
        let answer = try command(Self.select(Type4.application), doing: doing)
        if answer.isGood { return }
        guard try command(Self.select(Type4.firstApplication), doing: doing).isGood else {
            throw .status(answer.status.0, answer.status.1, doing: doing)
        }
        selectP2 = 0x00
    }

    private static func select(_ application: [UInt8]) -> [UInt8] {
        [0x00, 0xA4, 0x04, 0x00, UInt8(application.count)] + application + [0x00]
    }

    mutating func select(_ file: [UInt8], doing: String) throws(TagError) {
        let answer = try transmit([0x00, 0xA4, 0x00, selectP2, 0x02] + file, doing: doing)
        // What is selected may be described in the answer: 61xx says so, and nobody need ask.
        if answer.isGood || answer.status.0 == 0x61 { return }
        // Cards of either version know the other's form only, some of them.
        selectP2 ^= 0x0C
        let other = try transmit([0x00, 0xA4, 0x00, selectP2, 0x02] + file, doing: doing)
        if other.isGood || other.status.0 == 0x61 { return }
        selectP2 ^= 0x0C
        throw .status(answer.status.0, answer.status.1, doing: doing)
    }

    /// So many bytes of the selected file, in as many answers as the card needs for them.
    mutating func bytes(at offset: Int, count: Int) throws(TagError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            let more = try read(at: offset + bytes.count, count: count - bytes.count)
            guard !more.isEmpty else {
                throw .shortAnswer(0, doing: "READ BINARY at \(offset + bytes.count)")
            }
            bytes += more
        }
        return bytes
    }

    /// What the card gives of so many bytes: all, or fewer when its answer holds no more or the file ends.
    mutating func read(at offset: Int, count: Int) throws(TagError) -> [UInt8] {
        let wanted = min(count, maximumAnswer)
        let doing = "READ BINARY of \(wanted) bytes at \(offset)"
        guard offset <= 0x7FFF else { throw .tooLong(offset) }
        if usesObjects { return try readObject(at: offset, count: wanted, doing: doing) }
        let answer = try command(
            [0x00, 0xB0, UInt8(offset >> 8), UInt8(offset & 0xFF), UInt8(wanted)], doing: doing)
        switch answer.status {
        // 6282: the file ends before that.
        case (0x90, 0x00), (0x62, 0x82): return Array(answer.data.prefix(wanted))
        case (0x67, 0x00) where wanted > Type4Tag.minimumBytes:
            maximumAnswer = Type4Tag.minimumBytes
            return try read(at: offset, count: count)
        // The instruction or its parameters are not known: the other form, which extended files have.
        case (0x6D, 0x00), (0x6A, 0x86), (0x69, 0x81),
            (0x6B, 0x00) where offset == 0:
            usesObjects = true
            do throws(TagError) {
                return try readObject(at: offset, count: wanted, doing: doing)
            } catch {
                usesObjects = false
                if case .link = error { throw error }
                throw .status(answer.status.0, answer.status.1, doing: doing)
            }
        case let status: throw .status(status.0, status.1, doing: doing)
        }
    }

    /// READ BINARY with the offset in an object: `54 03 offset`, answered by `53 length data` (3.0, section 5.4.4).
    private mutating func readObject(at offset: Int, count: Int, doing: String) throws(TagError) -> [UInt8] {
        let head = 2
        let wanted = min(count, Type4Tag.maximumBytes - 3, 127)
        let answer = try command(
            [0x00, 0xB1, 0x00, 0x00, 0x05, 0x54, 0x03, 0x00, UInt8(offset >> 8), UInt8(offset & 0xFF)]
                + [UInt8(wanted + head)], doing: doing)
        guard answer.isGood || answer.status == (0x62, 0x82) else {
            throw .status(answer.status.0, answer.status.1, doing: doing)
        }
        guard answer.data.count >= head, answer.data[0] == 0x53, Int(answer.data[1]) == answer.data.count - head else {
            throw .shortAnswer(answer.data.count, doing: doing)
        }
        return Array(answer.data.dropFirst(head).prefix(wanted))
    }
}
