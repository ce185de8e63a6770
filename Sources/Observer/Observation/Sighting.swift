/// "This value, here, now": what a witness reports.
public struct Sighting: Sendable, Hashable {
    /// How the value was shown.
    public enum Manner: Sendable, Hashable {
        /// Seen in passing, as by a camera: it counts as another device's answer only when it stays in view.
        case glimpsed
        /// Read from a tag that rests on the reader: likewise, since a dynamic tag may still hold an old value. Tags are read
        /// less often than pictures are looked at.
        case resting
        /// Presented on purpose, as by a peer-to-peer put: once is enough.
        case presented
    }

    /// 16 bytes.
    public let value: [UInt8]
    /// How the value was shown.
    public let manner: Manner
    /// Which witness, for the log ("camera").
    public let witness: String
    /// What it was read from and where, for the log ("qr at 120,80 to 260,220 of 1280x720").
    public let place: String

    /// What a witness has seen or been given.
    ///
    /// - Parameters:
    ///   - value: 16 bytes.
    ///   - manner: how it came to the witness.
    ///   - witness: which one, for the log.
    ///   - place: what it was read from and where, for the log.
    public init(value: [UInt8], manner: Manner, witness: String, place: String = "") {
        self.value = value
        self.manner = manner
        self.witness = witness
        self.place = place
    }

    /// Linear codes have weak checks or none, and 32 decimal digits are a parcel's number more often than a nonce (of
    /// random nonces one in three million has no letter): such a value may be the nonce, but it is no proof that something
    /// else was shown in its place.
    public var canDeny: Bool {
        manner == .presented || !(isLinear || isDecimal)
    }

    private var isLinear: Bool { place.hasPrefix("code") }
    private var isDecimal: Bool { value.allSatisfy { $0 >> 4 < 10 && $0 & 15 < 10 } }
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
