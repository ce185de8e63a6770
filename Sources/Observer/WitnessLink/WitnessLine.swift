import Linux
import ObservedValue

/// What the keeper learns from one of its witnesses.
public enum WitnessEvent: Sendable, Hashable {
    /// It sees, and through what.
    case ready(String)
    /// It cannot see, and why.
    case lost(String)
    /// A value is in view now: said at first sight, then again a few times a second for as long as it stays. `how` is one
    /// word, the symbology or the kind of tag, and where it is, for the log.
    case seen([UInt8], how: String)
    /// A symbol is in view that could not be read, and where; said at most twice a second.
    case unread(String)
    /// A value was presented on purpose, peer to peer.
    case tapped([UInt8], how: String)
    /// A word of the acceptance check is in view or was tapped; only of a witness that was told to look for them. Said like
    /// ``seen(_:how:)``, with the symbology or the kind of tag.
    case commanded(SheetCommand, how: String)
}

/// What keeper and witness say to each other over their Unix socket: one line of text each, at most 512 bytes.
///
/// ```
/// keeper -> witness                witness -> keeper
///   use --device auto …              hello 1 camera
///   wake
///   rest                             ready <what it looks through>
///                                    lost <why it cannot see>
///                                    seen <32 hex digits> <symbology or kind of tag> [where]
///                                    unread <where>
///                                    tapped <32 hex digits> <how>
///                                    command <word of the acceptance check> <how>
///                                    alive <frames looked at>
/// ```
/// `use` comes first and only where the service manager starts the witness, which then has no command line of ours.
/// Only values seen cross it, never the nonce (docs/architecture.md, "Keeper and witnesses"). A line that does not
/// parse means that the other side is broken or taken over: the keeper then starts the witness anew.
public enum WitnessLine: Sendable, Hashable, CustomStringConvertible {
    /// The first line: protocol version and kind of eye.
    case hello(kind: String)
    /// What the keeper learns.
    case event(WitnessEvent)
    /// Said every second while awake.
    case alive(frames: UInt64)

    /// The longest line, its end included, in bytes.
    public static let maximumLength = 512

    /// Reads a line without its end; `nil` when it is none of these.
    public init?(_ line: String) {
        guard line.utf8.count < Self.maximumLength else { return nil }
        let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        let rest = parts.count == 2 ? String(parts[1]) : ""
        switch parts[0] {
        case "hello":
            let words = rest.split(separator: " ")
            guard words.count == 2, words[0] == "1", !words[1].isEmpty, words[1].utf8.count <= 16 else { return nil }
            self = .hello(kind: String(words[1]))
        case "ready": self = .event(.ready(Self.harmless(rest)))
        case "lost": self = .event(.lost(Self.harmless(rest)))
        case "unread": self = .event(.unread(Self.harmless(rest)))
        case "seen", "tapped":
            let words = rest.split(separator: " ", maxSplits: 1)
            guard words.count == 2, words[0].utf8.count == 32, let value = Hex.decode(words[0]) else { return nil }
            let how = Self.harmless(String(words[1]))
            self = .event(parts[0] == "seen" ? .seen(value, how: how) : .tapped(value, how: how))
        case "command":
            let words = rest.split(separator: " ", maxSplits: 1)
            guard words.count == 2, let command = SheetCommand(rawValue: String(words[0])) else { return nil }
            self = .event(.commanded(command, how: Self.harmless(String(words[1]))))
        case "alive":
            guard let frames = UInt64(rest) else { return nil }
            self = .alive(frames: frames)
        default: return nil
        }
    }

    /// Whether it holds a value, which may be a nonce.
    var hasValue: Bool {
        switch self {
        case .event(.seen), .event(.tapped): true
        default: false
        }
    }

    /// The line without its end.
    public var description: String {
        switch self {
        case .hello(let kind): "hello 1 \(kind)"
        case .event(.ready(let what)): "ready \(Self.harmless(what))"
        case .event(.lost(let why)): "lost \(Self.harmless(why))"
        case .event(.unread(let place)): "unread \(Self.harmless(place))"
        case .event(.seen(let value, let how)): "seen \(Hex.encode(value)) \(Self.harmless(how))"
        case .event(.tapped(let value, let how)): "tapped \(Hex.encode(value)) \(Self.harmless(how))"
        case .event(.commanded(let command, let how)): "command \(command.rawValue) \(Self.harmless(how))"
        case .alive(let frames): "alive \(frames)"
        }
    }

    /// Printable ASCII of at most 400 characters: what comes from a device must not break lines or logs.
    private static func harmless(_ text: String) -> String {
        String(printable: text.utf8, atMost: 400)
    }
}

/// What the keeper tells a witness.
public enum WitnessCommand: Sendable, Hashable, CustomStringConvertible {
    /// A watch is open: look.
    case wake
    /// No watch is open: let go of the device.
    case rest
    /// The options to look with, as on a command line.
    case use([String])

    /// Reads a line without its end; `nil` when it is none of these.
    public init?(_ line: String) {
        switch line {
        case "wake": self = .wake
        case "rest": self = .rest
        default:
            guard line.utf8.count < WitnessLine.maximumLength, line == "use" || line.hasPrefix("use ") else {
                return nil
            }
            self = .use(line.split(separator: " ").dropFirst().map { Self.decoded(String($0)) })
        }
    }

    /// The line without its end.
    public var description: String {
        switch self {
        case .wake: "wake"
        case .rest: "rest"
        case .use(let words): (["use"] + words.map(Self.encoded)).joined(separator: " ")
        }
    }

    /// Words have no spaces and no line ends: those become %XX, percent-encoding.
    private static func encoded(_ word: String) -> String {
        let hex = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in word.utf8 {
            if byte <= 0x20 || byte == UInt8(ascii: "%") {
                bytes += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func decoded(_ word: String) -> String {
        let bytes = Array(word.utf8)
        var decoded: [UInt8] = []
        var next = 0
        while next < bytes.count {
            if bytes[next] == UInt8(ascii: "%"), next + 2 < bytes.count,
                let byte = UInt8(String(decoding: bytes[(next + 1)...(next + 2)], as: UTF8.self), radix: 16)
            {
                decoded.append(byte)
                next += 3
            } else {
                decoded.append(bytes[next])
                next += 1
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }
}
