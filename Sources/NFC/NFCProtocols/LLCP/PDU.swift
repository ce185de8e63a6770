/// A protocol data unit of LLCP 1.3, section 4.3.
///
/// ```
///  bit  7..2   1 0 | 7 6    5..0
///       DSAP   PTYPE        SSAP      two bytes
///  N(S) in the high, N(R) in the low four bits: one byte, in I, RR and RNR
///  information
/// ```
public enum PDU: Sendable, Hashable {
    case symmetry
    case parameterExchange(LinkParameters)
    case aggregate([PDU])
    case unnumbered(dsap: UInt8, ssap: UInt8, information: [UInt8])
    case connect(dsap: UInt8, ssap: UInt8, Connect)
    case disconnect(dsap: UInt8, ssap: UInt8)
    case connectionComplete(dsap: UInt8, ssap: UInt8, Connect)
    case disconnectedMode(dsap: UInt8, ssap: UInt8, reason: UInt8)
    case frameReject(dsap: UInt8, ssap: UInt8, FrameReject)
    case serviceNameLookup(requests: [Lookup], responses: [LookupResult])
    case information(dsap: UInt8, ssap: UInt8, ns: UInt8, nr: UInt8, information: [UInt8])
    case receiveReady(dsap: UInt8, ssap: UInt8, nr: UInt8)
    case receiveNotReady(dsap: UInt8, ssap: UInt8, nr: UInt8)
    /// A type that LLCP 1.3 reserves or that is not supported here (data protection); the receiver discards it.
    case other(type: UInt8, dsap: UInt8, ssap: UInt8)
    /// An I, RR or RNR PDU that is malformed: `flags` say how (``FrameReject``). On a data link connection it is answered
    /// by FRMR.
    case malformed(type: UInt8, dsap: UInt8, ssap: UInt8, sequence: UInt8, flags: UInt8)

    /// The parameters of CONNECT and CC.
    public struct Connect: Sendable, Hashable {
        /// The longest information field that the sender takes on this connection, in bytes: 128 to 2175.
        public var miu = 128
        /// The sender's receive window (RW): how many I PDUs may wait for its acknowledgement, 0 to 15.
        public var window: UInt8 = 1
        /// The name of the service that is asked for, in a CONNECT to service discovery; `nil`: the access point says
        /// it.
        public var service: String?

        /// Parameters of CONNECT or CC; what is left out has the standard's default.
        public init(miu: Int = 128, window: UInt8 = 1, service: String? = nil) {
            self.miu = miu
            self.window = window
            self.service = service
        }
    }

    /// Why and where a frame was rejected (4.3.9): flags in the high four bits are W, I, R, S.
    public struct FrameReject: Sendable, Hashable {
        /// W: the PDU is malformed.
        public static let malformed: UInt8 = 8
        /// I: the information field is not allowed, or too long.
        public static let incorrectInformation: UInt8 = 4
        /// R: N(R) acknowledges what was not sent.
        public static let invalidReceive: UInt8 = 2
        /// S: N(S) is not the number that was due.
        public static let invalidSend: UInt8 = 1

        /// Why: ``malformed``, ``incorrectInformation``, ``invalidReceive`` and ``invalidSend``, added up.
        public var flags: UInt8
        /// The rejected PDU's type (PTYPE).
        public var type: UInt8
        /// The rejected PDU's N(S) in the high and N(R) in the low four bits; 0 when it has none.
        public var sequence: UInt8
        /// V(S), V(R), V(SA), V(RA).
        public var vs, vr, vsa, vra: UInt8
    }

    /// A question of service discovery (SDREQ): at which access point the service of a name is.
    public struct Lookup: Sendable, Hashable {
        /// A number of the asker's choice, which the answer repeats.
        public var transaction: UInt8
        /// The service's name, as ``LLCPLink/snepName``.
        public var name: String

        /// A question for the service of a name.
        public init(transaction: UInt8, name: String) {
            self.transaction = transaction
            self.name = name
        }
    }

    /// An answer of service discovery (SDRES).
    public struct LookupResult: Sendable, Hashable {
        /// The number of the question that is answered.
        public var transaction: UInt8
        /// 0: no such service.
        public var sap: UInt8
    }

    /// How many PDUs an aggregate may hold: as many as fit the longest frame.
    static let maximumAggregated = 64

    // MARK: Bytes

    /// Reads one PDU that fills the bytes; a malformed I, RR or RNR PDU becomes
    /// ``malformed(type:dsap:ssap:sequence:flags:)``.
    ///
    /// - Throws: ``LLCPError``.
    public init(parsing bytes: some Collection<UInt8>) throws(LLCPError) {
        try self.init(Array(bytes)[...], isInner: false)
    }

