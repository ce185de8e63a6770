import ObservedValue

/// What ``EvidenceVerifier`` has found.
public struct EvidenceReport: Sendable {
    /// Something that is not as it was written.
    public struct Problem: Sendable, Hashable, CustomStringConvertible {
        /// What was done.
        public enum Kind: String, Sendable {
            case changed, removed, inserted, reordered
            /// A seal or anchor is missing, another's, or does not fit.
            case unsealed
            /// A message is not its sender's, or says something else than its line.
            case message
            /// The file is no whole export.
            case file
            /// The head that was expected is not there.
            case head
        }
        /// What was done.
        public let kind: Kind
        /// The number of the line in the log where it shows.
        public let line: UInt64
        /// More about it.
        public let words: String

        /// For people.
        public var description: String { "line \(line): \(kind.rawValue): \(words)" }
    }

    /// How many problems are told one by one.
    public static let maximumProblems = 100
    /// The first problems.
    public internal(set) var problems: [Problem] = []
    /// How many there were.
    public internal(set) var problemCount = 0
    /// How many lines there were, with those left out.
    public internal(set) var lines: UInt64 = 0
    /// How many of them are left out in the export.
    public internal(set) var omitted: UInt64 = 0
    /// The number of the first line that is kept; `nil`: there is none.
    public internal(set) var first: UInt64?
    /// The number of the last line.
    public internal(set) var last: UInt64 = 0
    /// The hash of the last line.
    public internal(set) var head = EvidenceHash.none
    /// Up to this line the server has signed; `nil`: nothing is signed.
    public internal(set) var sealed: UInt64?
    /// When it has signed last, in milliseconds since 1970.
    public internal(set) var sealedAt: Int64?
    /// How many messages there were, each with its signature.
    public internal(set) var messages = 0
    /// How many decisions have no message beside them.
    public internal(set) var bare = 0
    /// Lines which say that a backup was put back: what was written after that backup is not in this log. The first ones.
    public internal(set) var restored: [UInt64] = []
    /// Lines that an earlier release had written, before there were hashes: up to this one.
    public internal(set) var adopted: UInt64?
    /// The fingerprint of the key that seals.
    public internal(set) var key = ""
    /// Whose log it is, in hexadecimal.
    public internal(set) var server = ""

    /// Whether nothing is wrong.
    public var isGood: Bool { problemCount == 0 }

    mutating func note(_ kind: Problem.Kind, _ line: UInt64, _ words: String) {
        problemCount += 1
        if problems.count < Self.maximumProblems { problems.append(Problem(kind: kind, line: line, words: words)) }
    }
}
