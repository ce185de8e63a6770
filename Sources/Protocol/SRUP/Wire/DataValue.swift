/// A DATA message's value, for those who know its type from the data id: the wire carries no type tag
/// (docs/protocol.md, "DATA values"). Numbers are little-endian machine representations of 1, 2, 4 or 8 bytes.
public enum DataValue: Hashable, Sendable {
    case int8(Int8), int16(Int16), int32(Int32), int64(Int64)
    case float(Float), double(Double)
    case text(String)
    case bytes([UInt8])

    /// The value's bytes as a DATA message carries them.
    public var wire: [UInt8] {
        switch self {
        case .int8(let value): Self.littleEndian(UInt8(bitPattern: value))
        case .int16(let value): Self.littleEndian(UInt16(bitPattern: value))
        case .int32(let value): Self.littleEndian(UInt32(bitPattern: value))
        case .int64(let value): Self.littleEndian(UInt64(bitPattern: value))
        case .float(let value): Self.littleEndian(value.bitPattern)
        case .double(let value): Self.littleEndian(value.bitPattern)
        case .text(let value): Array(value.utf8)
        case .bytes(let value): value
        }
    }

    /// A signed number of 1, 2, 4 or 8 bytes; `nil` for any other length.
    public static func integer(_ wire: [UInt8]) -> Int64? {
        switch wire.count {
        case 1: Int64(Int8(bitPattern: wire[0]))
        case 2: Int64(Int16(bitPattern: number(wire)))
        case 4: Int64(Int32(bitPattern: number(wire)))
        case 8: Int64(bitPattern: number(wire))
        default: nil
        }
    }

    /// A number of 4 or 8 bytes in IEEE 754; `nil` for any other length.
    public static func floatingPoint(_ wire: [UInt8]) -> Double? {
        switch wire.count {
        case 4: Double(Float(bitPattern: number(wire)))
        case 8: Double(bitPattern: number(wire))
        default: nil
        }
    }

    private static func littleEndian<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    private static func number<Number: FixedWidthInteger & UnsignedInteger>(_ wire: [UInt8]) -> Number {
        wire.reversed().reduce(0) { $0 &* 256 | Number($1) }
    }
}

/// Data ids with a meaning fixed by the protocol's users.
public enum DataName {
    /// Answer to ID_REQUEST: free text about the device.
    public static let identification = "IDENTIFICATION_RESPONSE"
    /// Server to a refused device: the hexadecimal identity of the observer it should name in its observed join
    /// (Poulter, Johnston and Cox 2020, section 6.3).
    /// The server's own identity stands for "any that you ask".
    public static let observer = "OBSERVER_ID"
    /// Server to an observer that handles several observations: what it was asked with this token need not be looked at any
    /// more. Its own name, so that other implementations pass it over.
    public static let observationOver = "OBSERVATION_OVER"
    /// Server to a member whose identification has the word `returns`: over how many seconds those who lose their connection come
    /// back, a decimal number.
    public static let returnWithin = "RETURN_WITHIN"
}