    private init(_ bytes: ArraySlice<UInt8>, isInner: Bool) throws(LLCPError) {
        guard bytes.count >= 2 else { throw .truncated }
        let first = bytes[bytes.startIndex]
        let second = bytes[bytes.startIndex + 1]
        let dsap = first >> 2
        let ssap = second & 0x3F
        let type = (first & 3) << 2 | second >> 6
        let rest = bytes.dropFirst(2)
        switch type {
        case 0:
            guard dsap == 0, ssap == 0, rest.isEmpty else { throw .badPDU("SYMM has addresses or information") }
            self = .symmetry
        case 1:
            guard dsap == 0, ssap == 0 else { throw .badPDU("PAX has addresses") }
            self = .parameterExchange(try LinkParameters(parameters: LLCPParameter.list(rest)))
        case 2:
            guard dsap == 0, ssap == 0 else { throw .badPDU("AGF has addresses") }
            if isInner { throw .nestedAggregate }
            self = .aggregate(try Self.aggregate(rest))
        case 3: self = .unnumbered(dsap: dsap, ssap: ssap, information: Array(rest))
        case 4: self = .connect(dsap: dsap, ssap: ssap, try Connect(rest))
        case 5:
            guard rest.isEmpty else { throw .badPDU("DISC has information") }
            self = .disconnect(dsap: dsap, ssap: ssap)
        case 6: self = .connectionComplete(dsap: dsap, ssap: ssap, try Connect(rest))
        case 7:
            guard rest.count == 1, let reason = rest.first else { throw .badPDU("DM has no reason") }
            self = .disconnectedMode(dsap: dsap, ssap: ssap, reason: reason)
        case 8: self = .frameReject(dsap: dsap, ssap: ssap, try FrameReject(rest))
        case 9: self = try Self.lookup(dsap, ssap, rest)
        case 12, 13, 14:
            guard let sequence = rest.first else {
                self = .malformed(type: type, dsap: dsap, ssap: ssap, sequence: 0, flags: FrameReject.malformed)
                return
            }
            let information = Array(rest.dropFirst())
            if type == 12 {
                self = .information(
                    dsap: dsap, ssap: ssap, ns: sequence >> 4, nr: sequence & 15, information: information)
                return
            }
            guard information.isEmpty else {
                self = .malformed(
                    type: type, dsap: dsap, ssap: ssap, sequence: sequence, flags: FrameReject.incorrectInformation)
                return
            }
            self =
                type == 13
                ? .receiveReady(dsap: dsap, ssap: ssap, nr: sequence & 15)
                : .receiveNotReady(dsap: dsap, ssap: ssap, nr: sequence & 15)
        default: self = .other(type: type, dsap: dsap, ssap: ssap)
        }
    }

    private static func aggregate(_ bytes: ArraySlice<UInt8>) throws(LLCPError) -> [PDU] {
        var rest = bytes
        var inner: [PDU] = []
        while !rest.isEmpty {
            guard rest.count >= 2 else { throw .truncated }
            let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
            guard length <= rest.count - 2 else { throw .truncated }
            guard inner.count < maximumAggregated else { throw .tooManyPDUs }
            inner.append(try PDU(rest.dropFirst(2).prefix(length), isInner: true))
            rest = rest.dropFirst(2 + length)
        }
        return inner
    }

    private static func lookup(_ dsap: UInt8, _ ssap: UInt8, _ bytes: ArraySlice<UInt8>) throws(LLCPError) -> PDU {
        guard dsap == 1, ssap == 1 else { throw .badPDU("SNL is not between service discovery points") }
        var requests: [Lookup] = []
        var responses: [LookupResult] = []
        for parameter in try LLCPParameter.list(bytes) {
            switch parameter.type {
            case LLCPParameter.sdreq:
                guard let transaction = parameter.value.first,
                    let name = String(validating: parameter.value.dropFirst(), as: UTF8.self)
                else { throw .badParameter(parameter.type) }
                requests.append(Lookup(transaction: transaction, name: name))
            case LLCPParameter.sdres:
                guard parameter.value.count == 2 else { throw .badParameter(parameter.type) }
                responses.append(LookupResult(transaction: parameter.value[0], sap: parameter.value[1] & 0x3F))
            default: break
            }
            guard requests.count + responses.count <= maximumAggregated else { throw .tooManyPDUs }
        }
        return .serviceNameLookup(requests: requests, responses: responses)
    }

