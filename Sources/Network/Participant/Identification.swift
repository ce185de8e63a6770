/// What a participant answers to an ID_REQUEST: its program and version, and for a server that understands it what else is
/// worth knowing, as words of the form name=value. To a reference server it is a text like any other.
///
/// ```
/// srup-observer 0.1.0 observations=32 session=5f1c3a20
/// ```
public struct Identification: Sendable, Hashable, CustomStringConvertible {
    /// Program and version.
    public var program: String
    /// How many devices an observer can look at at once. Without it a server must take it that there is one place for one
    /// token, as in a reference observer, which answers about one device with the other's token (docs/protocol.md, "One
    /// observation at a time").
    public var observations: Int?
    /// New with each connection: what was asked in another one has not been looked at.
    public var session: String?
    /// Which identity this one has taken the place of.
    public var replaces: Replacement?

    /// Longer texts are cut, in characters.
    private static let maximumLength = 2048

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
            let parts = word.split(separator: "=", maxSplits: 1)
            switch (String(parts.first ?? ""), parts.count == 2 ? String(parts[1]) : "") {
            case ("observations", let value):
                if let count = Int(value), (1...1024).contains(count) { observations = count }
            case ("session", let value) where (1...32).contains(value.utf8.count): session = value
            case ("replaces", let value): replaces = Replacement(value)
            default: program.append(Substring(word))
            }
        }
        self.program = program.joined(separator: " ")
    }

    /// The answer's text, as in the example above; what is not set is left out.
    public var description: String {
        [
            program, observations.map { "observations=\($0)" }, session.map { "session=\($0)" },
            replaces.map { "replaces=\($0)" },
        ].compactMap { $0 }.joined(separator: " ")
    }
}
