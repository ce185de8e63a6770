/// Why a reader cannot be used, or why an exchange failed.
public enum ReaderError: Error, Sendable, Hashable, CustomStringConvertible {
    case absent(String)
    case busy(String)
    case noPermission(String)
    /// libnfc found no PN532 behind the port.
    case noChip(String)
    /// Something answers that is no PN532, and so.
    case foreign(String, [UInt8])
    /// The chip has not answered, twice.
    case silent(String)
    /// The reader itself fails: cable, bus, power. Opening it again may help.
    case broken(String)
    /// Nothing came in time.
    case timeout
    /// The radio link failed or the peer has gone; the reader is well.
    case peerGone(String)

    /// What is wrong and, where that is known, what to do; in words for the operator.
    public var description: String {
        switch self {
        case .absent(let what): "\(what) is not there"
        case .busy(let what): "\(what) is in use by another program"
        case .noPermission(let path):
            "\(path) may not be opened by this user: add it to the group that owns it (dialout or i2c)"
        case .noChip(let what): "no PN532 answers at \(what): check wiring, power and the board's interface switches"
        case .foreign(let what, let answer):
            """
            what answers at \(what) is no PN532: asked for its firmware it says \
            \(answer.isEmpty ? "nothing" : answer.prefix(16).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " "))
            """
        case .silent(let doing): "the reader does not answer: \(doing), twice"
        case .broken(let why): "the reader does not answer: \(why)"
        case .timeout: "nothing came in time"
        case .peerGone(let why): "the device has gone: \(why)"
        }
    }

    /// Whether the chip was asked again already.
    var isSilence: Bool {
        if case .silent = self { return true }
        return false
    }

    /// Whether the reader is well and only the exchange has failed.
    public var isOnlyTheLink: Bool {
        switch self {
        case .timeout, .peerGone: true
        default: false
        }
    }
}
