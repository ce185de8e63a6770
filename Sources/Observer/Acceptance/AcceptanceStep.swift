/// What is checked on the spot after an observer has been mounted, in this order.
public enum AcceptanceStep: String, Codable, Sendable, CaseIterable {
    case doctor
    case day
    case lamp
    case tap
    case wrongCode = "wrong-code"
    case heat
    case power
    case powerCut = "power-cut"

    /// What is shown, for people.
    public var title: String {
        switch self {
        case .doctor: "The doctor finds nothing wrong"
        case .day: "The test sheet is read three times by day"
        case .lamp: "The test sheet is read three times by lamplight"
        case .tap: "A tap at the mark is read"
        case .wrongCode: "A wrong code gives INVALID"
        case .heat: "It stays cool enough while it looks"
        case .power: "The power supply holds"
        case .powerCut: "It comes back after a power cut"
        }
    }

    /// The same in a word or two, for a small display.
    public var shortTitle: String {
        switch self {
        case .doctor: "doctor"
        case .day: "sheet by day"
        case .lamp: "sheet by lamp"
        case .tap: "tap the mark"
        case .wrongCode: "wrong code"
        case .heat: "heat, box closed"
        case .power: "power"
        case .powerCut: "pull the plug"
        }
    }

    /// From 1.
    public var number: Int { (Self.allCases.firstIndex(of: self) ?? 0) + 1 }

    /// What somebody has to do before it is checked.
    public var request: String {
        switch self {
        case .doctor: "Nothing is needed: the doctor looks at everything."
        case .day: "By daylight: hold the test sheet where devices will be shown, three times."
        case .lamp: "By the lamps of the place alone: hold the test sheet where devices will be shown, three times."
        case .tap: "Hold the tag or device to the mark on the box."
        case .wrongCode:
            "Let a device ask to join (srup-device run), and while the lamp blinks fast hold up another value of 32 "
                + "hexadecimal digits with a letter in it, for 30 s."
        case .heat: "Close the box; it looks and is measured for the time that was given. No device can join meanwhile."
        case .power: "Nothing is needed: the machine says whether its voltage was ever too low."
        case .powerCut:
            "Press Enter, then pull the plug, wait ten seconds, and put it in again. When the box is back, start "
                + "\"srup-observer accept\" once more."
        }
    }
}

/// How a step has ended.
public struct AcceptanceResult: Codable, Sendable, Hashable {
    /// passed; failed; skipped by whoever checked, with a reason; not applicable on this machine.
    public enum State: String, Codable, Sendable { case passed, failed, skipped, none }

    /// What a passed step rests on, where it is less than was wanted.
    public enum Weakness: String, Codable, Sendable {
        /// Somebody has said so.
        case seen
        /// It was measured for less time than is usual.
        case shortened
    }

    /// How it has ended.
    public let state: State
    /// What it rests on, where that is less than was wanted.
    public let weakness: Weakness?
    /// From 1; more when it was checked once more (``AcceptanceRecord/forget(_:)``).
    public var attempt: Int?
    /// What was measured, or why it was skipped, in plain words.
    public let says: String
    /// When, as ISO 8601 in UTC.
    public let time: String

    /// How a step has ended. Of long words the first 240 characters are kept: the report is one page.
    public init(_ state: State, _ says: String, at time: String, weakness: Weakness? = nil) {
        (self.state, self.time, self.weakness) = (state, time, weakness)
        self.says = says.count > 240 ? says.prefix(240) + "…" : says
    }
}
