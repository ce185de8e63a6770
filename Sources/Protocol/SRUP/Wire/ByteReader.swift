/// Walks over a message's bytes; never reads past their end.
struct ByteReader {
    let bytes: [UInt8]
    private(set) var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    var available: Int { bytes.count - offset }

    mutating func byte(_ field: WireError.Field) throws(WireError) -> UInt8 {
        let start = try take(1, field, at: offset)
        return bytes[start]
    }

    /// Eight bytes, least significant first.
    mutating func integer64(_ field: WireError.Field) throws(WireError) -> UInt64 {
        let start = try take(8, field, at: offset)
        var value: UInt64 = 0
        for index in (start..<start + 8).reversed() { value = value << 8 | UInt64(bytes[index]) }
        return value
    }

    /// A 16-bit length, most significant byte first, and that many bytes.
    mutating func counted(_ field: WireError.Field) throws(WireError) -> Range<Int> {
        let prefix = offset
        let start = try take(2, field, at: prefix)
        let count = Int(bytes[start]) << 8 | Int(bytes[start + 1])
        let content = try take(count, field, at: prefix)
        return content..<content + count
    }

    func end() throws(WireError) {
        guard available == 0 else { throw WireError(.tail, at: offset, .trailingBytes(available)) }
    }

    mutating func skipToEnd() {
        offset = bytes.count
    }

    private mutating func take(_ count: Int, _ field: WireError.Field, at start: Int) throws(WireError) -> Int {
        guard available >= count else {
            throw WireError(field, at: start, .truncated(needed: count, available: available))
        }
        defer { offset += count }
        return offset
    }
}

/// Builds a message's bytes; refuses what a 16-bit length cannot say.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) {
        bytes.reserveCapacity(capacity)
    }

    mutating func byte(_ value: UInt8) {
        bytes.append(value)
    }

    mutating func integer64(_ value: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) }
    }

    mutating func counted(_ content: [UInt8], _ field: WireError.Field) throws(WireError) {
        guard content.count <= 0xFFFF else {
            throw WireError(field, at: bytes.count, .tooLong(content.count, limit: 0xFFFF))
        }
        bytes.append(UInt8(content.count >> 8))
        bytes.append(UInt8(content.count & 0xFF))
        bytes.append(contentsOf: content)
    }

    mutating func raw(_ content: some Collection<UInt8>) {
        bytes.append(contentsOf: content)
    }
}