    /// The PDU's bytes on the link.
    public var bytes: [UInt8] {
        switch self {
        case .symmetry: return [0, 0]
        case .parameterExchange(let parameters):
            return Self.head(1, 0, 0) + parameters.parameters.flatMap(\.bytes)
        case .aggregate(let inner):
            return inner.reduce(into: Self.head(2, 0, 0)) { bytes, pdu in
                let inner = pdu.bytes
                bytes += [UInt8(truncatingIfNeeded: inner.count >> 8), UInt8(truncatingIfNeeded: inner.count)] + inner
            }
        case .unnumbered(let dsap, let ssap, let information): return Self.head(3, dsap, ssap) + information
        case .connect(let dsap, let ssap, let connect): return Self.head(4, dsap, ssap) + connect.bytes
        case .disconnect(let dsap, let ssap): return Self.head(5, dsap, ssap)
        case .connectionComplete(let dsap, let ssap, let connect): return Self.head(6, dsap, ssap) + connect.bytes
        case .disconnectedMode(let dsap, let ssap, let reason): return Self.head(7, dsap, ssap) + [reason]
        case .frameReject(let dsap, let ssap, let reject): return Self.head(8, dsap, ssap) + reject.bytes
        case .serviceNameLookup(let requests, let responses):
            return Self.head(9, 1, 1)
                + requests.flatMap {
                    LLCPParameter(type: LLCPParameter.sdreq, value: [$0.transaction] + $0.name.utf8).bytes
                }
                + responses.flatMap { LLCPParameter(type: LLCPParameter.sdres, value: [$0.transaction, $0.sap]).bytes }
        case .information(let dsap, let ssap, let ns, let nr, let information):
            return Self.head(12, dsap, ssap) + [ns << 4 | nr & 15] + information
        case .receiveReady(let dsap, let ssap, let nr): return Self.head(13, dsap, ssap) + [nr & 15]
        case .receiveNotReady(let dsap, let ssap, let nr): return Self.head(14, dsap, ssap) + [nr & 15]
        case .other(let type, let dsap, let ssap): return Self.head(type, dsap, ssap)
        case .malformed(let type, let dsap, let ssap, let sequence, let flags):
            let head = Self.head(type, dsap, ssap)
            return flags & FrameReject.malformed != 0 ? head : head + [sequence, 0]
        }
    }

    private static func head(_ type: UInt8, _ dsap: UInt8, _ ssap: UInt8) -> [UInt8] {
        [dsap << 2 | type >> 2, type << 6 | ssap & 0x3F]
    }
}

extension PDU.Connect {
    init(_ bytes: ArraySlice<UInt8>) throws(LLCPError) {
        for parameter in try LLCPParameter.list(bytes) {
            switch parameter.type {
            case LLCPParameter.miux:
                guard parameter.value.count == 2 else { throw .badParameter(parameter.type) }
                miu = 128 + Int(UInt16(parameter.value[0]) << 8 | UInt16(parameter.value[1])) & 0x7FF
            case LLCPParameter.rw:
                guard parameter.value.count == 1 else { throw .badParameter(parameter.type) }
                window = parameter.value[0] & 15
            case LLCPParameter.sn:
                guard let name = String(validating: parameter.value, as: UTF8.self) else {
                    throw .badParameter(parameter.type)
                }
                service = name
            default: break
            }
        }
    }

    var bytes: [UInt8] {
        var list: [LLCPParameter] = []
        if miu > 128 {
            let extra = UInt16(min(miu - 128, 0x7FF))
            list.append(.init(type: LLCPParameter.miux, value: [UInt8(extra >> 8), UInt8(extra & 0xFF)]))
        }
        if window != 1 { list.append(.init(type: LLCPParameter.rw, value: [window & 15])) }
        if let service { list.append(.init(type: LLCPParameter.sn, value: Array(service.utf8.prefix(255)))) }
        return list.flatMap(\.bytes)
    }
}

extension PDU.FrameReject {
    init(_ bytes: ArraySlice<UInt8>) throws(LLCPError) {
        let bytes = Array(bytes)
        guard bytes.count == 4 else { throw .badPDU("FRMR has not four bytes") }
        self.init(
            flags: bytes[0] >> 4, type: bytes[0] & 15, sequence: bytes[1], vs: bytes[2] >> 4, vr: bytes[2] & 15,
            vsa: bytes[3] >> 4, vra: bytes[3] & 15)
    }

    var bytes: [UInt8] { [flags << 4 | type & 15, sequence, vs << 4 | vr, vsa << 4 | vra] }
}
