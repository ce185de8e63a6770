/// What a RESPONSE says: every code the protocol defines.
public enum Status: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case updateSuccess = 0x00
    case updateFailHTTPError = 0xFC
    /// The update server could not be reached.
    case updateFailServer = 0xFD
    /// The update server answered with HTTP status 400 or above.
    case updateFailFile = 0xFE
    case updateFailDigest = 0xFF
    case activateSuccess = 0x10
    case activateFail = 0x1F
    case actionSuccess = 0x20
    case actionUnknown = 0x2E
    case actionFail = 0x2F
    case dataTypeUnknown = 0x3F
    case joinSuccess = 0x50
    /// The server refuses this kind of join (it may want a moderated one).
    case joinRefused = 0x5E
    case joinFail = 0x5F
    /// Verdict VALID: the observer saw the nonce.
    case observedJoinValid = 0x60
    /// Verdict INVALID: the observer saw another value.
    case observedJoinInvalid = 0x6E
    /// Verdict FAILED: the observer could not read anything in time.
    case observedJoinFail = 0x6F
    case resignSuccess = 0x70
    case resignFail = 0x7F
    case deregisterSuccess = 0x80
    case deregisterFail = 0x8F

    /// The protocol's own name for the code.
    public var description: String {
        switch self {
        case .updateSuccess: "UPDATE_SUCCESS"
        case .updateFailHTTPError: "UPDATE_FAIL_HTTP_ERROR"
        case .updateFailServer: "UPDATE_FAIL_SERVER"
        case .updateFailFile: "UPDATE_FAIL_FILE"
        case .updateFailDigest: "UPDATE_FAIL_DIGEST"
        case .activateSuccess: "ACTIVATE_SUCCESS"
        case .activateFail: "ACTIVATE_FAIL"
        case .actionSuccess: "ACTION_SUCCESS"
        case .actionUnknown: "ACTION_UNKNOWN"
        case .actionFail: "ACTION_FAIL"
        case .dataTypeUnknown: "DATA_TYPE_UNKNOWN"
        case .joinSuccess: "JOIN_SUCCESS"
        case .joinRefused: "JOIN_REFUSED"
        case .joinFail: "JOIN_FAIL"
        case .observedJoinValid: "OBSERVED_JOIN_VALID"
        case .observedJoinInvalid: "OBSERVED_JOIN_INVALID"
        case .observedJoinFail: "OBSERVED_JOIN_FAIL"
        case .resignSuccess: "RESIGN_SUCCESS"
        case .resignFail: "RESIGN_FAIL"
        case .deregisterSuccess: "DEREGISTER_SUCCESS"
        case .deregisterFail: "DEREGISTER_FAIL"
        }
    }

    /// The code of that name.
    public init?(name: some StringProtocol) {
        guard let status = Status.allCases.first(where: { $0.description == name }) else { return nil }
        self = status
    }
}
