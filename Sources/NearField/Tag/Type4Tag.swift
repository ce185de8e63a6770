/// The names and numbers of a Type 4 tag (NFC Forum, Type 4 Tag 2.0 and 3.0).
enum Type4 {
    static let application: [UInt8] = [0xD2, 0x76, 0x00, 0x00, 0x85, 0x01, 0x01]
    static let capabilityFile: [UInt8] = [0xE1, 0x03]
    static let messageFile: [UInt8] = [0xE1, 0x04]
}

/// Reads the NDEF message of a Type 4 tag: a phone or secure element that emulates a card.
///
/// ```
///  SELECT D2760000850101 -> 9000, SELECT E103, READ BINARY: the capability container
///     length 2, version 1, MLe 2, MLc 2, 04 06 file 2 size 2 read 1 write 1
///  SELECT file, READ BINARY: NLEN 2, then the message
/// ```
public enum Type4Tag {
    static let mostExchanges = 80
    /// What one READ BINARY asks for at most: with its header it must fit a frame of the reader chip.
    static let mostBytes = 240

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
        try card.command(
            [0x00, 0xA4, 0x04, 0x00, UInt8(Type4.application.count)] + Type4.application + [0x00],
            doing: "SELECT of the NDEF application")
        try card.select(Type4.capabilityFile, doing: "SELECT of the capability container")
        let capability = try card.read(at: 0, count: 15)
        guard capability[0] == 0, capability[1] >= 15, [1, 2, 3].contains(capability[2] >> 4), capability[7] == 0x04,
            capability[8] == 0x06, capability[13] == 0
        else { throw .badCapability(capability) }
        let chunk = min(Int(capability[3]) << 8 | Int(capability[4]), mostBytes)
        let size = Int(capability[11]) << 8 | Int(capability[12])
        guard chunk >= 13, size >= 5 else { throw .badCapability(capability) }
        try card.select(Array(capability[9..<11]), doing: "SELECT of the NDEF file")
        let head = try card.read(at: 0, count: 2)
        let length = Int(head[0]) << 8 | Int(head[1])
        guard length > 0 else { throw .noNDEF }
        guard length <= NDEFMessage.maximumSize else { throw .tooLong(length) }
        guard length <= size - 2 else { throw .badCapability(capability) }
        var bytes: [UInt8] = []
        while bytes.count < length {
            bytes += try card.read(at: 2 + bytes.count, count: min(chunk, length - bytes.count))
        }
        return TagContent(capability: capability, bytes: bytes)
    }
}

private struct Type4Session {
    private let exchange: TagExchange
    private var exchanges = 0

    init(_ exchange: @escaping TagExchange) {
        self.exchange = exchange
    }

    @discardableResult
    mutating func command(_ bytes: [UInt8], doing: String) throws(TagError) -> [UInt8] {
        exchanges += 1
        guard exchanges <= Type4Tag.mostExchanges else { throw .tooManyExchanges }
        let answer = try exchange(bytes)
        guard answer.count >= 2 else { throw .shortAnswer(answer.count, doing: doing) }
        let status = (answer[answer.count - 2], answer[answer.count - 1])
        guard status == (0x90, 0x00) else { throw .status(status.0, status.1, doing: doing) }
        return Array(answer.dropLast(2))
    }

    mutating func select(_ file: [UInt8], doing: String) throws(TagError) {
        try command([0x00, 0xA4, 0x00, 0x0C, 0x02] + file, doing: doing)
    }

    mutating func read(at offset: Int, count: Int) throws(TagError) -> [UInt8] {
        let doing = "READ BINARY of \(count) bytes at \(offset)"
        guard offset <= 0x7FFF else { throw .tooLong(offset) }
        let answer = try command(
            [0x00, 0xB0, UInt8(offset >> 8), UInt8(offset & 0xFF), UInt8(count)], doing: doing)
        guard answer.count == count else { throw .shortAnswer(answer.count, doing: doing) }
        return answer
    }
}
