/// What is wrong with what a peer sends on the link.
public enum LLCPError: Error, Sendable, Hashable, CustomStringConvertible {
    case noMagic
    case truncated
    case badParameter(UInt8)
    case badVersion(UInt8)
    case badPDU(String)
    case tooLong(Int)
    case nestedAggregate
    case tooManyPDUs

    /// What is wrong, in words for the operator.
    public var description: String {
        switch self {
        case .noMagic: "LLCP: the general bytes do not begin with \"Ffm\": the peer does not speak LLCP"
        case .truncated: "LLCP: a PDU ends in the middle"
        case .badParameter(let type): "LLCP: parameter \(type) is malformed"
        case .badVersion(let version): "LLCP: the peer speaks version \(version >> 4).\(version & 15)"
        case .badPDU(let why): "LLCP: \(why)"
        case .tooLong(let length): "LLCP: a PDU of \(length) bytes is above our MIU"
        case .nestedAggregate: "LLCP: an aggregate within an aggregate"
        case .tooManyPDUs: "LLCP: an aggregate holds too many PDUs"
        }
    }
}

/// A parameter of LLCP 1.3, section 4.5: type, length, value.
struct LLCPParameter: Sendable, Hashable {
    static let version: UInt8 = 1
    static let miux: UInt8 = 2
    static let wks: UInt8 = 3
    static let lto: UInt8 = 4
    static let rw: UInt8 = 5
    static let sn: UInt8 = 6
    static let opt: UInt8 = 7
    static let sdreq: UInt8 = 8
    static let sdres: UInt8 = 9

    var type: UInt8
    var value: [UInt8]

    var bytes: [UInt8] { [type, UInt8(truncatingIfNeeded: value.count)] + value }

    /// - Throws: ``LLCPError/truncated``.
    static func list(_ bytes: ArraySlice<UInt8>) throws(LLCPError) -> [LLCPParameter] {
        var rest = bytes
        var list: [LLCPParameter] = []
        while let type = rest.first {
            guard rest.count >= 2 else { throw .truncated }
            let length = Int(rest[rest.startIndex + 1])
            guard rest.count >= 2 + length else { throw .truncated }
            list.append(LLCPParameter(type: type, value: Array(rest.dropFirst(2).prefix(length))))
            rest = rest.dropFirst(2 + length)
        }
        return list
    }
}

/// What both sides of a link tell each other of themselves, in the general bytes of ATR_REQ and ATR_RES or in a PAX PDU
/// (LLCP 1.3, sections 4.5 and 5.2.1).
///
/// ```
///  46 66 6D               "Ffm", the LLCP magic; not in PAX
///  01 01 13               VERSION 1.3
///  02 02 0X XX            MIUX: MIU = 128 + these 11 bits
///  03 02 XX XX            WKS: a bit for each of the service access points 0 to 15
///  04 01 XX               LTO, in units of 10 ms
///  07 01 0X               OPT: link service class
/// ```
public struct LinkParameters: Sendable, Hashable {
    /// The LLCP version that is spoken, the major number in the high four bits.
    public var version: UInt8 = 0x13
    /// The longest information field that is taken, in bytes.
    public var miu = 128
    /// The access points from 0 to 15 that have a service, a bit for each: the lowest is 0's.
    public var wellKnownServices: UInt16 = 0x0001
    /// How long the other side may wait for our next PDU, in milliseconds.
    public var linkTimeout = 100
    /// OPT; its low two bits are the link service class: 1 connectionless, 2 connection-oriented, 3 both, 0 not told.
    public var options: UInt8 = 0

    /// LLCP 1.3 and no more than every side of a link must have: see ``ours`` for what we say.
    public init() {}

    /// Ours, as the observer's and the device's link say it.
    public static let ours: LinkParameters = {
        var ours = LinkParameters()
        ours.wellKnownServices = 0x0013  // link management, service discovery, SNEP
        ours.linkTimeout = 1000
        ours.options = 3  // both connectionless and connection-oriented
        return ours
    }()

    static let magic: [UInt8] = [0x46, 0x66, 0x6D]

    /// Whether general bytes say that their sender speaks LLCP, in whatever version.
    public static func isLLCP(_ bytes: [UInt8]) -> Bool { bytes.starts(with: magic) }

    /// - Throws: ``LLCPError``.
    public init(generalBytes bytes: some Collection<UInt8>) throws(LLCPError) {
        let bytes = Array(bytes)
        guard bytes.starts(with: Self.magic) else { throw .noMagic }
        try self.init(parameters: LLCPParameter.list(bytes[3...]))
        guard version != 0 else { throw .badParameter(LLCPParameter.version) }
    }

    init(parameters: [LLCPParameter]) throws(LLCPError) {
        version = 0
        for parameter in parameters {
            let value = parameter.value
            switch parameter.type {
            case LLCPParameter.version:
                guard value.count == 1 else { throw .badParameter(parameter.type) }
                version = value[0]
                // Minor versions agree on the lower one. Of two major versions the higher side decides whether it can speak
                // as the lower one does (5.2.2): a peer above us decides for itself, and with one below us we do not speak.
                guard version >> 4 >= 1 else { throw .badVersion(version) }
            case LLCPParameter.miux:
                guard value.count == 2 else { throw .badParameter(parameter.type) }
                miu = 128 + Int(UInt16(value[0]) << 8 | UInt16(value[1])) & 0x7FF
            case LLCPParameter.wks:
                guard value.count == 2 else { throw .badParameter(parameter.type) }
                wellKnownServices = UInt16(value[0]) << 8 | UInt16(value[1])
            case LLCPParameter.lto:
                guard value.count == 1, value[0] > 0 else { throw .badParameter(parameter.type) }
                linkTimeout = Int(value[0]) * 10
            case LLCPParameter.opt:
                guard value.count == 1 else { throw .badParameter(parameter.type) }
                options = value[0]
            default: break  // to be ignored (4.5.1)
            }
        }
    }

    var parameters: [LLCPParameter] {
        var list = [LLCPParameter(type: LLCPParameter.version, value: [version])]
        if miu > 128 {
            let extension_ = UInt16(min(miu - 128, 0x7FF))
            list.append(.init(type: LLCPParameter.miux, value: [UInt8(extension_ >> 8), UInt8(extension_ & 0xFF)]))
        }
        list.append(
            .init(
                type: LLCPParameter.wks, value: [UInt8(wellKnownServices >> 8), UInt8(wellKnownServices & 0xFF)]))
        list.append(.init(type: LLCPParameter.lto, value: [UInt8(clamping: linkTimeout / 10)]))
        if options != 0 { list.append(.init(type: LLCPParameter.opt, value: [options])) }
        return list
    }

    /// For ATR_REQ or ATR_RES; at most 47 bytes there.
    public var generalBytes: [UInt8] { Self.magic + parameters.flatMap(\.bytes) }
}
