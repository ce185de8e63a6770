/// What an observer shows to people without a screen: the keeper says one of these words a line on its signal socket.
public enum SignalWord: String, Sendable, CaseIterable {
    case unregistered, waiting, looking
    case valid = "VALID"
    case invalid = "INVALID"
    case failed = "FAILED"
    case fault
    /// The eyes look so that somebody can point them: nothing is read.
    case aiming
    /// Likewise, and a code or a tap is read.
    case readable
    /// Somebody looks for this observer among others.
    case locate

    /// Whether it is one of the three verdicts.
    public var isVerdict: Bool { self == .valid || self == .invalid || self == .failed }

    /// A verdict, and being looked for, are events: they are shown once, and then what goes on.
    public var isEvent: Bool { isVerdict || self == .locate }

    /// For people.
    public var meaning: String {
        switch self {
        case .unregistered: "no observer runs here: not registered, or not started"
        case .waiting: "joined, waiting for a request"
        case .looking: "looking for a device's code or tap"
        case .valid: "VALID: the device was seen"
        case .invalid: "INVALID: another value was shown"
        case .failed: "FAILED: nothing could be read in time"
        case .fault: "fault: no broker, not joined, or no camera or reader (srup-observer doctor)"
        case .aiming: "looking so that the camera can be pointed; no code is read ([appliance] aim_minutes)"
        case .readable: "likewise, and a code is read: the camera points well"
        case .locate: "here: somebody asks for this observer at the C2 server"
        }
    }
}
