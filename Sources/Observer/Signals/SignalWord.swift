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
    /// The acceptance check asks for a step, the first to the eighth.
    case step1, step2, step3, step4, step5, step6, step7, step8
    /// It checks, which takes its time.
    case checking
    /// It waits for the plug to be pulled.
    case unplug
    /// A step has passed.
    case stepPassed = "step-passed"
    /// A step has failed.
    case stepFailed = "step-failed"
    /// It is over: all has passed.
    case accepted
    /// It is over: something has failed, was left out or is open.
    case notAccepted = "not-accepted"
    /// Somebody looks for this observer among others.
    case locate

    /// The steps of the acceptance check, in their order.
    public static let steps: [SignalWord] = [.step1, .step2, .step3, .step4, .step5, .step6, .step7, .step8]

    /// Which of them it is, from 1; `nil`: none.
    var step: Int? { Self.steps.firstIndex(of: self).map { $0 + 1 } }

    /// Whether it is one of the three verdicts.
    public var isVerdict: Bool { self == .valid || self == .invalid || self == .failed }

    /// A verdict, a step's end, and being looked for, are events: they are shown once, and then what goes on.
    public var isEvent: Bool { isVerdict || [.locate, .stepPassed, .stepFailed].contains(self) }

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
        case .step1, .step2, .step3, .step4, .step5, .step6, .step7, .step8:
            "the acceptance check waits at step \(step ?? 0) of 8"
        case .checking: "the acceptance check looks, listens or measures"
        case .unplug: "the acceptance check waits for the plug to be pulled"
        case .stepPassed: "the step has passed"
        case .stepFailed: "the step has failed"
        case .accepted: "the acceptance check is over: all has passed"
        case .notAccepted: "the acceptance check is over: not accepted, or not complete"
        case .locate: "here: somebody asks for this observer at the C2 server"
        }
    }
}
