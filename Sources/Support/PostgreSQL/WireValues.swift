import Storage

/// Values as PostgreSQL sends and takes them in binary: numbers with the most significant byte first.
/// https://www.postgresql.org/docs/current/protocol-overview.html#PROTOCOL-FORMAT-CODES
enum WireValue {
    /// Numbers of types in `pg_type`, which never change.
    enum Kind: UInt32 {
        case bool = 16, bytea = 17, name = 19, int8 = 20, int2 = 21, int4 = 23, text = 25, float4 = 700, float8 = 701
        case varchar = 1043, numeric = 1700
        /// A literal whose type nothing says.
        case unknown = 705
    }

    /// The type that a parameter is declared with; 0, by which the server infers it, for NULL.
    static func type(of value: Value) -> UInt32 {
        switch value {
        case .null: 0
        case .integer: Kind.int8.rawValue
        case .real: Kind.float8.rawValue
        case .text: Kind.text.rawValue
        case .blob: Kind.bytea.rawValue
        }
    }

    /// `nil` for NULL.
    static func bytes(_ value: Value) -> [UInt8]? {
        switch value {
        case .null: nil
        case .integer(let number): bigEndian(UInt64(bitPattern: number))
        case .real(let number): bigEndian(number.bitPattern)
        case .text(let text): escaped(Array(text.utf8))
        case .blob(let bytes): bytes
        }
    }

    /// - Returns: `nil` for a type that no store has, or bytes that are none of its values.
    static func value(_ bytes: UnsafeRawBufferPointer, type: UInt32) -> Value? {
        switch Kind(rawValue: type) {
        case .int8 where bytes.count == 8: .integer(Int64(bitPattern: number(bytes)))
        case .int4 where bytes.count == 4: .integer(Int64(Int32(truncatingIfNeeded: number(bytes))))
        case .int2 where bytes.count == 2: .integer(Int64(Int16(truncatingIfNeeded: number(bytes))))
        case .bool where bytes.count == 1: .integer(bytes[0] == 0 ? 0 : 1)
        case .float8 where bytes.count == 8: .real(Double(bitPattern: number(bytes)))
        case .float4 where bytes.count == 4: .real(Double(Float(bitPattern: UInt32(truncatingIfNeeded: number(bytes)))))
        case .text, .varchar, .name, .unknown: .text(String(decoding: unescaped(bytes), as: UTF8.self))
        case .bytea: .blob(Array(bytes))
        case .numeric: numeric(bytes)
        default: nil
        }
    }

    private static func bigEndian(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

    private static func number(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    /// What `sum` gives: digits to the base 10 000, the first of them worth 10 000 to the power `weight`.
    private static func numeric(_ bytes: UnsafeRawBufferPointer) -> Value? {
        func short(_ index: Int) -> Int { Int(bytes[2 * index]) << 8 | Int(bytes[2 * index + 1]) }
        guard bytes.count >= 8, bytes.count == 8 + 2 * short(0), short(2) == 0 || short(2) == 0x4000 else { return nil }
        let (count, weight, isNegative) = (short(0), Int(Int16(truncatingIfNeeded: short(1))), short(2) == 0x4000)
        guard count == 0 || (count <= 64 && abs(weight) <= 64) else { return nil }
        var whole: Int64? = 0
        var real = 0.0
        for index in 0..<max(count, weight + 1) {
            let digit = index < count ? short(4 + index) : 0
            let power = weight - index
            var worth = 1.0
            for _ in 0..<abs(power) { worth = power > 0 ? worth * 10_000 : worth / 10_000 }
            real += Double(digit) * worth
            if power < 0 { if digit != 0 { whole = nil } else { continue } }
            whole = whole.flatMap { before in
                let (shifted, high) = before.multipliedReportingOverflow(by: 10_000)
                let (sum, over) = shifted.addingReportingOverflow(Int64(isNegative ? -digit : digit))
                return high || over ? nil : sum
            }
        }
        return whole.map { .integer($0) } ?? .real(isNegative ? -real : real)
    }

    // MARK: The character that PostgreSQL's text cannot hold

    /// U+F0000, of a plane for private use: before `0` it stands for U+0000, before `1` for itself.
    private static let escape: [UInt8] = [0xF3, 0xB0, 0x80, 0x80]

    static func escaped(_ text: [UInt8]) -> [UInt8] {
        guard text.contains(where: { $0 == 0 || $0 == escape[0] }) else { return text }
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 16)
        for (index, byte) in text.enumerated() {
            if byte == 0 {
                result += escape + [UInt8(ascii: "0")]
            } else {
                result.append(byte)
                if byte == escape[3], index >= 3, text[index - 3...index].elementsEqual(escape) {
                    result.append(UInt8(ascii: "1"))
                }
            }
        }
        return result
    }

    static func unescaped(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        guard text.contains(escape[0]) else { return Array(text) }
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let end = index + escape.count
            if end < text.count, text[index..<end].elementsEqual(escape) {
                switch text[end] {
                case UInt8(ascii: "0"): result.append(0)
                case UInt8(ascii: "1"): result += escape
                // Somebody else's hand.
                case let other: result += escape + [other]
                }
                index = end + 1
            } else {
                result.append(text[index])
                index += 1
            }
        }
        return result
    }
}
