/// Text that the reference ends with one NUL inside the counted length: INITIATE's URL and digest (docs/protocol.md,
/// "Strings with a NUL").
public struct TerminatedText: Hashable, Sendable {
    /// Without the NUL.
    public let bytes: [UInt8]
    /// Whether the NUL is there; we always send it, since the reference reads past its buffer without it.
    public let isTerminated: Bool

    /// Makes the text's UTF-8 bytes; with `terminated`, a NUL follows them on the wire.
    public init(_ text: String, terminated: Bool = true) {
        self.init(Array(text.utf8), terminated: terminated)
    }

    /// Takes bytes without the NUL; with `terminated`, it follows them on the wire.
    public init(_ bytes: [UInt8], terminated: Bool = true) {
        self.bytes = bytes
        isTerminated = terminated
    }

    init(wire: ArraySlice<UInt8>) {
        isTerminated = wire.last == 0
        bytes = Array(isTerminated ? wire.dropLast() : wire)
    }

    var wire: [UInt8] { isTerminated ? bytes + [0] : bytes }
    /// `nil` when the bytes are not UTF-8.
    public var text: String? { String(validating: bytes, as: UTF8.self) }
}

/// What a message says, by type: the tail after the signature.
///
/// ```
/// INITIATE               | len url NUL | len digest NUL |
/// RESPONSE               | status 1 |
/// ACTION                 | action id 1 |
/// DATA                   | len data id | len data |
/// GROUP ADD / DELETE     | device id 8 | len group id |
/// JOIN COMMAND           | device id 8 |
/// HUMAN / OBSERVED JOIN RESPONSE | len envelope |
/// OBSERVED JOIN REQUEST  | observer id 8 |
/// OBSERVATION REQUEST    | joining device id 8 | len envelope |
/// GROUP DESTROY          | len group id |
/// all others             (empty)
/// ```
/// len: 16 bits, most significant byte first. Identities: least significant byte first.
public enum Body: Hashable, Sendable {
    /// Asks a device to fetch an update from `url`, whose SHA-256 in lower-case hexadecimal is `digest`.
    case initiate(url: TerminatedText, digest: TerminatedText)
    case response(Status)
    case activate
    case action(UInt8)
    /// `value` has no type tag: who knows the `id` knows its type (see ``DataValue``).
    case data(id: [UInt8], value: [UInt8])
    case idRequest
    case groupAdd(device: DeviceID, group: [UInt8])
    case groupDelete(device: DeviceID, group: [UInt8])
    case groupDestroy(group: [UInt8])
    case joinRequest
    case joinCommand(device: DeviceID)
    case humanJoinRequest
    case humanJoinResponse(Envelope)
    case observedJoinRequest(observer: DeviceID)
    case observedJoinResponse(Envelope)
    case observationRequest(device: DeviceID, Envelope)
    case resignRequest
    case terminateCommand
    case deregisterRequest
    case deregisterCommand
    /// Syndication is recognised but not spoken: the tail is kept as it came, so that the signature can be checked.
    case notSupported(MessageType, tail: [UInt8])

    /// The message type that the header names.
    public var type: MessageType {
        switch self {
        case .initiate: .initiate
        case .response: .response
        case .activate: .activate
        case .action: .action
        case .data: .data
        case .idRequest: .idRequest
        case .groupAdd: .groupAdd
        case .groupDelete: .groupDelete
        case .groupDestroy: .groupDestroy
        case .joinRequest: .joinRequest
        case .joinCommand: .joinCommand
        case .humanJoinRequest: .humanJoinRequest
        case .humanJoinResponse: .humanJoinResponse
        case .observedJoinRequest: .observedJoinRequest
        case .observedJoinResponse: .observedJoinResponse
        case .observationRequest: .observationRequest
        case .resignRequest: .resignRequest
        case .terminateCommand: .terminateCommand
        case .deregisterRequest: .deregisterRequest
        case .deregisterCommand: .deregisterCommand
        case .notSupported(let type, _): type
        }
    }

