/// What is wrong with a SNEP server's answer.
public enum SNEPError: Error, Sendable, Hashable, CustomStringConvertible {
    case unsupportedVersion(UInt8)
    case badResponse
    case tooLong(UInt32)
    case refused(SNEPResponseCode)

    /// What is wrong, in words for the operator.
    public var description: String {
        switch self {
        case .unsupportedVersion(let version): "SNEP: the server speaks version \(version >> 4).\(version & 15)"
        case .badResponse: "SNEP: the server's response is malformed"
        case .tooLong(let length): "SNEP: a response of \(length) bytes is too long"
        case .refused(let code): "SNEP: the server answers \(code)"
        }
    }
}

/// One request of a SNEP client over one LLCP connection.
///
/// Pure: ``start()`` gives the first fragment, ``received(_:)`` takes the information fields of LLCP I PDUs.
public struct SNEPClientSession: Sendable {
    /// What the session wants after it was given a fragment.
    public enum Step: Sendable, Hashable {
        case wait
        case send([[UInt8]])
        /// The server has done it; the body is a GET's message.
        case done([UInt8])
    }

    private let miu: Int
    private let limit: UInt32
    private var outgoing: SNEPOutgoing
    private enum State { case asking, collecting(SNEPHeader, [UInt8]) }
    private var state = State.asking

    /// - Parameter miu: the connection's, how long a fragment may be.
    public init(_ request: SNEPRequest, miu: Int, limit: UInt32 = SNEPServerSession.maximumInformation) {
        self.miu = miu
        self.limit = limit
        let body: [UInt8]
        let code: SNEPRequestCode
        switch request {
        case .put(let message):
            body = message
            code = .put
        case .get(let message, let acceptable):
            body = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: acceptable >> $0) } + message
            code = .get
        }
        outgoing = SNEPOutgoing(
            SNEPHeader(code: code.rawValue, length: UInt32(truncatingIfNeeded: body.count)).bytes + body)
    }

    /// The first fragment to send; the others follow when the server says Continue.
    public mutating func start() -> [UInt8] { outgoing.first(miu) }

    /// - Throws: ``SNEPError``; the connection is of no more use then.
    public mutating func received(_ fragment: [UInt8]) throws(SNEPError) -> Step {
        if case .collecting(let header, let information) = state {
            guard information.count + fragment.count <= Int(header.length) else { throw .badResponse }
            return collect(header, information + fragment)
        }
        guard let header = SNEPHeader(parsing: fragment) else { throw .badResponse }
        guard header.isUnderstood else { throw .unsupportedVersion(header.version) }
        guard let code = SNEPResponseCode(rawValue: header.code) else { throw .badResponse }
        if code == .continue {
            // Once per request, and only when there is more.
            guard !outgoing.isEmpty, header.length == 0, fragment.count == SNEPHeader.size else { throw .badResponse }
            return .send(outgoing.others(miu))
        }
        guard code == .success else { throw .refused(code) }
        guard outgoing.isEmpty else { throw .badResponse }
        guard header.length <= limit else { throw .tooLong(header.length) }
        let information = Array(fragment.dropFirst(SNEPHeader.size))
        guard information.count <= Int(header.length) else { throw .badResponse }
        if information.count < Int(header.length) {
            state = .collecting(header, information)
            return .send([SNEPHeader(code: SNEPRequestCode.continue.rawValue, length: 0).bytes])
        }
        return .done(information)
    }

    private mutating func collect(_ header: SNEPHeader, _ information: [UInt8]) -> Step {
        if information.count == Int(header.length) { return .done(information) }
        state = .collecting(header, information)
        return .wait
    }
}
