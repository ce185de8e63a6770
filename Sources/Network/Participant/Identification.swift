import SRUP

/// What a participant answers to an ID_REQUEST: its program and version, and for a server that understands it what else is
/// worth knowing, as words of the form name=value. To a reference server it is a text like any other.
///
/// ```
/// srup-observer 0.1.0 observations=32 session=5f1c3a20 eyes=camera,tap
/// srup-device 0.1.0 session=77e2 actions=1:on,2:off sends=temperature:float64 takes=setpoint:int32 returns=0 groups=lamps,kitchen
/// ```
/// A program that takes part in groups has the word `groups`, with nothing behind it while it is in none.
public struct Identification: Sendable, Hashable, CustomStringConvertible {
    /// Program and version.
    public var program: String
    /// How many devices an observer can look at at once. Without it a server must take it that there is one place for one
    /// token, as in a reference observer, which answers about one device with the other's token (docs/protocol.md, "One
    /// observation at a time").
    public var observations: Int?
    /// By what an observer sees, each kind once: words such as `camera` and `tap`.
    public var eyes: [String] = []
    /// New with each connection: what was asked in another one has not been looked at.
    public var session: String?
    /// Which identity this one has taken the place of.
    public var replaces: Replacement?
    /// What it does when it is told to (ACTION), by number; each has a name.
    public var actions: [UInt8: String] = [:]
    /// Which values it sends (DATA), by name.
    public var sends: [String: DataType] = [:]
    /// Which values it takes (DATA), by name.
    public var takes: [String: DataType] = [:]
    /// Over how many seconds it comes back when it has lost its connection, as it was told ("RETURN_WITHIN"); `nil`: it takes no such
    /// word.
    public var returns: Int?
    /// The groups that it listens to; `nil`: it does not say, as a reference device, which knows none.
    public var groups: [GroupID]?

    /// Longer texts are cut, in characters.
    public static let maximumLength = 8192
    /// So many actions, values sent and values taken are read, of each.
    public static let maximumNames = 64
    /// The most that ``returns`` can be, in seconds.
    public static let longestReturn = 300

    /// An identification that replaces no other identity.
    public init(program: String, observations: Int? = nil, session: String? = nil) {
        self.program = program
        self.observations = observations
        self.session = session
    }

    /// Reads any text; what is not understood is part of the program's name.
    public init(_ text: some StringProtocol) {
        var program: [Substring] = []
        self.init(program: "")
        for word in text.prefix(Self.maximumLength).split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            switch (String(parts.first ?? ""), parts.count == 2 ? String(parts[1]) : nil) {
            case ("observations", let value?):
                if let count = Int(value), (1...1024).contains(count) { observations = count }
            case ("session", let value?) where (1...32).contains(value.utf8.count): session = value
            case ("eyes", let value?): eyes = value.split(separator: ",").prefix(8).filter(Self.isName).map(String.init)
            case ("replaces", let value?): replaces = Replacement(value)
            case ("actions", let value?):
                for (number, name) in Self.pairs(value) {
                    if let number = UInt8(number), Self.isName(name) { actions[number] = name }
                }
            case ("sends", let value?): sends = Self.types(value)
            case ("takes", let value?): takes = Self.types(value)
            case ("returns", let value?):
                if let seconds = Int(value), (0...Self.longestReturn).contains(seconds) { returns = seconds }
            case ("groups", let value?):
                groups = value.split(separator: ",").prefix(Self.maximumNames).compactMap { GroupID($0) }
            default: program.append(Substring(word))
            }
        }
        self.program = program.joined(separator: " ")
    }

    /// Whether something can be named so in an identification: 1 to 64 letters, digits, and `.`, `_`, `-`.
    public static func isName(_ text: some StringProtocol) -> Bool { PlainName.isValid(text) }

    private static func pairs(_ text: String) -> [(String, String)] {
        text.split(separator: ",").prefix(maximumNames).compactMap { pair in
            let parts = pair.split(separator: ":", maxSplits: 1)
            return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
        }
    }

    private static func types(_ text: String) -> [String: DataType] {
        var found: [String: DataType] = [:]
        for (name, type) in pairs(text) where isName(name) { found[name] = DataType(name: type) }
        return found
    }

    /// The answer's text, as in the example above; what is not set is left out.
    public var description: String {
        func list(_ name: String, _ pairs: [(String, String)]) -> String? {
            pairs.isEmpty ? nil : "\(name)=\(pairs.map { "\($0.0):\($0.1)" }.joined(separator: ","))"
        }
        return [
            program, observations.map { "observations=\($0)" }, session.map { "session=\($0)" },
            eyes.isEmpty ? nil : "eyes=\(eyes.joined(separator: ","))", replaces.map { "replaces=\($0)" },
            list("actions", actions.sorted { $0.key < $1.key }.map { (String($0.key), $0.value) }),
            list("sends", sends.sorted { $0.key < $1.key }.map { ($0.key, $0.value.rawValue) }),
            list("takes", takes.sorted { $0.key < $1.key }.map { ($0.key, $0.value.rawValue) }),
            returns.map { "returns=\($0)" },
            groups.map { "groups=\($0.map(\.text).joined(separator: ","))" },
        ].compactMap { $0 }.joined(separator: " ")
    }
}
