import ObservedValue

/// What the value of a DATA message is. The wire does not say it: both sides have it from their configuration
/// (docs/protocol.md, "DATA values").
public enum DataType: String, Sendable, Hashable, CaseIterable, Codable {
    /// Signed whole numbers of 1, 2, 4 and 8 bytes, least significant first.
    case int8, int16, int32, int64
    /// IEEE 754 numbers of 4 and 8 bytes, least significant first.
    case float32, float64
    /// UTF-8.
    case string
    /// Anything; as text it is hexadecimal.
    case bytes

    /// Reads a type's name; `int` and `float` are what the reference implementation makes of Python's: int32 and float64.
    public init?(name: some StringProtocol) {
        switch name {
        case "int": self = .int32
        case "float": self = .float64
        default: self.init(rawValue: String(name))
        }
    }

    /// The names for people, for errors and help texts.
    public static let names =
        allCases.map(\.rawValue).joined(separator: ", ") + " (int is int32, float is float64)"

    /// How many bytes a value has on the wire; `nil`: any number.
    public var width: Int? {
        switch self {
        case .int8: 1
        case .int16: 2
        case .int32, .float32: 4
        case .int64, .float64: 8
        case .string, .bytes: nil
        }
    }

    /// Reads a value as a DATA message carries it.
    ///
    /// - Throws: ``DataTypeError`` for another width, or a string that is not UTF-8.
    public func value(wire: [UInt8]) throws(DataTypeError) -> DataValue {
        if let width, wire.count != width {
            throw DataTypeError("\(rawValue) has \(width) bytes, and this has \(wire.count)")
        }
        let integer = DataValue.integer(wire) ?? 0
        switch self {
        case .int8: return .int8(Int8(truncatingIfNeeded: integer))
        case .int16: return .int16(Int16(truncatingIfNeeded: integer))
        case .int32: return .int32(Int32(truncatingIfNeeded: integer))
        case .int64: return .int64(integer)
        case .float32: return .float(Float(DataValue.floatingPoint(wire) ?? 0))
        case .float64: return .double(DataValue.floatingPoint(wire) ?? 0)
        case .string:
            guard let text = String(validating: wire, as: UTF8.self) else { throw DataTypeError("it is not UTF-8") }
            return .text(text)
        case .bytes: return .bytes(wire)
        }
    }

    /// Reads a value as people and programs write it: whole numbers in decimal, fractions with a point, bytes in hexadecimal.
    ///
    /// - Throws: ``DataTypeError`` for what is no such number or does not fit.
    public func value(text: String) throws(DataTypeError) -> DataValue {
        switch self {
        case .int8: return .int8(try whole(text))
        case .int16: return .int16(try whole(text))
        case .int32: return .int32(try whole(text))
        case .int64: return .int64(try whole(text))
        case .float32:
            guard let number = Float(text), number.isFinite else { throw wrong(text) }
            return .float(number)
        case .float64:
            guard let number = Double(text), number.isFinite else { throw wrong(text) }
            return .double(number)
        case .string: return .text(text)
        case .bytes:
            guard let bytes = Hex.decode(text) else {
                throw DataTypeError("bytes are written in hexadecimal, two digits each")
            }
            return .bytes(bytes)
        }
    }

    private func whole<Number: FixedWidthInteger>(_ text: String) throws(DataTypeError) -> Number {
        guard let number = Number(text) else { throw wrong(text) }
        return number
    }

    private func wrong(_ text: String) -> DataTypeError {
        DataTypeError(
            "\"\(String(text.prefix(40)).unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : String($0) }.joined())\" is no \(rawValue)"
        )
    }
}

/// Why a value is not of its type.
public struct DataTypeError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The reason, for people.
    public let description: String

    init(_ description: String) { self.description = description }
}

extension DataValue {
    /// The value as people and programs write it: what ``DataType/value(text:)`` reads.
    public var text: String {
        switch self {
        case .int8(let value): String(value)
        case .int16(let value): String(value)
        case .int32(let value): String(value)
        case .int64(let value): String(value)
        case .float(let value): String(value)
        case .double(let value): String(value)
        case .text(let value): value
        case .bytes(let value): Hex.encode(value)
        }
    }

    /// Its type.
    public var type: DataType {
        switch self {
        case .int8: .int8
        case .int16: .int16
        case .int32: .int32
        case .int64: .int64
        case .float: .float32
        case .double: .float64
        case .text: .string
        case .bytes: .bytes
        }
    }
}

extension DataValue: Encodable {
    /// A number, or a string: bytes in hexadecimal, and what JSON has no number for in words.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .int8(let value): try container.encode(value)
        case .int16(let value): try container.encode(value)
        case .int32(let value): try container.encode(value)
        case .int64(let value): try container.encode(value)
        case .float(let value) where value.isFinite: try container.encode(value)
        case .double(let value) where value.isFinite: try container.encode(value)
        case .float, .double, .text, .bytes: try container.encode(text)
        }
    }
}
