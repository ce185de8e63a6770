/// The second byte of every message.
public enum MessageType: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case initiate = 0x01
    case response = 0x02
    case activate = 0x03
    case action = 0x04
    case data = 0x05
    case idRequest = 0x06
    /// Legacy: no implementation sends it since version 4.
    case groupAdd = 0x07
    /// Legacy.
    case groupDelete = 0x08
    case joinRequest = 0x09
    case joinCommand = 0x0A
    case humanJoinRequest = 0x0B
    case humanJoinResponse = 0x0C
    case observedJoinRequest = 0x0D
    case observedJoinResponse = 0x0E
    case observationRequest = 0x0F
    case resignRequest = 0x10
    case terminateCommand = 0x11
    case deregisterRequest = 0x12
    case deregisterCommand = 0x13
    /// Legacy.
    case groupDestroy = 0x14
    case syndicationInit = 0x21
    case syndicatedAction = 0x24
    case syndicatedData = 0x25
    case syndicatedIDRequest = 0x26
    case syndicatedDeviceCount = 0x27
    case syndicatedDeviceList = 0x28
    case syndicationRequest = 0x29
    case syndicatedC2Request = 0x2C
    case syndicatedEndRequest = 0x2E
    case syndicatedTerminate = 0x2F

    /// Types that bridge two C2 networks; recognised, their tails left unread (``Body/notSupported(_:tail:)``).
    public var isSyndication: Bool { rawValue >= 0x21 }

    /// The protocol's own name in capitals.
    public var description: String {
        switch self {
        case .initiate: "INITIATE"
        case .response: "RESPONSE"
        case .activate: "ACTIVATE"
        case .action: "ACTION"
        case .data: "DATA"
        case .idRequest: "ID_REQUEST"
        case .groupAdd: "GROUP_ADD"
        case .groupDelete: "GROUP_DELETE"
        case .joinRequest: "JOIN_REQUEST"
        case .joinCommand: "JOIN_COMMAND"
        case .humanJoinRequest: "HUMAN_JOIN_REQUEST"
        case .humanJoinResponse: "HUMAN_JOIN_RESPONSE"
        case .observedJoinRequest: "OBSERVED_JOIN_REQUEST"
        case .observedJoinResponse: "OBSERVED_JOIN_RESPONSE"
        case .observationRequest: "OBSERVATION_REQUEST"
        case .resignRequest: "RESIGN_REQUEST"
        case .terminateCommand: "TERMINATE_COMMAND"
        case .deregisterRequest: "DEREGISTER_REQUEST"
        case .deregisterCommand: "DEREGISTER_COMMAND"
        case .groupDestroy: "GROUP_DESTROY"
        case .syndicationInit: "SYNDICATION_INIT"
        case .syndicatedAction: "SYNDICATED_ACTION"
        case .syndicatedData: "SYNDICATED_DATA"
        case .syndicatedIDRequest: "SYNDICATED_ID_REQUEST"
        case .syndicatedDeviceCount: "SYNDICATED_DEVICE_COUNT"
        case .syndicatedDeviceList: "SYNDICATED_DEVICE_LIST"
        case .syndicationRequest: "SYNDICATION_REQUEST"
        case .syndicatedC2Request: "SYNDICATED_C2_REQUEST"
        case .syndicatedEndRequest: "SYNDICATED_END_REQUEST"
        case .syndicatedTerminate: "SYNDICATED_TERMINATE"
        }
    }

    /// The type of that name.
    public init?(name: some StringProtocol) {
        guard let type = MessageType.allCases.first(where: { $0.description == name }) else { return nil }
        self = type
    }
}
