import CSQLite

/// What a column holds.
public enum Value: Sendable, Hashable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    /// All 64 bits, kept as the signed number of the same bit pattern.
    public static func unsigned(_ value: UInt64) -> Value { .integer(Int64(bitPattern: value)) }
    /// A text, as a literal.
    public init(stringLiteral value: String) { self = .text(value) }
    /// An integer, as a literal.
    public init(integerLiteral value: Int64) { self = .integer(value) }

    init(column: Int32, of statement: OpaquePointer?) {
        let count = Int(sqlite3_column_bytes(statement, column))
        switch sqlite3_column_type(statement, column) {
        case SQLITE_INTEGER: self = .integer(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT: self = .real(sqlite3_column_double(statement, column))
        case SQLITE_TEXT:
            let text = UnsafeBufferPointer(start: sqlite3_column_text(statement, column), count: count)
            self = .text(String(decoding: text, as: UTF8.self))
        case SQLITE_BLOB:
            self = .blob(Array(UnsafeRawBufferPointer(start: sqlite3_column_blob(statement, column), count: count)))
        default: self = .null
        }
    }

    func bind(to statement: OpaquePointer?, at index: Int32) -> Int32 {
        // SQLITE_TRANSIENT: SQLite copies the bytes before the call returns.
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        return switch self {
        case .null: sqlite3_bind_null(statement, index)
        case .integer(let value): sqlite3_bind_int64(statement, index, value)
        case .real(let value): sqlite3_bind_double(statement, index, value)
        case .text(let value): sqlite3_bind_text(statement, index, value, Int32(value.utf8.count), transient)
        case .blob(let value):
            value.isEmpty
                ? sqlite3_bind_zeroblob(statement, index, 0)
                : sqlite3_bind_blob(statement, index, value, Int32(value.count), transient)
        }
    }
}

/// One row of a result; columns counted from 0.
public struct Row: Sendable {
    let values: [Value]

    /// A row as an engine has read it.
    public init(_ values: [Value]) {
        self.values = values
    }

    /// The integer in a column; `nil` when something else is there. A column that the row lacks stops the program.
    public func integer(_ column: Int) -> Int64? {
        if case .integer(let value) = values[column] { value } else { nil }
    }
    /// The 64 bits that ``Value/unsigned(_:)`` has kept in a column; `nil` when no integer is there.
    public func unsigned(_ column: Int) -> UInt64? { integer(column).map(UInt64.init(bitPattern:)) }
    /// The number in a column, of an integer the nearest one; `nil` when something else is there.
    public func real(_ column: Int) -> Double? {
        switch values[column] {
        case .real(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
    }
    /// The text in a column; `nil` when something else is there.
    public func text(_ column: Int) -> String? {
        if case .text(let value) = values[column] { value } else { nil }
    }
    /// The bytes in a column; `nil` when something else is there, a text too.
    public func blob(_ column: Int) -> [UInt8]? {
        if case .blob(let value) = values[column] { value } else { nil }
    }
}
