import ObservedValue

/// Why bytes are not an SRUP message, or why a message cannot be written: which field, at which offset, what is wrong.
public struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A field of the header or of a tail (docs/protocol.md, "Message layout" and "Message types").
    public enum Field: String, Sendable, CaseIterable {
        case version, type
        case sequence = "sequence id"
        case sender = "sender id"
        case token, signature, url, digest, status
        case actionID = "action id"
        case dataID = "data id"
        case data
        case deviceID = "device id"
        case groupID = "group id"
        case observerID = "observer id"
        case envelope, tail, message
    }

    /// What is wrong with a field; counts are in bytes.
    public enum Problem: Hashable, Sendable {
        /// The field needs more bytes than are left.
        case truncated(needed: Int, available: Int)
        /// Bytes after the last field.
        case trailingBytes(Int)
        case unsupportedVersion(UInt8)
        case unknownType(UInt8)
        case unknownStatus(UInt8)
        /// The field must not be empty.
        case empty
        /// The field or message is longer than the protocol can carry.
        case tooLong(Int, limit: Int)
    }

    /// The field that is wrong; ``Field/message`` when it is the whole.
    public let field: Field
    /// Where the field (its length prefix, if it has one) begins, in bytes from the start of the message.
    public let offset: Int
    /// What is wrong with it.
    public let problem: Problem

    /// An error at an offset in bytes from the start of the message.
    public init(_ field: Field, at offset: Int, _ problem: Problem) {
        self.field = field
        self.offset = offset
        self.problem = problem
    }

    /// A short name without values, for counting.
    public var reason: String {
        switch problem {
        case .truncated: "truncated"
        case .trailingBytes: "trailing-bytes"
        case .unsupportedVersion: "unsupported-version"
        case .unknownType: "unknown-type"
        case .unknownStatus: "unknown-status"
        case .empty: "empty-field"
        case .tooLong: "too-long"
        }
    }

    /// Field, offset and problem in words.
    public var description: String {
        let what =
            switch problem {
            case .truncated(let needed, let available): "needs \(needed) bytes, \(available) are left"
            case .trailingBytes(let count): "\(count) bytes after the end of the message"
            case .unsupportedVersion(let byte): "version \(byte) is not spoken here (4 and 5 are)"
            case .unknownType(let byte): "0x\(Hex.encode([byte])) is no message type"
            case .unknownStatus(let byte): "0x\(Hex.encode([byte])) is no status"
            case .empty: "must not be empty"
            case .tooLong(let count, let limit): "\(count) bytes, at most \(limit) are allowed"
            }
        return "\(field.rawValue) at offset \(offset): \(what)"
    }
}
