/// Reads the NDEF message of a Type 2 tag (NFC Forum, Type 2 Tag 1.2), such as NTAG or a dynamic NTAG I2C.
///
/// ```
///  page 3       capability container: E1, version, size / 8, access
///  page 4 on    TLVs: 00 null, 01 lock control, 02 memory control, 03 NDEF message, FD proprietary, FE end
/// ```
/// Bytes that a lock or memory control TLV reserves are no data: they are left out, wherever they lie. Only the first
/// sector is read; a message that goes on in a second one is told as too long (a value needs 48 bytes).
public enum Type2Tag {
    /// A sector, in bytes.
    static let sectorSize = 1024
    static let maximumReads = 80

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
        let capability = try memory.capability()
        while let type = try memory.next() {
            if type == 0x00 { continue }
            if type == 0xFE { throw .noNDEF }
            let length = try length(&memory)
            switch type {
            case 0x03:
                guard length > 0 else { throw .noNDEF }
                return TagContent(capability: capability, bytes: try memory.take(length))
            case 0x01, 0x02:
                let value = try memory.take(length)
                // Three bytes by the standard; of anything else nothing can be said.
                if length == 3 { memory.reserve(ReservedBytes(value, isLock: type == 0x01)) }
            default: try memory.skip(length)
            }
        }
        throw .noNDEF
    }

    /// One byte, or FF and two bytes.
    private static func length(_ memory: inout Type2Memory) throws(TagError) -> Int {
        let short = Int(try memory.take(1)[0])
        guard short == 0xFF else { return short }
        let long = try memory.take(2)
        return Int(long[0]) << 8 | Int(long[1])
    }
}

/// The bytes that a lock control TLV (lock bits) or a memory control TLV (whole bytes) tells to leave out.
///
/// ```
///  page 4 bits, byte in it 4 bits   where
///  size                             in bits, or in bytes; 0 is 256
///  … 4 bits, log2(bytes a page)     4 bits
/// ```
struct ReservedBytes {
    let range: Range<Int>

    /// - Parameter value: three bytes.
    init(_ value: [UInt8], isLock: Bool) {
        let start = Int(value[0] >> 4) << Int(value[2] & 15) + Int(value[0] & 15)
        let size = value[1] == 0 ? 256 : Int(value[1])
        range = start..<start + (isLock ? (size + 7) / 8 : size)
    }
}

/// The tag's memory, read four pages at a time when it is needed, and a place in its data.
private struct Type2Memory {
    private let exchange: TagExchange
    private var blocks: [Int: [UInt8]] = [:]
    private var reads = 0
    private var position = 16
    /// Where the data end, by the capability container.
    private var end = 16
    private var reserved: [Range<Int>] = []
    /// How many lock and memory control TLVs count; a tag has one or two.
    private static let maximumReserved = 16

    init(_ exchange: @escaping TagExchange) {
        self.exchange = exchange
    }

    mutating func capability() throws(TagError) -> [UInt8] {
        let bytes = Array(try block(0)[12...])
        guard bytes[0] == 0xE1 else { throw .noNDEF }
        guard bytes[1] >> 4 == 1 else { throw .badCapability(bytes) }
        guard bytes[3] >> 4 == 0 else { throw .protected }
        end = 16 + Int(bytes[2]) * 8
        return bytes
    }

    mutating func reserve(_ bytes: ReservedBytes) {
        if reserved.count < Self.maximumReserved { reserved.append(bytes.range) }
    }

    /// Goes to the next byte that is data; whether there is one.
    private mutating func advance() -> Bool {
        while let range = reserved.first(where: { $0.contains(position) }) { position = range.upperBound }
        return position < end
    }

    /// The next byte of the data; `nil` at their end.
    ///
    /// - Throws: ``TagError``.
    mutating func next() throws(TagError) -> UInt8? {
        guard advance() else { return nil }
        guard position < Type2Tag.sectorSize else { throw .tooLong(end - 16) }
        defer { position += 1 }
        return try block(position / 16)[position % 16]
    }

    mutating func take(_ count: Int) throws(TagError) -> [UInt8] {
        guard position + count <= end else { throw .badTLV(offset: position) }
        guard position + count <= Type2Tag.sectorSize else { throw .tooLong(count) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            guard let byte = try next() else { throw .badTLV(offset: position) }
            bytes.append(byte)
        }
        return bytes
    }

    /// Goes on after so many bytes of data, without reading them.
    mutating func skip(_ count: Int) throws(TagError) {
        for _ in 0..<count {
            guard advance() else { throw .badTLV(offset: position) }
            position += 1
        }
    }

    private mutating func block(_ number: Int) throws(TagError) -> [UInt8] {
        if let known = blocks[number] { return known }
        reads += 1
        guard reads <= Type2Tag.maximumReads, number * 4 < 256 else { throw .tooManyExchanges }
        // READ gives the page and the three after it.
        let answer = try exchange([0x30, UInt8(number * 4)])
        guard answer.count == 16 else { throw .shortAnswer(answer.count, doing: "READ of page \(number * 4)") }
        blocks[number] = answer
        return answer
    }
}
