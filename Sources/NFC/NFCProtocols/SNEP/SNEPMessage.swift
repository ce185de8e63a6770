/// Requests and responses of the Simple NDEF Exchange Protocol (NFC Forum, SNEP 1.0, sections 3 and 4).
public enum SNEPRequestCode: UInt8, Sendable, CaseIterable {
    case `continue` = 0x00
    case get = 0x01
    case put = 0x02
    case reject = 0x7F
}

/// Responses of the Simple NDEF Exchange Protocol (NFC Forum, SNEP 1.0, sections 3 and 4).
public enum SNEPResponseCode: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case `continue` = 0x80
    case success = 0x81
    case notFound = 0xC0
    case excessData = 0xC1
    case badRequest = 0xC2
    case notImplemented = 0xE0
    case unsupportedVersion = 0xE1
    case reject = 0xFF

    /// The standard's name for the response.
    public var description: String {
        switch self {
        case .continue: "Continue"
        case .success: "Success"
        case .notFound: "Not Found"
        case .excessData: "Excess Data"
        case .badRequest: "Bad Request"
        case .notImplemented: "Not Implemented"
        case .unsupportedVersion: "Unsupported Version"
        case .reject: "Reject"
        }
    }
}

/// The six bytes before the information field.
///
/// ```
///  version   1   major in the high four bits: 0x10
///  code      1
///  length    4   of the information field, the highest byte first
/// ```
public struct SNEPHeader: Sendable, Hashable {
    /// The size of the header, in bytes.
    public static let size = 6
    /// SNEP 1.0.
    public static let version: UInt8 = 0x10

    /// The sender's SNEP version, the major number in the high four bits.
    public var version: UInt8
    /// The request or response: a ``SNEPRequestCode``, a ``SNEPResponseCode`` or neither.
    public var code: UInt8
    /// The length of the information field, in bytes, over all its fragments.
    public var length: UInt32

    /// A header before an information field of `length` bytes.
    public init(code: UInt8, length: UInt32, version: UInt8 = SNEPHeader.version) {
        self.version = version
        self.code = code
        self.length = length
    }

    /// `nil` when there are fewer than six bytes.
    public init?(parsing bytes: some Collection<UInt8>) {
        let head = Array(bytes.prefix(Self.size))
        guard head.count == Self.size else { return nil }
        version = head[0]
        code = head[1]
        length = head[2...].reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The six bytes.
    public var bytes: [UInt8] { [version, code] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) } }

    /// Versions with our major number are understood.
    var isUnderstood: Bool { version >> 4 == Self.version >> 4 }
}

/// What a session wants after it was given a fragment.
public enum SNEPStep: Sendable, Hashable {
    /// Nothing to send yet.
    case wait
    /// Fragments to send, one per LLCP information PDU.
    case send([[UInt8]])
    /// The last fragments; the connection is of no more use.
    case sendAndClose([[UInt8]])
}

/// Cuts a message into fragments of the peer's MIU: the first goes at once, the others when the peer says Continue.
struct SNEPOutgoing: Sendable {
    private var rest: [UInt8]

    init(_ message: [UInt8]) {
        rest = message
    }

    var isEmpty: Bool { rest.isEmpty }

    mutating func first(_ miu: Int) -> [UInt8] {
        defer { rest.removeFirst(min(miu, rest.count)) }
        return Array(rest.prefix(miu))
    }

    mutating func others(_ miu: Int) -> [[UInt8]] {
        var fragments: [[UInt8]] = []
        while !rest.isEmpty { fragments.append(first(miu)) }
        return fragments
    }
}
