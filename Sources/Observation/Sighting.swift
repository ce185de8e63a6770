/// "This value, here, now": what a witness reports.
public struct Sighting: Sendable, Hashable {
    /// How the value was shown.
    public enum Manner: Sendable, Hashable {
        /// Seen in passing, as by a camera: it counts as another device's answer only when it stays in view.
        case glimpsed
        /// Presented on purpose, as by a tap: once is enough.
        case presented
    }

    /// 16 bytes.
    public let value: [UInt8]
    public let manner: Manner
    /// Which witness, for the log ("camera").
    public let witness: String

    public init(value: [UInt8], manner: Manner, witness: String) {
        self.value = value
        self.manner = manner
        self.witness = witness
    }
}

/// The answer to an observation request.
public enum Verdict: Sendable, Hashable {
    /// The nonce was seen.
    case valid(witness: String)
    /// Another value was steadily shown.
    case invalid(witness: String)
    /// Nothing could be read in time; the reason is for the log.
    case failed(String)

    /// VALID, INVALID or FAILED.
    public var name: String {
        switch self {
        case .valid: "VALID"
        case .invalid: "INVALID"
        case .failed: "FAILED"
        }
    }
}