    /// The sealed nonce, of the three types that carry one.
    public var envelope: Envelope? {
        switch self {
        case .humanJoinResponse(let envelope), .observedJoinResponse(let envelope),
            .observationRequest(_, let envelope):
            envelope
        default: nil
        }
    }
}

extension Body {
    init(_ type: MessageType, from reader: inout ByteReader) throws(WireError) {
        func id(_ field: WireError.Field) throws(WireError) -> DeviceID {
            DeviceID(try reader.integer64(field))
        }
        func counted(_ field: WireError.Field) throws(WireError) -> ArraySlice<UInt8> {
            reader.bytes[try reader.counted(field)]
        }
        switch type {
        case .initiate:
            self = .initiate(
                url: TerminatedText(wire: try counted(.url)), digest: TerminatedText(wire: try counted(.digest)))
        case .response:
            let offset = reader.offset
            let byte = try reader.byte(.status)
            guard let status = Status(rawValue: byte) else {
                throw WireError(.status, at: offset, .unknownStatus(byte))
            }
            self = .response(status)
        case .activate: self = .activate
        case .action: self = .action(try reader.byte(.actionID))
        case .data: self = .data(id: Array(try counted(.dataID)), value: Array(try counted(.data)))
        case .idRequest: self = .idRequest
        case .groupAdd: self = .groupAdd(device: try id(.deviceID), group: Array(try counted(.groupID)))
        case .groupDelete: self = .groupDelete(device: try id(.deviceID), group: Array(try counted(.groupID)))
        case .groupDestroy: self = .groupDestroy(group: Array(try counted(.groupID)))
        case .joinRequest: self = .joinRequest
        case .joinCommand: self = .joinCommand(device: try id(.deviceID))
        case .humanJoinRequest: self = .humanJoinRequest
        case .humanJoinResponse: self = .humanJoinResponse(Envelope(Array(try counted(.envelope))))
        case .observedJoinRequest: self = .observedJoinRequest(observer: try id(.observerID))
        case .observedJoinResponse: self = .observedJoinResponse(Envelope(Array(try counted(.envelope))))
        case .observationRequest:
            self = .observationRequest(device: try id(.deviceID), Envelope(Array(try counted(.envelope))))
        case .resignRequest: self = .resignRequest
        case .terminateCommand: self = .terminateCommand
        case .deregisterRequest: self = .deregisterRequest
        case .deregisterCommand: self = .deregisterCommand
        default:
            self = .notSupported(type, tail: reader.rest())
        }
    }

    func write(to writer: inout ByteWriter) throws(WireError) {
        switch self {
        case .initiate(let url, let digest):
            try writer.counted(url.wire, .url)
            try writer.counted(digest.wire, .digest)
        case .response(let status): writer.byte(status.rawValue)
        case .action(let id): writer.byte(id)
        case .data(let id, let value):
            try writer.counted(id, .dataID)
            try writer.counted(value, .data)
        case .groupAdd(let device, let group), .groupDelete(let device, let group):
            writer.integer64(device.value)
            try writer.counted(group, .groupID)
        case .groupDestroy(let group): try writer.counted(group, .groupID)
        case .joinCommand(let device), .observedJoinRequest(observer: let device): writer.integer64(device.value)
        case .humanJoinResponse(let envelope), .observedJoinResponse(let envelope):
            try writer.counted(envelope.bytes, .envelope)
        case .observationRequest(let device, let envelope):
            writer.integer64(device.value)
            try writer.counted(envelope.bytes, .envelope)
        case .notSupported(_, let tail): writer.raw(tail)
        case .activate, .idRequest, .joinRequest, .humanJoinRequest, .resignRequest, .terminateCommand,
            .deregisterRequest, .deregisterCommand:
            break
        }
    }
}

extension ByteReader {
    mutating func rest() -> [UInt8] {
        defer { skipToEnd() }
        return Array(bytes[offset...])
    }
}
