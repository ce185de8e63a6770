/// Reads the NDEF message of a Type 2 tag (NFC Forum, Type 2 Tag 1.2), such as NTAG or a dynamic NTAG I2C.
///
/// ```
///  page 3       capability container: E1, version, size / 8, access
///  page 4 on    TLVs: 00 null, 01 lock control, 02 memory control, 03 NDEF message, FD proprietary, FE end
/// ```
public enum Type2Tag {
    /// Memory beyond the first sector is not looked at, in bytes.
    static let maximumMemory = 1008
    static let mostReads = 80

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
        var memory = Type2Memory(exchange)
        let capability = try memory.bytes(at: 12, count: 4)
        guard capability[0] == 0xE1 else { throw .noNDEF }
        guard capability[1] >> 4 == 1, capability[3] >> 4 == 0 else { throw .badCapability(capability) }
        let end = min(16 + Int(capability[2]) * 8, 16 + maximumMemory)
        var offset = 16
        while offset < end {
            let type = try memory.bytes(at: offset, count: 1)[0]
            if type == 0x00 {
                offset += 1
                continue
            }
            if type == 0xFE { throw .noNDEF }
            guard offset + 2 <= end else { throw .badTLV(offset: offset) }
            var length = Int(try memory.bytes(at: offset + 1, count: 1)[0])
            var head = 2
            if length == 0xFF {
                guard offset + 4 <= end else { throw .badTLV(offset: offset) }
                let long = try memory.bytes(at: offset + 2, count: 2)
                length = Int(long[0]) << 8 | Int(long[1])
                head = 4
            }
            guard offset + head + length <= end else { throw .badTLV(offset: offset) }
            if type == 0x03 {
                guard length > 0 else { throw .noNDEF }
                let bytes = try memory.bytes(at: offset + head, count: length)
                return TagContent(capability: capability, bytes: bytes)
            }
            offset += head + length
        }
        throw .noNDEF
    }
}

/// The tag's memory, read four pages at a time when it is needed.
private struct Type2Memory {
    private let exchange: TagExchange
    private var blocks: [Int: [UInt8]] = [:]
    private var reads = 0

    init(_ exchange: @escaping TagExchange) {
        self.exchange = exchange
    }

    mutating func bytes(at offset: Int, count: Int) throws(TagError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        var position = offset
        while bytes.count < count {
            let block = try block(position / 16)
            let start = position % 16
            let part = min(16 - start, count - bytes.count)
            bytes += block[start..<start + part]
            position += part
        }
        return bytes
    }

    private mutating func block(_ number: Int) throws(TagError) -> [UInt8] {
        if let known = blocks[number] { return known }
        reads += 1
        guard reads <= Type2Tag.mostReads, number * 4 < 256 else { throw .tooManyExchanges }
        // READ gives the page and the three after it.
        let answer = try exchange([0x30, UInt8(number * 4)])
        guard answer.count == 16 else { throw .shortAnswer(answer.count, doing: "READ of page \(number * 4)") }
        blocks[number] = answer
        return answer
    }
}
