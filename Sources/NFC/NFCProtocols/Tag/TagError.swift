/// Why a tag or card could not be read.
public enum TagError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The radio exchange failed: the tag has gone, most likely.
    case link(String)
    case noNDEF
    case badCapability([UInt8])
    case badTLV(offset: Int)
    case tooLong(Int)
    /// The message's length is more than its file or memory holds.
    case badLength(Int, room: Int)
    /// Reading needs a key.
    case protected
    case status(UInt8, UInt8, doing: String)
    case shortAnswer(Int, doing: String)
    case tooManyExchanges
    /// It is being rewritten, and no two readings are equal.
    case changing
    case message(NDEFError)

    /// What is wrong, in words for the operator.
    public var description: String {
        switch self {
        case .link(let why): "the tag does not answer: \(why)"
        case .noNDEF: "the tag holds no NDEF message"
        case .badCapability(let bytes):
            "the tag's capability container is malformed: \(bytes.map { String($0, radix: 16) }.joined(separator: " "))"
        case .badTLV(let offset): "the tag's data are malformed at byte \(offset)"
        case .tooLong(let length): "the tag's message of \(length) bytes is too long to be read here"
        case .badLength(let length, let room):
            "the tag says that its message has \(length) bytes; it has room for \(room)"
        case .protected: "the tag's message may not be read without a key"
        case .status(let sw1, let sw2, let doing):
            "the card answers \(String(UInt16(sw1) << 8 | UInt16(sw2), radix: 16)) to \(doing)"
        case .shortAnswer(let count, let doing): "the tag answers with \(count) bytes to \(doing)"
        case .tooManyExchanges: "the tag needs too many exchanges"
        case .changing: "the tag changes while it is read"
        case .message(let error): error.description
        }
    }
}

/// One exchange with a tag: sends bytes, gives the answer; throws ``TagError/link(_:)`` when there is none.
public typealias TagExchange = (_ bytes: [UInt8]) throws(TagError) -> [UInt8]
