/// What a client asks of a SNEP server.
public enum SNEPRequest: Sendable, Hashable {
    case put([UInt8])
    /// - Parameter acceptable: how long the answer may be, in bytes.
    case get([UInt8], acceptable: UInt32)
}

/// One connection to a SNEP server: collects a request's fragments, has it answered, and sends the answer in fragments.
///
/// Pure: fed with the information fields of LLCP I PDUs, one after the other.
public struct SNEPServerSession: Sendable {
    /// The longest information field that is taken, in bytes.
    public static let maximumInformation: UInt32 = 8192

    private let miu: Int
    private let answer: @Sendable (SNEPRequest) -> (SNEPResponseCode, [UInt8])
    private enum State: Sendable {
        case idle
        case collecting(SNEPHeader, [UInt8])
        case sending(SNEPOutgoing)
    }
    private var state = State.idle

    /// - Parameters:
    ///   - miu: how long a fragment that we send may be.
    ///   - answer: called once per complete request.
    public init(miu: Int, answer: @escaping @Sendable (SNEPRequest) -> (SNEPResponseCode, [UInt8])) {
        self.miu = miu
        self.answer = answer
    }

    /// Takes the next fragment from the client: the information field of one I PDU.
    public mutating func received(_ fragment: [UInt8]) -> SNEPStep {
        switch state {
        case .idle: return begin(fragment)
        case .collecting(let header, let information):
            // What is too much is refused before it is kept.
            guard information.count + fragment.count <= Int(header.length) else { return refuse(.badRequest) }
            return proceed(header, information + fragment)
        case .sending(var outgoing):
            state = .idle
            guard let header = SNEPHeader(parsing: fragment), fragment.count == SNEPHeader.size, header.isUnderstood,
                header.length == 0
            else { return refuse(.badRequest) }
            switch SNEPRequestCode(rawValue: header.code) {
            case .continue: return .send(outgoing.others(miu))
            case .reject: return .wait
            default: return refuse(.badRequest)
            }
        }
    }

    private mutating func begin(_ fragment: [UInt8]) -> SNEPStep {
        guard let header = SNEPHeader(parsing: fragment) else { return refuse(.badRequest) }
        guard header.isUnderstood else { return refuse(.unsupportedVersion) }
        guard let code = SNEPRequestCode(rawValue: header.code) else {
            return refuse(header.code < 0x80 ? .notImplemented : .badRequest)
        }
        guard code == .put || code == .get else { return refuse(.badRequest) }
        guard header.length <= Self.maximumInformation else { return refuse(.reject) }
        let information = Array(fragment.dropFirst(SNEPHeader.size))
        guard information.count <= Int(header.length) else { return refuse(.badRequest) }
        if information.count < Int(header.length) {
            state = .collecting(header, information)
            return .send([SNEPHeader(code: SNEPResponseCode.continue.rawValue, length: 0).bytes])
        }
        return proceed(header, information)
    }

    private mutating func proceed(_ header: SNEPHeader, _ information: [UInt8]) -> SNEPStep {
        guard information.count == Int(header.length) else {
            state = .collecting(header, information)
            return .wait
        }
        state = .idle
        let request: SNEPRequest
        if header.code == SNEPRequestCode.put.rawValue {
            request = .put(information)
        } else {
            guard information.count >= 4 else { return refuse(.badRequest) }
            let acceptable = information[..<4].reduce(0) { $0 << 8 | UInt32($1) }
            request = .get(Array(information[4...]), acceptable: acceptable)
        }
        var (code, body) = answer(request)
        if case .get(_, let acceptable) = request, UInt32(truncatingIfNeeded: body.count) > acceptable {
            (code, body) = (.excessData, [])
        }
        var outgoing = SNEPOutgoing(
            SNEPHeader(code: code.rawValue, length: UInt32(truncatingIfNeeded: body.count)).bytes + body)
        let first = outgoing.first(miu)
        if !outgoing.isEmpty { state = .sending(outgoing) }
        return .send([first])
    }

    private mutating func refuse(_ code: SNEPResponseCode) -> SNEPStep {
        state = .idle
        return .sendAndClose([SNEPHeader(code: code.rawValue, length: 0).bytes])
    }
}
